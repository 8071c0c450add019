-- Subqueries that ask the query around them for a column, wherever an expression may stand.

CREATE TABLE u (id INT, g INT, age INT, name VARCHAR);
--> ok

CREATE TABLE s (id INT, age INT, w BIGINT, ts INT);
--> ok

CREATE TABLE r (id INT, k INT);
--> ok

INSERT INTO u VALUES (1, 1, 10, 'a'), (2, 1, 20, 'b'), (3, 2, NULL, 'c'), (4, 2, 40, NULL), (NULL, 3, 50, 'e');
--> count 5

INSERT INTO s VALUES (1, 11, 5, 1), (1, 12, NULL, 3), (1, 13, 7, 2), (2, 21, 1, 1), (3, NULL, 2, 2), (NULL, 99, 9, 9), (7, 70, 3, 4);
--> count 7

INSERT INTO r VALUES (1, 11), (1, 13), (2, 21), (2, NULL), (5, 5);
--> count 5

-- A value of at most one row.
SELECT id, (SELECT s.age FROM s WHERE s.id = u.id AND s.ts = 1) AS v FROM u ORDER BY id;
--> rows
-- 1 | 11
-- 2 | 21
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT s.age FROM s WHERE s.id = u.id AND u.id > 1) AS v FROM u ORDER BY id;
--> rows
-- 1 | NULL
-- 2 | 21
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

-- Two rows are an error only where a row asks for them.
SELECT id, (SELECT s.age FROM s WHERE s.id = u.id) AS v FROM u ORDER BY id;
--> error invalid: the subquery (SELECT age FROM s …) has more than one row; as a value it must have one at most

SELECT id, (SELECT s.age FROM s WHERE s.id = u.id) AS v FROM u WHERE id > 1 ORDER BY id;
--> rows
-- 2 | 21
-- 3 | NULL
-- 4 | NULL

--@ duckdb: fails
SELECT id, CASE WHEN id > 1 THEN (SELECT s.age FROM s WHERE s.id = u.id) ELSE 0 END AS v FROM u ORDER BY id;
--> rows
-- 1 | 0
-- 2 | 21
-- 3 | NULL
-- 4 | NULL
-- NULL | 0

-- The newest, the three newest, all but the first.
SELECT id, (SELECT s.age FROM s WHERE s.id = u.id ORDER BY s.ts DESC LIMIT 1) AS v FROM u ORDER BY id;
--> rows
-- 1 | 12
-- 2 | 21
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT s.age FROM s WHERE s.id = u.id ORDER BY s.ts LIMIT 1 OFFSET 1) AS v FROM u ORDER BY id;
--> rows
-- 1 | 13
-- 2 | NULL
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT sum(x.age) FROM (SELECT s.age FROM s WHERE s.id = u.id ORDER BY s.ts LIMIT 2) AS x) AS v FROM u ORDER BY id;
--> rows
-- 1 | 24
-- 2 | 21
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT s.age FROM s WHERE s.ts <= u.age ORDER BY s.ts DESC, s.age LIMIT 1) AS v FROM u ORDER BY id;
--> rows
-- 1 | 99
-- 2 | 99
-- 3 | NULL
-- 4 | 99
-- NULL | 99

-- By anything but equality.
SELECT id, (SELECT max(s.age) FROM s WHERE s.id < u.id) AS v, (SELECT count(*) FROM s WHERE s.id < u.id) AS n FROM u ORDER BY id;
--> rows
-- 1 | NULL | 0
-- 2 | 13 | 3
-- 3 | 21 | 4
-- 4 | 21 | 5
-- NULL | NULL | 0

SELECT id, (SELECT count(s.w) + 1 FROM s WHERE s.id = u.id) AS n, (SELECT count(*) FROM s WHERE s.id IS NOT DISTINCT FROM u.id) AS m FROM u ORDER BY id;
--> rows
-- 1 | 3 | 3
-- 2 | 2 | 1
-- 3 | 2 | 1
-- 4 | 1 | 0
-- NULL | 1 | 1

SELECT id, (SELECT sum(s.w) FROM s WHERE s.id = u.id OR s.age > u.age) AS v FROM u ORDER BY id;
--> rows
-- 1 | 25
-- 2 | 13
-- 3 | 2
-- 4 | 12
-- NULL | 12

