-- Subqueries whose names, types and levels can be taken for others.

CREATE TABLE u (id INT, aid INT, x INT, g INT);
--> ok

CREATE TABLE a (id INT);
--> ok

CREATE TABLE b (id INT, a_id INT);
--> ok

CREATE TABLE t (id INT, x INT, y INT, g INT);
--> ok

CREATE TABLE r (id INT);
--> ok

INSERT INTO u VALUES (1, 10, 5, 1), (2, 11, 6, 2), (3, 10, 7, 1);
--> count 3

INSERT INTO a VALUES (10), (11), (12);
--> count 3

INSERT INTO b VALUES (5, 10), (6, 12), (7, 10), (7, 11);
--> count 4

INSERT INTO t VALUES (1, 5, 7, 1), (2, 7, 0, 1), (3, 1, 1, 2), (4, NULL, 5, 2);
--> count 4

INSERT INTO r VALUES (5), (1);
--> count 2

-- Two columns of one name, one asked for and one looked at.
SELECT id FROM u WHERE x IN (SELECT b.id FROM a JOIN b ON b.a_id = a.id WHERE a.id = u.aid) ORDER BY id;
--> rows
-- 1
-- 3

SELECT id FROM u WHERE EXISTS (SELECT 1 FROM a JOIN b ON b.a_id = a.id WHERE a.id = u.aid AND b.id = u.x) ORDER BY id;
--> rows
-- 1
-- 3

SELECT id FROM u WHERE NOT EXISTS (SELECT 1 FROM a JOIN b ON b.a_id = a.id WHERE a.id = u.aid AND b.id = u.x) ORDER BY id;
--> rows
-- 2

SELECT id, (SELECT count(*) FROM a JOIN b ON b.a_id = a.id WHERE a.id = u.aid AND b.id = u.x) AS n FROM u ORDER BY id;
--> rows
-- 1 | 1
-- 2 | 0
-- 3 | 1

SELECT id FROM u WHERE EXISTS (SELECT 1 AS id FROM b WHERE b.id = u.x) ORDER BY id;
--> rows
-- 1
-- 2
-- 3

SELECT id FROM u WHERE EXISTS (SELECT b.id + 1 AS id FROM b WHERE b.id = u.x) ORDER BY id;
--> rows
-- 1
-- 2
-- 3

SELECT id FROM u WHERE EXISTS (SELECT 1 FROM (SELECT a.id, b.id AS bid, b.a_id FROM a, b) AS q WHERE q.id = u.aid AND q.bid = u.x) ORDER BY id;
--> rows
-- 1
-- 2
-- 3

SELECT id FROM u WHERE x IN (SELECT q.id FROM (SELECT b.id FROM a JOIN b ON b.a_id = a.id WHERE a.id = u.aid) AS q) ORDER BY id;
--> rows
-- 1
-- 3

-- The same table inside and outside.
SELECT t.id FROM t, u WHERE t.x NOT IN (SELECT t.x FROM t WHERE t.g = u.g) ORDER BY t.id, u.id;
--> rows
-- 3
-- 3

SELECT t.id FROM t, u WHERE t.x IN (SELECT t.x FROM t WHERE t.g = u.g) ORDER BY t.id, u.id;
--> rows
-- 1
-- 1
-- 2
-- 2
-- 3

SELECT t.id, u.id AS uid, t.x IN (SELECT t.y FROM t WHERE t.g = u.g) AS v FROM t, u ORDER BY t.id, u.id;
--> rows
-- 1 | 1 | false
-- 1 | 2 | true
-- 1 | 3 | false
-- 2 | 1 | true
-- 2 | 2 | false
-- 2 | 3 | true
-- 3 | 1 | false
-- 3 | 2 | true
-- 3 | 3 | false
-- 4 | 1 | NULL
-- 4 | 2 | NULL
-- 4 | 3 | NULL

