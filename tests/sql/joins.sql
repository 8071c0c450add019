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

-- Few values of many columns, several of one name, that a condition above the join asks for.
CREATE TABLE fa (x BIGINT, y BIGINT);
--> ok

CREATE TABLE fb (x BIGINT, y BIGINT);
--> ok

CREATE TABLE fc (x BIGINT);
--> ok

INSERT INTO fa VALUES (1, 10), (2, 20), (3, 30), (NULL, 40);
--> count 4

INSERT INTO fb VALUES (1, 100), (2, NULL), (4, 400), (NULL, 500);
--> count 4

INSERT INTO fc VALUES (1), (2), (5), (NULL);
--> count 4

SELECT fb.y + fa.y AS s, fa.x AS x FROM fa FULL JOIN fb ON fa.x = fb.x WHERE coalesce(fb.x, 7) > 1 ORDER BY 1 NULLS FIRST, 2 NULLS FIRST;
--> rows
-- NULL | NULL
-- NULL | NULL
-- NULL | NULL
-- NULL | 2
-- NULL | 3

SELECT fc.x + fb.x AS s, fa.x AS x FROM fa FULL JOIN fb ON fa.x = fb.x FULL JOIN fc ON fc.x = fb.x WHERE coalesce(fc.x, 1) < 2 ORDER BY 1 NULLS FIRST, 2 NULLS FIRST;
--> rows
-- NULL | NULL
-- NULL | NULL
-- NULL | NULL
-- NULL | NULL
-- NULL | 3
-- 2 | 1

SELECT CASE WHEN fa.x IS NOT DISTINCT FROM fc.x THEN 'same' ELSE 'other' END AS s, fb.x AS x FROM fb FULL JOIN fc ON fc.x = fb.x FULL JOIN fa ON fc.x = fa.x WHERE coalesce(fb.x, 1) < 3 ORDER BY 1, 2 NULLS FIRST;
--> rows
-- other | NULL
-- other | NULL
-- same | NULL
-- same | NULL
-- same | NULL
-- same | 1
-- same | 2

SELECT count(*) AS n, sum(s) AS s, count(x) AS x FROM (SELECT fb.y + fa.y AS s, fa.x AS x FROM fa FULL JOIN fb ON fa.x = fb.x WHERE fb.x IS DISTINCT FROM 1) AS q;
--> rows
-- 5 | NULL | 2
