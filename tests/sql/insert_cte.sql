-- INSERT with a WITH before it, and with one inside its source.

CREATE TABLE t (id BIGINT, name TEXT);
--> ok

WITH a AS (SELECT 1 AS id, 'one' AS name) INSERT INTO t SELECT id, name FROM a;
--> count 1

INSERT INTO t WITH a AS (SELECT 2 AS id, 'two' AS name) SELECT id, name FROM a;
--> count 1

WITH a AS (SELECT 3 AS id), b AS (SELECT id + 1 AS id FROM a) INSERT INTO t (id) SELECT id FROM a UNION ALL SELECT id FROM b;
--> count 2

INSERT INTO t (id, name) WITH RECURSIVE r AS (SELECT 10 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 13) SELECT n, 'r' FROM r;
--> count 4

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | one
-- 2 | two
-- 3 | NULL
-- 4 | NULL
-- 10 | r
-- 11 | r
-- 12 | r
-- 13 | r

-- the common table expression reads the target
WITH top AS (SELECT max(id) AS m FROM t) INSERT INTO t (id, name) SELECT m + 1, 'next' FROM top;
--> count 1

WITH top AS (SELECT max(id) AS m FROM t) INSERT INTO t (id, name) SELECT m + 1, 'next' FROM top RETURNING id, name;
--> rows
-- 15 | next

-- a common table expression hides a table of the same name
WITH t AS (SELECT 99 AS id) SELECT id FROM t;
--> rows
-- 99

SELECT id, name FROM t WHERE id > 12 ORDER BY id;
--> rows
-- 13 | r
-- 14 | next
-- 15 | next

/* a comment before the WITH */ WITH a AS (SELECT 50 AS id) INSERT INTO t (id) SELECT id FROM a;
--> count 1

SELECT count(*) AS n FROM t;
--> rows
-- 11
