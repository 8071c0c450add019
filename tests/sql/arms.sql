-- A value and a condition are worked out for the rows that take their arm, and for no others.

CREATE TABLE k (id INT PRIMARY KEY, v INT);
--> ok

INSERT INTO k VALUES (1, 10), (3, 30);
--> count 2

--@ duckdb: INSERT INTO k VALUES (2, 0)
INSERT INTO k VALUES (1, 0), (2, 0) ON CONFLICT (id) DO UPDATE SET v = k.v / excluded.v WHERE excluded.v <> 0;
--> count 1

--@ duckdb: INSERT INTO k VALUES (1, 0), (4, 0) ON CONFLICT (id) DO UPDATE SET v = 0
INSERT INTO k VALUES (1, 5), (4, 0) ON CONFLICT (id) DO UPDATE SET v = 100 % excluded.v WHERE 100 % excluded.v = 0;
--> count 2

SELECT * FROM k ORDER BY id;
--> rows
-- 1 | 0
-- 2 | 0
-- 3 | 30
-- 4 | 0

--@ duckdb: INSERT INTO k VALUES (5, 2000000000)
INSERT INTO k VALUES (5, 2000000000) ON CONFLICT (id) DO UPDATE SET v = excluded.v * excluded.v;
--> count 1

INSERT INTO k VALUES (1, 7), (6, 6) ON CONFLICT (id) DO UPDATE SET v = 7 WHERE NULL;
--> count 1

SELECT * FROM k ORDER BY id;
--> rows
-- 1 | 0
-- 2 | 0
-- 3 | 30
-- 4 | 0
-- 5 | 2000000000
-- 6 | 6

MERGE INTO k USING (SELECT 1 AS id, 0 AS z UNION ALL SELECT 9, 5) s ON k.id = s.id WHEN NOT MATCHED AND 10 % s.z = 0 THEN INSERT (id, v) VALUES (s.id, s.z);
--> count 1

SELECT * FROM k ORDER BY id;
--> rows
-- 1 | 0
-- 2 | 0
-- 3 | 30
-- 4 | 0
-- 5 | 2000000000
-- 6 | 6
-- 9 | 5

--@ duckdb: skip it takes a number for a condition
INSERT INTO k VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET v = 7 WHERE 1;
--> error invalid: BOOLEAN
