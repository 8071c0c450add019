-- UPDATE of one table: expressions, conditions, matched-row counts, updates of updated rows.

CREATE TABLE t (id BIGINT NOT NULL, a INT, b INT, name TEXT);
--> ok

-- on an empty table
UPDATE t SET a = 1;
--> count 0

INSERT INTO t VALUES (1, 10, 100, 'one'), (2, 20, 200, 'two'), (3, 30, 300, 'three'), (4, NULL, 400, NULL);
--> count 4

UPDATE t SET a = a + 1 WHERE id = 1;
--> count 1

UPDATE t SET a = a + 1 WHERE id = 1;
--> count 1

SELECT id, a FROM t ORDER BY id;
--> rows
-- 1 | 12
-- 2 | 20
-- 3 | 30
-- 4 | NULL

-- every right side sees the row of before
UPDATE t SET a = b, b = a;
--> count 4

SELECT id, a, b FROM t ORDER BY id;
--> rows
-- 1 | 100 | 12
-- 2 | 200 | 20
-- 3 | 300 | 30
-- 4 | 400 | NULL

UPDATE t SET a = a * 2, b = a, name = name || '!' WHERE id IN (2, 3);
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 100 | 12 | one
-- 2 | 400 | 200 | two!
-- 3 | 600 | 300 | three!
-- 4 | 400 | NULL | NULL

-- matched rows count, also those that stay as they are
UPDATE t SET name = name;
--> count 4

UPDATE t SET b = 5 WHERE false;
--> count 0

UPDATE t SET b = 5 WHERE id = 99;
--> count 0

UPDATE t SET b = -1 WHERE b IS NULL;
--> count 1

UPDATE t SET b = CASE WHEN id < 3 THEN 0 ELSE b END, name = coalesce(name, 'none');
--> count 4

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 100 | 0 | one
-- 2 | 400 | 0 | two!
-- 3 | 600 | 300 | three!
-- 4 | 400 | -1 | none

-- the condition looks at what the statement itself changes
UPDATE t SET id = id + 1 WHERE id < 4;
--> count 3

SELECT id, name FROM t ORDER BY id, name;
--> rows
-- 2 | one
-- 3 | two!
-- 4 | none
-- 4 | three!

UPDATE t SET a = 7 WHERE id = 4 AND name = 'none';
--> count 1

UPDATE t SET a = 8 WHERE a = 7;
--> count 1

SELECT a FROM t WHERE name = 'none';
--> rows
-- 8

UPDATE t SET nope = 1;
--> error invalid: nope

UPDATE t SET a = nope;
--> error invalid: No field named

UPDATE t SET a = 1 WHERE nope = 1;
--> error invalid: No field named

UPDATE nope SET a = 1;
--> error invalid: not found

UPDATE t SET a = 1, a = 2;
--> error invalid: a

SELECT sum(a) AS a, sum(b) AS b, count(*) AS n FROM t;
--> rows
-- 1108 | 299 | 4
