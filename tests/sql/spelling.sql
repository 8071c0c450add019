-- What PostgreSQL and DuckDB write in words of their own.

CREATE TABLE t (id INT, s VARCHAR, p VARCHAR, day DATE);
--> ok

INSERT INTO t VALUES (1, '10%', '10!%', DATE '2024-01-31'), (2, '10x', '1_!%', DATE '2024-02-01'), (3, 'a_b', '%!_%', NULL), (4, 'a\b', 'a\b', DATE '2024-03-01'), (5, NULL, '%', NULL), (6, 'x!y', 'x!!y', NULL);
--> count 6

CREATE TABLE u (id INT);
--> ok

INSERT INTO u VALUES (1), (3), (3), (NULL);
--> count 4

SELECT id FROM t WHERE s LIKE '10!%' ESCAPE '!' ORDER BY id;
--> rows
-- 1

SELECT id FROM t WHERE s LIKE '%#_%' ESCAPE '#' ORDER BY id;
--> rows
-- 3

SELECT id FROM t WHERE s NOT LIKE '%#_%' ESCAPE '#' ORDER BY id;
--> rows
-- 1
-- 2
-- 4
-- 6

SELECT id FROM t WHERE s LIKE 'a\b' ESCAPE '!' ORDER BY id;
--> rows
-- 4

SELECT id FROM t WHERE s LIKE p ESCAPE '!' ORDER BY id;
--> rows
-- 1
-- 3
-- 4
-- 6

SELECT id FROM t WHERE s ILIKE upper(p) ESCAPE '!' ORDER BY id;
--> rows
-- 1
-- 3
-- 4
-- 6

SELECT id FROM t WHERE s LIKE 'A$_B' ESCAPE '$' OR s ILIKE 'A$_B' ESCAPE '$' ORDER BY id;
--> rows
-- 3

SELECT t.id FROM t SEMI JOIN u ON t.id = u.id ORDER BY t.id;
--> rows
-- 1
-- 3

SELECT t.id FROM t ANTI JOIN u ON t.id = u.id ORDER BY t.id;
--> rows
-- 2
-- 4
-- 5
-- 6

SELECT t.id, a.id AS other FROM t JOIN (t AS a ANTI JOIN u ON a.id = u.id) ON t.id <= a.id ORDER BY t.id, a.id;
--> rows
-- 1 | 2
-- 1 | 4
-- 1 | 5
-- 1 | 6
-- 2 | 2
-- 2 | 4
-- 2 | 5
-- 2 | 6
-- 3 | 4
-- 3 | 5
-- 3 | 6
-- 4 | 4
-- 4 | 5
-- 4 | 6
-- 5 | 5
-- 5 | 6
-- 6 | 6

SELECT t.id FROM t SEMI JOIN u USING (id) WHERE t.id IN (SELECT t.id FROM t ANTI JOIN u ON t.id = u.id + 2) ORDER BY t.id;
--> rows
-- 1

SELECT 7 // 2 AS a, -7 // 2 AS b, 2 + 7 // 3 * 2 AS c, id // 2 AS d FROM t ORDER BY id;
--> rows
-- 3 | -3 | 6 | 0
-- 3 | -3 | 6 | 1
-- 3 | -3 | 6 | 1
-- 3 | -3 | 6 | 2
-- 3 | -3 | 6 | 2
-- 3 | -3 | 6 | 3

SELECT id // 0 AS d FROM t;
--> error invalid

SELECT CAST(day + INTERVAL (id) DAY AS DATE) AS a, CAST(day - INTERVAL (id + 1) MONTH AS DATE) AS b FROM t WHERE day IS NOT NULL ORDER BY id;
--> rows
-- 2024-02-01 | 2023-11-30
-- 2024-02-03 | 2023-11-01
-- 2024-03-05 | 2023-10-01

SELECT CAST(day + INTERVAL 2 DAY AS DATE) AS a, CAST(day + INTERVAL '2' DAY AS DATE) AS b FROM t WHERE id = 1;
--> rows
-- 2024-02-02 | 2024-02-02