SELECT id, (SELECT sum(s.w + u.id) FROM s WHERE s.id = u.id) AS v FROM u ORDER BY id;
--> rows
-- 1 | 14
-- 2 | 3
-- 3 | 5
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT max(s.age) FROM s WHERE s.id + 1 = u.id) AS v FROM u ORDER BY id;
--> rows
-- 1 | NULL
-- 2 | 13
-- 3 | 21
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT u.age) AS v, (SELECT u.age + count(*) FROM s) AS w FROM u ORDER BY id;
--> rows
-- 1 | 10 | 17
-- 2 | 20 | 27
-- 3 | NULL | NULL
-- 4 | 40 | 47
-- NULL | 50 | 57

-- With groups, HAVING, DISTINCT, windows, UNION, joins within.
SELECT id, (SELECT count(*) FROM s WHERE s.id = u.id HAVING count(*) > 1) AS v FROM u ORDER BY id;
--> rows
-- 1 | 3
-- 2 | NULL
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT count(*) FROM s WHERE s.id = u.id HAVING count(*) = 0) AS v FROM u ORDER BY id;
--> rows
-- 1 | NULL
-- 2 | NULL
-- 3 | NULL
-- 4 | 0
-- NULL | 0

SELECT id, (SELECT max(n) FROM (SELECT ts % 2 AS k, count(*) AS n FROM s WHERE s.id = u.id GROUP BY k) AS x) AS v FROM u ORDER BY id;
--> rows
-- 1 | 2
-- 2 | 1
-- 3 | 1
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT count(DISTINCT s.ts % 2) FROM s WHERE s.id = u.id) AS v, (SELECT count(*) FROM (SELECT DISTINCT s.ts % 2 FROM s WHERE s.id = u.id) AS x) AS w FROM u ORDER BY id;
--> rows
-- 1 | 2 | 2
-- 2 | 1 | 1
-- 3 | 1 | 1
-- 4 | 0 | 0
-- NULL | 0 | 0

SELECT id, (SELECT x.age FROM (SELECT s.age, row_number() OVER (ORDER BY s.ts) AS n FROM s WHERE s.id = u.id) AS x WHERE x.n = 1) AS v FROM u ORDER BY id;
--> rows
-- 1 | 11
-- 2 | 21
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

SELECT id FROM u WHERE id IN (SELECT x.id FROM (SELECT s.id, row_number() OVER (ORDER BY s.ts DESC) AS n FROM s WHERE s.id = u.id) AS x WHERE x.n = 1) ORDER BY id;
--> rows
-- 1
-- 2
-- 3

SELECT id, (SELECT max(x.v) FROM (SELECT s.age AS v FROM s WHERE s.id = u.id UNION ALL SELECT r.k FROM r WHERE r.id = u.id UNION ALL SELECT u.age) AS x) AS v FROM u ORDER BY id;
--> rows
-- 1 | 13
-- 2 | 21
-- 3 | NULL
-- 4 | 40
-- NULL | 50

SELECT id, (SELECT count(*) FROM (SELECT s.age AS v FROM s WHERE s.id = u.id INTERSECT SELECT r.k FROM r WHERE r.id = u.id) AS x) AS v FROM u ORDER BY id;
--> rows
-- 1 | 2
-- 2 | 1
-- 3 | 0
-- 4 | 0
-- NULL | 0

SELECT id, (SELECT count(*) FROM s JOIN r ON s.id = r.id AND s.age = r.k WHERE s.id = u.id) AS v, (SELECT count(*) FROM s JOIN r ON s.age = r.k AND r.id = u.id) AS w FROM u ORDER BY id;
--> rows
-- 1 | 2 | 2
-- 2 | 1 | 1
-- 3 | 0 | 0
-- 4 | 0 | 0
-- NULL | 0 | 0

SELECT id, (SELECT count(r.k) FROM s LEFT JOIN r ON s.age = r.k AND r.id = u.id WHERE s.id = 1) AS v, (SELECT count(*) FROM (SELECT * FROM s WHERE s.id = u.id) AS s LEFT JOIN r ON s.age = r.k) AS w FROM u ORDER BY id;
--> rows
-- 1 | 2 | 3
-- 2 | 0 | 1
-- 3 | 0 | 1
-- 4 | 0 | 0
-- NULL | 0 | 0

