require 'rbtree'

ages = RBTree[]
$stdin.each_line do |line|
  name, age = line.split
  ages[name] = age.to_i
end
ages.each { |name, age| puts "#{name} #{age}" }
