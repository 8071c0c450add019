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

-- Keys and columns that are casts of one column.
CREATE TABLE casts (x DOUBLE, y TEXT, d TIMESTAMP);
--> ok

INSERT INTO casts VALUES (1.2, '7', '2024-01-01 10:00:00'), (1.4, '7', '2024-01-01 11:00:00'), (NULL, NULL, NULL), (2.0, '8', '2024-01-02 01:00:00');
--> count 4

SELECT d, CAST(d AS DATE) AS day, count(*) AS n FROM casts GROUP BY d, CAST(d AS DATE) ORDER BY CAST(d AS DATE), d;
--> rows
-- 2024-01-01T10:00:00 | 2024-01-01 | 1
-- 2024-01-01T11:00:00 | 2024-01-01 | 1
-- 2024-01-02T01:00:00 | 2024-01-02 | 1
-- NULL | NULL | 1

SELECT CAST(x AS INT) AS i, CAST(x AS TEXT) AS t, count(*) AS n FROM casts GROUP BY CAST(x AS INT), CAST(x AS TEXT) ORDER BY 1, 2;
--> rows
-- 1 | 1.2 | 1
-- 1 | 1.4 | 1
-- 2 | 2.0 | 1
-- NULL | NULL | 1

SELECT x, x::INT FROM casts GROUP BY x, x::INT ORDER BY x;
--> rows
-- 1.2 | 1
-- 1.4 | 1
-- 2.0 | 2
-- NULL | NULL

SELECT x::INT, y::INT, sum(y::INT) AS s, sum(y::BIGINT + 1) + x::INT AS r FROM casts GROUP BY 1, 2 ORDER BY 1, 2;
--> rows
-- 1 | 7 | 14 | 17
-- 2 | 8 | 8 | 11
-- NULL | NULL | NULL | NULL

SELECT q.a, q.b FROM (SELECT x AS a, x::INT AS b FROM casts GROUP BY ALL) AS q ORDER BY 1, 2;
--> rows
-- 1.2 | 1
-- 1.4 | 1
-- 2.0 | 2
-- NULL | NULL

WITH w AS (SELECT d::DATE AS day, d AS at, max(x) AS m FROM casts GROUP BY d::DATE, d HAVING max(x::INT) > 0 OR d::DATE IS NULL) SELECT day, count(*) AS n, max(m) AS m FROM w GROUP BY day ORDER BY day;
--> rows
-- 2024-01-01 | 2 | 1.4
-- 2024-01-02 | 1 | 2.0
-- NULL | 1 | NULL

SELECT min(CAST(x AS TEXT)) AS a, min(CAST(x AS INT)) AS b, min(x) AS c FROM casts;
--> rows
-- 1.2 | 1 | 1.2

SELECT min(CAST(x AS TEXT)), min(CAST(x AS INT)), min(x) FROM casts;
--> rows
-- 1.2 | 1 | 1.2

SELECT x::INT AS i, x AS j, grouping(x::INT) AS g FROM casts GROUP BY ROLLUP (x::INT, x) ORDER BY i, j, g;
--> rows
-- 1 | 1.2 | 0
-- 1 | 1.4 | 0
-- 1 | NULL | 0
-- 2 | 2.0 | 0
-- 2 | NULL | 0
-- NULL | NULL | 0
-- NULL | NULL | 0
-- NULL | NULL | 1

SELECT DISTINCT ON (x::INT, y) x, y, x::INT FROM casts ORDER BY x::INT, y, x DESC;
--> rows
-- 1.4 | 7 | 1
-- 2.0 | 8 | 2
-- NULL | NULL | NULL

SELECT count(*) AS n FROM casts AS o WHERE EXISTS (SELECT i.x, i.x::INT FROM casts AS i WHERE i.y = o.y GROUP BY i.x, i.x::INT HAVING count(*) = 1);
--> rows
-- 3

SELECT x, TRY_CAST(y AS INT) + 1 AS z, TRY_CAST(y AS BIGINT) + 1 AS v FROM casts GROUP BY x, TRY_CAST(y AS INT) + 1, TRY_CAST(y AS BIGINT) + 1 UNION ALL SELECT 1, 2, 3 ORDER BY x, z NULLS LAST;
--> rows
-- 1.0 | 2 | 3
-- 1.2 | 8 | 8
-- 1.4 | 8 | 8
-- 2.0 | 9 | 9
-- NULL | NULL | NULL

SELECT DISTINCT ON (x::INT, y) x, y, x::INT AS z FROM casts ORDER BY x::INT, y, x DESC;
--> rows
-- 1.4 | 7 | 1
-- 2.0 | 8 | 2
-- NULL | NULL | NULL

