-- DECIMAL: scale kept through INSERT, UPDATE, sums and comparison; overflow refused.

CREATE TABLE t (id INT, price DECIMAL(10,2), rate DECIMAL(5,4), big DECIMAL(38,0));
--> ok

INSERT INTO t VALUES (1, 1.5, 0.25, '1'), (2, 99999999.99, 9.9999, '99999999999999999999999999999999999999'), (3, -0.01, -1, '-5'), (4, NULL, NULL, NULL);
--> count 4

INSERT INTO t VALUES (5, '10', '0.5', '12345678901234567890');
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 1.50 | 0.2500 | 1
-- 2 | 99999999.99 | 9.9999 | 99999999999999999999999999999999999999
-- 3 | -0.01 | -1.0000 | -5
-- 4 | NULL | NULL | NULL
-- 5 | 10.00 | 0.5000 | 12345678901234567890

UPDATE t SET price = price + CAST('0.10' AS DECIMAL(10,2)) WHERE id = 1;
--> count 1

UPDATE t SET price = price * 2 WHERE id = 5;
--> count 1

UPDATE t SET price = 7, rate = rate - CAST('0.0001' AS DECIMAL(5,4)) WHERE id = 3;
--> count 1

SELECT id, price, rate FROM t ORDER BY id;
--> rows
-- 1 | 1.60 | 0.2500
-- 2 | 99999999.99 | 9.9999
-- 3 | 7.00 | -1.0001
-- 4 | NULL | NULL
-- 5 | 20.00 | 0.5000

SELECT sum(price) AS s, min(price) AS lo, max(price) AS hi, count(price) AS n FROM t WHERE id <> 2;
--> rows
-- 28.60 | 1.60 | 20.00 | 3

SELECT id FROM t WHERE price = CAST('1.60' AS DECIMAL(10,2));
--> rows
-- 1

SELECT id FROM t WHERE price > 5 AND price < CAST('20.01' AS DECIMAL(10,2)) ORDER BY id;
--> rows
-- 3
-- 5

SELECT CAST('1.20' AS DECIMAL(10,2)) + CAST('0.030' AS DECIMAL(10,3)) AS a, CAST('1.5' AS DECIMAL(4,1)) * CAST('2.25' AS DECIMAL(4,2)) AS m, CAST('5.00' AS DECIMAL(5,2)) - CAST('7.50' AS DECIMAL(5,2)) AS s;
--> rows
-- 1.230 | 3.375 | -2.50

SELECT CAST(CAST('12.34' AS DECIMAL(6,2)) AS TEXT) AS t, CAST(CAST('12.00' AS DECIMAL(6,2)) AS BIGINT) AS i, CAST(CAST('12.50' AS DECIMAL(6,2)) AS DOUBLE) AS d;
--> rows
-- 12.34 | 12 | 12.5

INSERT INTO t (id, price) VALUES (9, '100000000.00');
--> error invalid

UPDATE t SET rate = 10 WHERE id = 1;
--> error invalid

INSERT INTO t (id, price) VALUES (9, 'abc');
--> error invalid: abc

UPDATE t SET price = NULL WHERE id = 1;
--> count 1

DELETE FROM t WHERE price IS NULL OR big = CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0));
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 3 | 7.00 | -1.0001 | -5
-- 5 | 20.00 | 0.5000 | 12345678901234567890

-- A product that takes one bit more than a word has.
CREATE TABLE ends (a DECIMAL(19, 0), b DECIMAL(19, 0));
--> ok

INSERT INTO ends VALUES (-4294967296, -2147483648), (4294967296, -2147483648), (4294967295, 2147483647);
--> count 3

SELECT a * b FROM ends ORDER BY a, b;
--> rows
-- 9223372036854775808
-- 9223372030412324865
-- -9223372036854775808

-- Digits of round and trunc within what has one type.
CREATE TABLE rounded (id INT, d DECIMAL(20, 4));
--> ok

INSERT INTO rounded VALUES (1, 2.2549), (2, NULL), (0, -1.5);
--> count 3

--@ duckdb: SELECT id, CAST(CASE WHEN id = 0 THEN d ELSE round(d, 2) END AS DECIMAL(20, 4)) AS a, CAST(coalesce(round(d, 1), 1) AS DECIMAL(20, 1)) AS b FROM rounded ORDER BY id
SELECT id, CASE WHEN id = 0 THEN d ELSE round(d, 2) END AS a, CAST(coalesce(round(d, 1), 1) AS DECIMAL(20, 1)) AS b FROM rounded ORDER BY id;
--> rows
-- 0 | -1.5000 | -1.5
-- 1 | 2.2500 | 2.3
-- 2 | NULL | 1.0

SELECT id, CASE WHEN id = 0 THEN 100.0 ELSE round((1.0 - (d / id)) * 100, 2) END AS a FROM rounded WHERE id <> 0 ORDER BY id;
--> rows
-- 1 | -125.49
-- 2 | NULL
