-- INSERT … SELECT: from other tables, from itself, aggregated, joined, ordered, and empty.

CREATE TABLE src (id BIGINT, grp TEXT, v INT);
--> ok

INSERT INTO src VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30), (4, 'b', NULL), (5, NULL, 50);
--> count 5

CREATE TABLE dst (id BIGINT NOT NULL, label TEXT DEFAULT 'none', total BIGINT);
--> ok

INSERT INTO dst SELECT id, grp, v FROM src WHERE id <= 2;
--> count 2

INSERT INTO dst (total, id) SELECT v, id FROM src WHERE grp = 'b';
--> count 2

SELECT * FROM dst ORDER BY id;
--> rows
-- 1 | a | 10
-- 2 | a | 20
-- 3 | none | 30
-- 4 | none | NULL

INSERT INTO dst (id, label, total) SELECT 100 + count(*), grp, sum(v) FROM src GROUP BY grp;
--> count 3

SELECT * FROM dst WHERE id >= 100 ORDER BY id, label;
--> rows
-- 101 | NULL | 50
-- 102 | a | 30
-- 102 | b | 30

INSERT INTO dst (id, label) SELECT a.id * 1000 + b.id, a.grp || b.grp FROM src a JOIN src b ON a.grp = b.grp AND a.id < b.id;
--> count 2

SELECT id, label, total FROM dst WHERE id > 1000 ORDER BY id;
--> rows
-- 1002 | aa | NULL
-- 3004 | bb | NULL

INSERT INTO dst SELECT id, grp, v FROM src WHERE false;
--> count 0

-- from the table it writes to: the rows of before, once
INSERT INTO dst SELECT id + 100000, label, total FROM dst;
--> count 9

SELECT count(*) AS n, count(DISTINCT id) AS ids FROM dst;
--> rows
-- 18 | 16

INSERT INTO dst (id) SELECT id FROM src ORDER BY v DESC NULLS LAST LIMIT 2;
--> count 2

SELECT id, count(*) AS n FROM dst WHERE id < 100 GROUP BY id ORDER BY id;
--> rows
-- 1 | 1
-- 2 | 1
-- 3 | 2
-- 4 | 1
-- 5 | 1

INSERT INTO dst (id) SELECT id, v FROM src;
--> error invalid

INSERT INTO dst (id) SELECT nope FROM src;
--> error invalid: No field named

INSERT INTO dst (id) SELECT NULL FROM src WHERE id = 1;
--> error invalid: id

INSERT INTO dst (id, label) SELECT id, grp FROM src UNION ALL SELECT 77, 'union' UNION ALL SELECT 78, NULL;
--> count 7

SELECT id, label FROM dst WHERE id IN (77, 78) ORDER BY id;
--> rows
-- 77 | union
-- 78 | NULL

CREATE TABLE twice (a INT, b INT, c TEXT, d TEXT);
--> ok

INSERT INTO twice SELECT 1, 1, 'x', 'x';
--> count 1

INSERT INTO twice SELECT a, a, c, c FROM twice UNION ALL SELECT 2, 2, 'y', 'y';
--> count 2

SELECT * FROM twice ORDER BY a;
--> rows
-- 1 | 1 | x | x
-- 1 | 1 | x | x
-- 2 | 2 | y | y
