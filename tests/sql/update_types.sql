-- UPDATE of columns of every scalar type, to values, to NULL, and by expressions on themselves.

CREATE TABLE t (id INT, tiny TINYINT, small SMALLINT, i INT, big BIGINT, r REAL, d DOUBLE, txt TEXT, ok BOOLEAN, day DATE, ts TIMESTAMP, tz TIMESTAMPTZ, clock TIME, price DECIMAL(10,2), bin BYTEA);
--> ok

INSERT INTO t VALUES (1, 1, 2, 3, 4, 0.5, 0.1, 'one', true, '2024-01-31', '2024-01-31 12:34:56', '2024-01-31 12:34:56+02:00', '12:34:56', 1.25, X'00ff');
--> count 1

INSERT INTO t (id) VALUES (2);
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 1 | 2 | 3 | 4 | 0.5 | 0.1 | one | true | 2024-01-31 | 2024-01-31T12:34:56 | 2024-01-31T10:34:56Z | 12:34:56 | 1.25 | 00ff
-- 2 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL

UPDATE t SET tiny = 11, small = 12, i = 13, big = 14, r = 1.5, d = 2.5, txt = 'two', ok = false, day = '2024-02-29', ts = '2024-02-29 01:02:03.5', tz = '2024-02-29 01:02:03+00:00', clock = '01:02:03', price = 2.5, bin = X'0a';
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 11 | 12 | 13 | 14 | 1.5 | 2.5 | two | false | 2024-02-29 | 2024-02-29T01:02:03.500 | 2024-02-29T01:02:03Z | 01:02:03 | 2.50 | 0a
-- 2 | 11 | 12 | 13 | 14 | 1.5 | 2.5 | two | false | 2024-02-29 | 2024-02-29T01:02:03.500 | 2024-02-29T01:02:03Z | 01:02:03 | 2.50 | 0a

UPDATE t SET i = i + 1, big = big * 2, d = d / 2, txt = txt || '!', ok = NOT ok, price = price + CAST(0.05 AS DECIMAL(10,2)) WHERE id = 1;
--> count 1

UPDATE t SET day = CAST('2025-12-31' AS DATE), ts = TIMESTAMP '2025-12-31 23:59:59.999' WHERE id = 2;
--> count 1

SELECT id, i, big, d, txt, ok, price, day, ts FROM t ORDER BY id;
--> rows
-- 1 | 14 | 28 | 1.25 | two! | true | 2.55 | 2024-02-29 | 2024-02-29T01:02:03.500
-- 2 | 13 | 14 | 2.5 | two | false | 2.50 | 2025-12-31 | 2025-12-31T23:59:59.999

UPDATE t SET day = CAST(ts AS DATE) WHERE id = 1;
--> count 1

UPDATE t SET tiny = NULL, small = NULL, i = NULL, big = NULL, r = NULL, d = NULL, txt = NULL, ok = NULL, day = NULL, ts = NULL, tz = NULL, clock = NULL, price = NULL, bin = NULL WHERE id = 2;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 11 | 12 | 14 | 28 | 1.5 | 1.25 | two! | true | 2024-02-29 | 2024-02-29T01:02:03.500 | 2024-02-29T01:02:03Z | 01:02:03 | 2.55 | 0a
-- 2 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL

SELECT count(*) AS n FROM t WHERE tiny IS NULL AND small IS NULL AND i IS NULL AND big IS NULL AND r IS NULL AND d IS NULL AND txt IS NULL AND ok IS NULL AND day IS NULL AND ts IS NULL AND tz IS NULL AND clock IS NULL AND price IS NULL AND bin IS NULL;
--> rows
-- 1

UPDATE t SET i = 5, day = '2024-03-01', ts = '2024-03-01', price = -0.01, bin = X'' WHERE i IS NULL;
--> count 1

SELECT id, i, day, ts, price, bin FROM t ORDER BY id;
--> rows
-- 1 | 14 | 2024-02-29 | 2024-02-29T01:02:03.500 | 2.55 | 0a
-- 2 | 5 | 2024-03-01 | 2024-03-01T00:00:00 | -0.01 | ''

UPDATE t SET price = 123456789.00 WHERE id = 1;
--> error invalid

UPDATE t SET day = 'not a day' WHERE id = 1;
--> error invalid

SELECT id, price, day FROM t WHERE id = 1;
--> rows
-- 1 | 2.55 | 2024-02-29
