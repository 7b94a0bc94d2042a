let numbers = @[1, 2, 3]
var index = 3
echo numbers[index]
