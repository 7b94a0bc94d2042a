-- Counts people of the sample who were born since the year that is read.
CREATE TEMPORARY TABLE years (year integer);
\copy years FROM pstdin
SELECT count(*) FROM people, years WHERE born >= year;
