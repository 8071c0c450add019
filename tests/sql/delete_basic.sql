-- DELETE of one table: conditions, counts, and inserting again what was deleted.

CREATE TABLE t (id BIGINT, name TEXT, v INT);
--> ok

DELETE FROM t;
--> count 0

DELETE FROM t WHERE id = 1;
--> count 0

INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30), (4, NULL, NULL), (5, 'e', 50), (5, 'e', 50);
--> count 6

DELETE FROM t WHERE false;
--> count 0

DELETE FROM t WHERE id = 99;
--> count 0

DELETE FROM t WHERE name = NULL;
--> count 0

DELETE FROM t WHERE v <> 10 AND v < 30;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 10
-- 3 | c | 30
-- 4 | NULL | NULL
-- 5 | e | 50
-- 5 | e | 50

-- deleted once, not found again
DELETE FROM t WHERE id = 2;
--> count 0

-- duplicates go together
DELETE FROM t WHERE id = 5;
--> count 2

INSERT INTO t VALUES (2, 'again', 22), (5, 'again', 55);
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 10
-- 2 | again | 22
-- 3 | c | 30
-- 4 | NULL | NULL
-- 5 | again | 55

UPDATE t SET v = v + 1 WHERE id = 5;
--> count 1

DELETE FROM t WHERE v = 55;
--> count 0

DELETE FROM t WHERE v = 56;
--> count 1

DELETE FROM t WHERE name IS NULL;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 10
-- 2 | again | 22
-- 3 | c | 30

DELETE FROM t WHERE upper(name) = 'AGAIN' OR id BETWEEN 3 AND 3;
--> count 2

DELETE FROM t WHERE nope = 1;
--> error invalid: No field named

DELETE FROM nope WHERE id = 1;
--> error invalid: not found

DELETE FROM t;
--> count 1

SELECT count(*) AS n FROM t;
--> rows
-- 0

INSERT INTO t VALUES (1, 'fresh', 1);
--> count 1

SELECT * FROM t;
--> rows
-- 1 | fresh | 1
