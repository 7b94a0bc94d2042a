{people} = :jiffy.decode(IO.read(:stdio, :line))

people
|> Enum.sort()
|> Enum.each(fn {name, age} -> IO.puts("#{name} #{age}") end)
