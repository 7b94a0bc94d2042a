! Two equations with two unknowns: a row of three numbers each, the last one being the right side.
program solve
  implicit none
  external :: dgesv
  double precision :: matrix(2, 2), right(2)
  integer :: pivots(2), problem, row
  do row = 1, 2
    read *, matrix(row, 1), matrix(row, 2), right(row)
  end do
  call dgesv(2, 1, matrix, 2, pivots, right, 2, problem)
  if (problem /= 0) error stop 'no solution'
  print '(f0.3, 1x, f0.3)', right
end program solve
