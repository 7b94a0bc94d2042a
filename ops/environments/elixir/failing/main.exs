raise "nothing works"
