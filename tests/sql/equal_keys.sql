-- Keys that are equal though their bits are not, and keys that hold others: what a join finds does not depend on how it is found.

CREATE TABLE a (id BIGINT, x DOUBLE, y REAL, l BIGINT[][], s BIGINT[]);
--> ok

CREATE TABLE b (id BIGINT, x DOUBLE, y REAL, l BIGINT[][], s BIGINT[]);
--> ok

INSERT INTO a VALUES (1, 0.0, -0.0, [[1]], NULL), (2, 2.5, 2.5, [[2], [3]], [1]), (3, NULL, NULL, NULL, [NULL, 4]);
--> count 3

INSERT INTO b VALUES (1, -0.0, 0.0, [[1]], NULL), (2, 2.5, 2.5, [[2], [3]], [1]), (3, NULL, 7, [[9]], [NULL, 4]), (4, 1.0, 1.0, NULL, [4]);
--> count 4

SELECT count(*) FROM a JOIN b ON a.x = b.x;
--> rows
-- 2

SELECT count(*) FROM a JOIN b ON a.x = b.x AND a.y = b.y AND a.id = b.id;
--> rows
-- 2

SELECT id FROM b WHERE x IN (SELECT x FROM a) ORDER BY id;
--> rows
-- 1
-- 2

SELECT id FROM b WHERE NOT EXISTS (SELECT 1 FROM a WHERE a.y = b.y) ORDER BY id;
--> rows
-- 3
-- 4

SELECT b.id FROM a JOIN b ON a.l = b.l ORDER BY b.id;
--> rows
-- 1
-- 2

SELECT count(*) FROM (SELECT s FROM a INTERSECT SELECT s FROM b) t;
--> rows
-- 3

SELECT count(*) FROM (SELECT x FROM a INTERSECT SELECT x FROM b) t;
--> rows
-- 3

SELECT a.id FROM a JOIN b ON a.s = b.s ORDER BY a.id;
--> rows
-- 2
-- 3
