-- TRUNCATE: the count is that of the rows removed.

CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT);
--> ok

TRUNCATE TABLE t;
--> count 0

INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
--> count 3

DELETE FROM t WHERE id = 2;
--> count 1

TRUNCATE TABLE t;
--> count 2

SELECT * FROM t;
--> rows

INSERT INTO t VALUES (1, 'again') ON CONFLICT (id) DO NOTHING;
--> count 1

SELECT * FROM t;
--> rows
-- 1 | again

TRUNCATE t;
--> count 1

TRUNCATE TABLE nope;
--> error invalid: not found