--@ duckdb: CREATE TABLE v AS SELECT id, s FROM t WHERE id < 3
SELECT id, s INTO v FROM t WHERE id < 3;
--> ok

SELECT * FROM v ORDER BY id;
--> rows
-- 1 | 10%
-- 2 | 10x

--@ duckdb: skip it has indexes
CREATE INDEX i ON t (id);
--> error unsupported: not needed: scans leave out

--@ duckdb: skip it has schemas
CREATE SCHEMA other;
--> error unsupported: one schema

FROM u ORDER BY id LIMIT 2;
--> rows
-- 1
-- 3

SELECT version() LIKE '%rhei%' OR version() LIKE 'v%' AS v;
--> rows
-- true

--@ duckdb: skip its list has other columns
SHOW TABLES;
--> rows
-- datafusion | public | t | BASE TABLE
-- datafusion | public | u | BASE TABLE
-- datafusion | public | v | BASE TABLE

-- A column's default and whether it may be NULL.
ALTER TABLE u ALTER COLUMN id SET NOT NULL;
--> error invalid

DELETE FROM u WHERE id IS NULL;
--> count 1

ALTER TABLE u ALTER COLUMN id SET NOT NULL;
--> ok

INSERT INTO u VALUES (NULL);
--> error invalid: NULL

UPDATE u SET id = NULL WHERE id = 1;
--> error invalid: NULL

SELECT id FROM u ORDER BY id;
--> rows
-- 1
-- 3
-- 3

ALTER TABLE u ALTER COLUMN id DROP NOT NULL;
--> ok

INSERT INTO u VALUES (NULL);
--> count 1

ALTER TABLE u ALTER COLUMN id SET DEFAULT 9;
--> ok

INSERT INTO u DEFAULT VALUES;
--> count 1

ALTER TABLE u ALTER COLUMN id DROP DEFAULT;
--> ok

INSERT INTO u DEFAULT VALUES;
--> count 1

SELECT id FROM u ORDER BY id;
--> rows
-- 1
-- 3
-- 3
-- 9
-- NULL
-- NULL

--@ duckdb: skip it looks when a row needs it
ALTER TABLE u ALTER COLUMN id SET DEFAULT 'x';
--> error invalid

--@ duckdb: skip it takes other types
ALTER TABLE u ALTER COLUMN id TYPE BIGINT;
--> error unsupported: add a column of that type

-- Struct types as DuckDB writes them, and lambdas.
CREATE TABLE s (id INT, p STRUCT(a BIGINT, b STRUCT(c TEXT, d INT[]))[]);
--> ok

INSERT INTO s VALUES (1, [{'a': 1, 'b': {'c': 'x', 'd': [1, 2]}}]), (2, NULL);
--> count 2

SELECT id, p, p[1]['b']['d'] AS d FROM s ORDER BY id;
--> rows
-- 1 | [{a: 1, b: {c: x, d: [1, 2]}}] | [1, 2]
-- 2 | NULL | NULL

SELECT CAST(NULL AS STRUCT(a INT)) AS a, {'a': 1}::STRUCT(a DOUBLE) AS b, CAST({'x': 1, 'y': 'q'} AS STRUCT ( x BIGINT, "y" VARCHAR )) AS c;
--> rows
-- NULL | {a: 1.0} | {x: 1, y: q}

--@ duckdb: SELECT {'c0': id IS NULL, 'c1': NOT TRUE, 'c2': id IN (1)} AS v FROM s ORDER BY id
SELECT struct(id IS NULL, NOT TRUE, id IN (1)) AS v FROM s ORDER BY id;
--> rows
-- {c0: false, c1: false, c2: true}
-- {c0: false, c1: false, c2: false}

