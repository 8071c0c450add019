-- DEFAULT: columns left out, the keyword in VALUES, DEFAULT VALUES, and an explicit NULL against it.

CREATE TABLE t (id BIGINT DEFAULT 7, name TEXT DEFAULT 'it''s', n INT DEFAULT 1 + 1, d DATE DEFAULT '2024-02-29', plain TEXT);
--> ok

INSERT INTO t DEFAULT VALUES;
--> count 1

INSERT INTO t (id) VALUES (1);
--> count 1

INSERT INTO t (id, name) VALUES (2, NULL);
--> count 1

INSERT INTO t VALUES (3, DEFAULT, DEFAULT, DEFAULT, DEFAULT);
--> count 1

INSERT INTO t (name, id) VALUES (DEFAULT, 4), ('given', DEFAULT), (NULL, 5);
--> count 3

SELECT * FROM t ORDER BY id, name NULLS FIRST;
--> rows
-- 1 | it's | 2 | 2024-02-29 | NULL
-- 2 | NULL | 2 | 2024-02-29 | NULL
-- 3 | it's | 2 | 2024-02-29 | NULL
-- 4 | it's | 2 | 2024-02-29 | NULL
-- 5 | NULL | 2 | 2024-02-29 | NULL
-- 7 | given | 2 | 2024-02-29 | NULL
-- 7 | it's | 2 | 2024-02-29 | NULL

-- DEFAULT in an UPDATE gives the column's default back
UPDATE t SET name = DEFAULT, plain = DEFAULT WHERE id = 2;
--> count 1

SELECT id, name, plain FROM t WHERE id = 2;
--> rows
-- 2 | it's | NULL

INSERT INTO t (id, name) SELECT 9, 'selected';
--> count 1

SELECT * FROM t WHERE id = 9;
--> rows
-- 9 | selected | 2 | 2024-02-29 | NULL

CREATE TABLE strict (id BIGINT NOT NULL, name TEXT NOT NULL DEFAULT 'x');
--> ok

INSERT INTO strict DEFAULT VALUES;
--> error invalid: id

INSERT INTO strict (name) VALUES ('a');
--> error invalid: id

INSERT INTO strict VALUES (1, NULL);
--> error invalid: name

INSERT INTO strict VALUES (1, DEFAULT);
--> count 1

SELECT * FROM strict;
--> rows
-- 1 | x

-- a string that only reads like the keyword
INSERT INTO strict VALUES (2, 'DEFAULT');
--> count 1

SELECT * FROM strict ORDER BY id;
--> rows
-- 1 | x
-- 2 | DEFAULT
