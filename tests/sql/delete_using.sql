-- DELETE … USING: joins, several matches of one row, several sources.

CREATE TABLE t (id BIGINT, name TEXT);
--> ok

CREATE TABLE s (id BIGINT, flag BOOLEAN);
--> ok

INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (NULL, 'n');
--> count 5

INSERT INTO s VALUES (1, true), (1, true), (2, false), (NULL, true);
--> count 4

-- matched twice, deleted and counted once
DELETE FROM t USING s WHERE t.id = s.id AND s.flag;
--> count 1

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 2 | b
-- 3 | c
-- 4 | d
-- NULL | n

DELETE FROM t AS x USING s AS y WHERE x.id = y.id RETURNING x.id, x.name;
--> rows
-- 2 | b

DELETE FROM t USING s WHERE t.id = s.id;
--> count 0

DELETE FROM t USING (SELECT max(id) AS id FROM t) AS top WHERE t.id = top.id;
--> count 1

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 3 | c
-- NULL | n

CREATE TABLE r (id BIGINT, name TEXT);
--> ok

INSERT INTO t VALUES (5, 'e'), (6, 'f'), (7, 'g');
--> count 3

INSERT INTO s VALUES (5, true), (6, true), (7, false);
--> count 3

INSERT INTO r VALUES (5, 'e'), (6, 'other'), (7, 'g');
--> count 3

DELETE FROM t USING s, r WHERE t.id = s.id AND s.id = r.id AND s.flag AND t.name = r.name;
--> count 1

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 3 | c
-- 6 | f
-- 7 | g
-- NULL | n

-- without a condition between them, every row goes as soon as the source has one
DELETE FROM t USING s WHERE s.id = 2;
--> count 4

SELECT count(*) AS t, (SELECT count(*) FROM s) AS s FROM t;
--> rows
-- 0 | 7

INSERT INTO t VALUES (1, 'back');
--> count 1

DELETE FROM t USING s WHERE t.id = s.id;
--> count 1

DELETE FROM t USING nope WHERE t.id = nope.id;
--> error invalid: not found