--@ duckdb: SELECT [2, 3, NULL] AS a, [2, 3] AS b, ['bb'] AS c, [[10], [10]] AS d
SELECT list_transform([1, 2, NULL], x -> x + 1) AS a, list_filter([1, 2, 3], x -> x > 1) AS b, list_filter(['a', 'bb'], lambda s: length(s) > 1) AS c, list_transform([1, 2], x -> list_transform([10], y -> y)) AS d;
--> rows
-- [2, 3, NULL] | [2, 3] | [bb] | [[10], [10]]

SELECT id, list_transform([1, 2], lambda x: x * id) AS v FROM s ORDER BY id;
--> rows
-- 1 | [1, 2]
-- 2 | [2, 4]

SELECT 1_000 AS a, 1_2_3 AS b, 1_0.5 AS c;
--> rows
-- 1000 | 123 | 10.5

SELECT id % 2 AS "A", count(*) AS n FROM t GROUP BY 1 ORDER BY ALL DESC;
--> rows
-- 1 | 3
-- 0 | 3

SELECT id, id % 3 FROM t ORDER BY ALL;
--> rows
-- 1 | 1
-- 2 | 2
-- 3 | 0
-- 4 | 1
-- 5 | 2
-- 6 | 0

CREATE TABLE "a.b" (x INT);
--> ok

INSERT INTO "a.b" VALUES (1);
--> count 1

SELECT "a.b".x FROM "a.b";
--> rows
-- 1

DROP TABLE "a.b";
--> ok

CREATE TABLE cased ("Aa" INT, "Bb" INT);
--> ok

INSERT INTO cased VALUES (2, 1), (1, 2), (1, NULL);
--> count 3

SELECT * FROM cased ORDER BY ALL NULLS FIRST;
--> rows
-- 1 | NULL
-- 1 | 2
-- 2 | 1

SELECT a.*, b."Bb" FROM cased AS a JOIN cased AS b ON a."Aa" = b."Bb" ORDER BY ALL DESC NULLS LAST LIMIT 2;
--> rows
-- 2 | 1 | 2
-- 1 | 2 | 1

SELECT "Bb" FROM cased UNION ALL SELECT 7 ORDER BY ALL NULLS FIRST;
--> rows
-- NULL
-- 1
-- 2
-- 7

SELECT sum(q."Bb") AS s FROM (SELECT "Aa", "Bb" FROM cased ORDER BY ALL NULLS FIRST LIMIT 2) AS q;
--> rows
-- 2

FROM cased ORDER BY ALL NULLS FIRST;
--> rows
-- 1 | NULL
-- 1 | 2
-- 2 | 1

--@ duckdb: skip it counts them
SELECT count(*) AS n FROM (SELECT * FROM cased ORDER BY ALL LIMIT 2) AS q;
--> error unsupported: name the columns

-- A truth value is 1 or 0 where it meets a number, and a text is one where it meets a truth value.
CREATE TABLE flags (id INT, b BOOLEAN, n INT);
--> ok

INSERT INTO flags VALUES (1, true, 1), (2, false, 0), (3, NULL, 2), (4, true, NULL);
--> count 4

SELECT id FROM flags WHERE b = 1 ORDER BY id;
--> rows
-- 1
-- 4

SELECT id FROM flags WHERE 0 = b OR b > 0 ORDER BY id;
--> rows
-- 1
-- 2
-- 4

SELECT id, b = n, b <= n, b <> 2, n = true, n < true, b = -1 FROM flags ORDER BY id;
--> rows
-- 1 | true | true | true | true | false | false
-- 2 | true | true | true | false | true | false
-- 3 | NULL | NULL | NULL | false | false | NULL
-- 4 | NULL | NULL | true | NULL | NULL | false

SELECT id FROM flags WHERE b = 'true' OR 'f' = b ORDER BY id;
--> rows
-- 1
-- 2
-- 4

UPDATE flags SET n = 9 WHERE b = 0;
--> count 1

DELETE FROM flags WHERE b = 1 AND id = 4;
--> count 1

SELECT id, n FROM flags ORDER BY id;
--> rows
-- 1 | 1
-- 2 | 9
-- 3 | 2