SELECT id, (SELECT count(*) FROM (SELECT * FROM s WHERE s.id = u.id) AS s FULL JOIN (SELECT * FROM r WHERE r.id = u.id) AS r ON s.age = r.k) AS v FROM u ORDER BY id;
--> rows
-- 1 | 3
-- 2 | 2
-- 3 | 1
-- 4 | 0
-- NULL | 0

SELECT id, (SELECT max(x.v) FROM (VALUES (u.id), (u.g), (u.age)) AS x(v)) AS v FROM u ORDER BY id, v;
--> rows
-- 1 | 10
-- 2 | 20
-- 3 | 3
-- 4 | 40
-- NULL | 50

-- Subqueries within subqueries, which ask two levels up.
SELECT id, (SELECT sum(s.w) FROM s WHERE s.id = u.id AND EXISTS (SELECT 1 FROM r WHERE r.id = s.id AND r.k = s.age)) AS v FROM u ORDER BY id;
--> rows
-- 1 | 12
-- 2 | 1
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

SELECT id, (SELECT count(*) FROM s WHERE EXISTS (SELECT 1 FROM r WHERE r.id = u.id AND r.k = s.age)) AS v FROM u ORDER BY id;
--> rows
-- 1 | 2
-- 2 | 1
-- 3 | 0
-- 4 | 0
-- NULL | 0

SELECT id, (SELECT max((SELECT count(*) FROM r WHERE r.id = u.id AND r.k <= s.age)) FROM s) AS v FROM u ORDER BY id;
--> rows
-- 1 | 2
-- 2 | 1
-- 3 | 0
-- 4 | 0
-- NULL | 0

SELECT id FROM u WHERE EXISTS (SELECT 1 FROM s WHERE s.id = u.id AND NOT EXISTS (SELECT 1 FROM r WHERE r.id = u.id AND r.k = s.age)) ORDER BY id;
--> rows
-- 1
-- 3

SELECT id FROM u WHERE age < (SELECT max(s.age) FROM s WHERE s.id = (SELECT min(r.id) FROM r WHERE r.id >= u.id)) ORDER BY id;
--> rows
-- 1
-- 2

-- EXISTS, IN, ANY and ALL as values, with three of them.
SELECT id, EXISTS (SELECT 1 FROM s WHERE s.id = u.id) AS e, NOT EXISTS (SELECT 1 FROM s WHERE s.id = u.id AND s.w > 4) AS n, EXISTS (SELECT 1 FROM s) AS a, EXISTS (SELECT 1 FROM s WHERE id > 100) AS b FROM u ORDER BY id;
--> rows
-- 1 | true | false | true | false
-- 2 | true | true | true | false
-- 3 | true | true | true | false
-- 4 | false | true | true | false
-- NULL | false | true | true | false

SELECT id, id IN (SELECT s.id FROM s) AS i, id NOT IN (SELECT s.id FROM s WHERE s.id IS NOT NULL) AS n, id IN (SELECT s.id FROM s WHERE s.id > 100) AS e FROM u ORDER BY id;
--> rows
-- 1 | true | false | false
-- 2 | true | false | false
-- 3 | true | false | false
-- 4 | NULL | true | false
-- NULL | NULL | NULL | false

SELECT id, age + 1 IN (SELECT s.age FROM s WHERE s.id = u.id) AS i, age NOT IN (SELECT s.age FROM s WHERE s.id = u.id) AS n FROM u ORDER BY id;
--> rows
-- 1 | true | true
-- 2 | true | true
-- 3 | NULL | NULL
-- 4 | false | true
-- NULL | false | true

SELECT id, 11 IN (SELECT s.age FROM s WHERE s.id = u.id) AS i, NULL IN (SELECT s.age FROM s WHERE s.id = u.id) AS n FROM u ORDER BY id;
--> rows
-- 1 | true | NULL
-- 2 | false | NULL
-- 3 | NULL | NULL
-- 4 | false | false
-- NULL | false | false

SELECT id, id = ANY (SELECT s.id FROM s) AS i, id <> ALL (SELECT s.id FROM s WHERE s.id < 3) AS n, id > ANY (SELECT s.id FROM s) AS g, id >= ALL (SELECT s.id FROM s WHERE s.id < 4) AS a, id < ALL (SELECT s.id FROM s WHERE s.id > 100) AS e FROM u ORDER BY id;
--> rows
-- 1 | true | false | NULL | false | true
-- 2 | true | false | true | false | true
-- 3 | true | true | true | true | true
-- 4 | NULL | true | true | true | true
-- NULL | NULL | NULL | NULL | NULL | true

