-- Aggregates and grouping, over rows that DML left behind.

CREATE TABLE t (id INT, grp TEXT, v INT, w DOUBLE);
--> ok

SELECT count(*) AS n, sum(v) AS s, min(v) AS lo, max(v) AS hi, avg(v) AS a FROM t;
--> rows
-- 0 | NULL | NULL | NULL | NULL

SELECT grp, count(*) AS n FROM t GROUP BY grp;
--> rows

INSERT INTO t VALUES (1, 'a', 10, 0.5), (2, 'a', 20, 1.5), (3, 'b', 30, NULL), (4, 'b', 30, 2.5), (5, NULL, NULL, 4.0), (6, 'c', -5, 0.0), (7, 'gone', 99, 9.0);
--> count 7

DELETE FROM t WHERE grp = 'gone';
--> count 1

UPDATE t SET v = v + 1 WHERE id = 1;
--> count 1

SELECT grp, count(*) AS n, sum(v) AS s, avg(v) AS a, min(w) AS lo, max(w) AS hi FROM t GROUP BY grp ORDER BY grp NULLS LAST;
--> rows
-- a | 2 | 31 | 15.5 | 0.5 | 1.5
-- b | 2 | 60 | 30.0 | 2.5 | 2.5
-- c | 1 | -5 | -5.0 | 0.0 | 0.0
-- NULL | 1 | NULL | NULL | 4.0 | 4.0

SELECT count(DISTINCT v) AS d, count(DISTINCT grp) AS g, sum(DISTINCT v) AS s FROM t;
--> rows
-- 4 | 3 | 56

SELECT grp, sum(v) AS s FROM t GROUP BY grp HAVING sum(v) > 20 ORDER BY grp;
--> rows
-- a | 31
-- b | 60

SELECT count(*) FILTER (WHERE v > 15) AS big, sum(v) FILTER (WHERE grp = 'a') AS a, sum(v) FILTER (WHERE false) AS none FROM t;
--> rows
-- 3 | 31 | NULL

SELECT string_agg(grp, ',' ORDER BY id) AS s, array_agg(v ORDER BY id) AS l FROM t;
--> rows
-- a,a,b,b,c | [11, 20, 30, 30, NULL, -5]

SELECT bool_and(v > 0) AS every, bool_or(v > 25) AS some, median(v) AS m, var_pop(w) AS vp, stddev_pop(w) AS sp FROM t;
--> rows
-- false | true | 20.0 | 2.06 | 1.4352700094407325

SELECT v > 15 AS big, count(*) AS n FROM t GROUP BY v > 15 ORDER BY big NULLS LAST;
--> rows
-- false | 2
-- true | 3
-- NULL | 1

SELECT grp, v, count(*) AS n FROM t GROUP BY ROLLUP (grp, v) HAVING count(*) > 1 ORDER BY grp NULLS LAST, v NULLS LAST;
--> rows
-- a | NULL | 2
-- b | 30 | 2
-- b | NULL | 2
-- NULL | NULL | 6

SELECT grp, sum(v) AS s FROM t WHERE grp IS NOT NULL GROUP BY GROUPING SETS ((grp), ()) ORDER BY grp NULLS LAST;
--> rows
-- a | 31
-- b | 60
-- c | -5
-- NULL | 86

SELECT DISTINCT grp FROM t ORDER BY grp NULLS FIRST;
--> rows
-- NULL
-- a
-- b
-- c

SELECT DISTINCT ON (grp) grp, id FROM t WHERE grp IS NOT NULL ORDER BY grp, id DESC;
--> rows
-- a | 2
-- b | 4
-- c | 6

SELECT sum(CASE WHEN grp = 'b' THEN v ELSE 0 END) AS b, max(id) - min(id) AS width FROM t;
--> rows
-- 60 | 5

SELECT corr(id, v) > 0 AS up, count(*) AS n FROM t WHERE grp = 'a';
--> rows
-- true | 2

SELECT grp, v FROM t GROUP BY grp;
--> error invalid

SELECT sum(nope) AS s FROM t;
--> error invalid: No field named

SELECT sum(sum(v)) AS s FROM t;
--> error invalid

-- A condition on a total that asks for no column of it.
CREATE TABLE nothing (x BIGINT, b BOOLEAN);
--> ok

SELECT count(*) AS n FROM nothing HAVING (SELECT b FROM nothing);
--> rows

