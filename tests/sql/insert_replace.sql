-- INSERT OR REPLACE, INSERT OR IGNORE and INSERT OVERWRITE.

CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT DEFAULT 'x', n INT);
--> ok

INSERT OR REPLACE INTO t VALUES (1, 'a', 1), (2, 'b', 2);
--> count 2

INSERT OR REPLACE INTO t VALUES (2, 'bb', 22), (3, 'cc', 33);
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 1
-- 2 | bb | 22
-- 3 | cc | 33

-- the whole row is replaced: a column that is not given gets its default
--@ duckdb: INSERT INTO t (id, n) VALUES (1, 11) ON CONFLICT (id) DO UPDATE SET name = 'x', n = excluded.n
INSERT OR REPLACE INTO t (id, n) VALUES (1, 11);
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | x | 11
-- 2 | bb | 22
-- 3 | cc | 33

INSERT OR IGNORE INTO t VALUES (1, 'ignored', 0), (4, 'd', 4), (4, 'ignored', 0);
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | x | 11
-- 2 | bb | 22
-- 3 | cc | 33
-- 4 | d | 4

INSERT OR REPLACE INTO t SELECT id, upper(name), n + 1 FROM t WHERE id > 1;
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | x | 11
-- 2 | BB | 23
-- 3 | CC | 34
-- 4 | D | 5

-- OVERWRITE takes every row out first
--@ duckdb: TRUNCATE t; INSERT INTO t VALUES (7, 'seven', 7), (8, 'eight', 8)
INSERT OVERWRITE INTO t VALUES (7, 'seven', 7), (8, 'eight', 8);
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 7 | seven | 7
-- 8 | eight | 8

-- also where it reads what it overwrites
--@ duckdb: DELETE FROM t WHERE id <> 8; UPDATE t SET id = 9, name = 'eight!', n = 8 WHERE id = 8
INSERT OVERWRITE INTO t SELECT id + 1, name || '!', n FROM t WHERE id = 8;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 9 | eight! | 8

CREATE TABLE plain (id BIGINT, name TEXT);
--> ok

INSERT OR REPLACE INTO plain VALUES (1, 'a');
--> error invalid

-- Of several rows of one key the last one stays, as in SQLite.
CREATE TABLE twice (id BIGINT PRIMARY KEY, name TEXT, n INT);
--> ok

INSERT INTO twice VALUES (1, 'old', 0);
--> count 1

--@ duckdb: skip it keeps the first
INSERT OR REPLACE INTO twice VALUES (1, 'a', 1), (2, 'b', 2), (1, 'c', 3), (2, 'd', 4), (3, 'e', 5), (1, 'f', 6);
--> count 3

--@ duckdb: skip as above
SELECT * FROM twice ORDER BY id;
--> rows
-- 1 | f | 6
-- 2 | d | 4
-- 3 | e | 5
