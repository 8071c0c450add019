-- ORDER BY a column of a table whose name is also that of a column of the result.

CREATE TABLE t (a TEXT, b INT, c INT);
--> ok

INSERT INTO t VALUES ('x', 1, 3), ('y', 0, 2), ('z', 5, 1);
--> count 3

SELECT 'q' || t.c AS a FROM t ORDER BY t.a;
--> rows
-- q3
-- q2
-- q1

SELECT 'q' || t.c AS a FROM t ORDER BY t.a DESC;
--> rows
-- q1
-- q2
-- q3

SELECT -t.b AS b, a FROM t ORDER BY t.b;
--> rows
-- 0 | y
-- -1 | x
-- -5 | z

SELECT -t.b AS b FROM t ORDER BY b;
--> rows
-- -5
-- -1
-- 0

SELECT t.b % 5 AS b, t.c AS a FROM t ORDER BY b, t.b, t.a;
--> rows
-- 0 | 2
-- 0 | 1
-- 1 | 3

SELECT -t.b AS b, t.c + 1, count(*) OVER () FROM t ORDER BY t.b;
--> rows
-- 0 | 3 | 3
-- -1 | 4 | 3
-- -5 | 2 | 3

SELECT u.b AS a FROM t AS u ORDER BY u.a DESC;
--> rows
-- 5
-- 0
-- 1

SELECT t.c + 1 AS b, u.b AS a FROM t JOIN t AS u ON t.b = u.b ORDER BY t.b, u.a;
--> rows
-- 3 | 0
-- 4 | 1
-- 2 | 5

SELECT length(t.a) AS a, count(*) AS n FROM t GROUP BY t.a ORDER BY t.a;
--> rows
-- 1 | 1
-- 1 | 1
-- 1 | 1

SELECT t.c AS a, t.b AS "A b" FROM t ORDER BY t.a LIMIT 2;
--> rows
-- 3 | 1
-- 2 | 0

SELECT -t.b AS b FROM t ORDER BY t.b + t.c, t.a;
--> rows
-- 0
-- -1
-- -5

SELECT sum(a) AS s FROM (SELECT t.c AS a FROM t ORDER BY t.a LIMIT 2) AS x;
--> rows
-- 5

WITH x AS (SELECT t.c AS a, b FROM t ORDER BY t.a DESC LIMIT 2) SELECT x.a, x.b FROM x ORDER BY x.a;
--> rows
-- 1 | 5
-- 2 | 0

SELECT (SELECT t.c AS a FROM t WHERE t.b < u.c ORDER BY t.a LIMIT 1) AS d FROM t AS u ORDER BY u.a;
--> rows
-- 3
-- 3
-- 2

SELECT b FROM t WHERE c IN (SELECT u.b + 1 AS a FROM t AS u ORDER BY u.a LIMIT 2) ORDER BY t.b;
--> rows
-- 0
-- 5

CREATE TABLE made AS SELECT t.c AS a, t.b FROM t ORDER BY t.a;
--> ok

SELECT a, b FROM made ORDER BY a;
--> rows
-- 1 | 5
-- 2 | 0
-- 3 | 1

CREATE VIEW v AS SELECT -t.c AS a, b AS c FROM t ORDER BY t.a;
--> ok

SELECT a, c FROM v ORDER BY v.a;
--> rows
-- -3 | 1
-- -2 | 0
-- -1 | 5

INSERT INTO t (a, b) SELECT t.c::TEXT AS a, t.c AS b FROM t ORDER BY t.a LIMIT 1;
--> count 1

SELECT a, b FROM t ORDER BY t.a, t.b;
--> rows
-- 3 | 3
-- x | 1
-- y | 0
-- z | 5

SELECT 1 AS n, -t.b AS b FROM t ORDER BY t.b;
--> rows
-- 1 | 0
-- 1 | -1
-- 1 | -3
-- 1 | -5

SELECT -t.b AS B FROM t WHERE a IS NOT NULL ORDER BY t.b;
--> rows
-- 0
-- -1
-- -3
-- -5

CREATE TABLE mixed AS SELECT t.c AS A, t.b AS "B b" FROM t ORDER BY t.a, t."b";
--> ok

SELECT sum(a) AS s, sum("B b") AS t FROM mixed;
--> rows
-- 6 | 9

SELECT sum(x.a) AS s FROM (SELECT t.c AS A FROM t ORDER BY t.a LIMIT 2) AS x;
--> rows
-- 3

--@ duckdb: skip there names are the same in any case
SELECT t.b AS "A", -t.b AS a FROM t ORDER BY a, t.a;
--> rows
-- 5 | -5
-- 3 | -3
-- 1 | -1
-- 0 | 0

(SELECT u.b AS a FROM t AS u ORDER BY u.a LIMIT 2) UNION ALL BY NAME SELECT 1 AS a ORDER BY a;
--> rows
-- 1
-- 1
-- 3

SELECT -t.b AS b FROM t ORDER BY t.b + (SELECT max(u.b) FROM t AS u WHERE u.b = t.b);
--> rows
-- 0
-- -1
-- -3
-- -5

(SELECT -t.b AS b FROM t ORDER BY t.b LIMIT 2) ORDER BY b;
--> rows
-- -1
-- 0
