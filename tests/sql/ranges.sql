-- The least and greatest values of tables that change, with NULLs, with deleted rows, with nothing left.

CREATE TABLE t (id BIGINT, d DATE, p DECIMAL(9, 2), x DOUBLE, s TEXT, b BOOLEAN, z TIMESTAMP);
--> ok

SELECT min(id), max(id), min(d), max(p), min(x), max(s), count(id), count(*) FROM t;
--> rows
-- NULL | NULL | NULL | NULL | NULL | NULL | 0 | 0

INSERT INTO t VALUES
    (3, DATE '2024-02-29', 1.50, 2.5, 'm', true, TIMESTAMP '2024-01-01 00:00:00'),
    (-7, NULL, NULL, NULL, NULL, NULL, NULL),
    (9, DATE '1969-12-31', -0.01, -1e300, 'zz', false, TIMESTAMP '1960-05-05 05:05:05');
--> count 3

SELECT min(id), max(id), min(d), max(d), min(p), max(p), count(d), count(*) FROM t;
--> rows
-- -7 | 9 | 1969-12-31 | 2024-02-29 | -0.01 | 1.50 | 2 | 3

SELECT min(x), max(x), min(s), max(s), min(b), max(b), min(z), max(z) FROM t;
--> rows
-- -1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000.0 | 2.5 | m | zz | false | true | 1960-05-05T05:05:05 | 2024-01-01T00:00:00

INSERT INTO t (id) VALUES (100), (NULL);
--> count 2

SELECT min(id), max(id), max(d), count(id), count(d), count(*) FROM t;
--> rows
-- -7 | 100 | 2024-02-29 | 4 | 2 | 5

DELETE FROM t WHERE id = 100;
--> count 1

SELECT min(id), max(id), count(id), count(*) FROM t;
--> rows
-- -7 | 9 | 3 | 4

UPDATE t SET id = 4 WHERE id = 9;
--> count 1

SELECT min(id), max(id), count(id), count(*) FROM t;
--> rows
-- -7 | 4 | 3 | 4

SELECT max(id) FROM t WHERE d IS NULL;
--> rows
-- -7

SELECT count(*) FROM t WHERE id > 9;
--> rows
-- 0

ALTER TABLE t ADD COLUMN n INT DEFAULT 5;
--> ok

SELECT min(n), max(n), count(n) FROM t;
--> rows
-- 5 | 5 | 4

INSERT INTO t (id, n) VALUES (8, 2), (9, NULL);
--> count 2

SELECT min(n), max(n), count(n) FROM t;
--> rows
-- 2 | 5 | 5

DELETE FROM t WHERE id IS NOT NULL;
--> count 5

SELECT min(id), max(id), count(id), count(*) FROM t;
--> rows
-- NULL | NULL | 0 | 1

DELETE FROM t;
--> count 1

SELECT min(id), max(id), min(n), count(*) FROM t;
--> rows
-- NULL | NULL | NULL | 0
