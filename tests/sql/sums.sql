-- Sums that fit, however far they were in between, and sums that do not.

--@ duckdb: CREATE TABLE t (g INT, b BIGINT, u UBIGINT, s SMALLINT, d DECIMAL(38, 0), e DECIMAL(18, 2), f DOUBLE)
CREATE TABLE t (g INT, b BIGINT, u BIGINT UNSIGNED, s SMALLINT, d DECIMAL(38, 0), e DECIMAL(18, 2), f DOUBLE);
--> ok

INSERT INTO t VALUES
    (1, 9223372036854775807, 18446744073709551615, 32767, '99999999999999999999999999999999999999', '9999999999999999.99', 1.5),
    (1, 9223372036854775807, 0, 32767, '1', '9999999999999999.99', 2.5),
    (1, -9223372036854775807, NULL, -5, '-2', NULL, NULL),
    (2, -9223372036854775808, 1, NULL, NULL, '-0.01', -1.0),
    (2, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, NULL, NULL, NULL, NULL, NULL, NULL);
--> count 6

-- In any order they pass what 64 bits hold, and come back.
SELECT sum(b) AS b, sum(s) AS s, sum(e) AS e, sum(f) AS f FROM t WHERE b IS NOT NULL AND g = 1 OR g = 3;
--> rows
-- 9223372036854775807 | 65529 | 19999999999999999.98 | 4.0

SELECT g, sum(b) AS b, sum(u) AS u, sum(s) AS s, sum(d) AS d, sum(e) AS e FROM t GROUP BY g ORDER BY g;
--> rows
-- 1 | 9223372036854775807 | 18446744073709551615 | 65529 | 99999999999999999999999999999999999998 | 19999999999999999.98
-- 2 | -9223372036854775808 | 1 | NULL | NULL | -0.01
-- 3 | NULL | NULL | NULL | NULL | NULL

SELECT sum(b) AS total FROM t;
--> rows
-- -1

--@ duckdb: skip it has whole numbers of 128 bits
SELECT sum(b) AS total FROM t WHERE b > 0;
--> error invalid: overflow: a sum does not fit Int64; sum a wider type

SELECT sum(CAST(b AS DECIMAL(38, 0))) AS total FROM t WHERE b > 0;
--> rows
-- 18446744073709551614

--@ duckdb: skip it has whole numbers of 128 bits
SELECT g % 2 AS k, sum(b) AS total FROM t WHERE b > 0 OR g = 3 GROUP BY k;
--> error invalid: overflow: a sum does not fit Int64

--@ duckdb: skip it has whole numbers of 128 bits
SELECT sum(u) AS total FROM t;
--> error invalid: overflow: a sum does not fit UInt64

SELECT sum(d) AS total FROM t WHERE d > 0;
--> error invalid: overflow: a sum does not fit Decimal128(38, 0)

SELECT sum(d) AS total FROM t;
--> rows
-- 99999999999999999999999999999999999998

-- what nothing overflows
SELECT avg(b) AS b, avg(d) FILTER (WHERE d < 5) < 0 AS d, avg(s) AS s FROM t WHERE g = 1;
--> rows
-- 3074457345618258400.0 | true | 21843.0

--@ duckdb: skip its averages are doubles
SELECT avg(d) AS d FROM t WHERE g = 1;
--> error invalid: Overflow

-- different values
SELECT sum(DISTINCT b) AS b, sum(DISTINCT s) AS s, sum(DISTINCT e) AS e, sum(DISTINCT f) AS f, sum(DISTINCT d) AS d FROM t;
--> rows
-- -9223372036854775808 | 32762 | 9999999999999999.98 | 3.0 | 99999999999999999999999999999999999998

--@ duckdb: skip it has whole numbers of 128 bits
SELECT sum(DISTINCT b) AS total FROM (VALUES (9223372036854775807), (9223372036854775806), (9223372036854775806)) AS v (b);
--> error invalid: overflow: a sum does not fit Int64

SELECT g, sum(DISTINCT b) AS b, count(DISTINCT b) AS n FROM t GROUP BY g ORDER BY g;
--> rows
-- 1 | 0 | 2
-- 2 | -9223372036854775808 | 1
-- 3 | NULL | 0

