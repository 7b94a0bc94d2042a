var
  Divisor: Integer;
begin
  Divisor := 0;
  WriteLn(1 div Divisor);
end.
