-- Integers of every width at their bounds, through INSERT, UPDATE and comparison.

CREATE TABLE t (id INT, a TINYINT, b SMALLINT, c INT, d BIGINT);
--> ok

INSERT INTO t VALUES (1, 127, 32767, 2147483647, 9223372036854775807), (2, -128, -32768, -2147483648, -9223372036854775808), (3, 0, 0, 0, 0), (4, NULL, NULL, NULL, NULL);
--> count 4

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 127 | 32767 | 2147483647 | 9223372036854775807
-- 2 | -128 | -32768 | -2147483648 | -9223372036854775808
-- 3 | 0 | 0 | 0 | 0
-- 4 | NULL | NULL | NULL | NULL

UPDATE t SET a = a - 1, b = b - 1, c = c - 1, d = d - 1 WHERE id = 1;
--> count 1

SELECT * FROM t WHERE id = 1;
--> rows
-- 1 | 126 | 32766 | 2147483646 | 9223372036854775806

UPDATE t SET a = b, b = c, c = a WHERE id = 3;
--> count 1

DELETE FROM t WHERE d = -9223372036854775808;
--> count 1

SELECT id FROM t WHERE a >= 0 AND b < 1000000 ORDER BY id;
--> rows
-- 1
-- 3

SELECT sum(a) AS a, sum(b) AS b, sum(c) AS c, min(d) AS d, count(a) AS n FROM t;
--> rows
-- 126 | 32766 | 2147483646 | 0 | 2

SELECT 7 % 3 AS m, -7 % 3 AS neg, abs(CAST(-5 AS INT)) AS a, 2 + 3 * 4 AS p, (2 + 3) * 4 AS q;
--> rows
-- 1 | -1 | 5 | 14 | 20

SELECT CAST('42' AS INT) AS i, CAST(42 AS TEXT) AS t, CAST(true AS INT) AS b, CAST(3.0 AS BIGINT) AS f;
--> rows
-- 42 | 42 | 1 | 3

SELECT CAST(300 AS TINYINT) AS x;
--> error invalid: 300

SELECT CAST('1x' AS INT) AS x;
--> error invalid: 1x

SELECT TRY_CAST('1x' AS INT) AS x, TRY_CAST(300 AS TINYINT) AS y, TRY_CAST('12' AS INT) AS z;
--> rows
-- NULL | NULL | 12

--@ duckdb: CREATE TABLE u (a UTINYINT, b UBIGINT)
CREATE TABLE u (a TINYINT UNSIGNED, b BIGINT UNSIGNED);
--> ok

INSERT INTO u VALUES (255, 18446744073709551615), (0, 0);
--> count 2

UPDATE u SET a = a - 1 WHERE a = 255;
--> count 1

SELECT * FROM u ORDER BY a;
--> rows
-- 0 | 0
-- 254 | 18446744073709551615

INSERT INTO u (a) VALUES (-1);
--> error invalid

INSERT INTO u (a) VALUES (256);
--> error invalid: 256

-- A minus is no bitwise NOT.
SELECT -(a | b) AS a, -(a & b) AS b, -a & a AS c, -a | a AS d, a & -a AS e, -(a | -3) AS f, -(-(a | b)) AS g FROM (VALUES (8, 3), (1, 6), (0, NULL), (-5, 12)) AS v (a, b) ORDER BY a, b;
--> rows
-- -11 | 0 | 8 | -8 | 8 | 3 | 11
-- -7 | 0 | 1 | -1 | 1 | 3 | 7
-- 1 | -8 | 1 | -1 | 1 | 1 | -1
-- NULL | NULL | 0 | 0 | 0 | 3 | NULL

SELECT a FROM (VALUES (8, 3), (1, 6), (-5, 12)) AS v (a, b) WHERE -a & a = 1 OR -(a | b) = -11 ORDER BY a;
--> rows
-- -5
-- 1
-- 8
