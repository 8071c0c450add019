-- ORDER BY the place of a column that is made of groups.

CREATE TABLE s (id INT, age INT);
--> ok

INSERT INTO s VALUES (1, 2), (2, 3), (2, 5), (NULL, 4);
--> count 4

SELECT sum(id) + 1 FROM s ORDER BY 1;
--> rows
-- 6

SELECT id + 1 FROM s GROUP BY id ORDER BY 1 NULLS FIRST;
--> rows
-- NULL
-- 2
-- 3

SELECT id + 1, count(*) FROM s GROUP BY id HAVING count(*) > 0 ORDER BY 1 DESC NULLS LAST, 2;
--> rows
-- 3 | 2
-- 2 | 1
-- NULL | 1

SELECT sum(age) * 2, id FROM s GROUP BY id ORDER BY 1 DESC, 2;
--> rows
-- 16 | 2
-- 8 | NULL
-- 4 | 1

SELECT abs(id), sum(age) + 1 FROM s GROUP BY id HAVING sum(age) > 0 ORDER BY 2, 1;
--> rows
-- 1 | 3
-- NULL | 5
-- 2 | 9

SELECT id + 1, sum(age) * 2 FROM s GROUP BY id + 1 ORDER BY 2 DESC, 1;
--> rows
-- 3 | 16
-- NULL | 8
-- 2 | 4

SELECT id + 1 AS x, sum(age) * 2 AS y FROM s GROUP BY ALL ORDER BY 2, 1;
--> rows
-- 2 | 4
-- NULL | 8
-- 3 | 16

SELECT id % 2, sum(age) * 2 FROM s GROUP BY ALL ORDER BY ALL NULLS LAST;
--> rows
-- 0 | 16
-- 1 | 4
-- NULL | 8

SELECT CASE WHEN count(*) > 1 THEN 1 ELSE 2 END, id FROM s GROUP BY id ORDER BY 1, 2 NULLS LAST;
--> rows
-- 1 | 2
-- 2 | 1
-- 2 | NULL

-- A literal at the place is not taken for a place itself.
SELECT 2, sum(age), id FROM s GROUP BY id ORDER BY 1, 2, 3;
--> rows
-- 2 | 2 | 1
-- 2 | 4 | NULL
-- 2 | 8 | 2

SELECT DISTINCT id + 1 FROM s GROUP BY id HAVING count(*) > 0 ORDER BY 1 NULLS LAST;
--> rows
-- 2
-- 3
-- NULL

-- Within others, and behind a set operation.
SELECT (SELECT id + 1 FROM s GROUP BY id ORDER BY 1 NULLS LAST LIMIT 1) AS first, (SELECT -sum(age) FROM s GROUP BY id ORDER BY 1 LIMIT 1) AS least;
--> rows
-- 2 | -8

SELECT * FROM (SELECT max(age) - 1 FROM s GROUP BY id ORDER BY 1 LIMIT 2) AS q(m) ORDER BY m;
--> rows
-- 1
-- 3

WITH q AS (SELECT -count(*), id FROM s GROUP BY id ORDER BY 1, 2 NULLS LAST LIMIT 2) SELECT * FROM q ORDER BY 2;
--> rows
-- -1 | 1
-- -2 | 2

SELECT id + 1 FROM s GROUP BY id UNION ALL SELECT sum(age) * 2 FROM s ORDER BY 1 NULLS LAST;
--> rows
-- 2
-- 3
-- 28
-- NULL

CREATE VIEW v AS SELECT id, sum(age) / 2.0 FROM s GROUP BY id ORDER BY 2 DESC LIMIT 2;
--> ok

SELECT * FROM v ORDER BY 1;
--> rows
-- 2 | 4.0
-- NULL | 2.0

CREATE TABLE made AS SELECT id, round(avg(age) * 10) AS a FROM s GROUP BY id ORDER BY 2 DESC, 1 LIMIT 1;
--> ok

SELECT * FROM made;
--> rows
-- 2 | 40.0

SELECT id + 1 FROM s GROUP BY id ORDER BY 2;
--> error invalid
