-- DATE and TIME: literals, comparison, parts, updates.

CREATE TABLE t (id INT, day DATE, clock TIME);
--> ok

INSERT INTO t VALUES (1, '2024-01-31', '12:34:56'), (2, DATE '1969-12-31', TIME '00:00:00'), (3, CAST('2024-02-29' AS DATE), CAST('23:59:59.5' AS TIME)), (4, NULL, NULL), (5, '0001-01-01', '01:02:03.000004');
--> count 5

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 2024-01-31 | 12:34:56
-- 2 | 1969-12-31 | 00:00:00
-- 3 | 2024-02-29 | 23:59:59.500
-- 4 | NULL | NULL
-- 5 | 0001-01-01 | 01:02:03.000004

SELECT id FROM t WHERE day > DATE '2024-01-01' ORDER BY day DESC;
--> rows
-- 3
-- 1

SELECT id FROM t WHERE day = '2024-01-31';
--> rows
-- 1

SELECT id, extract(year FROM day) AS y, extract(month FROM day) AS m, date_part('day', day) AS d, date_part('dow', day) AS dow, date_part('quarter', day) AS q FROM t WHERE day IS NOT NULL ORDER BY id;
--> rows
-- 1 | 2024 | 1 | 31 | 3 | 1
-- 2 | 1969 | 12 | 31 | 3 | 4
-- 3 | 2024 | 2 | 29 | 4 | 1
-- 5 | 1 | 1 | 1 | 1 | 1

UPDATE t SET day = '2024-03-01' WHERE day = '2024-02-29';
--> count 1

UPDATE t SET day = NULL WHERE id = 2;
--> count 1

UPDATE t SET clock = '10:00:00' WHERE clock > '12:00:00';
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 2024-01-31 | 10:00:00
-- 2 | NULL | 00:00:00
-- 3 | 2024-03-01 | 10:00:00
-- 4 | NULL | NULL
-- 5 | 0001-01-01 | 01:02:03.000004

SELECT min(day) AS lo, max(day) AS hi, count(day) AS n FROM t;
--> rows
-- 0001-01-01 | 2024-03-01 | 3

SELECT CAST(DATE '2024-01-31' AS TEXT) AS t, CAST(DATE '2024-01-31' AS TIMESTAMP) AS ts, make_date(2024, 5, 6) AS made;
--> rows
-- 2024-01-31 | 2024-01-31T00:00:00 | 2024-05-06

INSERT INTO t (id, day) VALUES (6, '2023-02-29');
--> error invalid: 2023-02-29

SELECT CAST('yesterday-ish' AS DATE) AS d;
--> error invalid: yesterday-ish

DELETE FROM t WHERE day < DATE '2024-02-01' AND clock IS NOT NULL;
--> count 2

SELECT id FROM t ORDER BY id;
--> rows
-- 2
-- 3
-- 4