SELECT t.id, u.id AS uid, t.x IN (SELECT t.y FROM t WHERE t.g = u.g AND EXISTS (SELECT 1 FROM r WHERE r.id = t.x)) AS v FROM t, u ORDER BY t.id, u.id;
--> rows
-- 1 | 1 | false
-- 1 | 2 | false
-- 1 | 3 | false
-- 2 | 1 | true
-- 2 | 2 | false
-- 2 | 3 | true
-- 3 | 1 | false
-- 3 | 2 | true
-- 3 | 3 | false
-- 4 | 1 | NULL
-- 4 | 2 | NULL
-- 4 | 3 | NULL

SELECT t.id, u.id AS uid, t.x > ANY (SELECT t.y FROM t WHERE t.g = u.g AND EXISTS (SELECT 1 FROM r WHERE r.id = t.x)) AS v FROM t, u ORDER BY t.id, u.id;
--> rows
-- 1 | 1 | false
-- 1 | 2 | true
-- 1 | 3 | false
-- 2 | 1 | false
-- 2 | 2 | true
-- 2 | 3 | false
-- 3 | 1 | false
-- 3 | 2 | false
-- 3 | 3 | false
-- 4 | 1 | NULL
-- 4 | 2 | NULL
-- 4 | 3 | NULL

SELECT t.id, (SELECT count(*) FROM u WHERE u.x > t.x AND EXISTS (SELECT 1 FROM t WHERE t.g = u.g AND EXISTS (SELECT 1 FROM r WHERE r.id = t.x))) AS n FROM t ORDER BY t.id;
--> rows
-- 1 | 2
-- 2 | 0
-- 3 | 3
-- 4 | 0

SELECT id, (SELECT max(t.x) FROM t WHERE t.g = u.g) AS m, (SELECT max(x) FROM t WHERE g = u.g AND x < u.x) AS n FROM u ORDER BY id;
--> rows
-- 1 | 7 | NULL
-- 2 | 1 | 1
-- 3 | 7 | 5

SELECT id FROM t WHERE x = (SELECT max(i.x) FROM t AS i WHERE i.g = t.g) ORDER BY id;
--> rows
-- 2
-- 3

SELECT id FROM t AS o WHERE x = (SELECT max(t.x) FROM t WHERE t.g = o.g) ORDER BY id;
--> rows
-- 2
-- 3

-- Equal by way of another type.
CREATE TABLE f (f DOUBLE, s VARCHAR, d DECIMAL(10, 2));
--> ok

CREATE TABLE w (k BIGINT, s VARCHAR, i INT);
--> ok

INSERT INTO f VALUES (9007199254740992, '1', 1.50), (2.5, '2', 2.00);
--> count 2

INSERT INTO w VALUES (9007199254740992, '1', 1), (9007199254740993, '01', 2), (2, '2', 2);
--> count 3

SELECT s, (SELECT count(*) FROM w WHERE w.k = f.f) AS n, (SELECT max(i) FROM w WHERE w.i = f.d) AS m FROM f ORDER BY s;
--> rows
-- 1 | 2 | NULL
-- 2 | 0 | 2

SELECT i, (SELECT count(*) FROM f WHERE f.f = w.k) AS n, (SELECT count(*) FROM f WHERE f.d = w.i) AS m FROM w ORDER BY i, s;
--> rows
-- 1 | 1 | 0
-- 2 | 1 | 1
-- 2 | 0 | 1

SELECT s FROM f WHERE EXISTS (SELECT 1 FROM w WHERE w.k = f.f) ORDER BY s;
--> rows
-- 1

-- What is handed up two levels, where an aggregate saw no row.
CREATE TABLE p (id INT, k INT);
--> ok

INSERT INTO p VALUES (1, 1), (1, 2), (2, 2), (9, 9);
--> count 4

SELECT id, (SELECT max((SELECT count(*) + u.x FROM r WHERE r.id = p.id)) FROM p WHERE p.id = u.id) AS v FROM u ORDER BY id;
--> rows
-- 1 | 6
-- 2 | 6
-- 3 | NULL

--@ duckdb: fails
SELECT id, (SELECT count(*) + (SELECT count(*) FROM r WHERE r.id <= u.id) FROM p WHERE p.id = u.id) AS v FROM u ORDER BY id;
--> rows
-- 1 | 3
-- 2 | 2
-- 3 | 1

