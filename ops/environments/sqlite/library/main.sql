-- Counts people of the sample who were born since the year that is read.
CREATE TABLE years (year INTEGER);
.import /dev/stdin years
SELECT count(*) FROM people, years WHERE born >= year;
