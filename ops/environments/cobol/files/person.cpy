01 person.
   05 person-name pic x(10).
   05 person-age  pic 9(3).
