program Names;

uses
  fpjson, jsonparser;

var
  Line: String;
  Data: TJSONData;
begin
  ReadLn(Line);
  Data := GetJSON(Line);
  WriteLn(Data.FindPath('name').AsString, ' is ', Data.FindPath('age').AsInteger);
  Data.Free;
end.
