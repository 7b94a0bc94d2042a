import groovy.json.JsonSlurper

def people = new JsonSlurper().parse(System.in)
println people*.name.sort().join(', ')
