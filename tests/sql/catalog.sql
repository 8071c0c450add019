-- What tables and columns there are: information_schema, SHOW TABLES and DESCRIBE.

CREATE TABLE b (id BIGINT NOT NULL, name TEXT, price DECIMAL(10,2));
--> ok

CREATE TABLE a (x INT);
--> ok

CREATE VIEW v AS SELECT x FROM a;
--> ok

--@ duckdb: SELECT table_name, table_type FROM information_schema.tables ORDER BY table_name
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name;
--> rows
-- a | BASE TABLE
-- b | BASE TABLE
-- v | VIEW

SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = 'b' ORDER BY ordinal_position;
--> rows
-- id | NO
-- name | YES
-- price | YES

SHOW TABLES;
--> ok

DESCRIBE b;
--> ok

ALTER TABLE b ADD COLUMN more BOOLEAN;
--> ok

ALTER TABLE b DROP COLUMN price;
--> ok

SELECT column_name FROM information_schema.columns WHERE table_name = 'b' ORDER BY ordinal_position;
--> rows
-- id
-- name
-- more

ALTER TABLE b RENAME TO c;
--> ok

DROP VIEW v;
--> ok

DROP TABLE a;
--> ok

--@ duckdb: SELECT table_name FROM information_schema.tables
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public';
--> rows
-- c

DESCRIBE nope;
--> error invalid: not found
