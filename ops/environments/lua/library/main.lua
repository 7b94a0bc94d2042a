local lpeg = require("lpeg")

local number = lpeg.C(lpeg.R("09") ^ 1) / tonumber
local sum = lpeg.Cf(number * (lpeg.P(" + ") * number) ^ 0, function(left, right)
  return left + right
end)
print(sum:match(io.read()))
