-- One name twice in a result.

CREATE TABLE t (x INT, y INT);
--> ok

INSERT INTO t VALUES (1, 10), (2, 20), (3, 10);
--> count 3

SELECT x, x FROM t ORDER BY x;
--> rows
-- 1 | 1
-- 2 | 2
-- 3 | 3

SELECT x, x + 1 AS x FROM t ORDER BY t.x;
--> rows
-- 1 | 2
-- 2 | 3
-- 3 | 4

SELECT x + 1, x + 1 FROM t ORDER BY 1;
--> rows
-- 2 | 2
-- 3 | 3
-- 4 | 4

SELECT min(CAST(x AS VARCHAR)), min(x) FROM t;
--> rows
-- 1 | 1

SELECT *, x FROM t ORDER BY t.x;
--> rows
-- 1 | 10 | 1
-- 2 | 20 | 2
-- 3 | 10 | 3

SELECT x, * FROM t ORDER BY t.x DESC;
--> rows
-- 3 | 3 | 10
-- 2 | 2 | 20
-- 1 | 1 | 10

SELECT y, *, x AS y, count(*) OVER () AS y FROM t WHERE x < 3 ORDER BY t.x;
--> rows
-- 10 | 1 | 10 | 1 | 2
-- 20 | 2 | 20 | 2 | 2

SELECT a.x, b.x, a.x FROM t AS a JOIN t AS b ON a.y = b.y ORDER BY 1, 2;
--> rows
-- 1 | 1 | 1
-- 1 | 3 | 1
-- 2 | 2 | 2
-- 3 | 1 | 3
-- 3 | 3 | 3

SELECT 1, 1, 1;
--> rows
-- 1 | 1 | 1

SELECT y, y, count(*) AS y FROM t GROUP BY t.y HAVING count(*) > 0 ORDER BY 1;
--> rows
-- 10 | 10 | 2
-- 20 | 20 | 1

SELECT DISTINCT y, y FROM t ORDER BY 1;
--> rows
-- 10 | 10
-- 20 | 20

SELECT x, x FROM t WHERE x = 1 UNION ALL SELECT y, y FROM t WHERE x = 2 UNION ALL SELECT 7, 7 ORDER BY 1;
--> rows
-- 1 | 1
-- 7 | 7
-- 20 | 20

WITH c AS (SELECT x, y FROM t) SELECT x, y, x FROM c ORDER BY x LIMIT 2;
--> rows
-- 1 | 10 | 1
-- 2 | 20 | 2

SELECT x, x FROM t ORDER BY y DESC, x LIMIT 1 OFFSET 1;
--> rows
-- 1 | 1

SELECT x AS a, y AS a, x AS b FROM t ORDER BY b;
--> rows
-- 1 | 10 | 1
-- 2 | 20 | 2
-- 3 | 10 | 3

CREATE TABLE u (a INT, b INT);
--> ok

INSERT INTO u SELECT x, x FROM t;
--> count 3

INSERT INTO u SELECT 9, 9 UNION ALL SELECT 8, 8;
--> count 2

SELECT a, b FROM u ORDER BY a;
--> rows
-- 1 | 1
-- 2 | 2
-- 3 | 3
-- 8 | 8
-- 9 | 9

--@ duckdb: skip it renames the second
CREATE TABLE v AS SELECT x, x FROM t;
--> error invalid: have the same name

PREPARE p AS SELECT x, x FROM t WHERE x = $1;
--> ok

EXECUTE p(2);
--> rows
-- 2 | 2

DELETE FROM t WHERE x = 3 RETURNING x, x;
--> rows
-- 3 | 3