SELECT id FROM u WHERE NOT (id IN (SELECT s.id FROM s) OR g = 1) ORDER BY id;
--> rows

SELECT id FROM u WHERE (id IN (SELECT s.id FROM s)) IS NULL ORDER BY id;
--> rows
-- 4
-- NULL

SELECT id FROM u WHERE (CASE WHEN id IN (SELECT s.id FROM s) THEN 1 ELSE 2 END) = 2 ORDER BY id;
--> rows
-- 4
-- NULL

SELECT id FROM u WHERE age NOT IN (SELECT s.age FROM s WHERE s.id = u.id) ORDER BY id;
--> rows
-- 1
-- 2
-- 4
-- NULL

SELECT id FROM u WHERE g = 2 OR EXISTS (SELECT 1 FROM s WHERE s.id = u.id AND s.w IS NULL) ORDER BY id;
--> rows
-- 1
-- 3
-- 4

SELECT id FROM u WHERE EXISTS (SELECT count(*) FROM s WHERE s.id = u.id) AND EXISTS (SELECT 1 FROM s WHERE s.id = u.id LIMIT 1) ORDER BY id;
--> rows
-- 1
-- 2
-- 3

SELECT id FROM u WHERE EXISTS (SELECT 1 FROM s WHERE s.id = u.id LIMIT 1 OFFSET 1) ORDER BY id;
--> rows
-- 1

SELECT id FROM u WHERE EXISTS (SELECT s.ts % 2 FROM s WHERE s.id = u.id GROUP BY s.ts % 2 HAVING count(*) > 1) ORDER BY id;
--> rows
-- 1

SELECT count(*) AS n FROM u WHERE (SELECT count(*) FROM s WHERE s.id = u.id) = 0;
--> rows
-- 2

-- In other places than a list or a condition.
SELECT (SELECT count(*) FROM s WHERE s.id = u.id) AS n, count(*) AS c FROM u GROUP BY (SELECT count(*) FROM s WHERE s.id = u.id) ORDER BY n;
--> rows
-- 0 | 2
-- 1 | 2
-- 3 | 1

SELECT sum((SELECT max(s.w) FROM s WHERE s.id = u.id)) AS v, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM s WHERE s.id = u.id)) AS n FROM u;
--> rows
-- 10 | 3

SELECT g, sum(age) AS v FROM u GROUP BY g HAVING sum(age) > (SELECT min(s.age) FROM s WHERE s.id = u.g) ORDER BY g;
--> rows
-- 1 | 30
-- 2 | 40

SELECT id FROM u ORDER BY (SELECT count(*) FROM s WHERE s.id = u.id) DESC, id;
--> rows
-- 1
-- 2
-- 3
-- 4
-- NULL

SELECT id, rank() OVER (ORDER BY (SELECT count(*) FROM s WHERE s.id = u.id) DESC) AS v FROM u ORDER BY v, id;
--> rows
-- 1 | 1
-- 2 | 2
-- 3 | 2
-- 4 | 4
-- NULL | 4

SELECT u.id, r.k FROM u JOIN r ON u.id = r.id AND r.k = (SELECT min(s.age) FROM s WHERE s.id = u.id) ORDER BY u.id;
--> rows
-- 1 | 11
-- 2 | 21

SELECT u.id, r.k FROM u LEFT JOIN r ON u.id = r.id AND r.k IN (SELECT s.age FROM s WHERE s.id = r.id) ORDER BY u.id, r.k;
--> rows
-- 1 | 11
-- 1 | 13
-- 2 | 21
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

-- LATERAL.
SELECT u.id, x.age FROM u, LATERAL (SELECT s.age FROM s WHERE s.id = u.id ORDER BY s.ts DESC LIMIT 2) AS x ORDER BY u.id, x.age;
--> rows
-- 1 | 12
-- 1 | 13
-- 2 | 21
-- 3 | NULL

SELECT u.id, x.n FROM u LEFT JOIN LATERAL (SELECT count(*) AS n FROM s WHERE s.id = u.id) AS x ON true ORDER BY u.id;
--> rows
-- 1 | 3
-- 2 | 1
-- 3 | 1
-- 4 | 0
-- NULL | 0

