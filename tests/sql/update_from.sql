-- UPDATE … FROM: joined sources, subqueries, several tables, and a row that two source rows match.

CREATE TABLE t (id BIGINT, name TEXT, v BIGINT);
--> ok

CREATE TABLE s (id BIGINT, name TEXT, w BIGINT);
--> ok

INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (NULL, 'null', 0);
--> count 4

INSERT INTO s VALUES (1, 'A', 10), (3, 'C', 30), (4, 'D', 40), (NULL, 'N', 50);
--> count 4

UPDATE t SET v = s.w FROM s WHERE t.id = s.id;
--> count 2

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | a | 10
-- 2 | b | 2
-- 3 | c | 30
-- NULL | null | 0

-- the right side may take both rows
UPDATE t SET v = t.v + s.w, name = t.name || s.name FROM s WHERE t.id = s.id AND s.w > 10;
--> count 1

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | a | 10
-- 2 | b | 2
-- 3 | cC | 60
-- NULL | null | 0

UPDATE t AS x SET name = lower(y.name) FROM s AS y WHERE x.id = y.id RETURNING x.id, x.name;
--> rows unordered
-- 1 | a
-- 3 | c

UPDATE t SET v = q.total FROM (SELECT sum(w) AS total FROM s) AS q WHERE t.id = 2;
--> count 1

UPDATE t SET name = o.name FROM t AS o WHERE t.id = o.id + 1;
--> count 2

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | a | 10
-- 2 | a | 130
-- 3 | b | 60
-- NULL | null | 0

CREATE TABLE f (id BIGINT, factor BIGINT);
--> ok

INSERT INTO f VALUES (1, 2), (3, 3), (4, 4);
--> count 3

UPDATE t SET v = s.w * f.factor FROM s JOIN f ON s.id = f.id WHERE t.id = s.id;
--> count 2

UPDATE t SET name = CAST(f.factor AS TEXT) FROM s, f WHERE t.id = s.id AND s.id = f.id AND f.factor > 2;
--> count 1

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | a | 20
-- 2 | a | 130
-- 3 | 3 | 90
-- NULL | null | 0

UPDATE t SET v = s.w FROM s WHERE t.id = s.id AND false;
--> count 0

-- a source row may serve several target rows
UPDATE t SET v = s.w FROM s WHERE s.id = 4;
--> count 4

SELECT id, v FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | 40
-- 2 | 40
-- 3 | 40
-- NULL | 40

INSERT INTO s VALUES (1, 'AA', 11);
--> count 1

--@ duckdb: skip DuckDB takes one of the two source rows
UPDATE t SET v = s.w FROM s WHERE t.id = s.id;
--> error invalid

SELECT id, v FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | 40
-- 2 | 40
-- 3 | 40
-- NULL | 40

-- aggregated first, the two rows are one
UPDATE t SET v = q.w FROM (SELECT id, sum(w) AS w FROM s GROUP BY id) AS q WHERE t.id = q.id;
--> count 2

SELECT id, v FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | 21
-- 2 | 40
-- 3 | 30
-- NULL | 40

UPDATE t SET v = nope.w FROM nope WHERE t.id = nope.id;
--> error invalid: not found
