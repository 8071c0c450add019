-- NOT NULL and PRIMARY KEY columns refuse NULL whatever statement brings it, and nothing changes.

CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL, note TEXT);
--> ok

INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', 'n');
--> count 2

INSERT INTO t VALUES (3, NULL, 'x');
--> error invalid: name

INSERT INTO t VALUES (NULL, 'c', 'x');
--> error invalid: id

INSERT INTO t (id) VALUES (3);
--> error invalid: name

INSERT INTO t VALUES (4, 'ok', NULL), (5, NULL, NULL), (6, 'ok', NULL);
--> error invalid: name

INSERT INTO t SELECT id + 10, note, name FROM t;
--> error invalid: name

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | NULL
-- 2 | b | n

UPDATE t SET name = NULL WHERE id = 1;
--> error invalid: name

UPDATE t SET name = note;
--> error invalid: name

UPDATE t SET id = NULL WHERE id = 1;
--> error invalid: id

-- no row, no violation
UPDATE t SET name = NULL WHERE id = 99;
--> count 0

UPDATE t SET name = note WHERE id = 2;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | NULL
-- 2 | n | n

MERGE INTO t USING (SELECT 1 AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = NULL;
--> error invalid: name

MERGE INTO t USING (SELECT 7 AS id) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);
--> error invalid: name

SELECT count(*) AS n, count(name) AS names FROM t;
--> rows
-- 2 | 2

INSERT INTO t VALUES (3, 'NULL', 'NULL');
--> count 1

SELECT name, note, note IS NULL AS is_null FROM t WHERE id = 3;
--> rows
-- \NULL | \NULL | false
