-- EXPLAIN shows a plan and changes nothing.

CREATE TABLE t (id BIGINT PRIMARY KEY, v INT);
--> ok

INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);
--> count 3

EXPLAIN SELECT * FROM t WHERE id > 1;
--> ok

EXPLAIN INSERT INTO t VALUES (4, 40);
--> ok

EXPLAIN INSERT INTO t VALUES (1, 11) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
--> ok

EXPLAIN UPDATE t SET v = 0;
--> ok

EXPLAIN UPDATE t SET v = s.v FROM t AS s WHERE t.id = s.id;
--> ok

EXPLAIN DELETE FROM t;
--> ok

EXPLAIN DELETE FROM t WHERE id IN (SELECT id FROM t);
--> ok

EXPLAIN MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN DELETE;
--> ok

EXPLAIN ANALYZE SELECT count(*) AS n FROM t;
--> ok

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | 10
-- 2 | 20
-- 3 | 30

EXPLAIN DELETE FROM nope;
--> error invalid: not found

EXPLAIN SELECT nope FROM t;
--> error invalid: No field named
