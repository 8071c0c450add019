-- Common table expressions, recursive ones too, in queries and in DML.

CREATE TABLE tree (id BIGINT, parent BIGINT, name TEXT);
--> ok

INSERT INTO tree VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 1, 'b'), (4, 2, 'aa'), (5, 4, 'aaa'), (6, NULL, 'other');
--> count 6

WITH roots AS (SELECT id FROM tree WHERE parent IS NULL) SELECT count(*) AS n FROM roots;
--> rows
-- 2

WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT a.x AS ax, b.x AS bx FROM a, b;
--> rows
-- 1 | 2

WITH a (p, q) AS (SELECT id, name FROM tree) SELECT p, q FROM a WHERE p > 4 ORDER BY p;
--> rows
-- 5 | aaa
-- 6 | other

WITH a AS (SELECT parent, count(*) AS n FROM tree GROUP BY parent) SELECT x.n, y.n AS m FROM a x JOIN a y ON x.parent = y.parent + 1 ORDER BY x.n, m;
--> rows
-- 1 | 2

WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) AS s, count(*) AS c FROM r;
--> rows
-- 15 | 5

WITH RECURSIVE down AS (SELECT id, name, 0 AS depth FROM tree WHERE id = 1 UNION ALL SELECT t.id, t.name, d.depth + 1 FROM tree t JOIN down d ON t.parent = d.id) SELECT id, name, depth FROM down ORDER BY id;
--> rows
-- 1 | root | 0
-- 2 | a | 1
-- 3 | b | 1
-- 4 | aa | 2
-- 5 | aaa | 3

WITH RECURSIVE cycle_free AS (SELECT 1 AS n UNION SELECT n % 3 + 1 FROM cycle_free) SELECT n FROM cycle_free ORDER BY n;
--> rows
-- 1
-- 2
-- 3

WITH outer_q AS (WITH inner_q AS (SELECT 5 AS five) SELECT five * 2 AS ten FROM inner_q) SELECT ten FROM outer_q;
--> rows
-- 10

SELECT * FROM (WITH q AS (SELECT 1 AS one) SELECT one FROM q) AS s;
--> rows
-- 1

WITH leaf AS (SELECT id FROM tree WHERE id NOT IN (SELECT parent FROM tree WHERE parent IS NOT NULL)) UPDATE tree SET name = name || '*' WHERE id IN (SELECT id FROM leaf);
--> count 3

SELECT id, name FROM tree ORDER BY id;
--> rows
-- 1 | root
-- 2 | a
-- 3 | b*
-- 4 | aa
-- 5 | aaa*
-- 6 | other*

WITH gone AS (SELECT id FROM tree WHERE name LIKE 'a%') DELETE FROM tree WHERE id IN (SELECT id FROM gone WHERE id > 2);
--> count 2

SELECT id FROM tree ORDER BY id;
--> rows
-- 1
-- 2
-- 3
-- 6

WITH a AS (SELECT 1 AS x), a AS (SELECT 2 AS x) SELECT x FROM a;
--> error invalid: a

WITH q AS (SELECT 1 AS x) SELECT y FROM q;
--> error invalid: No field named

WITH q AS (SELECT 1 AS x) SELECT x FROM p;
--> error invalid: not found

-- What may be NULL in one plan of DataFusion and never in the other.
WITH RECURSIVE w AS (SELECT 0 AS n, FALSE AS c, TRUE AS d UNION ALL SELECT n + 1, nullif(c, FALSE) IS NOT FALSE, d IS UNKNOWN FROM w WHERE n < 3) SELECT * FROM w ORDER BY n;
--> rows
-- 0 | false | true
-- 1 | true | false
-- 2 | true | false
-- 3 | true | false
