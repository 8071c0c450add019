-- INSERT … VALUES: column lists in any order, subsets, expressions, and what it must refuse.

CREATE TABLE t (id BIGINT NOT NULL, name TEXT DEFAULT 'x', score DOUBLE);
--> ok

INSERT INTO t VALUES (1, 'a', 0.5);
--> count 1

INSERT INTO t (id) VALUES (2), (3);
--> count 2

INSERT INTO t (score, id, name) VALUES (2.5, 4, 'd'), (-1.0, 5, NULL);
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 0.5
-- 2 | x | NULL
-- 3 | x | NULL
-- 4 | d | 2.5
-- 5 | NULL | -1.0

INSERT INTO t (id, score) VALUES (3 * 2, 1 + 0.25), (abs(-7), NULL);
--> count 2

INSERT INTO t (id, name) VALUES (8, upper('eight')), (9, CASE WHEN 1 < 2 THEN 'yes' ELSE 'no' END);
--> count 2

INSERT INTO t (id, name) VALUES (10, 'same'), (10, 'same');
--> count 2

SELECT id, name, score FROM t WHERE id > 5 ORDER BY id;
--> rows
-- 6 | x | 1.25
-- 7 | x | NULL
-- 8 | EIGHT | NULL
-- 9 | yes | NULL
-- 10 | same | NULL
-- 10 | same | NULL

-- wrong arity, unknown and repeated columns
INSERT INTO t (id, name) VALUES (11);
--> error invalid

INSERT INTO t (id) VALUES (11, 'extra');
--> error invalid

INSERT INTO t VALUES (11, 'a', 1.0), (12, 'b');
--> error invalid

INSERT INTO t (id, nope) VALUES (11, 1);
--> error invalid: nope

INSERT INTO t (id, id) VALUES (11, 12);
--> error invalid

INSERT INTO nope VALUES (1);
--> error invalid: not found

SELECT count(*) AS n, sum(id) AS ids FROM t;
--> rows
-- 11 | 65
