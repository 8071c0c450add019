-- CREATE TABLE and DROP TABLE: IF NOT EXISTS, OR REPLACE, AS SELECT, keys, and what exists already.

CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x');
--> ok

INSERT INTO t (id) VALUES (1);
--> count 1

CREATE TABLE t (id BIGINT);
--> error invalid: exists

CREATE TABLE IF NOT EXISTS t (other BIGINT);
--> ok

SELECT * FROM t;
--> rows
-- 1 | x

CREATE OR REPLACE TABLE t (a INT, b TEXT);
--> ok

SELECT * FROM t;
--> rows

INSERT INTO t VALUES (1, 'one'), (2, 'two');
--> count 2

CREATE TABLE copy AS SELECT a * 10 AS ten, b FROM t WHERE a > 1;
--> ok

SELECT * FROM copy;
--> rows
-- 20 | two

-- a copy is a table of its own
DELETE FROM t WHERE a = 2;
--> count 1

INSERT INTO copy VALUES (30, 'three');
--> count 1

SELECT * FROM copy ORDER BY ten;
--> rows
-- 20 | two
-- 30 | three

CREATE OR REPLACE TABLE copy AS SELECT b, count(*) AS n FROM copy GROUP BY b;
--> ok

SELECT * FROM copy ORDER BY b;
--> rows
-- three | 1
-- two | 1

CREATE TABLE empty AS SELECT a, b FROM t WHERE false;
--> ok

INSERT INTO empty VALUES (9, 'nine');
--> count 1

SELECT * FROM empty;
--> rows
-- 9 | nine

CREATE TABLE cte AS WITH q AS (SELECT 1 AS x UNION ALL SELECT 2) SELECT x, x * x AS square FROM q;
--> ok

SELECT * FROM cte ORDER BY x;
--> rows
-- 1 | 1
-- 2 | 4

CREATE TABLE bad (id BIGINT, id TEXT);
--> error invalid: id

CREATE TABLE bad AS SELECT nope FROM t;
--> error invalid: No field named

DROP TABLE cte;
--> ok

SELECT * FROM cte;
--> error invalid: not found

DROP TABLE cte;
--> error invalid: cte

DROP TABLE IF EXISTS cte;
--> ok

-- the name is free again, with other columns
CREATE TABLE cte (solo TEXT);
--> ok

SELECT * FROM cte;
--> rows

CREATE TABLE pair (a INT, b INT, v TEXT, PRIMARY KEY (a, b));
--> ok

INSERT INTO pair VALUES (1, 1, 'x'), (1, 2, 'y');
--> count 2

INSERT INTO pair VALUES (1, NULL, 'z');
--> error invalid: b

SELECT * FROM pair ORDER BY a, b;
--> rows
-- 1 | 1 | x
-- 1 | 2 | y
