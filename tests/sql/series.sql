-- range and generate_series as lists: ends, NULLs, steps, dates and times.

SELECT range(NULL) AS a, range(1, NULL) AS b, generate_series(NULL, 5, 1) AS c, range(1, 5, NULL) AS d;
--> rows
-- NULL | NULL | NULL | NULL

SELECT range(3) AS a, range(1, 4) AS b, generate_series(1, 4) AS c, range(5, 1, -2) AS d, range(5, 1) AS e, generate_series(1, 10, 4) AS f;
--> rows
-- [0, 1, 2] | [1, 2, 3] | [1, 2, 3, 4] | [5, 3] | [] | [1, 5, 9]

CREATE TABLE t (id BIGINT, lo BIGINT, hi BIGINT, step BIGINT);
--> ok

INSERT INTO t VALUES (1, 1, 3, 1), (2, NULL, 3, 1), (3, 1, NULL, 1), (4, 1, 9, NULL), (5, 9, 1, -4);
--> count 5

SELECT id, range(lo, hi, step) AS r, generate_series(lo, hi, step) AS g FROM t ORDER BY id;
--> rows
-- 1 | [1, 2] | [1, 2, 3]
-- 2 | NULL | NULL
-- 3 | NULL | NULL
-- 4 | NULL | NULL
-- 5 | [9, 5] | [9, 5, 1]

--@ duckdb: skip its series of dates is of timestamps
SELECT generate_series(DATE '2024-01-01', DATE '2024-01-03', INTERVAL '1' DAY) AS d;
--> rows
-- [2024-01-01, 2024-01-02, 2024-01-03]

SELECT range(TIMESTAMP '2024-01-01 00:00:00', TIMESTAMP '2024-01-01 03:00:00', INTERVAL '1' HOUR) AS h;
--> rows
-- [2024-01-01T00:00:00, 2024-01-01T01:00:00, 2024-01-01T02:00:00]

--@ duckdb: skip it has no arrow_cast
SELECT generate_series(arrow_cast('2024-01-01', 'Timestamp(Second, None)'), TIMESTAMP '2024-01-03', INTERVAL '1' DAY) AS s,
    generate_series(TIMESTAMP '2024-01-01', arrow_cast('2024-02-01', 'Timestamp(Millisecond, None)'), INTERVAL '1' MONTH) AS m;
--> rows
-- [2024-01-01T00:00:00, 2024-01-02T00:00:00, 2024-01-03T00:00:00] | [2024-01-01T00:00:00, 2024-02-01T00:00:00]

--@ duckdb: skip it makes none
SELECT range(1, 5, 0) AS x;
--> error invalid: step can't be 0

--@ duckdb: skip it would try
SELECT range(1, 5000000000) AS x;
--> error resources_exhausted: range
