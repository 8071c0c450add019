-- DOUBLE and REAL: text that reads back the same, the special values, comparison.

CREATE TABLE t (id INT, d DOUBLE, r REAL);
--> ok

INSERT INTO t VALUES (1, 0.1, 0.1), (2, 1, 1), (3, -2.5, -2.5), (4, 123456.789, 0.25), (5, NULL, NULL);
--> count 5

INSERT INTO t VALUES (6, CAST('NaN' AS DOUBLE), CAST('NaN' AS REAL)), (7, CAST('inf' AS DOUBLE), CAST('-inf' AS REAL));
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 0.1 | 0.1
-- 2 | 1.0 | 1.0
-- 3 | -2.5 | -2.5
-- 4 | 123456.789 | 0.25
-- 5 | NULL | NULL
-- 6 | NaN | NaN
-- 7 | inf | -inf

UPDATE t SET d = d + 0.2, r = r * 2 WHERE id <= 3;
--> count 3

SELECT * FROM t WHERE id <= 3 ORDER BY id;
--> rows
-- 1 | 0.30000000000000004 | 0.2
-- 2 | 1.2 | 2.0
-- 3 | -2.3 | -5.0

-- NaN equals itself and is above everything
SELECT id FROM t WHERE d = CAST('NaN' AS DOUBLE);
--> rows
-- 6

SELECT id, d FROM t ORDER BY d NULLS FIRST;
--> rows
-- 5 | NULL
-- 3 | -2.3
-- 1 | 0.30000000000000004
-- 2 | 1.2
-- 4 | 123456.789
-- 7 | inf
-- 6 | NaN

SELECT sum(d) AS s, avg(d) AS a, min(d) AS lo, max(d) AS hi FROM t WHERE id <= 4;
--> rows
-- 123455.989 | 30863.99725 | -2.3 | 123456.789

SELECT round(CAST(2.567 AS DOUBLE), 2) AS r, floor(CAST(-1.5 AS DOUBLE)) AS f, ceil(CAST(1.2 AS DOUBLE)) AS c, sqrt(CAST(2.25 AS DOUBLE)) AS s, power(CAST(2 AS DOUBLE), 10) AS p;
--> rows
-- 2.57 | -2.0 | 2.0 | 1.5 | 1024.0

DELETE FROM t WHERE d = CAST('inf' AS DOUBLE) OR d < -2;
--> count 2

UPDATE t SET d = 1e10, r = 1e-3 WHERE id = 4;
--> count 1

UPDATE t SET d = 1e-7 WHERE id = 5;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 0.30000000000000004 | 0.2
-- 2 | 1.2 | 2.0
-- 4 | 10000000000.0 | 0.001
-- 5 | 0.0000001 | NULL
-- 6 | NaN | NaN

SELECT CAST('1e3' AS DOUBLE) AS e, CAST(1 AS DOUBLE) AS one, CAST(0.5 AS REAL) AS half, CAST('x' AS TEXT) AS x;
--> rows
-- 1000.0 | 1.0 | 0.5 | x

SELECT CAST('1.2.3' AS DOUBLE) AS x;
--> error invalid: 1.2.3
