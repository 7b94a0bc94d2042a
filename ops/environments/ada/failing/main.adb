with Ada.Text_IO;

procedure Main is
   type Age is range 0 .. 150;
   Oldest : Age;
begin
   Oldest := Age'Value ("151");
   Ada.Text_IO.Put_Line (Oldest'Image);
end Main;
