-- Quoted and mixed-case identifiers, reserved words as names, quotes and comment marks in strings.

CREATE TABLE "Order Items" ("Id" BIGINT, "select" TEXT, "a""b" INT, plain TEXT);
--> ok

INSERT INTO "Order Items" VALUES (1, 's', 10, 'p'), (2, 't', 20, NULL);
--> count 2

INSERT INTO "Order Items" ("a""b", "Id") VALUES (30, 3);
--> count 1

SELECT "Id", "select", "a""b", plain FROM "Order Items" ORDER BY "Id";
--> rows
-- 1 | s | 10 | p
-- 2 | t | 20 | NULL
-- 3 | NULL | 30 | NULL

UPDATE "Order Items" SET "select" = 'new', "a""b" = "a""b" + 1 WHERE "Id" = 2;
--> count 1

UPDATE "Order Items" AS "O" SET plain = "O"."select" WHERE "O"."Id" < 3;
--> count 2

SELECT * FROM "Order Items" ORDER BY "Id";
--> rows
-- 1 | s | 10 | s
-- 2 | new | 21 | new
-- 3 | NULL | 30 | NULL

DELETE FROM "Order Items" WHERE "select" = 'new' RETURNING "Id", "a""b";
--> rows
-- 2 | 21

-- an unquoted name of a column is looked for in any case, that of a table in lower case
SELECT iD FROM "Order Items" ORDER BY ID;
--> rows
-- 1
-- 3

--@ duckdb: skip names are case-insensitive in DuckDB, quoted or not
SELECT * FROM "order items";
--> error invalid: not found

--@ duckdb: skip names are case-insensitive in DuckDB, quoted or not
UPDATE "Order Items" SET "ID" = 5;
--> error invalid: ID

UPDATE "Order Items" SET ID = id WHERE ID = 1;
--> count 1

MERGE INTO "Order Items" AS t USING (SELECT 1 AS "Id", 'm' AS "select") AS s ON t."Id" = s."Id" WHEN MATCHED THEN UPDATE SET "select" = s."select" WHEN NOT MATCHED THEN INSERT ("Id", "select") VALUES (s."Id", s."select");
--> count 1

SELECT "Id", "select" FROM "Order Items" ORDER BY "Id";
--> rows
-- 1 | m
-- 3 | NULL

CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT);
--> ok

INSERT INTO people VALUES (1, 'O''Brien'), (2, 'a''''b'), (3, 'semi; colon'), (4, '-- no comment'), (5, '/* nor this */'), (6, '"double"'), (7, 'back\slash'), (8, '?1 $1 :x');
--> count 8

SELECT * FROM people ORDER BY id;
--> rows
-- 1 | O'Brien
-- 2 | a''b
-- 3 | semi; colon
-- 4 | -- no comment
-- 5 | /* nor this */
-- 6 | "double"
-- 7 | back\\slash
-- 8 | ?1 $1 :x

SELECT id FROM people WHERE name = 'O''Brien';
--> rows
-- 1

UPDATE people SET name = 'O''Neil; DROP TABLE people' WHERE name = 'O''Brien';
--> count 1

DELETE FROM people WHERE name = '-- no comment' OR name = 'semi; colon';
--> count 2

SELECT id FROM people WHERE name IN ('a''''b', 'back\slash', '"double"') ORDER BY id;
--> rows
-- 2
-- 6
-- 7

INSERT INTO people VALUES (1, 'it''s') ON CONFLICT (id) DO UPDATE SET name = excluded.name || ' ''quoted''';
--> count 1

SELECT name FROM people WHERE id = 1;
--> rows
-- it's 'quoted'

ALTER TABLE "Order Items" RENAME COLUMN "a""b" TO "New Name";
--> ok

ALTER TABLE "Order Items" RENAME TO "Renamed";
--> ok

SELECT "Id", "New Name" FROM "Renamed" ORDER BY "Id";
--> rows
-- 1 | 10
-- 3 | 30

CREATE VIEW "V 1" AS SELECT "Id" AS "X y" FROM "Renamed";
--> ok

SELECT max("X y") AS m FROM "V 1";
--> rows
-- 3

DROP VIEW "V 1";
--> ok

DROP TABLE "Renamed";
--> ok