SELECT DISTINCT ON (x::INT, y) x, y FROM casts ORDER BY x::INT, y, x DESC;
--> rows
-- 1.4 | 7
-- 2.0 | 8
-- NULL | NULL

SELECT DISTINCT ON (y) y, x::INT, x FROM casts ORDER BY y, x DESC;
--> rows
-- 7 | 1 | 1.4
-- 8 | 2 | 2.0
-- NULL | NULL | NULL

SELECT DISTINCT ON (y) y, x, x + 0 AS x FROM casts ORDER BY y, x DESC;
--> rows
-- 7 | 1.4 | 1.4
-- 8 | 2.0 | 2.0
-- NULL | NULL | NULL

SELECT x, x::INT, y, y::INT FROM casts ORDER BY 1;
--> rows
-- 1.2 | 1 | 7 | 7
-- 1.4 | 1 | 7 | 7
-- 2.0 | 2 | 8 | 8
-- NULL | NULL | NULL | NULL

SELECT q.x, x::INT FROM casts AS q ORDER BY 1;
--> rows
-- 1.2 | 1
-- 1.4 | 1
-- 2.0 | 2
-- NULL | NULL

CREATE TABLE two AS SELECT x, x::INT AS i, count(*) AS n FROM casts GROUP BY x, x::INT;
--> ok

SELECT x, i, n FROM two ORDER BY x;
--> rows
-- 1.2 | 1 | 1
-- 1.4 | 1 | 1
-- 2.0 | 2 | 1
-- NULL | NULL | 1

--@ duckdb: skip DuckDB names the second column anew
CREATE TABLE three AS SELECT x, x::INT FROM casts GROUP BY x, x::INT;
--> error invalid: unique expression names

CREATE VIEW by_day AS SELECT d::DATE AS day, d AS at, count(*) AS n FROM casts GROUP BY d::DATE, d;
--> ok

SELECT day, sum(n) AS n FROM by_day GROUP BY day ORDER BY day;
--> rows
-- 2024-01-01 | 2
-- 2024-01-02 | 1
-- NULL | 1

--@ duckdb: skip DuckDB names a cast with its type
SELECT q."casts.x" AS i FROM (SELECT x::INT, count(*) AS n FROM casts GROUP BY x::INT, x::TEXT) AS q ORDER BY i;
--> rows
-- 1
-- 1
-- 2
-- NULL

DROP VIEW by_day;
--> ok

DROP TABLE two;
--> ok

DROP TABLE casts;
--> ok

-- Aggregates of queries within that are the same but for casts.
CREATE TABLE moments (k BIGINT, ts TIMESTAMP, d DECIMAL(12, 2));
--> ok

INSERT INTO moments VALUES (1, TIMESTAMP '2024-01-02 03:04:05', 1.5), (2, TIMESTAMP '2024-02-03 04:05:06', 2.25);
--> count 2

SELECT day, late FROM (SELECT max(CAST(ts AS DATE)) AS day, max(ts) > TIMESTAMP '2024-02-03 00:00:00' AS late FROM moments) AS q;
--> rows
-- 2024-02-03 | true

WITH q AS (SELECT k, min(ts) AS first, min(CAST(ts AS DATE)) AS day, count(*) AS n FROM moments GROUP BY k HAVING max(CAST(d AS DOUBLE)) < max(d) + 1) SELECT * FROM q ORDER BY k;
--> rows
-- 1 | 2024-01-02T03:04:05 | 2024-01-02 | 1
-- 2 | 2024-02-03T04:05:06 | 2024-02-03 | 1

SELECT 1 AS one FROM (SELECT max(CAST(0.0 AS DOUBLE)) AS a, max(CAST(0.0 AS DECIMAL(12, 2))) AS b FROM moments) AS q;
--> rows
-- 1

CREATE VIEW v_moments AS SELECT * FROM (SELECT k, sum(d) AS exact, sum(CAST(d AS DOUBLE)) AS about FROM moments GROUP BY k) AS q;
--> ok

SELECT * FROM v_moments ORDER BY k;
--> rows
-- 1 | 1.50 | 1.5
-- 2 | 2.25 | 2.25

INSERT INTO moments SELECT * FROM (SELECT 3 AS k, max(ts) AS ts, sum(d) AS d FROM moments HAVING sum(CAST(d AS DOUBLE)) > 3) AS q;
--> ok

