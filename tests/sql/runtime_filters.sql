-- What a join or a TopK knows while it runs is asked of rows far below it, and never of rows that others are made of.

CREATE TABLE l (id BIGINT);
--> ok

INSERT INTO l VALUES (1), (2), (8), (9);
--> count 4

CREATE TABLE r (id BIGINT, v BIGINT, w VARCHAR);
--> ok

INSERT INTO r VALUES (8, NULL, 'a');
--> count 1

INSERT INTO r VALUES (9, NULL, 'b');
--> count 1

INSERT INTO r VALUES (1, 100, 'c');
--> count 1

INSERT INTO r VALUES (2, 90, 'd');
--> count 1

INSERT INTO r SELECT 100 + x, x, 'more of it' FROM range(50) AS s (x);
--> count 50

-- A row that finds none has NULLs, which come first.
SELECT l.id, r.v FROM l LEFT JOIN r ON r.id = l.id ORDER BY r.v NULLS FIRST, r.id NULLS FIRST LIMIT 2;
--> rows
-- 8 | NULL
-- 9 | NULL

SELECT l.id, r.v FROM r RIGHT JOIN l ON r.id = l.id ORDER BY r.v NULLS FIRST, r.id NULLS FIRST LIMIT 2;
--> rows
-- 8 | NULL
-- 9 | NULL

SELECT l.id, r.v FROM r FULL JOIN l ON r.id = l.id ORDER BY r.v NULLS FIRST, r.id NULLS FIRST LIMIT 2;
--> rows
-- 8 | NULL
-- 9 | NULL

SELECT l.id, r.v FROM l LEFT JOIN r ON r.id = l.id ORDER BY r.v DESC NULLS FIRST, r.id DESC NULLS FIRST LIMIT 2;
--> rows
-- 9 | NULL
-- 8 | NULL

-- Rows below a join that keeps them.
SELECT q.id, q.v FROM (SELECT l.id, r.v FROM l LEFT JOIN r ON r.id = l.id) AS q JOIN (SELECT 90 AS v UNION ALL SELECT NULL) AS s ON q.v IS NOT DISTINCT FROM s.v ORDER BY q.id;
--> rows
-- 2 | 90
-- 8 | NULL
-- 9 | NULL

SELECT q.id, q.v FROM (SELECT l.id, r.v FROM l LEFT JOIN r ON r.id = l.id AND r.v > 95) AS q JOIN (SELECT 90 AS v UNION ALL SELECT NULL) AS s ON q.v IS NOT DISTINCT FROM s.v ORDER BY q.id;
--> rows
-- 2 | NULL
-- 8 | NULL
-- 9 | NULL

-- Rows of which groups are made that do not show them.
CREATE TABLE g (a BIGINT, b BIGINT);
--> ok

INSERT INTO g VALUES (1, 1), (1, 2), (2, 1), (3, 1), (4, 2), (NULL, 2);
--> count 6

SELECT q.a, q.b, q.n FROM (SELECT a, b, count(*) AS n FROM g GROUP BY GROUPING SETS ((a), (b))) AS q JOIN (SELECT 1 AS a UNION ALL SELECT NULL) AS s ON q.a IS NOT DISTINCT FROM s.a ORDER BY q.a, q.b, q.n;
--> rows
-- 1 | NULL | 2
-- NULL | 1 | 3
-- NULL | 2 | 3
-- NULL | NULL | 1

SELECT q.a, q.b, q.n FROM (SELECT a, b, count(*) AS n FROM g GROUP BY ROLLUP (a, b)) AS q JOIN (SELECT 1 AS a) AS s ON q.a = s.a ORDER BY q.a, q.b, q.n;
--> rows
-- 1 | 1 | 1
-- 1 | 2 | 1
-- 1 | NULL | 2

SELECT q.a, q.b, q.n FROM (SELECT a, b, count(*) AS n FROM g GROUP BY CUBE (a, b)) AS q WHERE coalesce(q.a, 0) IN (SELECT id FROM l UNION ALL SELECT 0) AND q.a IS NOT DISTINCT FROM (SELECT CAST(NULL AS BIGINT)) ORDER BY q.a, q.b, q.n;
--> rows
-- NULL | 1 | 3
-- NULL | 2 | 1
-- NULL | 2 | 3
-- NULL | NULL | 1
-- NULL | NULL | 6

-- Rows that a LIMIT, a window and DISTINCT ON count.
SELECT q.a, q.b FROM (SELECT a, b FROM g ORDER BY b, a LIMIT 3) AS q JOIN (SELECT 2 AS a UNION ALL SELECT 3 UNION ALL SELECT 4) AS s ON q.a = s.a ORDER BY q.a;
--> rows
-- 2 | 1
-- 3 | 1

SELECT q.a, q.n FROM (SELECT a, row_number() OVER (ORDER BY b, a) AS n FROM g) AS q JOIN (SELECT 2 AS a UNION ALL SELECT 4) AS s ON q.a = s.a ORDER BY q.a;
--> rows
-- 2 | 2
-- 4 | 5

SELECT q.a, q.b FROM (SELECT DISTINCT ON (b) a, b FROM g ORDER BY b, a) AS q JOIN (SELECT 2 AS a UNION ALL SELECT 4) AS s ON q.a = s.a ORDER BY q.a;
--> rows

-- Floats that are equal and have other bits.
SELECT x FROM (VALUES (CAST(0.0 AS DOUBLE)), (CAST(1.0 AS DOUBLE))) AS t (x) WHERE x IN (SELECT CAST(a AS DOUBLE) * -0.0 FROM g) ORDER BY x;
--> rows
-- 0.0

CREATE TABLE f (x DOUBLE, n BIGINT);
--> ok

--@ duckdb: INSERT INTO f SELECT range % 5 * 0.5, range FROM range(20)
INSERT INTO f SELECT value % 5 * 0.5, value FROM range(20);
--> count 20

CREATE TABLE z (x DOUBLE);
--> ok

INSERT INTO z SELECT -x FROM f WHERE n = 0 UNION ALL SELECT 1.5;
--> count 2

SELECT z.x + 1 AS x, f.n FROM z JOIN f ON z.x = f.x ORDER BY f.n;
--> rows
-- 1.0 | 0
-- 2.5 | 3
-- 1.0 | 5
-- 2.5 | 8
-- 1.0 | 10
-- 2.5 | 13
-- 1.0 | 15
-- 2.5 | 18

SELECT f.n FROM f WHERE f.x IN (SELECT x FROM z) ORDER BY f.n;
--> rows
-- 0
-- 3
-- 5
-- 8
-- 10
-- 13
-- 15
-- 18

SELECT f.n FROM f WHERE f.x NOT IN (SELECT x FROM z) ORDER BY f.n LIMIT 5;
--> rows
-- 1
-- 2
-- 4
-- 6
-- 7

SELECT z.x + 1 AS x, f.n FROM f LEFT JOIN z ON z.x = f.x ORDER BY f.n LIMIT 5;
--> rows
-- 1.0 | 0
-- NULL | 1
-- NULL | 2
-- 2.5 | 3
-- NULL | 4