--@ duckdb: fails
SELECT id, (SELECT count(*) + (SELECT count(*) FROM r WHERE r.id = u.id) + u.x FROM p WHERE p.id = u.id) AS v FROM u ORDER BY id;
--> rows
-- 1 | 8
-- 2 | 7
-- 3 | 7

SELECT id, (SELECT CASE WHEN EXISTS (SELECT 1 FROM r WHERE r.id = u.id) THEN count(*) ELSE -1 END FROM p WHERE p.id = u.id) AS v FROM u ORDER BY id;
--> rows
-- 1 | 2
-- 2 | -1
-- 3 | -1

-- Totals are there without rows too.
--@ duckdb: skip its totals of no rows have no grouping
SELECT u.id, q.* FROM u, LATERAL (SELECT p.k, count(*) AS n, grouping(p.k) AS g FROM p WHERE p.id = u.id GROUP BY ROLLUP (p.k)) AS q ORDER BY u.id, q.k, q.g;
--> rows
-- 1 | 1 | 1 | 0
-- 1 | 2 | 1 | 0
-- 1 | NULL | 2 | 1
-- 2 | 2 | 1 | 0
-- 2 | NULL | 1 | 1
-- 3 | NULL | 0 | 1

--@ duckdb: skip it has one total of no rows where two are asked for
SELECT u.id, q.* FROM u, LATERAL (SELECT p.id AS i, p.k, sum(p.k) AS s, grouping(p.id, p.k) AS g FROM p WHERE p.id = u.id GROUP BY GROUPING SETS ((p.id), (), (p.id, p.k), ())) AS q ORDER BY u.id, q.g, q.i, q.k;
--> rows
-- 1 | 1 | 1 | 1 | 0
-- 1 | 1 | 2 | 2 | 0
-- 1 | 1 | NULL | 3 | 1
-- 1 | NULL | NULL | 3 | 3
-- 1 | NULL | NULL | 3 | 3
-- 2 | 2 | 2 | 2 | 0
-- 2 | 2 | NULL | 2 | 1
-- 2 | NULL | NULL | 2 | 3
-- 2 | NULL | NULL | 2 | 3
-- 3 | NULL | NULL | NULL | 3
-- 3 | NULL | NULL | NULL | 3

SELECT u.id, (SELECT count(*) FROM (SELECT u.g, max(p.k) FROM p WHERE p.id > u.id GROUP BY CUBE (p.k, p.id)) AS q) AS v FROM u ORDER BY id;
--> rows
-- 1 | 7
-- 2 | 4
-- 3 | 4

-- In other lists and conditions.
SELECT DISTINCT ON (g) g, (SELECT max(p.k) FROM p WHERE p.id = u.id) AS m FROM u ORDER BY g, id;
--> rows
-- 1 | 2
-- 2 | 2

SELECT DISTINCT ON (g) g, id IN (SELECT p.id FROM p) AS v FROM u ORDER BY g, (SELECT count(*) FROM p WHERE p.id = u.id) DESC, id;
--> rows
-- 1 | true
-- 2 | true

--@ duckdb: fails
SELECT u.id, q.k FROM u LEFT JOIN LATERAL (SELECT p.k FROM p WHERE p.id = u.id) AS q ON EXISTS (SELECT 1 FROM r WHERE r.id = q.k) ORDER BY u.id, q.k;
--> rows
-- 1 | 1
-- 2 | NULL
-- 3 | NULL

SELECT u.id, q.k FROM u, LATERAL (SELECT p.k FROM p WHERE p.id = u.id) AS q WHERE EXISTS (SELECT 1 FROM r WHERE r.id = q.k) ORDER BY u.id, q.k;
--> rows
-- 1 | 1

SELECT id, EXISTS (SELECT 1 FROM p WHERE p.id = u.id GROUP BY ROLLUP (u.id)) AS v FROM u ORDER BY id;
--> rows
-- 1 | true
-- 2 | true
-- 3 | true

SELECT id, (SELECT max(n) FROM (SELECT u.id AS i, p.k, count(*) AS n FROM p WHERE p.id <= u.id GROUP BY ROLLUP (u.id, p.k)) AS q) AS v FROM u ORDER BY id;
--> rows
-- 1 | 2
-- 2 | 3
-- 3 | 3

