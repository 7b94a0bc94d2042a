CREATE TABLE people (name text PRIMARY KEY, born integer NOT NULL);
INSERT INTO people VALUES ('Ada Lovelace', 1815), ('Grace Hopper', 1906), ('Barbara Liskov', 1939);