CREATE TABLE totals AS SELECT * FROM (SELECT sum(d) AS exact, sum(CAST(d AS DOUBLE)) AS about FROM moments) AS q;
--> ok

UPDATE moments SET d = (SELECT max(m.d) + max(CAST(m.d AS DOUBLE)) FROM moments AS m) WHERE k = (SELECT max(CAST(k AS INT)) + max(k) - 4 FROM moments);
--> ok

SELECT * FROM totals, moments ORDER BY k;
--> rows
-- 7.50 | 7.5 | 1 | 2024-01-02T03:04:05 | 1.50
-- 7.50 | 7.5 | 2 | 2024-02-03T04:05:06 | 7.50
-- 7.50 | 7.5 | 3 | 2024-02-03T04:05:06 | 3.75

SELECT k, (SELECT CAST(max(CAST(m.ts AS DATE)) AS VARCHAR) || ' ' || CAST(max(m.ts) > TIMESTAMP '2024-02-01 00:00:00' AS VARCHAR) FROM moments AS m WHERE m.k <= o.k) AS t FROM moments AS o ORDER BY k;
--> rows
-- 1 | 2024-01-02 false
-- 2 | 2024-02-03 true
-- 3 | 2024-02-03 true

-- Lists whose names nobody reads.
CREATE TABLE unread (x INTEGER, y INTEGER);
--> ok

INSERT INTO unread VALUES (1, 10), (2, 20), (NULL, 30);
--> count 3

SELECT a, b FROM (SELECT 1 AS a, 2 AS b UNION ALL SELECT x, x FROM unread) AS u ORDER BY a, b;
--> rows
-- 1 | 1
-- 1 | 2
-- 2 | 2
-- NULL | NULL

SELECT 1 AS a, 2 AS b UNION SELECT x, x FROM unread UNION SELECT y, y FROM unread ORDER BY b, a;
--> rows
-- 1 | 1
-- 1 | 2
-- 2 | 2
-- 10 | 10
-- 20 | 20
-- 30 | 30
-- NULL | NULL

SELECT x, y FROM unread EXCEPT SELECT x, x FROM unread ORDER BY y;
--> rows
-- 1 | 10
-- 2 | 20
-- NULL | 30

SELECT x, x FROM unread INTERSECT SELECT y - 9, y - 9 FROM unread ORDER BY 1;
--> rows
-- 1 | 1

SELECT a + b AS s FROM (SELECT x, x FROM unread) AS u (a, b) ORDER BY s;
--> rows
-- 2
-- 4
-- NULL

WITH w (a, b, c) AS (SELECT x, x, count(*) FROM unread GROUP BY x) SELECT a, b, c FROM w ORDER BY a;
--> rows
-- 1 | 1 | 1
-- 2 | 2 | 1
-- NULL | NULL | 1

WITH RECURSIVE w (a, b) AS (SELECT 1, 1 UNION ALL SELECT a + 1, a + 1 FROM w WHERE a < 3) SELECT a, b FROM w ORDER BY a;
--> rows
-- 1 | 1
-- 2 | 2
-- 3 | 3

SELECT x FROM unread AS o WHERE EXISTS (SELECT x, x FROM unread AS i WHERE i.y = o.x * 10) ORDER BY x;
--> rows
-- 1
-- 2

SELECT (SELECT count(*) FROM (SELECT 1 AS p, 2 AS q UNION ALL SELECT x, x FROM unread) AS i) AS n, x, x FROM unread ORDER BY y;
--> rows
-- 4 | 1 | 1
-- 4 | 2 | 2
-- 4 | NULL | NULL

INSERT INTO unread SELECT x, x FROM unread WHERE x = 2 UNION ALL SELECT y, y FROM unread WHERE y = 30;
--> count 2

UPDATE unread SET y = 0 WHERE x IN (SELECT a FROM (SELECT x, x FROM unread) AS u (a, b) WHERE b = 30);
--> count 1

DELETE FROM unread WHERE EXISTS (SELECT y, y FROM unread AS i WHERE i.y = 0 AND i.x = unread.x);
--> count 1

CREATE VIEW seen AS SELECT 0 AS a, 0 AS b UNION ALL SELECT x, x FROM unread;
--> ok

SELECT a, b FROM seen ORDER BY a, b;
--> rows
-- 0 | 0
-- 1 | 1
-- 2 | 2
-- 2 | 2
-- NULL | NULL

CREATE TABLE made AS SELECT a, b FROM (SELECT x, x FROM unread) AS u (a, b);
--> ok

SELECT count(*) AS n FROM made WHERE a = b;
--> rows
-- 3
