-- Values that do not fit are errors, and nothing changes: they never wrap around and never become NULL.

CREATE TABLE t (id BIGINT PRIMARY KEY, b BIGINT, i INT, s SMALLINT, d DECIMAL(5,2));
--> ok

INSERT INTO t VALUES (1, 9223372036854775807, 2147483647, 32767, 999.99), (2, -9223372036854775808, -2147483648, -32768, -999.99), (3, 1, 1, 1, 1.00);
--> count 3

SELECT b + 1 FROM t WHERE id = 1;
--> error invalid

SELECT b - 1 FROM t WHERE id = 2;
--> error invalid

SELECT b * 2 FROM t;
--> error invalid

SELECT i + i FROM t WHERE id = 1;
--> error invalid

SELECT b + 1 AS next FROM t WHERE id = 3;
--> rows
-- 2

UPDATE t SET b = b + 1 WHERE id = 1;
--> error invalid

UPDATE t SET b = b * 2;
--> error invalid

UPDATE t SET i = i + 1;
--> error invalid

UPDATE t SET i = b WHERE id = 1;
--> error invalid

UPDATE t SET s = s + 1 WHERE id = 1;
--> error invalid

UPDATE t SET d = d + 1 WHERE id = 1;
--> error invalid

UPDATE t SET b = (SELECT max(x.b) FROM t AS x) + t.i WHERE id = 3;
--> error invalid

INSERT INTO t SELECT id + 10, b + b, i, s, d FROM t;
--> error invalid

INSERT INTO t (id, s) VALUES (4, 32768);
--> error invalid

INSERT INTO t (id, d) VALUES (4, 1000);
--> error invalid

INSERT INTO t (id, b) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET b = t.b + excluded.b;
--> error invalid

MERGE INTO t USING (SELECT 1 AS id, 5 AS n) AS m ON t.id = m.id WHEN MATCHED THEN UPDATE SET b = t.b + m.n;
--> error invalid

DELETE FROM t WHERE id = 3 RETURNING b + 1 AS b;
--> rows
-- 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 9223372036854775807 | 2147483647 | 32767 | 999.99
-- 2 | -9223372036854775808 | -2147483648 | -32768 | -999.99

SELECT 9223372036854775807 + 1;
--> error invalid

SELECT -9223372036854775807 - 2;
--> error invalid

SELECT 4611686018427387904 * 2;
--> error invalid

SELECT (1 + 2) * 3 - 4;
--> rows
-- 5

SELECT -b FROM t WHERE id = 2;
--> error invalid

SELECT -(i + 1) FROM t WHERE id = 2;
--> rows
-- 2147483647

--@ duckdb: skip it moves the constant to the other side
SELECT id FROM t WHERE b + 1 > 0;
--> error invalid

SELECT id FROM t WHERE id = 2 AND b + 1 < 0;
--> rows
-- 2

SELECT id FROM t WHERE b < 100 AND b + 1 < 0;
--> rows
-- 2

--@ duckdb: skip it moves the constant to the other side
DELETE FROM t WHERE b + 1 < 0;
--> error invalid

UPDATE t SET i = 0 WHERE i * i = 0;
--> error invalid

SELECT count(*) FROM t GROUP BY b + 1;
--> error invalid

SELECT max(b * 2) FROM t;
--> error invalid

--@ duckdb: skip it orders by b
SELECT id FROM t ORDER BY b - 1;
--> error invalid

SELECT x.id FROM t AS x JOIN t AS y ON x.b + y.b > 0;
--> error invalid

SELECT CASE WHEN id = 2 THEN 0 ELSE id + 1 END AS n, CASE WHEN id > 100 THEN 9223372036854775807 + 1 ELSE 0 END AS z FROM t ORDER BY id;
--> rows
-- 2 | 0
-- 0 | 0

UPDATE t SET b = 9223372036854775807 + 1 WHERE id = 1;
--> error invalid

INSERT INTO t (id, b) VALUES (5, 9223372036854775807 + 1);
--> error invalid

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 9223372036854775807 | 2147483647 | 32767 | 999.99
-- 2 | -9223372036854775808 | -2147483648 | -32768 | -999.99
