identification division.
program-id. people.
data division.
working-storage section.
copy "person.cpy".
procedure division.
    accept person
    display function trim(person-name) " is " person-age
    stop run.
