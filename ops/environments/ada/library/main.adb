with Ada.Text_IO;
with AUnit.Assertions;

procedure Main is
   Line : constant String := Ada.Text_IO.Get_Line;
begin
   AUnit.Assertions.Assert (Line'Length > 0, "there is a line");
   Ada.Text_IO.Put_Line ("read" & Line'Length'Image & " characters");
end Main;