SELECT u.id, x.age FROM u LEFT JOIN LATERAL (SELECT s.age FROM s WHERE s.id = u.id AND s.ts > u.g) AS x ON x.age > 11 ORDER BY u.id, x.age;
--> rows
-- 1 | 12
-- 1 | 13
-- 2 | NULL
-- 3 | NULL
-- 4 | NULL
-- NULL | NULL

-- By several columns.
SELECT id FROM u WHERE (id, age + 1) IN (SELECT s.id, s.age FROM s) ORDER BY id;
--> rows
-- 1
-- 2

SELECT id, (id, age + 1) IN (SELECT s.id, s.age FROM s) AS v FROM u ORDER BY id;
--> rows
-- 1 | true
-- 2 | true
-- 3 | NULL
-- 4 | false
-- NULL | NULL

SELECT id FROM u WHERE (id, g) NOT IN (SELECT r.id, r.k FROM r) ORDER BY id;
--> rows
-- 1
-- 3
-- 4

-- In writes.
UPDATE u SET age = (SELECT s.age FROM s WHERE s.id = u.id AND s.ts = 1) WHERE id < 3;
--> count 2

SELECT id, age FROM u ORDER BY id;
--> rows
-- 1 | 11
-- 2 | 21
-- 3 | NULL
-- 4 | 40
-- NULL | 50

UPDATE u SET age = (SELECT s.age FROM s WHERE s.id = u.id);
--> error invalid: the subquery (SELECT age FROM s …) has more than one row

UPDATE u SET age = (SELECT max(s.age) FROM s WHERE s.id <= u.id), name = (SELECT min(r.k) FROM r WHERE r.id = u.id ORDER BY 1 LIMIT 1);
--> count 5

SELECT id, age, name FROM u ORDER BY id;
--> rows
-- 1 | 13 | 11
-- 2 | 21 | 21
-- 3 | 21 | NULL
-- 4 | 21 | NULL
-- NULL | NULL | NULL

DELETE FROM u WHERE age = (SELECT s.age FROM s WHERE s.id < u.id ORDER BY s.age DESC NULLS LAST LIMIT 1);
--> count 2

INSERT INTO u SELECT r.id, r.k, (SELECT s.age FROM s WHERE s.id = r.id ORDER BY s.ts LIMIT 1), NULL FROM r;
--> count 5

SELECT id, g, age FROM u ORDER BY id, g;
--> rows
-- 1 | 1 | 13
-- 1 | 11 | 11
-- 1 | 13 | 11
-- 2 | 1 | 21
-- 2 | 21 | 21
-- 2 | NULL | 21
-- 5 | 5 | NULL
-- NULL | 3 | NULL

-- Parameters are numbered as they are written.
PREPARE p AS SELECT id FROM u WHERE (id, g) IN (SELECT r.id, r.k FROM r WHERE r.k > ?) AND id + ? = 2 ORDER BY id;
--> ok

EXECUTE p(11, 1);
--> rows
-- 1

SELECT id FROM r WHERE random() >= 0 AND k > (SELECT min(s.age) FROM s WHERE s.id >= r.id) ORDER BY id;
--> rows
-- 1

SELECT x < 2 AS y FROM (SELECT random() AS x FROM r) AS q WHERE 0 < (SELECT count(*) FROM s WHERE s.id >= q.x);
--> rows
-- true
-- true
-- true
-- true
-- true

-- A condition is asked of each row, not of groups or windows.
SELECT id FROM r WHERE row_number() OVER (ORDER BY id) = 1;
--> error invalid: QUALIFY

-- A value of no row is NULL, also where a row's never is.
SELECT (SELECT 1 FROM r WHERE id > 1000) IS NULL AS a, coalesce((SELECT 1 FROM r WHERE id > 1000), 5) AS b, (SELECT 1 FROM r WHERE id > 1000) IS DISTINCT FROM 1 AS c;
--> rows
-- true | 5 | true

SELECT q.x IS NULL AS n FROM (SELECT (SELECT 2 FROM r WHERE id > 1000) AS x) AS q WHERE (SELECT 1 FROM r WHERE id > 1000) IS NOT DISTINCT FROM (SELECT 1 FROM r WHERE id > 1001);
--> rows
-- true

