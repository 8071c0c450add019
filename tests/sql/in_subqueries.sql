-- IN and NOT IN with a subquery, where values are NULL on either side, alone and within other conditions.

CREATE TABLE t (id INT, b INT, k INT);
--> ok

CREATE TABLE s (n INT, k INT);
--> ok

CREATE TABLE full_s (n INT);
--> ok

INSERT INTO t VALUES (1, 1, 1), (2, 5, 1), (3, NULL, 2), (4, 7, 2), (5, 7, NULL), (6, NULL, 3);
--> count 6

INSERT INTO s VALUES (7, 1), (NULL, 2), (5, 1);
--> count 3

INSERT INTO full_s VALUES (7), (5);
--> count 2

SELECT id FROM t WHERE id = 1 OR b NOT IN (SELECT n FROM s) ORDER BY id;
--> rows
-- 1

SELECT id FROM t WHERE id = 1 OR b NOT IN (SELECT n FROM full_s) ORDER BY id;
--> rows
-- 1

SELECT id FROM t WHERE id = 1 OR b IN (SELECT n FROM s) ORDER BY id;
--> rows
-- 1
-- 2
-- 4
-- 5

SELECT id FROM t WHERE NOT (id = 2 OR b IN (SELECT n FROM s)) ORDER BY id;
--> rows

SELECT id FROM t WHERE NOT (id = 2 OR b IN (SELECT n FROM full_s)) ORDER BY id;
--> rows
-- 1

SELECT id FROM t WHERE NOT (3 NOT IN (SELECT n FROM s)) ORDER BY id;
--> rows

SELECT id FROM t WHERE NOT (7 NOT IN (SELECT n FROM s)) ORDER BY id;
--> rows
-- 1
-- 2
-- 3
-- 4
-- 5
-- 6

SELECT id FROM t WHERE (b IN (SELECT n FROM s)) IS NULL ORDER BY id;
--> rows
-- 1
-- 3
-- 6

SELECT id FROM t WHERE (b NOT IN (SELECT n FROM full_s)) IS NOT TRUE ORDER BY id;
--> rows
-- 2
-- 3
-- 4
-- 5
-- 6

SELECT id FROM t WHERE (b IN (SELECT n FROM s WHERE false)) IS FALSE ORDER BY id;
--> rows
-- 1
-- 2
-- 3
-- 4
-- 5
-- 6

SELECT id FROM t WHERE CASE WHEN b NOT IN (SELECT n FROM s WHERE n IS NOT NULL) THEN id > 1 ELSE id = 3 END ORDER BY id;
--> rows
-- 3

SELECT id FROM t WHERE b NOT IN (SELECT n FROM s WHERE s.k = t.k) ORDER BY id;
--> rows
-- 1
-- 5
-- 6

SELECT id FROM t WHERE b NOT IN (SELECT n FROM s WHERE s.k > t.k) ORDER BY id;
--> rows
-- 3
-- 4
-- 5
-- 6

SELECT id FROM t WHERE b IN (SELECT n FROM s WHERE s.k = t.k) OR id = 6 ORDER BY id;
--> rows
-- 2
-- 6

SELECT id FROM t WHERE b NOT IN (SELECT n FROM s WHERE s.k = t.k) OR id = 4 ORDER BY id;
--> rows
-- 1
-- 4
-- 5
-- 6

SELECT id FROM t WHERE b + 0 NOT IN (SELECT n + 0 FROM full_s) OR b IN (SELECT id FROM t) ORDER BY id;
--> rows
-- 1
-- 2

SELECT id FROM t WHERE b NOT IN (SELECT n FROM s) AND (id > 1 OR b IN (SELECT n FROM s)) ORDER BY id;
--> rows

SELECT id FROM t WHERE b NOT IN (SELECT n FROM s WHERE n IN (SELECT n FROM full_s) OR n IS NULL) OR k = 1 ORDER BY id;
--> rows
-- 1
-- 2

UPDATE t SET k = 100 WHERE id = 2 OR b NOT IN (SELECT n FROM s);
--> count 1

DELETE FROM t WHERE id = 1 OR b NOT IN (SELECT n FROM s);
--> count 1

DELETE FROM t WHERE NOT (3 NOT IN (SELECT n FROM s));
--> count 0

SELECT * FROM t ORDER BY id;
--> rows
-- 2 | 5 | 100
-- 3 | NULL | 2
-- 4 | 7 | 2
-- 5 | 7 | NULL
-- 6 | NULL | 3
