-- NULL: three-valued logic in queries and in DML.

CREATE TABLE t (id INT, a INT, name TEXT);
--> ok

INSERT INTO t VALUES (1, 1, 'x'), (2, NULL, 'y'), (3, 3, NULL), (4, NULL, NULL);
--> count 4

SELECT id FROM t WHERE a = NULL;
--> rows

SELECT id FROM t WHERE a <> NULL;
--> rows

SELECT id FROM t WHERE NOT (a = 1) ORDER BY id;
--> rows
-- 3

SELECT id FROM t WHERE a IS NULL ORDER BY id;
--> rows
-- 2
-- 4

SELECT id FROM t WHERE a IS DISTINCT FROM 1 ORDER BY id;
--> rows
-- 2
-- 3
-- 4

SELECT id FROM t WHERE a IS NOT DISTINCT FROM NULL ORDER BY id;
--> rows
-- 2
-- 4

SELECT id FROM t WHERE a = 1 OR a IS NULL AND name IS NOT NULL ORDER BY id;
--> rows
-- 1
-- 2

SELECT id FROM t WHERE a IN (1, NULL) ORDER BY id;
--> rows
-- 1

SELECT id FROM t WHERE a NOT IN (1, NULL) ORDER BY id;
--> rows

SELECT id FROM t WHERE a NOT IN (1) ORDER BY id;
--> rows
-- 3

--@ duckdb: SELECT id, xor(a, a) AS x, xor(a, a) IS NULL AS n FROM t ORDER BY id
SELECT id, a ^ a AS x, (a ^ a) IS NULL AS n FROM t ORDER BY id;
--> rows
-- 1 | 0 | false
-- 2 | NULL | true
-- 3 | 0 | false
-- 4 | NULL | true

--@ duckdb: SELECT id FROM t WHERE xor(a, a) = 0 ORDER BY id
SELECT id FROM t WHERE a ^ a = 0 ORDER BY id;
--> rows
-- 1
-- 3

SELECT NULL AND false AS a, NULL AND true AS b, NULL OR true AS c, NULL OR false AS d, NOT CAST(NULL AS BOOLEAN) AS e;
--> rows
-- false | NULL | true | NULL | NULL

SELECT 1 + NULL AS a, 'x' || NULL AS b, coalesce(NULL, NULL, 3) AS c, nullif(1, 1) AS d, nullif(1, 2) AS e;
--> rows
-- NULL | NULL | 3 | NULL | 1

SELECT id, CASE a WHEN 1 THEN 'one' WHEN NULL THEN 'never' ELSE 'other' END AS c FROM t ORDER BY id;
--> rows
-- 1 | one
-- 2 | other
-- 3 | other
-- 4 | other

SELECT id FROM t ORDER BY a NULLS FIRST, id DESC;
--> rows
-- 4
-- 2
-- 1
-- 3

SELECT id FROM t ORDER BY a DESC NULLS LAST, id;
--> rows
-- 3
-- 1
-- 2
-- 4

SELECT a, count(*) AS n FROM t GROUP BY a ORDER BY a NULLS LAST;
--> rows
-- 1 | 1
-- 3 | 1
-- NULL | 2

SELECT count(*) AS n, count(a) AS a, sum(a) AS s, min(name) AS m FROM t;
--> rows
-- 4 | 2 | 4 | x

SELECT sum(a) AS s, max(a) AS m, avg(a) AS v, count(a) AS c FROM t WHERE a IS NULL;
--> rows
-- NULL | NULL | NULL | 0

UPDATE t SET name = 'hit' WHERE a = NULL;
--> count 0

UPDATE t SET name = 'hit' WHERE a <> 1;
--> count 1

-- a real NULL, not the word
UPDATE t SET name = NULL WHERE id = 1;
--> count 1

SELECT id, name FROM t WHERE name IS NULL ORDER BY id;
--> rows
-- 1 | NULL
-- 4 | NULL

SELECT count(*) AS n FROM t WHERE name = 'NULL';
--> rows
-- 0

DELETE FROM t WHERE NOT (a > 0);
--> count 0

DELETE FROM t WHERE a NOT IN (3, NULL);
--> count 0

DELETE FROM t WHERE (a = 3) IS NOT TRUE AND name IS NULL;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 2 | NULL | y
-- 3 | 3 | hit

-- A list with values that are worked out.
SELECT x, 8 IN (3, CASE WHEN x > 1 THEN 8 END) AS a, 8 NOT IN (3, CASE WHEN x > 1 THEN 1 END, x) AS b, x IN (x + 0, CASE x WHEN 1 THEN 5 END) AS c, x IN (CASE WHEN x IS NULL THEN 1 ELSE x END, coalesce(x, 2)) AS d FROM (VALUES (1), (2), (NULL), (8)) AS v (x) ORDER BY x;
--> rows
-- 1 | NULL | NULL | true | true
-- 2 | true | true | true | true
-- 8 | true | false | true | true
-- NULL | NULL | NULL | NULL | NULL

SELECT x FROM (VALUES (1), (2), (NULL), (8)) AS v (x) WHERE x IN (CASE WHEN x > 1 THEN 8 END, CASE WHEN x < 2 THEN 1 END) ORDER BY x;
--> rows
-- 1
-- 8

SELECT sum(x) FILTER (WHERE 5 IN (CAST(NULL AS BIGINT), x + 4)) AS a, count(*) FILTER (WHERE x IN (x + 0, 3)) AS b FROM (VALUES (1), (2)) AS v (x);
--> rows
-- 1 | 2

SELECT x FROM (VALUES (1), (2), (NULL), (8)) AS v (x) WHERE x IN (3, CASE WHEN x > 1 THEN 8 END) OR x IN (5, CASE WHEN x < 2 THEN 1 END) ORDER BY x;
--> rows
-- 1
-- 8

SELECT x, x NOT IN (3, CASE WHEN x > 1 THEN 8 END) OR x NOT IN (5, CASE WHEN x < 2 THEN 1 END) AS v FROM (VALUES (1), (2), (NULL), (8)) AS v (x) ORDER BY x;
--> rows
-- 1 | NULL
-- 2 | true
-- 8 | NULL
-- NULL | NULL
