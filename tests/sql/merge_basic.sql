-- MERGE: update what matches, insert what does not, delete by condition.

CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT DEFAULT 'x', v BIGINT);
--> ok

CREATE TABLE s (id BIGINT, name TEXT, v BIGINT);
--> ok

INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
--> count 3

-- an empty source
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);
--> count 0

INSERT INTO s VALUES (2, 'B', 200), (3, 'C', 300), (4, 'D', 400);
--> count 3

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name, v = t.v + s.v WHEN NOT MATCHED THEN INSERT (id, name, v) VALUES (s.id, s.name, s.v);
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 10
-- 2 | B | 220
-- 3 | C | 330
-- 4 | D | 400

-- the same again: now all of them match
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, name, v) VALUES (s.id, s.name, s.v);
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 10
-- 2 | B | 200
-- 3 | C | 300
-- 4 | D | 400

-- only one of the two clauses
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.v >= 300 THEN DELETE;
--> count 2

MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 10
-- 2 | B | 200
-- 3 | x | NULL
-- 4 | x | NULL

-- aliases, and values computed from both sides
MERGE INTO t AS x USING s AS y ON x.id = y.id WHEN MATCHED THEN UPDATE SET v = coalesce(x.v, 0) + y.id, name = x.name || y.name;
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 10
-- 2 | BB | 202
-- 3 | xC | 3
-- 4 | xD | 4

MERGE INTO t USING s ON t.id = s.id AND s.v > 1000 WHEN MATCHED THEN DELETE;
--> count 0

MERGE INTO t USING nope ON t.id = nope.id WHEN MATCHED THEN DELETE;
--> error invalid: not found

MERGE INTO nope USING s ON nope.id = s.id WHEN MATCHED THEN DELETE;
--> error invalid: not found

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET nope = 1;
--> error invalid: nope

SELECT count(*) AS n FROM t;
--> rows
-- 4
