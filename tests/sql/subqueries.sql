-- Subqueries in every place of a query.

CREATE TABLE c (id INT, name TEXT);
--> ok

CREATE TABLE o (id INT, c_id INT, total INT);
--> ok

INSERT INTO c VALUES (1, 'ann'), (2, 'bob'), (3, 'cid');
--> count 3

INSERT INTO o VALUES (10, 1, 100), (11, 1, 50), (12, 2, 70), (13, NULL, 5);
--> count 4

SELECT name FROM c WHERE id IN (SELECT c_id FROM o) ORDER BY name;
--> rows
-- ann
-- bob

SELECT name FROM c WHERE id NOT IN (SELECT c_id FROM o);
--> rows

SELECT name FROM c WHERE id NOT IN (SELECT c_id FROM o WHERE c_id IS NOT NULL);
--> rows
-- cid

SELECT name FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.c_id = c.id AND o.total > 60) ORDER BY name;
--> rows
-- ann
-- bob

SELECT name FROM c WHERE NOT EXISTS (SELECT 1 FROM o WHERE o.c_id = c.id);
--> rows
-- cid

SELECT name, (SELECT sum(total) FROM o WHERE o.c_id = c.id) AS total FROM c ORDER BY name;
--> rows
-- ann | 150
-- bob | 70
-- cid | NULL

SELECT name, (SELECT count(*) FROM o WHERE o.c_id = c.id) AS n FROM c ORDER BY name;
--> rows
-- ann | 2
-- bob | 1
-- cid | 0

SELECT id FROM o WHERE total > (SELECT avg(total) FROM o) ORDER BY id;
--> rows
-- 10
-- 12

SELECT id FROM o WHERE total = (SELECT max(i.total) FROM o i WHERE i.c_id = o.c_id) ORDER BY id;
--> rows
-- 10
-- 12

SELECT (SELECT max(total) FROM o) - (SELECT min(total) FROM o) AS width;
--> rows
-- 95

SELECT q.name, q.n FROM (SELECT c.name, count(o.id) AS n FROM c LEFT JOIN o ON o.c_id = c.id GROUP BY c.name) AS q WHERE q.n <> 1 ORDER BY q.name;
--> rows
-- ann | 2
-- cid | 0

SELECT (SELECT id FROM c WHERE id = 99) AS nothing;
--> rows
-- NULL

SELECT name FROM c WHERE (SELECT count(*) FROM o WHERE o.c_id = c.id) = 2;
--> rows
-- ann

SELECT id, id IN (SELECT c_id FROM o) AS known FROM c WHERE id < 3 ORDER BY id;
--> rows
-- 1 | true
-- 2 | true

SELECT count(*) AS n FROM o WHERE c_id IN (SELECT id FROM c WHERE name IN (SELECT name FROM c WHERE id > 1));
--> rows
-- 1

-- the same after DML
DELETE FROM o WHERE c_id IS NULL;
--> count 1

SELECT name FROM c WHERE id NOT IN (SELECT c_id FROM o);
--> rows
-- cid

SELECT (SELECT id FROM c) AS many;
--> error invalid

SELECT (SELECT id, name FROM c WHERE id = 1) AS pair;
--> error invalid

SELECT name FROM c WHERE id IN (SELECT nope FROM o);
--> error invalid: No field named
