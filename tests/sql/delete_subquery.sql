-- DELETE with IN, NOT IN, EXISTS and scalar subqueries: only the rows they name go.

CREATE TABLE t (id BIGINT, v INT);
--> ok

CREATE TABLE gone (id BIGINT, why TEXT);
--> ok

INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50), (6, 60), (NULL, 70);
--> count 7

-- against an empty list
DELETE FROM t WHERE id IN (SELECT id FROM gone);
--> count 0

INSERT INTO gone VALUES (1, 'x'), (1, 'y'), (3, 'x'), (9, 'z');
--> count 4

DELETE FROM t WHERE id IN (SELECT id FROM gone);
--> count 2

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 2 | 20
-- 4 | 40
-- 5 | 50
-- 6 | 60
-- NULL | 70

INSERT INTO gone VALUES (NULL, 'null');
--> count 1

DELETE FROM t WHERE id NOT IN (SELECT id FROM gone);
--> count 0

SELECT count(*) AS n FROM t;
--> rows
-- 5

DELETE FROM t WHERE EXISTS (SELECT 1 FROM gone WHERE gone.id = t.id);
--> count 0

INSERT INTO gone VALUES (2, 'two');
--> count 1

DELETE FROM t WHERE EXISTS (SELECT 1 FROM gone WHERE gone.id = t.id AND gone.why = 'two');
--> count 1

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 4 | 40
-- 5 | 50
-- 6 | 60
-- NULL | 70

-- on the table itself
DELETE FROM t WHERE v > (SELECT avg(v) FROM t);
--> count 2

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 4 | 40
-- 5 | 50

INSERT INTO t VALUES (4, 41), (4, 42), (7, 70);
--> count 3

DELETE FROM t WHERE id IN (SELECT id FROM t GROUP BY id HAVING count(*) > 1);
--> count 3

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 5 | 50
-- 7 | 70

DELETE FROM t WHERE id = (SELECT max(id) FROM t);
--> count 1

DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM gone WHERE gone.id = t.id) AND id IS NOT NULL;
--> count 1

SELECT count(*) AS n FROM t;
--> rows
-- 0

INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
--> count 3

-- rows that are not the last of their kind
DELETE FROM t AS old WHERE EXISTS (SELECT 1 FROM t AS young WHERE young.id > old.id);
--> count 2

SELECT * FROM t;
--> rows
-- 3 | 3

WITH doomed AS (SELECT 3 AS id) DELETE FROM t WHERE id IN (SELECT id FROM doomed);
--> count 1

DELETE FROM t WHERE id IN (SELECT nope FROM gone);
--> error invalid: No field named

SELECT count(*) AS n FROM gone;
--> rows
-- 6
