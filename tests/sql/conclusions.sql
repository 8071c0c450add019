-- What may not be concluded from the ranges of columns, from constants and from conditions.

CREATE TABLE t (id BIGINT, a INT, b SMALLINT, ts TIMESTAMP, other TIMESTAMP);
--> ok

INSERT INTO t VALUES
    (1, 2, 2, TIMESTAMP '2024-01-01 23:00:00', TIMESTAMP '2024-01-02 01:00:00'),
    (2, 10, 10, TIMESTAMP '2024-01-01 08:00:00', TIMESTAMP '2024-01-01 09:00:00'),
    (3, 100, 7, TIMESTAMP '2024-01-01 12:00:00', TIMESTAMP '2024-01-03 12:00:00'),
    (4, 100000, 4, TIMESTAMP '2024-01-02 00:00:00', TIMESTAMP '2024-01-02 00:00:00');
--> count 4

SELECT min(x), max(x) FROM (SELECT CAST(a AS VARCHAR) AS x FROM t) s;
--> rows
-- 10 | 2

SELECT min(CAST(a AS VARCHAR)) AS least, max(CAST(a AS VARCHAR)) AS most FROM t;
--> rows
-- 10 | 2

SELECT min(CAST(ts AS TIME)), max(CAST(ts AS TIME)) FROM t;
--> rows
-- 00:00:00 | 23:00:00

SELECT id FROM t WHERE CAST(ts AS TIME) < CAST(other AS TIME) ORDER BY id;
--> rows
-- 2

SELECT id FROM t WHERE a < 1000 AND CAST(a AS SMALLINT) = b ORDER BY id;
--> rows
-- 1
-- 2

SELECT id FROM t WHERE CAST(a - 2 AS BOOLEAN) ORDER BY id;
--> rows
-- 2
-- 3
-- 4

SELECT ts FROM t WHERE CAST(ts AS DATE) = DATE '2024-01-01' ORDER BY ts LIMIT 2;
--> rows
-- 2024-01-01T08:00:00
-- 2024-01-01T12:00:00

SELECT ts, count(*) FROM t WHERE CAST(ts AS DATE) = DATE '2024-01-01' GROUP BY ts ORDER BY ts;
--> rows
-- 2024-01-01T08:00:00 | 1
-- 2024-01-01T12:00:00 | 1
-- 2024-01-01T23:00:00 | 1

SELECT a, row_number() OVER (ORDER BY a DESC) FROM t WHERE CAST(a AS BIGINT) * 0 = 0 ORDER BY a;
--> rows
-- 2 | 4
-- 10 | 3
-- 100 | 2
-- 100000 | 1

SELECT id FROM (SELECT id, ts, row_number() OVER (ORDER BY id) AS n FROM t) s WHERE CAST(ts AS DATE) = DATE '2024-01-01' AND n < 4 ORDER BY ts;
--> rows
-- 2
-- 3
-- 1

DELETE FROM t WHERE a = 100000;
--> count 1

SELECT id FROM t WHERE CAST(a AS SMALLINT) = b ORDER BY id;
--> rows
-- 1
-- 2

SELECT count(DISTINCT x), sum(x), min(x), count(x), count(*) FROM (SELECT 5 AS x FROM t WHERE id > 100) s;
--> rows
-- 0 | NULL | NULL | 0 | 0

SELECT count(DISTINCT x), sum(x), count(x), count(*) FROM (SELECT CAST(NULL AS INT) AS x FROM t) s;
--> rows
-- 0 | NULL | 0 | 3

SELECT count(x), count(*) FROM (SELECT TRY_CAST('n' || a AS INT) AS x FROM t) s;
--> rows
-- 0 | 3

CREATE TABLE empty (a INT);
--> ok

SELECT count(DISTINCT x), sum(x), max(x), count(x), count(*) FROM (SELECT 5 AS x FROM empty) s;
--> rows
-- 0 | NULL | NULL | 0 | 0

ALTER TABLE t ADD COLUMN c INT;
--> ok

SELECT count(DISTINCT c), count(c), sum(c), max(c), count(*) FROM t;
--> rows
-- 0 | 0 | NULL | NULL | 3

SELECT id FROM t WHERE c IS NULL AND CAST(ts AS DATE) = DATE '2024-01-01' ORDER BY ts DESC LIMIT 1;
--> rows
-- 1

SELECT count(x) FILTER (WHERE x > 100) FROM (SELECT count(*) AS x FROM t) s;
--> rows
-- 0

SELECT count(*) FILTER (WHERE y > 2), count(*) FROM (SELECT x + 1 AS y FROM (SELECT count(*) AS x, count(id) AS z FROM t) s) u;
--> rows
-- 1 | 1

CREATE TABLE e (id INT, ts TIMESTAMP, i INT, s TEXT);
--> ok

INSERT INTO e VALUES (1, TIMESTAMP '2024-01-01 23:00:00', -1, '10'), (2, TIMESTAMP '2024-01-02 01:00:00', 0, '9'), (3, TIMESTAMP '2024-01-02 02:00:00', 1, '100');
--> count 3

SELECT id FROM e WHERE CAST(i AS BOOLEAN) = false;
--> rows
-- 2

SELECT id FROM e WHERE CAST(s AS INT) > 50;
--> rows
-- 3

SELECT id FROM e WHERE CAST(i AS TEXT) = '0';
--> rows
-- 2

DELETE FROM e WHERE CAST(ts AS TIME) < TIME '01:30:00';
--> count 1

UPDATE e SET s = '0' WHERE CAST(i AS BOOLEAN) = true AND CAST(ts AS TIME) > TIME '20:00:00';
--> count 1

SELECT id, s FROM e ORDER BY id;
--> rows
-- 1 | 0
-- 3 | 100

-- Conditions above files of two shapes and rows in memory, of which not each applies all.
CREATE TABLE shapes (id BIGINT, s VARCHAR);
--> ok

--@ duckdb: INSERT INTO shapes SELECT range, 'text ' || range % 7 FROM range(100000)
INSERT INTO shapes SELECT value, 'text ' || value % 7 FROM range(100000);
--> count 100000

ALTER TABLE shapes ADD COLUMN v BIGINT;
--> ok

--@ duckdb: INSERT INTO shapes SELECT range, 'more ' || range % 5, range % 11 FROM range(100000)
INSERT INTO shapes SELECT value, 'more ' || value % 5, value % 11 FROM range(100000);
--> count 100000

INSERT INTO shapes VALUES (1, 'text 1', 10), (2, NULL, NULL);
--> count 2

SELECT count(*) AS n FROM shapes WHERE random() < 0;
--> rows
-- 0

SELECT count(*) AS n, sum(v) AS v FROM shapes WHERE random() >= 0 AND id > 99990;
--> rows
-- 18 | 45

--@ duckdb: SELECT count(*) AS n, sum(id) AS s FROM shapes WHERE regexp_matches(s, '[13]$') AND id % 3 = 1
SELECT count(*) AS n, sum(id) AS s FROM shapes WHERE s ~ '[13]$' AND id % 3 = 1;
--> rows
-- 22858 | 1142788570

SELECT count(*) AS n, sum(id) AS s FROM shapes WHERE upper(s) LIKE '%EXT 1' OR v * 2 = 20;
--> rows
-- 23377 | 1168774027

SELECT count(*) AS n, sum(id) AS s FROM shapes WHERE coalesce(v, id) = 10 AND length(s) = 6;
--> rows
-- 9092 | 454495466
