-- MERGE: WHEN NOT MATCHED BY SOURCE and BY TARGET, a table brought level with another.

CREATE TABLE t (id BIGINT, name TEXT, active BOOLEAN DEFAULT true);
--> ok

CREATE TABLE s (id BIGINT, name TEXT);
--> ok

INSERT INTO t (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (NULL, 'n');
--> count 4

INSERT INTO s VALUES (2, 'B'), (3, 'c'), (4, 'd');
--> count 3

MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN UPDATE SET active = false;
--> count 2

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 1 | a | false
-- 2 | b | true
-- 3 | c | true
-- NULL | n | false

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND t.name <> s.name THEN UPDATE SET name = s.name WHEN NOT MATCHED BY TARGET THEN INSERT (id, name) VALUES (s.id, s.name) WHEN NOT MATCHED BY SOURCE AND t.id IS NOT NULL THEN DELETE;
--> count 3

SELECT * FROM t ORDER BY id NULLS LAST;
--> rows
-- 2 | B | true
-- 3 | c | true
-- 4 | d | true
-- NULL | n | false

-- nothing differs any more but the row without an id
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND t.name <> s.name THEN UPDATE SET name = s.name WHEN NOT MATCHED BY TARGET THEN INSERT (id, name) VALUES (s.id, s.name) WHEN NOT MATCHED BY SOURCE THEN DELETE;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 2 | B | true
-- 3 | c | true
-- 4 | d | true

-- an empty source: everything is unmatched
DELETE FROM s;
--> count 3

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'never' WHEN NOT MATCHED BY SOURCE AND t.id = 4 THEN UPDATE SET name = 'four' WHEN NOT MATCHED BY SOURCE THEN DELETE;
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 4 | four | true

-- an empty target
TRUNCATE TABLE t;
--> count 1

INSERT INTO s VALUES (10, 'x'), (11, NULL);
--> count 2

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED BY TARGET THEN INSERT (id, name) VALUES (s.id, s.name) WHEN NOT MATCHED BY SOURCE THEN DELETE;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 10 | x | true
-- 11 | NULL | true