SELECT 1 AS one FROM (SELECT max(x) AS m FROM nothing) AS q WHERE (SELECT b FROM nothing);
--> rows

SELECT m FROM (SELECT max(x) AS m FROM nothing) AS q WHERE (SELECT count(*) FROM nothing) = 1 AND (SELECT count(*) FROM nothing) = 0;
--> rows

SELECT m FROM (SELECT max(x) AS m FROM nothing) AS q WHERE random() < 0;
--> rows

SELECT n FROM (SELECT x, count(*) AS n FROM nothing GROUP BY ROLLUP (x)) AS q WHERE (SELECT count(*) FROM nothing) = 1;
--> rows

SELECT n FROM (SELECT x, count(*) AS n FROM nothing GROUP BY ROLLUP (x)) AS q WHERE (SELECT count(*) FROM nothing) = 0;
--> rows
-- 0

SELECT q.n FROM (SELECT count(*) AS n FROM nothing) AS q JOIN (SELECT 1 AS y) AS r ON (SELECT b FROM nothing) IS NULL;
--> rows
-- 0

SELECT 1 IN ((SELECT 1), 2) AS a, 3 NOT IN ((SELECT max(x) FROM nothing), 4) AS b, 1 IN ((SELECT 1)) AS c, 5 IN ((1), (5)) AS d;
--> rows
-- true | NULL | true | true

-- A key of one side of a join is no key of its rows.
CREATE TABLE one (a TEXT);
--> ok

INSERT INTO one VALUES ('abc');
--> count 1

CREATE TABLE two (b BIGINT);
--> ok

INSERT INTO two VALUES (1), (2);
--> count 2

SELECT DISTINCT x FROM (SELECT x, b FROM (SELECT DISTINCT a AS x FROM one) AS q, two GROUP BY x, b) AS r;
--> rows
-- abc

SELECT x, count(*) AS n FROM (SELECT x, b, count(*) AS m FROM (SELECT DISTINCT a AS x FROM one) AS q, two GROUP BY x, b) AS r GROUP BY x, b ORDER BY b;
--> rows
-- abc | 1
-- abc | 1

SELECT DISTINCT x FROM (SELECT DISTINCT x, b FROM (SELECT a AS x FROM one GROUP BY a) AS q, two) AS r;
--> rows
-- abc

SELECT x, b FROM (SELECT x, b, max(b) AS m FROM (SELECT DISTINCT a AS x FROM one) AS q LEFT JOIN two ON TRUE GROUP BY x, b) AS r ORDER BY x, b DESC LIMIT 1;
--> rows
-- abc | 2

SELECT t.b, r.x FROM two AS t LEFT JOIN (SELECT x, b AS y FROM (SELECT DISTINCT 1 AS x FROM one) AS q, two GROUP BY x, b) AS r ON t.b = r.x ORDER BY t.b;
--> rows
-- 1 | 1
-- 1 | 1
-- 2 | NULL

SELECT EXISTS (SELECT max(1) FROM two WHERE one.a ILIKE 'a%' GROUP BY b) AS e, one.a IN (SELECT 'abc' FROM two WHERE one.a LIKE 'a%' GROUP BY b) AS i FROM one;
--> rows
-- true | true

-- Over conditions that are never NULL.
CREATE TABLE conditions (a BOOLEAN, b INT);
--> ok

INSERT INTO conditions VALUES (TRUE, 1), (FALSE, 2), (NULL, 2);
--> count 3

SELECT b, max(c) AS m, bool_and(c) AS e, count(*) FILTER (WHERE c) AS n FROM (SELECT b, a IS TRUE AS c FROM conditions) AS o GROUP BY b ORDER BY b;
--> rows
-- 1 | true | true | 1
-- 2 | false | false | 0

SELECT c, d, count(*) FROM (SELECT b, a IS NOT FALSE AS c, a IS UNKNOWN AS d FROM conditions LIMIT 5) AS o GROUP BY ROLLUP (c, d) ORDER BY 1 NULLS FIRST, 2 NULLS FIRST;
--> rows
-- NULL | NULL | 3
-- false | NULL | 1
-- false | false | 1
-- true | NULL | 2
-- true | false | 1
-- true | true | 1

