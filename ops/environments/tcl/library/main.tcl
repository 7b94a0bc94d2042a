package require json

set person [json::json2dict [read stdin]]
puts "[dict get $person name] is [dict get $person age]"
