-- Valid SQL that the engine does not do: refused by name, and nothing changes.

CREATE TABLE t (id BIGINT PRIMARY KEY, v INT);
--> ok

INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);
--> count 3

DELETE FROM t LIMIT 1;
--> error unsupported: LIMIT

DELETE FROM t ORDER BY id LIMIT 1;
--> error unsupported: ORDER BY

DELETE FROM t ORDER BY id;
--> error unsupported: ORDER BY

UPDATE t SET v = 0 LIMIT 1;
--> error unsupported: LIMIT

UPDATE t SET v = 0 ORDER BY id;
--> error unsupported: ORDER BY

--@ duckdb: skip DuckDB has indexes
CREATE INDEX ix ON t (v);
--> error unsupported: CREATE INDEX

--@ duckdb: skip DuckDB has indexes
CREATE UNIQUE INDEX ix ON t (v);
--> error unsupported: INDEX

--@ duckdb: skip DuckDB has sequences
CREATE SEQUENCE seq;
--> error unsupported: CREATE SEQUENCE

SAVEPOINT here;
--> error unsupported: SAVEPOINT

GRANT SELECT ON t TO someone;
--> error unsupported: GRANT

REVOKE SELECT ON t FROM someone;
--> error unsupported: REVOKE

--@ duckdb: skip DuckDB checks constraints
CREATE TABLE c (a INT CHECK (a > 0));
--> error unsupported: CHECK

--@ duckdb: skip DuckDB checks constraints
CREATE TABLE c (a INT, b INT, CHECK (a < b));
--> error unsupported: CHECK

--@ duckdb: skip DuckDB checks constraints
CREATE TABLE c (a INT UNIQUE);
--> error unsupported: UNIQUE

--@ duckdb: skip DuckDB checks constraints
CREATE TABLE c (a INT, b INT, UNIQUE (a, b));
--> error unsupported: UNIQUE

--@ duckdb: skip DuckDB checks constraints
CREATE TABLE c (a BIGINT REFERENCES t (id));
--> error unsupported: FOREIGN KEY

--@ duckdb: skip DuckDB checks constraints
CREATE TABLE c (a BIGINT, FOREIGN KEY (a) REFERENCES t (id));
--> error unsupported: FOREIGN KEY

SELECT * FROM c;
--> error invalid: not found

--@ duckdb: skip DuckDB runs several statements at once
DELETE FROM t; DELETE FROM t;
--> error invalid

--@ duckdb: skip DuckDB runs several statements at once
SELECT 1 AS a; SELECT 2 AS b;
--> error invalid

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 10
-- 2 | 20
-- 3 | 30

-- a key that not every write checks stands for no other column
CREATE TABLE keyed (id INT PRIMARY KEY, name VARCHAR);
--> ok

--@ duckdb: skip its keys are checked
SELECT id, name FROM keyed GROUP BY id;
--> error invalid: The PRIMARY KEY of keyed does not stand for its other columns

SELECT id, min(name) AS name FROM keyed GROUP BY id;
--> rows
