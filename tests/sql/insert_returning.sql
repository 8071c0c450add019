-- INSERT … RETURNING: the rows as they were stored.

CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT DEFAULT 'x', n INT);
--> ok

INSERT INTO t (id, n) VALUES (1, 10) RETURNING *;
--> rows
-- 1 | x | 10

INSERT INTO t (n, id) VALUES (20, 2), (30, 3) RETURNING id, n * 2 AS twice, upper(name) AS up;
--> rows
-- 2 | 40 | X
-- 3 | 60 | X

INSERT INTO t (id, name) SELECT id + 10, 'copy' FROM t WHERE id < 3 ORDER BY id RETURNING id, name;
--> rows unordered
-- 11 | copy
-- 12 | copy

INSERT INTO t SELECT * FROM t WHERE false RETURNING id;
--> rows

INSERT INTO t (id, n) VALUES (1, 11), (4, 40) ON CONFLICT (id) DO NOTHING RETURNING id;
--> rows
-- 4

INSERT INTO t (id, n) VALUES (1, 12), (5, 50) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING id, name, n;
--> rows unordered
-- 1 | x | 12
-- 5 | x | 50

INSERT INTO t (id) VALUES (6) RETURNING nope;
--> error invalid: No field named

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | x | 12
-- 2 | x | 20
-- 3 | x | 30
-- 4 | x | 40
-- 5 | x | 50
-- 11 | copy | NULL
-- 12 | copy | NULL

INSERT INTO t (id, n) VALUES ('7', '70') RETURNING id + 1 AS next, CASE WHEN n > 60 THEN 'big' ELSE 'small' END AS size;
--> rows
-- 8 | big

-- counts without RETURNING stay counts
INSERT INTO t (id) VALUES (8);
--> count 1
