CREATE TABLE people (name TEXT PRIMARY KEY, born INTEGER NOT NULL);
INSERT INTO people VALUES ('Ada Lovelace', 1815), ('Grace Hopper', 1906), ('Barbara Liskov', 1939);
