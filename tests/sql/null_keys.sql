-- Keys that are equal where both are NULL, beside keys that are not.

CREATE TABLE a (x INT, y INT, z INT);
--> ok

CREATE TABLE b (x INT, y INT, z INT);
--> ok

INSERT INTO a VALUES (1, 1, 1), (NULL, 1, 2), (1, NULL, 3), (NULL, NULL, NULL), (2, 2, 4);
--> count 5

INSERT INTO b VALUES (1, 1, 1), (NULL, 1, 2), (1, NULL, 3), (NULL, NULL, NULL), (3, 3, 5);
--> count 5

SELECT a.x, a.y, b.x AS bx, b.y AS by_ FROM a JOIN b ON a.x IS NOT DISTINCT FROM b.x WHERE a.y = b.y ORDER BY 1, 2;
--> rows
-- 1 | 1 | 1 | 1
-- NULL | 1 | NULL | 1

SELECT a.x, a.y FROM a, b WHERE a.x IS NOT DISTINCT FROM b.x AND a.y = b.y ORDER BY 1, 2;
--> rows
-- 1 | 1
-- NULL | 1

SELECT a.x, a.y FROM a JOIN b ON a.x IS NOT DISTINCT FROM b.x AND a.y = b.y ORDER BY 1, 2;
--> rows
-- 1 | 1
-- NULL | 1

SELECT a.x, a.y, a.z FROM a JOIN b ON a.x IS NOT DISTINCT FROM b.x AND a.y IS NOT DISTINCT FROM b.y WHERE a.z = b.z ORDER BY 1, 2;
--> rows
-- 1 | 1 | 1
-- 1 | NULL | 3
-- NULL | 1 | 2

SELECT a.x, a.y, c.z FROM a JOIN b ON a.x IS NOT DISTINCT FROM b.x JOIN a AS c ON b.y = c.y WHERE a.y = b.y ORDER BY 1, 2, 3;
--> rows
-- 1 | 1 | 1
-- 1 | 1 | 2
-- NULL | 1 | 1
-- NULL | 1 | 2

SELECT a.x, a.y, c.z FROM a JOIN b ON a.x = b.x JOIN a AS c ON b.y IS NOT DISTINCT FROM c.y ORDER BY 1, 2, 3;
--> rows
-- 1 | 1 | 1
-- 1 | 1 | 2
-- 1 | 1 | 3
-- 1 | 1 | NULL
-- 1 | NULL | 1
-- 1 | NULL | 2
-- 1 | NULL | 3
-- 1 | NULL | NULL

SELECT a.x, b.x AS bx FROM a LEFT JOIN b ON a.x IS NOT DISTINCT FROM b.x AND a.y = b.y WHERE b.z = a.z ORDER BY 1, 2;
--> rows
-- 1 | 1
-- NULL | NULL

SELECT a.x, a.y, b.y AS by_ FROM a LEFT JOIN b ON a.x IS NOT DISTINCT FROM b.x AND a.y = b.y ORDER BY 1, 2, 3;
--> rows
-- 1 | 1 | 1
-- 1 | NULL | NULL
-- 2 | 2 | NULL
-- NULL | 1 | 1
-- NULL | NULL | NULL

SELECT x, y FROM (SELECT x, y FROM a INTERSECT SELECT x, y FROM b) AS i WHERE x = y OR y IS NULL ORDER BY 1, 2;
--> rows
-- 1 | 1
-- 1 | NULL
-- NULL | NULL

SELECT i.x, i.y FROM (SELECT x, y FROM a INTERSECT SELECT x, y FROM b) AS i JOIN b ON i.y = b.y ORDER BY 1, 2;
--> rows
-- 1 | 1
-- 1 | 1
-- NULL | 1
-- NULL | 1

SELECT x, y FROM a EXCEPT SELECT x, y FROM b ORDER BY 1, 2;
--> rows
-- 2 | 2

DELETE FROM a USING b WHERE a.x IS NOT DISTINCT FROM b.x AND a.y = b.y;
--> count 2

UPDATE a SET z = b.z + 10 FROM b WHERE a.x IS NOT DISTINCT FROM b.x AND a.y IS NOT DISTINCT FROM b.y;
--> count 2

SELECT x, y, z FROM a ORDER BY 1, 2;
--> rows
-- 1 | NULL | 13
-- 2 | 2 | 4
-- NULL | NULL | NULL
