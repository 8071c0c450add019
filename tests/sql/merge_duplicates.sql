-- MERGE: a target row that two source rows act on is an error, and nothing changes.

CREATE TABLE t (id BIGINT, v INT);
--> ok

CREATE TABLE s (id BIGINT, v INT);
--> ok

INSERT INTO t VALUES (1, 10), (2, 20);
--> count 2

INSERT INTO s VALUES (1, 100), (1, 101), (3, 300), (3, 301);
--> count 4

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v;
--> error invalid

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 10
-- 2 | 20

-- the condition leaves one of them
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.v = 101 THEN UPDATE SET v = s.v;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 101
-- 2 | 20

-- unmatched duplicates are all inserted
MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v);
--> count 2

SELECT * FROM t ORDER BY id, v;
--> rows
-- 1 | 101
-- 2 | 20
-- 3 | 300
-- 3 | 301

-- one source row may act on several target rows
MERGE INTO t USING (SELECT 3 AS id) AS q ON t.id = q.id WHEN MATCHED THEN UPDATE SET v = t.v + 1;
--> count 2

SELECT * FROM t ORDER BY id, v;
--> rows
-- 1 | 101
-- 2 | 20
-- 3 | 301
-- 3 | 302

-- an insert beside a failing update is not kept
MERGE INTO t USING (SELECT 1 AS id UNION ALL SELECT 1 UNION ALL SELECT 77) AS q ON t.id = q.id WHEN MATCHED THEN UPDATE SET v = 0 WHEN NOT MATCHED THEN INSERT (id, v) VALUES (q.id, 77);
--> error invalid

SELECT count(*) AS n, sum(v) AS v FROM t;
--> rows
-- 4 | 724

MERGE INTO t USING (SELECT DISTINCT id FROM s) AS q ON t.id = q.id WHEN MATCHED THEN DELETE;
--> count 3

SELECT * FROM t;
--> rows
-- 2 | 20