SELECT DISTINCT ON (b) * FROM (SELECT b, a IS FALSE AS c, a IS DISTINCT FROM TRUE AS d FROM conditions) AS o ORDER BY b, c, d;
--> rows
-- 1 | false | false
-- 2 | false | true

SELECT DISTINCT a IS NOT TRUE AS c FROM conditions ORDER BY 1;
--> rows
-- false
-- true

CREATE VIEW v_conditions AS SELECT b, bool_or(c) AS c FROM (SELECT b, (a AND b > 1) IS NOT TRUE AS c FROM conditions) AS o GROUP BY b;
--> ok

SELECT * FROM v_conditions ORDER BY b;
--> rows
-- 1 | true
-- 2 | true

-- All rows are one group, that of no rows too.
SELECT count(*) AS n, max(v) AS most FROM t GROUP BY ();
--> rows
-- 6 | 30

SELECT count(*) AS n FROM nothing GROUP BY () HAVING count(*) = 0;
--> rows
-- 0

SELECT 1 AS one FROM t HAVING true;
--> rows
-- 1

SELECT 1 AS one FROM nothing HAVING 1 > 0;
--> rows
-- 1

SELECT 1 AS one FROM t HAVING NULL;
--> rows

SELECT v, (SELECT 7 FROM nothing WHERE nothing.b = (t.v > 3) HAVING true) AS seven FROM t ORDER BY v;
--> rows
-- -5 | 7
-- 11 | 7
-- 20 | 7
-- 30 | 7
-- 30 | 7
-- NULL | 7

SELECT v FROM t HAVING true;
--> error invalid

-- Keys of grouping sets that begin with a parenthesis and go on behind it.
CREATE TABLE lists (a INTEGER[], b INTEGER);
--> ok

INSERT INTO lists VALUES ([1, 2], 1), ([3, 2], 2), ([4, 5], 1), (NULL, 3);
--> count 4

SELECT (a)[2] AS k, count(*) AS n FROM lists GROUP BY ROLLUP ((a)[2]) ORDER BY k NULLS FIRST, n;
--> rows
-- NULL | 1
-- NULL | 4
-- 2 | 2
-- 5 | 1

SELECT (b + 1) * 2 AS k, b, count(*) AS n FROM lists GROUP BY CUBE ((b + 1) * 2, b) ORDER BY k NULLS FIRST, b NULLS FIRST, n;
--> rows
-- NULL | NULL | 4
-- NULL | 1 | 2
-- NULL | 2 | 1
-- NULL | 3 | 1
-- 4 | NULL | 2
-- 4 | 1 | 2
-- 6 | NULL | 1
-- 6 | 2 | 1
-- 8 | NULL | 1
-- 8 | 3 | 1

SELECT (b + 1) * 2 AS k, (a)[1] AS l, b, count(*) AS n FROM lists GROUP BY GROUPING SETS (((b + 1) * 2), (a)[1], (b, (a)[1]), ()) ORDER BY k NULLS FIRST, l NULLS FIRST, b NULLS FIRST, n;
--> rows
-- NULL | NULL | NULL | 1
-- NULL | NULL | NULL | 4
-- NULL | NULL | 3 | 1
-- NULL | 1 | NULL | 1
-- NULL | 1 | 1 | 1
-- NULL | 3 | NULL | 1
-- NULL | 3 | 2 | 1
-- NULL | 4 | NULL | 1
-- NULL | 4 | 1 | 1
-- 4 | NULL | NULL | 2
-- 6 | NULL | NULL | 1
-- 8 | NULL | NULL | 1

CREATE VIEW sets AS SELECT ((- coalesce(b, 7)) | 1) AS k, count(*) AS n FROM lists GROUP BY CUBE (((- coalesce(b, 7)) | 1));
--> ok

SELECT k, n FROM sets ORDER BY k NULLS FIRST, n;
--> rows
-- NULL | 4
-- -3 | 1
-- -1 | 3

-- A count within another query, whose own aggregates have conditions.
WITH w AS (SELECT DISTINCT count(*) AS c FROM lists) SELECT max(c) FILTER (WHERE FALSE) AS m, min(c + 1) AS n FROM w EXCEPT SELECT 1, 2 FROM w;
--> rows
-- NULL | 5

SELECT count(c) AS n, count(*) FILTER (WHERE c > 100) AS f FROM (SELECT count(*) AS c FROM lists) AS w;
--> rows
-- 1 | 0
