-- Projection, filters, ordering, limits, CASE, and what a query may not name.

CREATE TABLE t (id INT, name TEXT, v INT);
--> ok

INSERT INTO t VALUES (3, 'c', 30), (1, 'a', 10), (2, 'b', NULL), (4, 'a', 40);
--> count 4

SELECT id, name AS n, v + 1 AS next FROM t ORDER BY id;
--> rows
-- 1 | a | 11
-- 2 | b | NULL
-- 3 | c | 31
-- 4 | a | 41

SELECT t.* FROM t WHERE id = 1;
--> rows
-- 1 | a | 10

SELECT id FROM t ORDER BY name DESC, id DESC;
--> rows
-- 3
-- 2
-- 4
-- 1

SELECT id FROM t ORDER BY id LIMIT 2;
--> rows
-- 1
-- 2

SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 3;
--> rows
-- 4

SELECT id FROM t LIMIT 0;
--> rows

SELECT id FROM t ORDER BY v * -1 NULLS LAST;
--> rows
-- 4
-- 3
-- 1
-- 2

SELECT name, v FROM t ORDER BY 2 DESC NULLS LAST, 1 LIMIT 3;
--> rows
-- a | 40
-- c | 30
-- a | 10

SELECT id FROM t WHERE v BETWEEN 10 AND 30 ORDER BY id;
--> rows
-- 1
-- 3

SELECT id FROM t WHERE name IN ('a', 'z') AND NOT v = 10;
--> rows
-- 4

SELECT id, CASE WHEN v IS NULL THEN 'none' WHEN v > 20 THEN 'high' ELSE 'low' END AS level FROM t ORDER BY id;
--> rows
-- 1 | low
-- 2 | none
-- 3 | high
-- 4 | high

SELECT greatest(1, 3, 2) AS g, least(4, 2, 8) AS l, CASE WHEN false THEN 1 END AS nothing;
--> rows
-- 3 | 2 | NULL

SELECT * EXCLUDE (v) FROM t WHERE id = 2;
--> rows
-- 2 | b

SELECT x, y FROM (VALUES (1, 'p'), (2, 'q')) AS q(x, y) ORDER BY x;
--> rows
-- 1 | p
-- 2 | q

SELECT sum(n) AS s FROM generate_series(1, 100) AS g(n);
--> rows
-- 5050

-- case of keywords and names without quotes does not matter
select ID, Name from T where Id = 1;
--> rows
-- 1 | a

SELECT nope FROM t;
--> error invalid: No field named

SELECT t.nope FROM t;
--> error invalid: No field named

SELECT x.id FROM t;
--> error invalid

SELECT * FROM nope;
--> error invalid: not found

SELECT nosuchfunction(1) AS x;
--> error invalid: nosuchfunction

SELECT FROM WHERE;
--> error invalid

SELEC 1;
--> error invalid

SELECT id FROM t WHERE name = 5 + 'x';
--> error invalid
