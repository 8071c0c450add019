-- UPDATE with an alias for the target, and names that need the qualifier.

CREATE TABLE t (id BIGINT, v INT);
--> ok

INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
--> count 3

UPDATE t AS x SET v = x.v * 10 WHERE x.id = 2;
--> count 1

UPDATE t x SET v = x.v + x.id WHERE x.id > 2;
--> count 1

UPDATE t SET v = t.v - 1 WHERE t.id = 1;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 0
-- 2 | 20
-- 3 | 6

-- the alias hides the name of the table
UPDATE t AS x SET v = 0 WHERE t.id = 1;
--> error invalid

UPDATE t AS x SET v = (SELECT max(t.v) FROM t WHERE t.id = x.id - 1) WHERE x.id > 1;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 0
-- 2 | 0
-- 3 | 20

UPDATE t AS x SET v = 5 RETURNING x.id, x.v;
--> rows unordered
-- 1 | 5
-- 2 | 5
-- 3 | 5

DELETE FROM t AS x WHERE x.id = 1;
--> count 1

DELETE FROM t AS x WHERE EXISTS (SELECT 1 FROM t WHERE t.id > x.id);
--> count 1

SELECT * FROM t;
--> rows
-- 3 | 5
