library(jsonlite)

people <- fromJSON(readLines(file("stdin")))
cat(mean(people$age), "\n", sep = "")
