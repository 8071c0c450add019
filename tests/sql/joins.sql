-- Joins of every kind, with NULL keys, duplicates and empty sides.

CREATE TABLE l (id INT, a TEXT);
--> ok

CREATE TABLE r (id INT, b TEXT);
--> ok

INSERT INTO l VALUES (1, 'l1'), (2, 'l2'), (2, 'l2b'), (3, 'l3'), (NULL, 'lnull');
--> count 5

SELECT l.a, r.b FROM l LEFT JOIN r ON l.id = r.id ORDER BY l.a;
--> rows
-- l1 | NULL
-- l2 | NULL
-- l2b | NULL
-- l3 | NULL
-- lnull | NULL

INSERT INTO r VALUES (2, 'r2'), (2, 'r2b'), (3, 'r3'), (4, 'r4'), (NULL, 'rnull');
--> count 5

SELECT l.a, r.b FROM l JOIN r ON l.id = r.id ORDER BY l.a, r.b;
--> rows
-- l2 | r2
-- l2 | r2b
-- l2b | r2
-- l2b | r2b
-- l3 | r3

SELECT l.a, r.b FROM l LEFT JOIN r ON l.id = r.id ORDER BY l.a, r.b NULLS LAST;
--> rows
-- l1 | NULL
-- l2 | r2
-- l2 | r2b
-- l2b | r2
-- l2b | r2b
-- l3 | r3
-- lnull | NULL

SELECT l.a, r.b FROM l RIGHT JOIN r ON l.id = r.id ORDER BY r.b, l.a NULLS LAST;
--> rows
-- l2 | r2
-- l2b | r2
-- l2 | r2b
-- l2b | r2b
-- l3 | r3
-- NULL | r4
-- NULL | rnull

SELECT l.a, r.b FROM l FULL JOIN r ON l.id = r.id ORDER BY l.a NULLS LAST, r.b NULLS LAST;
--> rows
-- l1 | NULL
-- l2 | r2
-- l2 | r2b
-- l2b | r2
-- l2b | r2b
-- l3 | r3
-- lnull | NULL
-- NULL | r4
-- NULL | rnull

SELECT l.a, r.b FROM l LEFT JOIN r ON l.id = r.id AND r.b <> 'r2' WHERE l.id IS NOT NULL ORDER BY l.a, r.b NULLS LAST;
--> rows
-- l1 | NULL
-- l2 | r2b
-- l2b | r2b
-- l3 | r3

SELECT id, a, b FROM l JOIN r USING (id) WHERE a = 'l3';
--> rows
-- 3 | l3 | r3

SELECT * FROM l NATURAL JOIN r WHERE b = 'r3';
--> rows
-- 3 | l3 | r3

SELECT count(*) AS n FROM l CROSS JOIN r;
--> rows
-- 25

SELECT l.a, r.b FROM l, r WHERE l.id < r.id ORDER BY l.a, r.b;
--> rows
-- l1 | r2
-- l1 | r2b
-- l1 | r3
-- l1 | r4
-- l2 | r3
-- l2 | r4
-- l2b | r3
-- l2b | r4
-- l3 | r4

SELECT x.a, y.a AS other FROM l x JOIN l y ON x.id = y.id AND x.a < y.a;
--> rows
-- l2 | l2b

SELECT l.a, r.b FROM l JOIN r ON l.id IS NOT DISTINCT FROM r.id WHERE l.id IS NULL;
--> rows
-- lnull | rnull

SELECT a.a, b.b, c.a AS third FROM l a JOIN r b ON a.id = b.id JOIN l c ON c.id = b.id + 1 ORDER BY a.a, b.b;
--> rows
-- l2 | r2 | l3
-- l2 | r2b | l3
-- l2b | r2 | l3
-- l2b | r2b | l3

-- after DML the join sees the new rows
DELETE FROM r WHERE id = 2;
--> count 2

UPDATE r SET id = 1 WHERE id = 4;
--> count 1

SELECT l.a, r.b FROM l LEFT JOIN r ON l.id = r.id ORDER BY l.a, r.b NULLS LAST;
--> rows
-- l1 | r4
-- l2 | NULL
-- l2b | NULL
-- l3 | r3
-- lnull | NULL

SELECT id FROM l JOIN r ON l.id = r.id;
--> error invalid
