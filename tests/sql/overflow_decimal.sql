-- Decimals of the greatest precision: a result with a digit too many is an error.

CREATE TABLE t (id BIGINT, d DECIMAL(38, 0), e DECIMAL(38, 2));
--> ok

INSERT INTO t VALUES (1, 99999999999999999999999999999999999999, 999999999999999999999999999999999999.99), (2, 1, 1.5);
--> count 2

SELECT d + 1 FROM t;
--> error invalid

SELECT e + 1 FROM t;
--> error invalid

SELECT d - (-1) FROM t;
--> error invalid

SELECT -d - 1 FROM t;
--> error invalid

SELECT d + d FROM t;
--> error invalid

SELECT id FROM t WHERE d + 1 > 0 ORDER BY id;
--> error invalid

SELECT d + 1 AS a, d - 1 AS b, e + 1 AS c FROM t WHERE id = 2;
--> rows
-- 2 | 0 | 2.50

SELECT id FROM t WHERE id = 2 AND d + 1 > 0;
--> rows
-- 2

SELECT id FROM t WHERE d + 1 > 0 AND id = 2;
--> rows
-- 2

SELECT d - 1 AS b, e - 1 AS c FROM t ORDER BY id;
--> rows
-- 99999999999999999999999999999999999998 | 999999999999999999999999999999999998.99
-- 0 | 0.50

SELECT 99999999999999999999999999999999999999::DECIMAL(38, 0) + 1;
--> error invalid

UPDATE t SET d = d + 1;
--> error invalid

INSERT INTO t SELECT 3, d + 1, 0 FROM t;
--> error invalid

--@ duckdb: skip there the quotient of decimals is a DOUBLE
SELECT d / 0.9::DECIMAL(2, 1) FROM t WHERE id = 1;
--> error invalid

--@ duckdb: skip it has no such decimals
SELECT 9999999999999999999999999999999999999999999999999999999999999999999999999999::DECIMAL(76, 0) + 1;
--> error invalid

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 99999999999999999999999999999999999999 | 999999999999999999999999999999999999.99
-- 2 | 1 | 1.50

