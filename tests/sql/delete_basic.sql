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

-- Rows deep in a table, and the same place counted from where others begin.
CREATE TABLE deep AS SELECT r.value AS k, r.value % 7 AS m FROM range(20000) AS r(value);
--> ok

DELETE FROM deep WHERE k >= 9000 AND m = 3;
--> count 1571

SELECT count(*), sum(k), min(k) FILTER (WHERE m = 3), max(k) FILTER (WHERE m = 3), count(*) FILTER (WHERE m = 3) FROM deep;
--> rows
-- 18429 | 177210500 | 3 | 8998 | 1286

UPDATE deep SET m = -1 WHERE k BETWEEN 12000 AND 12010 OR k = 5;
--> count 10

SELECT k, m FROM deep WHERE m = -1 OR k BETWEEN 11998 AND 12012 ORDER BY k;
--> rows
-- 5 | -1
-- 11998 | 0
-- 11999 | 1
-- 12000 | -1
-- 12002 | -1
-- 12003 | -1
-- 12004 | -1
-- 12005 | -1
-- 12006 | -1
-- 12007 | -1
-- 12009 | -1
-- 12010 | -1
-- 12011 | 6
-- 12012 | 0
