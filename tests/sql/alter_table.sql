-- ALTER TABLE: add, drop and rename columns, rename the table, with rows in it and DML after it.

CREATE TABLE t (id BIGINT, name TEXT);
--> ok

INSERT INTO t VALUES (1, 'a'), (2, 'b');
--> count 2

ALTER TABLE t ADD COLUMN v INT DEFAULT 5;
--> ok

ALTER TABLE t ADD COLUMN note TEXT;
--> ok

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 5 | NULL
-- 2 | b | 5 | NULL

INSERT INTO t (id, name) VALUES (3, 'c');
--> count 1

INSERT INTO t VALUES (4, 'd', 40, 'n');
--> count 1

UPDATE t SET v = v + 1, note = 'old' WHERE id <= 2;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 6 | old
-- 2 | b | 6 | old
-- 3 | c | 5 | NULL
-- 4 | d | 40 | n

ALTER TABLE t RENAME COLUMN name TO title;
--> ok

SELECT name FROM t;
--> error invalid: No field named

SELECT id, title FROM t WHERE title > 'b' ORDER BY id;
--> rows
-- 3 | c
-- 4 | d

UPDATE t SET title = upper(title) WHERE id = 1;
--> count 1

ALTER TABLE t DROP COLUMN v;
--> ok

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | A | old
-- 2 | b | old
-- 3 | c | NULL
-- 4 | d | n

SELECT v FROM t;
--> error invalid: No field named

DELETE FROM t WHERE note IS NULL;
--> count 1

-- added again, it starts empty
ALTER TABLE t ADD COLUMN v TEXT;
--> ok

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | A | old | NULL
-- 2 | b | old | NULL
-- 4 | d | n | NULL

ALTER TABLE t RENAME TO u;
--> ok

SELECT * FROM t;
--> error invalid: not found

INSERT INTO u (id, v) VALUES (9, 'nine');
--> count 1

SELECT * FROM u ORDER BY id;
--> rows
-- 1 | A | old | NULL
-- 2 | b | old | NULL
-- 4 | d | n | NULL
-- 9 | NULL | NULL | nine

ALTER TABLE u DROP COLUMN nope;
--> error invalid: nope

ALTER TABLE u RENAME COLUMN nope TO other;
--> error invalid: nope

ALTER TABLE u RENAME COLUMN id TO title;
--> error invalid: title

ALTER TABLE u ADD COLUMN title TEXT;
--> error invalid: title

ALTER TABLE nope ADD COLUMN a INT;
--> error invalid: nope

CREATE TABLE other (id BIGINT);
--> ok

ALTER TABLE u RENAME TO other;
--> error invalid: other

ALTER TABLE u ADD COLUMN ts TIMESTAMP DEFAULT '2024-01-31 12:00:00';
--> ok

ALTER TABLE u ADD COLUMN price DECIMAL(8,2) DEFAULT 1.5;
--> ok

SELECT id, ts, price FROM u ORDER BY id;
--> rows
-- 1 | 2024-01-31T12:00:00 | 1.50
-- 2 | 2024-01-31T12:00:00 | 1.50
-- 4 | 2024-01-31T12:00:00 | 1.50
-- 9 | 2024-01-31T12:00:00 | 1.50

DELETE FROM u WHERE price = 1.5 AND id = 9;
--> count 1

SELECT count(*) AS n FROM u;
--> rows
-- 3
