-- Structs: literals, columns, fields, and DML on them.

CREATE TABLE t (id INT, p STRUCT(a BIGINT, b TEXT));
--> ok

INSERT INTO t VALUES (1, {'a': 1, 'b': 'x'}), (2, {'a': NULL, 'b': NULL}), (3, NULL);
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | {a: 1, b: x}
-- 2 | {a: NULL, b: NULL}
-- 3 | NULL

SELECT id, p['a'] AS a, p['b'] AS b FROM t ORDER BY id;
--> rows
-- 1 | 1 | x
-- 2 | NULL | NULL
-- 3 | NULL | NULL

UPDATE t SET p = {'a': 2, 'b': 'y'} WHERE p['a'] = 1;
--> count 1

UPDATE t SET p = NULL WHERE id = 2;
--> count 1

SELECT id, p, p IS NULL AS none FROM t ORDER BY id;
--> rows
-- 1 | {a: 2, b: y} | false
-- 2 | NULL | true
-- 3 | NULL | true

INSERT INTO t SELECT id + 10, p FROM t WHERE p IS NOT NULL;
--> count 1

DELETE FROM t WHERE p['b'] = 'y' AND id < 10;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 2 | NULL
-- 3 | NULL
-- 11 | {a: 2, b: y}

SELECT {'name': 'n', 'list': [1, 2]} AS s;
--> rows
-- {name: n, list: [1, 2]}

--@ duckdb: CREATE TABLE deep (s STRUCT(x INT, inner_s STRUCT(y TEXT, z BIGINT[])))
CREATE TABLE deep (s STRUCT<x INT, inner_s STRUCT<y TEXT, z BIGINT[]>>);
--> ok

INSERT INTO deep VALUES ({'x': 1, 'inner_s': {'y': 'w', 'z': [1, NULL]}});
--> count 1

SELECT s, s['inner_s']['y'] AS y FROM deep;
--> rows
-- {x: 1, inner_s: {y: w, z: [1, NULL]}} | w

-- Parts of a struct that meet other columns of its name on their way down.
CREATE TABLE outer_rows (c0 TEXT, c1 INT);
--> ok

INSERT INTO outer_rows VALUES ('x', 1), ('y', 2);
--> ok

SELECT a.c0, ((SELECT {'a': b.c1, 'b': c.c0} AS c0 FROM outer_rows AS c WHERE c.c1 >= b.c1 ORDER BY 1 LIMIT 1))['a'] AS q
    FROM outer_rows AS a JOIN outer_rows AS b ON a.c0 = b.c0 ORDER BY 1;
--> rows
-- x | 1
-- y | 2

SELECT a.c0, ((SELECT {'a': b.c1, 'b': c.c0} FROM outer_rows AS c WHERE c.c1 >= b.c1 LIMIT 1))['a'] AS q
    FROM outer_rows AS a JOIN outer_rows AS b ON a.c0 = b.c0 WHERE ((SELECT {'a': b.c1, 'b': c.c0} FROM outer_rows AS c LIMIT 1))['a'] > 1;
--> rows
-- y | 2

-- A field of what is no column.
SELECT id, (p).a, (t.p).b, p.a AS a2, (coalesce(p, {'a': 7, 'b': 'q'})).b AS b2, ({'x': {'y': id}}).x.y AS y, [p][1].a AS l FROM t ORDER BY id;
--> rows
-- 2 | NULL | NULL | NULL | q | 2 | NULL
-- 3 | NULL | NULL | NULL | q | 3 | NULL
-- 11 | 2 | y | 2 | y | 11 | 2

SELECT ((SELECT {'a': b.c1} FROM outer_rows AS b WHERE b.c0 = a.c0)).a AS q FROM outer_rows AS a ORDER BY 1;
--> rows
-- 1
-- 2

SELECT (p).nothing FROM t;
--> error invalid

-- A part of a struct beside columns of one name, one of which is NULL for all rows.
CREATE TABLE left_rows (c0 BIGINT, c1 BIGINT);
--> ok

CREATE TABLE right_rows (c0 TEXT, c1 STRUCT(a BIGINT, b VARCHAR));
--> ok

INSERT INTO left_rows VALUES (1, 1), (2, 2), (3, NULL);
--> count 3

INSERT INTO right_rows VALUES ('x', {'a': 1, 'b': 'y'});
--> count 1

SELECT r.c0, l.c0 AS l FROM left_rows AS l LEFT JOIN right_rows AS r ON FALSE WHERE l.c0 IS DISTINCT FROM (r.c1)['a'] ORDER BY 2;
--> rows
-- NULL | 1
-- NULL | 2
-- NULL | 3

SELECT r.c0, l.c0 AS l, (r.c1)['b'] AS b FROM left_rows AS l FULL JOIN right_rows AS r ON FALSE WHERE l.c1 = l.c0 AND l.c0 IS DISTINCT FROM (r.c1)['a'] ORDER BY 2;
--> rows
-- NULL | 1 | NULL
-- NULL | 2 | NULL

SELECT (SELECT max(r.c0) FROM left_rows AS l FULL JOIN right_rows AS r ON FALSE WHERE l.c1 = l.c0 AND l.c0 <> (r.c1)['a']) AS none, o.c0 FROM right_rows AS o;
--> rows
-- NULL | x