SELECT count(*) AS n FROM r WHERE (SELECT CAST((SELECT 0 FROM r WHERE id > 1000) AS DOUBLE)) IS NULL;
--> rows
-- 5

SELECT id, (SELECT 1 FROM s WHERE s.id = r.id AND s.age > 1000) AS x FROM r WHERE (SELECT 1 FROM s WHERE s.id = r.id AND s.age > 1000) IS NULL ORDER BY id;
--> rows
-- 1 | NULL
-- 1 | NULL
-- 2 | NULL
-- 2 | NULL
-- 5 | NULL

-- LATERAL that asks for two tables, one of them further away.
SELECT a.id, b.id AS other, q.k FROM r AS a, (r AS b CROSS JOIN LATERAL (SELECT c.k FROM r AS c WHERE c.id = a.id AND c.id = b.id) AS q) ORDER BY a.id, q.k;
--> rows
-- 1 | 1 | 11
-- 1 | 1 | 11
-- 1 | 1 | 11
-- 1 | 1 | 11
-- 1 | 1 | 13
-- 1 | 1 | 13
-- 1 | 1 | 13
-- 1 | 1 | 13
-- 2 | 2 | 21
-- 2 | 2 | 21
-- 2 | 2 | 21
-- 2 | 2 | 21
-- 2 | 2 | NULL
-- 2 | 2 | NULL
-- 2 | 2 | NULL
-- 2 | 2 | NULL
-- 5 | 5 | 5

SELECT a.k, q.v FROM r AS a JOIN LATERAL (SELECT (SELECT a.k FROM s AS b LIMIT 1) AS v, TRUE AS yes FROM (VALUES (1), (2)) AS c (n)) AS q ON q.yes ORDER BY a.k;
--> rows
-- 5 | 5
-- 5 | 5
-- 11 | 11
-- 11 | 11
-- 13 | 13
-- 13 | 13
-- 21 | 21
-- 21 | 21
-- NULL | NULL
-- NULL | NULL

-- An aggregate of outer columns alone is one of the outer query.
--@ duckdb: skip it aggregates the outer query
SELECT (SELECT max(r.k) FROM s) AS m FROM r WHERE id = 1;
--> error unsupported: belongs to that query

SELECT (SELECT max(r.k + s.age) FROM s) AS m FROM r WHERE id = 1 ORDER BY m;
--> rows
-- 110
-- 112

SELECT (SELECT 2 % nullif(4, 0) FROM r WHERE id > 1000) AS v, (SELECT coalesce(nullif(1, 0), 3) FROM r WHERE id > 1000) IS NULL AS n;
--> rows
-- NULL | true

-- The same of a subquery that asks for nothing outside.
SELECT (SELECT age FROM s) AS v;
--> error invalid: the subquery (SELECT age FROM s …) has more than one row; as a value it must have one at most

SELECT u.id FROM u WHERE u.age = (SELECT DISTINCT s.id FROM s) ORDER BY u.id;
--> error invalid: the subquery (SELECT id FROM s …) has more than one row

SELECT (SELECT id FROM s WHERE id IS NULL AND age = 12345) AS none, (SELECT min(id) FROM s) + (SELECT id + 1 FROM s GROUP BY id HAVING id = min(id) ORDER BY 1 LIMIT 1) AS two;
--> rows
-- NULL | 3

UPDATE u SET age = (SELECT s.age FROM s) WHERE id = 1;
--> error invalid: the subquery (SELECT age FROM s …) has more than one row

CREATE TABLE one (id INT, n DECIMAL(10, 2), t TEXT);
--> ok

INSERT INTO one VALUES (1, 2.5, 'x');
--> count 1

SELECT (SELECT n FROM one) AS n, (SELECT t FROM one) || 'y' AS t, count(*) FROM u WHERE id >= (SELECT o.id FROM one AS o) GROUP BY ALL;
--> rows
-- 2.50 | xy | 7

SELECT (SELECT n FROM one), (SELECT t FROM one);
--> rows
-- 2.50 | x

-- Lists of outer columns.
SELECT id, (SELECT max(s.age) FROM s WHERE s.id = ANY([u.id, u.id + 1])) AS m FROM u ORDER BY id NULLS LAST;
--> rows
-- 1 | 21
-- 1 | 21
-- 1 | 21
-- 2 | 21
-- 2 | 21
-- 2 | 21
-- 5 | NULL
-- NULL | NULL

