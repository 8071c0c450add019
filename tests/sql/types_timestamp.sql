-- TIMESTAMP and TIMESTAMP WITH TIME ZONE: fractions, zones, comparison, truncation, updates.

CREATE TABLE t (id INT, ts TIMESTAMP, tz TIMESTAMP WITH TIME ZONE);
--> ok

INSERT INTO t VALUES (1, '2024-01-31 12:34:56', '2024-01-31 12:34:56+00:00'), (2, '2024-01-31T12:34:56.5', '2024-01-31T12:34:56.5+02:00'), (3, TIMESTAMP '1969-12-31 23:59:59.999', '1970-01-01 00:30:00+01:00'), (4, '2024-02-29', '2024-02-29 23:00:00-05:00'), (5, NULL, NULL), (6, '2024-01-31 12:34:56.123456', '2024-01-31 12:34:56.123456Z');
--> count 6

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 2024-01-31T12:34:56 | 2024-01-31T12:34:56Z
-- 2 | 2024-01-31T12:34:56.500 | 2024-01-31T10:34:56.500Z
-- 3 | 1969-12-31T23:59:59.999 | 1969-12-31T23:30:00Z
-- 4 | 2024-02-29T00:00:00 | 2024-03-01T04:00:00Z
-- 5 | NULL | NULL
-- 6 | 2024-01-31T12:34:56.123456 | 2024-01-31T12:34:56.123456Z

SELECT id FROM t WHERE ts > TIMESTAMP '2024-01-31 12:34:56' ORDER BY ts;
--> rows
-- 6
-- 2
-- 4

SELECT id FROM t WHERE tz = '2024-01-31T10:34:56.5+00:00';
--> rows
-- 2

SELECT id, tz FROM t ORDER BY tz NULLS FIRST;
--> rows
-- 5 | NULL
-- 3 | 1969-12-31T23:30:00Z
-- 2 | 2024-01-31T10:34:56.500Z
-- 1 | 2024-01-31T12:34:56Z
-- 6 | 2024-01-31T12:34:56.123456Z
-- 4 | 2024-03-01T04:00:00Z

SELECT id, date_trunc('month', ts) AS m, date_trunc('hour', ts) AS h, extract(hour FROM ts) AS hour, extract(minute FROM ts) AS minute FROM t WHERE id IN (1, 3, 4) ORDER BY id;
--> rows
-- 1 | 2024-01-01T00:00:00 | 2024-01-31T12:00:00 | 12 | 34
-- 3 | 1969-12-01T00:00:00 | 1969-12-31T23:00:00 | 23 | 59
-- 4 | 2024-02-01T00:00:00 | 2024-02-29T00:00:00 | 0 | 0

UPDATE t SET ts = '2025-01-01 00:00:00' WHERE id = 1;
--> count 1

UPDATE t SET ts = CAST(CAST(ts AS DATE) AS TIMESTAMP) WHERE id = 2;
--> count 1

UPDATE t SET tz = '2025-06-01 00:00:00+10:00', ts = NULL WHERE id = 4;
--> count 1

UPDATE t SET ts = '2000-01-01 00:00:00.001' WHERE ts IS NULL;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 2025-01-01T00:00:00 | 2024-01-31T12:34:56Z
-- 2 | 2024-01-31T00:00:00 | 2024-01-31T10:34:56.500Z
-- 3 | 1969-12-31T23:59:59.999 | 1969-12-31T23:30:00Z
-- 4 | 2000-01-01T00:00:00.001 | 2025-05-31T14:00:00Z
-- 5 | 2000-01-01T00:00:00.001 | NULL
-- 6 | 2024-01-31T12:34:56.123456 | 2024-01-31T12:34:56.123456Z

SELECT min(ts) AS lo, max(ts) AS hi, min(tz) AS zlo, max(tz) AS zhi, count(tz) AS n FROM t;
--> rows
-- 1969-12-31T23:59:59.999 | 2025-01-01T00:00:00 | 1969-12-31T23:30:00Z | 2025-05-31T14:00:00Z | 5

SELECT CAST(TIMESTAMP '2024-01-31 23:59:59' AS DATE) AS d, CAST('2024-01-31 01:02:03' AS TIMESTAMP) AS ts;
--> rows
-- 2024-01-31 | 2024-01-31T01:02:03

DELETE FROM t WHERE ts = '2025-01-01 00:00:00' OR tz < '1980-01-01 00:00:00+00:00';
--> count 2

INSERT INTO t (id, ts) VALUES (9, 'noon');
--> error invalid: noon

SELECT id FROM t ORDER BY id;
--> rows
-- 2
-- 4
-- 5
-- 6

-- to_timestamp answers without a zone, for constants and for columns, of one format and of several
CREATE TABLE texts (id BIGINT, s TEXT);
--> ok

INSERT INTO texts VALUES (1, '2024-01-31'), (2, '31/01/2024'), (3, NULL), (4, '2024-01-31T10:00:00+02:00');
--> count 4

--@ duckdb: skip DuckDB's to_timestamp takes seconds
SELECT to_timestamp('2024-01-31T12:34:56') AS a, arrow_typeof(to_timestamp(s)) AS b, to_timestamp(s) AS c,
    to_timestamp_millis(s) AS d, to_timestamp(0) AS e
FROM texts WHERE id IN (1, 4) ORDER BY id;
--> rows
-- 2024-01-31T12:34:56 | Timestamp(ns) | 2024-01-31T00:00:00 | 2024-01-31T00:00:00 | 1970-01-01T00:00:00
-- 2024-01-31T12:34:56 | Timestamp(ns) | 2024-01-31T08:00:00 | 2024-01-31T08:00:00 | 1970-01-01T00:00:00

--@ duckdb: skip DuckDB's is try_strptime
SELECT id, to_timestamp(s, '%d/%m/%Y', '%Y-%m-%d') AS ts, to_timestamp_seconds(s, '%d/%m/%Y', '%Y-%m-%d') AS sec
FROM texts WHERE id < 4 ORDER BY id;
--> rows
-- 1 | 2024-01-31T00:00:00 | 2024-01-31T00:00:00
-- 2 | 2024-01-31T00:00:00 | 2024-01-31T00:00:00
-- 3 | NULL | NULL

-- What lies behind a NULL is not cut off.
CREATE TABLE n (k INT, ts TIMESTAMP);
--> ok

INSERT INTO n VALUES (1, NULL), (2, '2024-03-05 06:07:08'), (3, NULL);
--> count 3

SELECT k, date_trunc('hour', max(ts)) AS h, date_trunc('month', min(ts)) AS m FROM n GROUP BY k ORDER BY k;
--> rows
-- 1 | NULL | NULL
-- 2 | 2024-03-05T06:00:00 | 2024-03-01T00:00:00
-- 3 | NULL | NULL