-- windows, whose frames grow and move
CREATE TABLE w (id INT, b BIGINT, e DECIMAL(10, 1));
--> ok

INSERT INTO w VALUES (1, 9223372036854775807, 1.5), (2, -1, 2.5), (3, NULL, NULL), (4, -9223372036854775808, 0.5), (5, 7, 1.5),
    (6, 7, 1.5);
--> count 6

SELECT id, sum(b) OVER (ORDER BY id) AS growing, sum(b) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS moving,
    sum(e) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS around,
    sum(b) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS shrinking
FROM w ORDER BY id;
--> rows
-- 1 | 9223372036854775807 | 9223372036854775807 | 4.0 | 12
-- 2 | 9223372036854775806 | 9223372036854775806 | 4.0 | -9223372036854775795
-- 3 | 9223372036854775806 | -1 | 3.0 | -9223372036854775794
-- 4 | -2 | -9223372036854775808 | 2.0 | -9223372036854775794
-- 5 | 5 | -9223372036854775801 | 3.5 | 14
-- 6 | 12 | 14 | 3.0 | 7

--@ duckdb: skip it has whole numbers of 128 bits
SELECT id, sum(b) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS moving
FROM (VALUES (1, 9223372036854775807), (2, 1), (3, 5)) AS v (id, b) ORDER BY id;
--> error invalid: overflow: a sum does not fit Int64

SELECT id, sum(DISTINCT b) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS b,
    sum(DISTINCT e) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS e
FROM w ORDER BY id;
--> rows
-- 1 | 9223372036854775807 | 1.5
-- 2 | 9223372036854775806 | 4.0
-- 3 | -1 | 4.0
-- 4 | -9223372036854775808 | 3.0
-- 5 | -9223372036854775801 | 2.0
-- 6 | 7 | 2.0

-- filters, and sums of sums
SELECT sum(b) FILTER (WHERE b < 0 AND id < 4) AS a, sum(b) FILTER (WHERE b > 100000) AS c, sum(b) FILTER (WHERE id > 100) AS n FROM w;
--> rows
-- -1 | 9223372036854775807 | NULL

SELECT sum(total) AS total FROM (SELECT id % 2 AS k, sum(b) AS total FROM w WHERE id <> 5 GROUP BY k) AS q;
--> rows
-- 5

SELECT sum(b + 1) AS plus, sum(b) AS total, sum(-b) AS minus FROM w WHERE b < 100 AND b > -100;
--> rows
-- 16 | 13 | -13

SELECT k % 7 AS g, sum(k) AS total, sum(k * 1000000000) AS large FROM generate_series(1, 30000) AS q (k)
GROUP BY g ORDER BY g;
--> rows
-- 0 | 64279285 | 64279285000000000
-- 1 | 64283571 | 64283571000000000
-- 2 | 64287857 | 64287857000000000
-- 3 | 64292143 | 64292143000000000
-- 4 | 64296429 | 64296429000000000
-- 5 | 64300715 | 64300715000000000
-- 6 | 64275000 | 64275000000000000

-- what is added within the sum counts before it has to fit
SELECT sum(b + -10) AS a, sum(b + -20) AS c FROM (VALUES (9223372036854775807), (10)) AS v (b);
--> rows
-- 9223372036854775797 | 9223372036854775777

-- so many groups that partial sums are given up on the way
--@ duckdb: SELECT count(s) AS n, sum(s) AS s, count(a) AS m, sum(d) AS d FROM (SELECT range * 7 % 400009 AS k, sum(range) FILTER (WHERE range % 2 = 0) AS s, avg(range) FILTER (WHERE range % 3 = 0) AS a, sum(CAST(range AS DECIMAL(12, 2))) FILTER (WHERE range % 5 = 0) AS d FROM range(400000) GROUP BY k)
SELECT count(s) AS n, sum(s) AS s, count(a) AS m, sum(d) AS d FROM (SELECT value * 7 % 400009 AS k, sum(value) FILTER (WHERE value % 2 = 0) AS s, avg(value) FILTER (WHERE value % 3 = 0) AS a, sum(CAST(value AS DECIMAL(12, 2))) FILTER (WHERE value % 5 = 0) AS d FROM range(400000) GROUP BY k);
--> rows
-- 200000 | 39999800000 | 133334 | 15999800000.00

