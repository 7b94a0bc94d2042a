begin
  WriteLn('Hello, world!');
end.
