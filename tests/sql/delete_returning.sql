-- DELETE … RETURNING: the rows as they were.

CREATE TABLE t (id BIGINT, name TEXT, v INT);
--> ok

INSERT INTO t VALUES (1, 'a', 10), (2, NULL, 20), (3, 'c', 30), (4, 'd', 40);
--> count 4

DELETE FROM t WHERE id = 1 RETURNING *;
--> rows
-- 1 | a | 10

UPDATE t SET v = v + 5 WHERE id = 2;
--> count 1

DELETE FROM t WHERE id = 2 RETURNING id, name, v;
--> rows
-- 2 | NULL | 25

DELETE FROM t WHERE id = 2 RETURNING id;
--> rows

DELETE FROM t WHERE id = 3 RETURNING nope;
--> error invalid: No field named

DELETE FROM t WHERE id IN (SELECT id FROM t WHERE v > 5) RETURNING id * 10 AS ten, coalesce(name, '?') AS name;
--> rows unordered
-- 30 | c
-- 40 | d

SELECT count(*) AS n FROM t;
--> rows
-- 0

DELETE FROM t RETURNING *;
--> rows
