-- A date and an interval with a time of day; an interval times a number, or divided by one.

CREATE TABLE t (id INT, d DATE, n BIGINT, x DOUBLE);
--> ok

INSERT INTO t VALUES (1, DATE '2024-01-31', 2, 0.5), (2, NULL, 3, 1.5), (3, DATE '2024-02-29', NULL, NULL), (4, DATE '2023-12-31', -1, -0.25);
--> count 4

SELECT DATE '2024-01-01' + INTERVAL '1 hour' AS a, INTERVAL '90 minutes' + DATE '2024-01-01' AS b, DATE '2024-01-01' - INTERVAL '11 minutes' AS c;
--> rows
-- 2024-01-01T01:00:00 | 2024-01-01T01:30:00 | 2023-12-31T23:49:00

SELECT id, d + INTERVAL '36 hours' AS later, d - INTERVAL '1 day 1 second' AS sooner FROM t ORDER BY id;
--> rows
-- 1 | 2024-02-01T12:00:00 | 2024-01-29T23:59:59
-- 2 | NULL | NULL
-- 3 | 2024-03-01T12:00:00 | 2024-02-27T23:59:59
-- 4 | 2024-01-01T12:00:00 | 2023-12-29T23:59:59

SELECT CAST(DATE '2024-01-01' - INTERVAL '-12 minutes 7 days' AS DATE) AS d;
--> rows
-- 2023-12-25

SELECT id FROM t WHERE d + INTERVAL '1 hour' > TIMESTAMP '2024-01-31 00:30:00' ORDER BY id;
--> rows
-- 1
-- 3

SELECT CAST(d + INTERVAL '1 month' AS DATE) AS m, CAST(d - INTERVAL '1 year' AS DATE) AS y FROM t ORDER BY id;
--> rows
-- 2024-02-29 | 2023-01-31
-- NULL | NULL
-- 2024-03-29 | 2023-02-28
-- 2024-01-31 | 2022-12-31

SELECT count(*) FROM t WHERE d + INTERVAL '1 month' = DATE '2024-02-29' OR d - INTERVAL '2 days' = DATE '2023-12-29';
--> rows
-- 2

SELECT id, d + INTERVAL (n) HOUR AS a, d + n * INTERVAL '1 day' AS b, d - INTERVAL '6 hours' * x AS c, d + INTERVAL '1 month' / 4 AS e FROM t ORDER BY id;
--> rows
-- 1 | 2024-01-31T02:00:00 | 2024-02-02T00:00:00 | 2024-01-30T21:00:00 | 2024-02-07T12:00:00
-- 2 | NULL | NULL | NULL | NULL
-- 3 | NULL | NULL | NULL | 2024-03-07T12:00:00
-- 4 | 2023-12-30T23:00:00 | 2023-12-30T00:00:00 | 2023-12-31T01:30:00 | 2024-01-07T12:00:00

SELECT TIMESTAMP '2024-03-31 10:00:00' - 3 * INTERVAL '1 month' AS a, TIMESTAMP '2024-03-31 10:00:00' + 1.55 * INTERVAL '1 month' AS b,
    TIMESTAMP '2024-03-31 10:00:00' + INTERVAL '1 hour' / 8 AS c, TIMESTAMP '2024-03-31 10:00:00' - 1.5 * INTERVAL '1 month 1 day' AS d;
--> rows
-- 2023-12-31T10:00:00 | 2024-05-16T22:00:00 | 2024-03-31T10:07:30 | 2024-02-12T22:00:00

SELECT (SELECT max(d + INTERVAL '1 second') FROM t) AS last, max(d) + INTERVAL '1 second' AS same FROM t;
--> rows
-- 2024-02-29T00:00:01 | 2024-02-29T00:00:01

CREATE TABLE made AS SELECT id, d + INTERVAL '1 minute' AS moment FROM t;
--> ok

UPDATE made SET moment = moment + n * INTERVAL '1 hour' FROM t WHERE t.id = made.id AND n IS NOT NULL;
--> ok

SELECT id, moment FROM made ORDER BY id;
--> rows
-- 1 | 2024-01-31T02:01:00
-- 2 | NULL
-- 3 | 2024-02-29T00:01:00
-- 4 | 2023-12-30T23:01:00

SELECT INTERVAL '1 day' / 0;
--> error invalid

SELECT id, TIMESTAMP '2024-01-01 00:00:00' + n * INTERVAL '9000000000 seconds' * 9000000000 FROM t;
--> error invalid

SELECT INTERVAL '1 month' * 1e300;
--> error invalid


-- Whole days, however they are written.
--@ duckdb: skip it says what the type is here
SELECT arrow_typeof(DATE '2024-01-01' + INTERVAL '1 month'), arrow_typeof('1 month'::INTERVAL + DATE '2024-01-01'),
    arrow_typeof(INTERVAL '1 month' + INTERVAL '48 hours' + DATE '2024-01-01'), arrow_typeof(DATE '2024-01-01' - '1 hour'::INTERVAL);
--> rows
-- Date32 | Date32 | Date32 | Timestamp(ns)

SELECT TIMESTAMP '2024-03-31 10:00:00' + (INTERVAL '1 day' + INTERVAL '1 hour') * 2 AS a, TIMESTAMP '2024-03-31 10:00:00' + 2 * 3 * INTERVAL '1 hour' AS b;
--> rows
-- 2024-04-02T12:00:00 | 2024-03-31T16:00:00

-- What lies between two timestamps, times a number.
SELECT TIMESTAMP '2024-01-01 00:00:00' + (TIMESTAMP '2024-01-03 12:00:00' - TIMESTAMP '2024-01-01 00:00:00') * 2 AS twice,
    TIMESTAMP '2024-01-01 00:00:00' + 0.5 * (TIMESTAMP '2024-01-03 12:00:00' - TIMESTAMP '2024-01-01 00:00:00') AS half,
    TIMESTAMP '2024-01-01 00:00:00' + (TIMESTAMP '2024-01-03 12:00:00' - TIMESTAMP '2024-01-01 00:00:00') / 4 AS quarter;
--> rows
-- 2024-01-06T00:00:00 | 2024-01-02T06:00:00 | 2024-01-01T15:00:00