SELECT id, (SELECT count(*) FROM s WHERE array_has([u.id, 2], s.id)) AS n, (SELECT [max(s.id), u.id, NULL] FROM s) AS l FROM u ORDER BY id NULLS LAST;
--> rows
-- 1 | 4 | [7, 1, NULL]
-- 1 | 4 | [7, 1, NULL]
-- 1 | 4 | [7, 1, NULL]
-- 2 | 1 | [7, 2, NULL]
-- 2 | 1 | [7, 2, NULL]
-- 2 | 1 | [7, 2, NULL]
-- 5 | 1 | [7, 5, NULL]
-- NULL | 1 | [7, NULL, NULL]

SELECT id, EXISTS (SELECT 1 FROM s WHERE [s.id, s.age] = [u.id, u.age]) AS e, (SELECT [[u.id], [min(s.id)]] FROM s)[1][1] AS same FROM u ORDER BY id NULLS LAST;
--> rows
-- 1 | true | 1
-- 1 | true | 1
-- 1 | true | 1
-- 2 | true | 2
-- 2 | true | 2
-- 2 | true | 2
-- 5 | false | 5
-- NULL | false | NULL

SELECT u.id, q.v FROM u, LATERAL (SELECT s.id + [u.id, 10][2] AS v FROM s WHERE s.id = u.id) AS q ORDER BY 1, 2;
--> rows
-- 1 | 11
-- 1 | 11
-- 1 | 11
-- 1 | 11
-- 1 | 11
-- 1 | 11
-- 1 | 11
-- 1 | 11
-- 1 | 11
-- 2 | 12
-- 2 | 12
-- 2 | 12

SELECT u.id, (SELECT sum(s.age) OVER (ORDER BY s.id, u.id NULLS FIRST, s.age ROWS UNBOUNDED PRECEDING) FROM s ORDER BY 1 DESC NULLS LAST LIMIT 1) AS w FROM u ORDER BY id NULLS LAST;
--> rows
-- 1 | 226
-- 1 | 226
-- 1 | 226
-- 2 | 226
-- 2 | 226
-- 2 | 226
-- 5 | 226
-- NULL | 226

-- Rows that are made once, of a recursive query that stands within.
WITH RECURSIVE w AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM w WHERE n < 4) SELECT n, place, (SELECT max(s.id) FROM s WHERE s.id < q.place) AS m FROM (SELECT n, row_number() OVER (ORDER BY n DESC) AS place FROM w) AS q ORDER BY n;
--> rows
-- 1 | 4 | 3
-- 2 | 3 | 2
-- 3 | 2 | 1
-- 4 | 1 | NULL

SELECT id, (SELECT sum(x) FROM unnest([1, u.id]) AS q(x)) AS v FROM u ORDER BY id NULLS LAST;
--> rows
-- 1 | 2
-- 1 | 2
-- 1 | 2
-- 2 | 3
-- 2 | 3
-- 2 | 3
-- 5 | 6
-- NULL | 1

SELECT u.id, (SELECT count(*) FROM (SELECT s.id AS n FROM s WHERE s.id <= u.id AND s.age > (SELECT o.n FROM one AS o)) AS q WHERE (SELECT max(r.id) FROM r WHERE r.id < q.n) > 0) AS c FROM u ORDER BY id NULLS LAST;
--> rows
-- 1 | 0
-- 1 | 0
-- 1 | 0
-- 2 | 1
-- 2 | 1
-- 2 | 1
-- 5 | 1
-- NULL | 0

-- A LIMIT without an order gives which rows it likes, the same ones to the subquery and to the query around it.
CREATE TABLE many AS SELECT r.value AS k FROM range(140000) AS r(value);
--> ok

SELECT count(*) FROM (SELECT k FROM many LIMIT 40000) AS q WHERE (SELECT count(*) FROM s WHERE s.id <= q.k) IS NULL;
--> rows
-- 0

SELECT count(*) FROM (SELECT k, row_number() OVER () AS n FROM many) AS q WHERE n <= 40000 AND (SELECT count(*) FROM s WHERE s.id <= q.k) IS NULL;
--> rows
-- 0
