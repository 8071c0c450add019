-- INSERT … ON CONFLICT: DO NOTHING and DO UPDATE by the primary key.

CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT DEFAULT 'x', n INT);
--> ok

INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2);
--> count 2

INSERT INTO t VALUES (1, 'skipped', 100), (3, 'c', 3) ON CONFLICT (id) DO NOTHING;
--> count 1

INSERT INTO t VALUES (2, 'skipped', 100) ON CONFLICT DO NOTHING;
--> count 0

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 1
-- 2 | b | 2
-- 3 | c | 3

INSERT INTO t (id, name, n) VALUES (1, 'new', 10), (4, 'd', 4) ON CONFLICT (id) DO UPDATE SET name = excluded.name, n = t.n + excluded.n;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | new | 11
-- 2 | b | 2
-- 3 | c | 3
-- 4 | d | 4

-- the name of a column alone is the row that stands
INSERT INTO t (id, n) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET n = n + 1;
--> count 1

SELECT id, name, n FROM t WHERE id = 1;
--> rows
-- 1 | new | 12

INSERT INTO t (id, n) VALUES (1, 100), (2, 100), (5, 5) ON CONFLICT (id) DO UPDATE SET n = excluded.n WHERE t.n < 5;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | new | 12
-- 2 | b | 100
-- 3 | c | 3
-- 4 | d | 4
-- 5 | x | 5

INSERT INTO t (id, name) SELECT id, 'all' FROM t ON CONFLICT (id) DO UPDATE SET name = excluded.name || CAST(t.id AS TEXT);
--> count 5

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | all1 | 12
-- 2 | all2 | 100
-- 3 | all3 | 3
-- 4 | all4 | 4
-- 5 | all5 | 5

-- a real NULL, not the text of one
INSERT INTO t (id, name) VALUES (1, NULL) ON CONFLICT (id) DO UPDATE SET name = excluded.name;
--> count 1

SELECT id, name IS NULL AS gone FROM t WHERE id = 1;
--> rows
-- 1 | true

-- two rows of one statement with one key
INSERT INTO t VALUES (9, 'first', 1), (9, 'second', 2) ON CONFLICT (id) DO NOTHING;
--> count 1

SELECT * FROM t WHERE id = 9;
--> rows
-- 9 | first | 1

--@ duckdb: skip DuckDB keeps one of the rows
INSERT INTO t VALUES (8, 'first', 1), (8, 'second', 2) ON CONFLICT (id) DO UPDATE SET name = excluded.name;
--> error invalid

SELECT count(*) AS n FROM t WHERE id = 8;
--> rows
-- 0

-- after a delete the key is free again
DELETE FROM t WHERE id = 2;
--> count 1

INSERT INTO t VALUES (2, 'again', 22) ON CONFLICT (id) DO NOTHING;
--> count 1

SELECT * FROM t WHERE id = 2;
--> rows
-- 2 | again | 22

INSERT INTO t VALUES (1, 'a', 1) ON CONFLICT (nope) DO NOTHING;
--> error invalid: nope

INSERT INTO t VALUES (1, 'a', 1) ON CONFLICT (id) DO UPDATE SET nope = 1;
--> error invalid: nope

CREATE TABLE plain (id BIGINT, name TEXT);
--> ok

INSERT INTO plain VALUES (1, 'a') ON CONFLICT (id) DO NOTHING;
--> error invalid
