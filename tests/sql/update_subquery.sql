-- UPDATE with scalar, correlated, IN and EXISTS subqueries, some on the table it changes.

CREATE TABLE t (id BIGINT, grp TEXT, v BIGINT);
--> ok

CREATE TABLE s (id BIGINT, w BIGINT);
--> ok

INSERT INTO t VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30), (4, 'b', 40), (5, NULL, 50);
--> count 5

INSERT INTO s VALUES (1, 100), (1, 101), (3, 300), (9, 900), (NULL, 0);
--> count 5

UPDATE t SET v = (SELECT max(w) FROM s) WHERE id = 5;
--> count 1

UPDATE t SET v = (SELECT sum(w) FROM s WHERE s.id = t.id);
--> count 5

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 201
-- 2 | a | NULL
-- 3 | b | 300
-- 4 | b | NULL
-- 5 | NULL | NULL

UPDATE t SET v = (SELECT count(*) FROM s WHERE s.id = t.id);
--> count 5

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 2
-- 2 | a | 0
-- 3 | b | 1
-- 4 | b | 0
-- 5 | NULL | 0

UPDATE t SET v = v + 1 WHERE id IN (SELECT id FROM s);
--> count 2

UPDATE t SET v = -1 WHERE id NOT IN (SELECT id FROM s WHERE id IS NOT NULL);
--> count 3

-- a NULL in the list: NOT IN is never true
UPDATE t SET v = 1000 WHERE id NOT IN (SELECT id FROM s);
--> count 0

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 3
-- 2 | a | -1
-- 3 | b | 2
-- 4 | b | -1
-- 5 | NULL | -1

UPDATE t SET grp = 'seen' WHERE EXISTS (SELECT 1 FROM s WHERE s.id = t.id AND s.w > 200);
--> count 1

UPDATE t SET grp = 'unseen' WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.id = t.id) AND grp IS NOT NULL;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 3
-- 2 | unseen | -1
-- 3 | seen | 2
-- 4 | unseen | -1
-- 5 | NULL | -1

-- subqueries on the target see the table of before the statement
UPDATE t SET v = (SELECT sum(v) FROM t);
--> count 5

SELECT DISTINCT v FROM t;
--> rows
-- 2

UPDATE t SET v = id * 10;
--> count 5

UPDATE t SET v = 0 WHERE v > (SELECT avg(v) FROM t);
--> count 2

UPDATE t SET v = (SELECT max(o.v) FROM t AS o WHERE o.grp = t.grp) + 1 WHERE grp IS NOT NULL;
--> count 4

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 11
-- 2 | unseen | 21
-- 3 | seen | 31
-- 4 | unseen | 21
-- 5 | NULL | 0

UPDATE t SET v = 7 WHERE id = (SELECT min(id) FROM t WHERE grp = 'unseen');
--> count 1

SELECT id, v FROM t WHERE v = 7;
--> rows
-- 2 | 7

UPDATE t SET v = (SELECT w FROM s WHERE id = 77) WHERE id = 1;
--> count 1

SELECT id FROM t WHERE v IS NULL ORDER BY id;
--> rows
-- 1

-- a scalar subquery with two rows
UPDATE t SET v = (SELECT w FROM s WHERE id = 1) WHERE id = 1;
--> error invalid
