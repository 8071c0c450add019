-- Long runs of DML on one table: each statement sees exactly what the ones before it left.

CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT, tag TEXT);
--> ok

INSERT INTO t SELECT n, n * 10, 'new' FROM generate_series(1, 1000) AS g(n);
--> count 1000

SELECT count(*) AS n, sum(id) AS ids, sum(v) AS vs FROM t;
--> rows
-- 1000 | 500500 | 5005000

UPDATE t SET v = v + 1 WHERE id % 2 = 0;
--> count 500

DELETE FROM t WHERE id % 3 = 0;
--> count 333

SELECT count(*) AS n, sum(v) AS vs FROM t;
--> rows
-- 667 | 3337004

-- rows that were updated, then deleted, are gone in both forms
SELECT count(*) AS n FROM t WHERE id = 6 OR v = 61 OR v = 60;
--> rows
-- 0

INSERT INTO t SELECT n, -n, 'again' FROM generate_series(1, 1000) AS g(n) WHERE n % 9 = 0;
--> count 111

UPDATE t SET tag = 'twice', v = v * 2 WHERE tag = 'again' AND id % 2 = 1;
--> count 56

UPDATE t SET v = v * 2 WHERE tag = 'twice' AND id < 100;
--> count 6

SELECT tag, count(*) AS n, sum(v) AS vs FROM t GROUP BY tag ORDER BY tag;
--> rows
-- again | 55 | -27720
-- new | 667 | 3337004
-- twice | 56 | -57096

INSERT INTO t SELECT id, 0, 'conflict' FROM t WHERE id <= 10 ON CONFLICT (id) DO UPDATE SET tag = excluded.tag, v = t.v + 1;
--> count 8

SELECT * FROM t WHERE id <= 10 ORDER BY id;
--> rows
-- 1 | 11 | conflict
-- 2 | 22 | conflict
-- 4 | 42 | conflict
-- 5 | 51 | conflict
-- 7 | 71 | conflict
-- 8 | 82 | conflict
-- 9 | -35 | conflict
-- 10 | 102 | conflict

DELETE FROM t WHERE id IN (SELECT id FROM t WHERE tag = 'conflict' AND id <> 5);
--> count 7

DELETE FROM t WHERE id > 20 AND id < 990;
--> count 753

SELECT * FROM t ORDER BY id;
--> rows
-- 5 | 51 | conflict
-- 11 | 110 | new
-- 13 | 130 | new
-- 14 | 141 | new
-- 16 | 161 | new
-- 17 | 170 | new
-- 18 | -18 | again
-- 19 | 190 | new
-- 20 | 201 | new
-- 990 | -990 | again
-- 991 | 9910 | new
-- 992 | 9921 | new
-- 994 | 9941 | new
-- 995 | 9950 | new
-- 997 | 9970 | new
-- 998 | 9981 | new
-- 999 | -1998 | twice
-- 1000 | 10001 | new

MERGE INTO t USING (SELECT n AS id FROM generate_series(1, 20) AS g(n)) AS s ON t.id = s.id WHEN MATCHED AND t.tag = 'new' THEN DELETE WHEN MATCHED THEN UPDATE SET tag = 'merged' WHEN NOT MATCHED THEN INSERT (id, tag) VALUES (s.id, 'filled') WHEN NOT MATCHED BY SOURCE THEN DELETE;
--> count 29

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | NULL | filled
-- 2 | NULL | filled
-- 3 | NULL | filled
-- 4 | NULL | filled
-- 5 | 51 | merged
-- 6 | NULL | filled
-- 7 | NULL | filled
-- 8 | NULL | filled
-- 9 | NULL | filled
-- 10 | NULL | filled
-- 12 | NULL | filled
-- 15 | NULL | filled
-- 18 | -18 | merged

UPDATE t SET id = id + 100;
--> count 13

UPDATE t SET id = id - 50, v = id;
--> count 13

SELECT min(id) AS lo, max(id) AS hi, min(v) AS vlo, max(v) AS vhi FROM t;
--> rows
-- 51 | 68 | 101 | 118

DELETE FROM t;
--> count 13

INSERT INTO t VALUES (1, 1, 'last');
--> count 1

UPDATE t SET v = 2;
--> count 1

DELETE FROM t WHERE v = 1;
--> count 0

SELECT * FROM t;
--> rows
-- 1 | 2 | last