SELECT (SELECT count(*) FROM p WHERE p.id = u.id) AS n, g, count(*) AS c FROM u GROUP BY GROUPING SETS (((SELECT count(*) FROM p WHERE p.id = u.id), g), ((SELECT count(*) FROM p WHERE p.id = u.id)), ()) ORDER BY n, g, c;
--> rows
-- 0 | 1 | 1
-- 0 | NULL | 1
-- 1 | 2 | 1
-- 1 | NULL | 1
-- 2 | 1 | 1
-- 2 | NULL | 1
-- NULL | NULL | 3

-- Rows that are not the same each time they are made are made once.
SELECT q.x IS NOT NULL AND (SELECT count(*) FROM p WHERE p.k > q.x) = 4 AS v FROM (SELECT random() AS x FROM u) AS q;
--> rows
-- true
-- true
-- true

SELECT count(*) AS n FROM (SELECT q.x, (SELECT count(*) FROM p WHERE p.k > q.x) AS n FROM (SELECT random() AS x FROM u LIMIT 2) AS q) AS z WHERE n = 4;
--> rows
-- 2

SELECT q.id, (SELECT count(*) FROM p WHERE p.id < q.id) AS n FROM (SELECT id FROM u ORDER BY id DESC LIMIT 2) AS q ORDER BY q.id;
--> rows
-- 2 | 2
-- 3 | 3

SELECT q.g, (SELECT count(*) FROM p WHERE p.id < q.total) AS n FROM (SELECT g, sum(x / 1e0) AS total FROM u GROUP BY g) AS q ORDER BY q.g;
--> rows
-- 1 | 4
-- 2 | 3

SELECT q.id, q.n, (SELECT max(p.k) FROM p WHERE p.id < q.n) AS m FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM u) AS q ORDER BY q.id;
--> rows
-- 1 | 1 | NULL
-- 2 | 2 | 2
-- 3 | 3 | 2

-- Many at once.
SELECT id, (SELECT count(*) FROM p WHERE p.id < u.x) AS a, (SELECT count(*) FROM p WHERE p.id < u.g) AS b, (SELECT sum(k) FROM p WHERE p.id < u.x) AS c, (SELECT max(k) FROM p WHERE p.id <= u.id) AS d, (SELECT min(k) FROM p WHERE p.k > u.id) AS e, (SELECT count(*) FROM p WHERE p.k > u.g) AS f, (SELECT count(*) FROM p WHERE p.k < u.x) AS g2, (SELECT count(*) FROM p WHERE p.k <> u.x) AS h, (SELECT count(*) FROM p WHERE p.k <> u.id) AS i, (SELECT count(*) FROM p WHERE p.k <> u.aid) AS j, x IN (SELECT p.k FROM p WHERE p.id < u.x) AS k, id NOT IN (SELECT p.id FROM p WHERE p.k > u.g) AS l FROM u ORDER BY id;
--> rows
-- 1 | 3 | 0 | 5 | 2 | 2 | 3 | 3 | 4 | 3 | 4 | false | false
-- 2 | 3 | 2 | 5 | 2 | 9 | 1 | 3 | 4 | 2 | 4 | false | true
-- 3 | 3 | 0 | 5 | 2 | 9 | 3 | 3 | 4 | 4 | 4 | false | true

-- Types that are one only when the query around is made.
SELECT id FROM u WHERE CASE WHEN x > 1 THEN (SELECT dense_rank() OVER (ORDER BY p.k) FROM p WHERE p.id = 2) ELSE 8 END >= ALL (SELECT dense_rank() OVER (ORDER BY p.k) FROM p WHERE p.id > 100) ORDER BY id;
--> rows
-- 1
-- 2
-- 3

UPDATE u SET x = x + 1 WHERE CASE WHEN x > 1 THEN (SELECT dense_rank() OVER (ORDER BY p.k) FROM p WHERE p.id = 2) ELSE 8 END >= ALL (SELECT dense_rank() OVER (ORDER BY p.k) FROM p WHERE p.id > 100);
--> count 3