-- frames whose last value leaves them
CREATE TABLE frames (id BIGINT, x BIGINT, d DECIMAL(12, 2));
--> ok

INSERT INTO frames VALUES (1, 5, 1.50), (2, NULL, NULL), (3, NULL, 2.50), (4, 7, NULL), (5, 7, NULL), (6, NULL, NULL), (7, -3, 0.25), (8, 5, 0.25), (9, 5, NULL);
--> count 9

SELECT id, sum(x) OVER w AS s, sum(DISTINCT x) OVER w AS u, avg(x) OVER w AS a, sum(d) OVER w AS d, count(x) OVER w AS n FROM frames WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY id;
--> rows
-- 1 | 5 | 5 | 5.0 | 1.50 | 1
-- 2 | 5 | 5 | 5.0 | 1.50 | 1
-- 3 | NULL | NULL | NULL | 2.50 | 0
-- 4 | 7 | 7 | 7.0 | 2.50 | 1
-- 5 | 14 | 7 | 7.0 | NULL | 2
-- 6 | 7 | 7 | 7.0 | NULL | 1
-- 7 | -3 | -3 | -3.0 | 0.25 | 1
-- 8 | 2 | 2 | 1.0 | 0.50 | 2
-- 9 | 10 | 5 | 5.0 | 0.25 | 2

SELECT id, sum(x) OVER w AS s, sum(DISTINCT x) OVER w AS u, avg(x) OVER w AS a, sum(d) OVER w AS d, count(x) OVER w AS n FROM frames WINDOW w AS (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING) ORDER BY id;
--> rows
-- 1 | NULL | NULL | NULL | NULL | 0
-- 2 | NULL | NULL | NULL | NULL | 0
-- 3 | 5 | 5 | 5.0 | 1.50 | 1
-- 4 | 5 | 5 | 5.0 | 1.50 | 1
-- 5 | NULL | NULL | NULL | 2.50 | 0
-- 6 | 7 | 7 | 7.0 | 2.50 | 1
-- 7 | 14 | 7 | 7.0 | NULL | 2
-- 8 | 7 | 7 | 7.0 | NULL | 1
-- 9 | -3 | -3 | -3.0 | 0.25 | 1

SELECT id, sum(x) OVER w AS s, sum(DISTINCT x) OVER w AS u, avg(x) OVER w AS a, sum(d) OVER w AS d, count(x) OVER w AS n FROM frames WINDOW w AS (ORDER BY id RANGE BETWEEN 1 FOLLOWING AND 2 FOLLOWING) ORDER BY id;
--> rows
-- 1 | NULL | NULL | NULL | 2.50 | 0
-- 2 | 7 | 7 | 7.0 | 2.50 | 1
-- 3 | 14 | 7 | 7.0 | NULL | 2
-- 4 | 7 | 7 | 7.0 | NULL | 1
-- 5 | -3 | -3 | -3.0 | 0.25 | 1
-- 6 | 2 | 2 | 1.0 | 0.50 | 2
-- 7 | 10 | 5 | 5.0 | 0.25 | 2
-- 8 | 5 | 5 | 5.0 | NULL | 1
-- 9 | NULL | NULL | NULL | NULL | 0

SELECT id, sum(x) OVER w AS s, sum(DISTINCT x) OVER w AS u, sum(d) OVER w AS d FROM frames WINDOW w AS (PARTITION BY id % 2 ORDER BY id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) ORDER BY id;
--> rows
-- 1 | 5 | 5 | 4.00
-- 2 | 7 | 7 | NULL
-- 3 | 7 | 7 | 2.50
-- 4 | 7 | 7 | NULL
-- 5 | 4 | 4 | 0.25
-- 6 | 5 | 5 | 0.25
-- 7 | 2 | 2 | 0.25
-- 8 | 5 | 5 | 0.25
-- 9 | 5 | 5 | NULL
