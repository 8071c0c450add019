-- UPDATE … RETURNING: the new values.

CREATE TABLE t (id BIGINT, v INT, name TEXT);
--> ok

INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, NULL);
--> count 3

UPDATE t SET v = v + 1 WHERE id = 2 RETURNING *;
--> rows
-- 2 | 21 | b

UPDATE t SET v = v * 2, name = 'n' WHERE id <> 2 RETURNING id, v, name;
--> rows unordered
-- 1 | 20 | n
-- 3 | 60 | n

UPDATE t SET v = 0 WHERE false RETURNING id;
--> rows

UPDATE t SET id = id + 100 RETURNING id, id - 100 AS before, v > 30 AS large;
--> rows unordered
-- 101 | 1 | false
-- 102 | 2 | false
-- 103 | 3 | true

UPDATE t SET v = 1 WHERE id = 101 RETURNING nope;
--> error invalid: No field named

SELECT * FROM t ORDER BY id;
--> rows
-- 101 | 20 | n
-- 102 | 21 | b
-- 103 | 60 | n

UPDATE t SET name = NULL RETURNING name;
--> rows
-- NULL
-- NULL
-- NULL
