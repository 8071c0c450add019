-- MERGE with several clauses of a kind: the first whose condition holds wins.

CREATE TABLE t (id BIGINT, v BIGINT, note TEXT);
--> ok

CREATE TABLE s (id BIGINT, v BIGINT, op TEXT);
--> ok

INSERT INTO t VALUES (1, 10, 'keep'), (2, 20, 'keep'), (3, 30, 'keep'), (4, 40, 'keep'), (5, 50, 'keep');
--> count 5

INSERT INTO s VALUES (1, 1, 'del'), (2, 2, 'set'), (3, 3, 'none'), (4, 4, NULL), (6, 6, 'new'), (7, 7, 'skip'), (8, 8, 'other');
--> count 7

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.op = 'del' THEN DELETE WHEN MATCHED AND s.op = 'set' THEN UPDATE SET v = s.v, note = 'set' WHEN MATCHED AND s.op IS NULL THEN UPDATE SET note = 'null' WHEN NOT MATCHED AND s.op = 'new' THEN INSERT (id, v, note) VALUES (s.id, s.v, 'new') WHEN NOT MATCHED AND s.op = 'other' THEN INSERT (id, note) VALUES (s.id, 'other');
--> count 5

SELECT * FROM t ORDER BY id;
--> rows
-- 2 | 2 | set
-- 3 | 30 | keep
-- 4 | 40 | null
-- 5 | 50 | keep
-- 6 | 6 | new
-- 8 | NULL | other

-- both conditions hold: the first clause acts
MERGE INTO t USING (SELECT 2 AS id) AS q ON t.id = q.id WHEN MATCHED AND t.v < 100 THEN UPDATE SET note = 'first' WHEN MATCHED THEN UPDATE SET note = 'second';
--> count 1

-- a condition that is NULL does not hold
MERGE INTO t USING (SELECT 8 AS id) AS q ON t.id = q.id WHEN MATCHED AND t.v > 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 88;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 2 | 2 | first
-- 3 | 30 | keep
-- 4 | 40 | null
-- 5 | 50 | keep
-- 6 | 6 | new
-- 8 | 88 | other

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND false THEN DELETE WHEN NOT MATCHED AND false THEN INSERT (id) VALUES (s.id);
--> count 0

-- columns swapped, as in an UPDATE
MERGE INTO t USING (SELECT 3 AS id) AS q ON t.id = q.id WHEN MATCHED THEN UPDATE SET id = t.v, v = t.id;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 2 | 2 | first
-- 4 | 40 | null
-- 5 | 50 | keep
-- 6 | 6 | new
-- 8 | 88 | other
-- 30 | 3 | keep

-- a clause sees the rows that it has, and no others
CREATE TABLE a (id BIGINT, v BIGINT);
--> ok

INSERT INTO a VALUES (1, 1), (2, 20), (3, 3);
--> count 3

CREATE TABLE z (id BIGINT, v BIGINT);
--> ok

INSERT INTO z VALUES (1, 100), (7, 700), (8, 1);
--> count 3

MERGE INTO a USING z ON a.id = z.id WHEN NOT MATCHED AND a.v > 5 THEN INSERT (id, v) VALUES (z.id, z.v);
--> error invalid: WHEN NOT MATCHED has no row of the target, and 'a.v > 5'

MERGE INTO a USING z ON a.id = z.id WHEN NOT MATCHED THEN INSERT (id, v) VALUES (z.id, a.v);
--> error invalid: WHEN NOT MATCHED has no row of the target, and 'a.v'

MERGE INTO a USING z ON a.id = z.id WHEN NOT MATCHED BY SOURCE AND z.v > 5 THEN DELETE;
--> error invalid: WHEN NOT MATCHED BY SOURCE has no row of the source, and 'z.v > 5'

MERGE INTO a USING z ON a.id = z.id WHEN NOT MATCHED BY SOURCE THEN UPDATE SET v = a.v + z.v;
--> error invalid: WHEN NOT MATCHED BY SOURCE has no row of the source, and 'a.v + z.v'

-- so a name that both sides have is that of the side at hand
MERGE INTO a USING z ON a.id = z.id WHEN NOT MATCHED AND v > 5 THEN INSERT (id, v) VALUES (id, v)
    WHEN NOT MATCHED BY SOURCE AND v > 5 THEN UPDATE SET v = -v;
--> count 2

SELECT * FROM a ORDER BY id;
--> rows
-- 1 | 1
-- 2 | -20
-- 3 | 3
-- 7 | 700
