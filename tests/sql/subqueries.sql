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

-- Subqueries in one another, deep.
CREATE TABLE nest (id INTEGER);
--> ok

INSERT INTO nest VALUES (1), (2), (3);
--> count 3

SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT 1 + 1 AS c0) + 1 AS c1) + 1 AS c2) + 1 AS c3) + 1 AS c4) + 1 AS c5) + 1 AS c6) + 1 AS c7) + 1 AS c8) + 1 AS c9) + 1 AS c10) + 1 AS c11) + 1 AS c12) + 1 AS c13) + 1 AS c14) + 1 AS c15) + 1 AS c16) + 1 AS c17) + 1 AS c18) + 1 AS c19) + 1 AS c20) + 1 AS c21) + 1 AS c22) + 1 AS c23) + 1 AS c24) + 1 AS c25) + 1 AS c26) + 1 AS c27) + 1 AS c28) + 1 AS c29) AS x;
--> rows
-- 31

SELECT id, (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT 1 + 1 AS c0) + 1 AS c1) + 1 AS c2) + 1 AS c3) + 1 AS c4) + 1 AS c5) + 1 AS c6) + 1 AS c7) + 1 AS c8) + 1 AS c9) + 1 AS c10) + 1 AS c11) + 1 AS c12) + 1 AS c13) + 1 AS c14) + 1 AS c15) + 1 AS c16) + 1 AS c17) + 1 AS c18) + 1 AS c19) + 1 AS c20) + 1 AS c21) + 1 AS c22) + 1 AS c23) + 1 AS c24) + 1 AS c25) + 1 AS c26) + 1 AS c27) + 1 AS c28) + 1 AS c29) AS x FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT 2))))))))) ORDER BY id;
--> rows
-- 2 | 31

SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT id FROM nest WHERE id NOT IN (SELECT 2))))))))) ORDER BY id;
--> rows
-- 1
-- 3

SELECT id FROM nest WHERE EXISTS (SELECT 1 FROM nest AS n15 WHERE EXISTS (SELECT 1 FROM nest AS n14 WHERE EXISTS (SELECT 1 FROM nest AS n13 WHERE EXISTS (SELECT 1 FROM nest AS n12 WHERE EXISTS (SELECT 1 FROM nest AS n11 WHERE EXISTS (SELECT 1 FROM nest AS n10 WHERE EXISTS (SELECT 1 FROM nest AS n9 WHERE EXISTS (SELECT 1 FROM nest AS n8 WHERE EXISTS (SELECT 1 FROM nest AS n7 WHERE EXISTS (SELECT 1 FROM nest AS n6 WHERE EXISTS (SELECT 1 FROM nest AS n5 WHERE EXISTS (SELECT 1 FROM nest AS n4 WHERE EXISTS (SELECT 1 FROM nest AS n3 WHERE EXISTS (SELECT 1 FROM nest AS n2 WHERE EXISTS (SELECT 1 FROM nest AS n1 WHERE EXISTS (SELECT 1 FROM nest AS n0 WHERE EXISTS (SELECT 1 FROM nest WHERE id = 3))))))))))))))))) ORDER BY id;
--> rows
-- 1
-- 2
-- 3

SELECT id FROM nest WHERE id > (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT 2))))))))))))))))) ORDER BY id;
--> rows
-- 3

UPDATE nest SET id = id + (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT 1 + 1 AS c0) + 1 AS c1) + 1 AS c2) + 1 AS c3) + 1 AS c4) + 1 AS c5) + 1 AS c6) + 1 AS c7) + 1 AS c8) + 1 AS c9) + 1 AS c10) + 1 AS c11) + 1 AS c12) + 1 AS c13) + 1 AS c14) + 1 AS c15) + 1 AS c16) + 1 AS c17) + 1 AS c18) + 1 AS c19) + 1 AS c20) + 1 AS c21) + 1 AS c22) + 1 AS c23) + 1 AS c24) + 1 AS c25) + 1 AS c26) + 1 AS c27) + 1 AS c28) + 1 AS c29) WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT 2)))))))));
--> count 1

DELETE FROM nest WHERE id > (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT max(id) FROM nest WHERE id <= (SELECT 2)))))))))))))))));
--> count 2

--@ duckdb: skip it has no such limit
SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT id FROM nest WHERE id IN (SELECT 2)))))))))))))))))))))))));
--> error resources_exhausted: deep in itself
