program failing
  implicit none
  print *, missing
end program failing
