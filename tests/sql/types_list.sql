-- Lists: literals, columns, elements, functions, and DML on them.

CREATE TABLE t (id INT, nums BIGINT[], words TEXT[]);
--> ok

INSERT INTO t VALUES (1, [1, 2, 3], ['a', 'b']), (2, [], []), (3, NULL, NULL), (4, [NULL, 4], ['', NULL]);
--> count 4

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | [1, 2, 3] | [a, b]
-- 2 | [] | []
-- 3 | NULL | NULL
-- 4 | [NULL, 4] | ['', NULL]

SELECT id, nums[1] AS first, nums[9] AS none, words[2] AS second FROM t ORDER BY id;
--> rows
-- 1 | 1 | NULL | b
-- 2 | NULL | NULL | NULL
-- 3 | NULL | NULL | NULL
-- 4 | NULL | NULL | NULL

SELECT id, array_length(nums) AS n FROM t WHERE nums IS NOT NULL AND id <> 2 ORDER BY id;
--> rows
-- 1 | 3
-- 4 | 2

SELECT id FROM t WHERE array_has(nums, 2) ORDER BY id;
--> rows
-- 1

UPDATE t SET nums = [7, 8] WHERE id = 2;
--> count 1

UPDATE t SET nums = array_append(nums, 4), words = NULL WHERE id = 1;
--> count 1

UPDATE t SET words = ['new'] WHERE words IS NULL;
--> count 2

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | [1, 2, 3, 4] | [new]
-- 2 | [7, 8] | []
-- 3 | NULL | [new]
-- 4 | [NULL, 4] | ['', NULL]

SELECT id FROM t WHERE nums = [7, 8];
--> rows
-- 2

SELECT id, unnest(nums) AS n FROM t WHERE id < 3 ORDER BY id, n;
--> rows
-- 1 | 1
-- 1 | 2
-- 1 | 3
-- 1 | 4
-- 2 | 7
-- 2 | 8

SELECT array_agg(id ORDER BY id DESC) AS ids FROM t;
--> rows
-- [4, 3, 2, 1]

INSERT INTO t SELECT 10, array_agg(id ORDER BY id) AS nums, array_agg(CAST(id AS TEXT) ORDER BY CAST(id AS TEXT)) AS words FROM t WHERE id < 4;
--> count 1

SELECT * FROM t WHERE id = 10;
--> rows
-- 10 | [1, 2, 3] | [1, 2, 3]

DELETE FROM t WHERE nums[1] = 7;
--> count 1

DELETE FROM t WHERE nums IS NULL;
--> count 1

SELECT id FROM t ORDER BY id;
--> rows
-- 1
-- 4
-- 10

SELECT [[1, 2], [3]] AS nested, [1.5, NULL] AS mixed, ['x'] AS s;
--> rows
-- [[1, 2], [3]] | [1.5, NULL] | [x]

CREATE TABLE n (id INT, m BIGINT[][]);
--> ok

INSERT INTO n VALUES (1, [[1], [], NULL, [2, NULL]]);
--> count 1

SELECT m, m[4] AS four FROM n;
--> rows
-- [[1], [], NULL, [2, NULL]] | [2, NULL]

INSERT INTO t (id, nums) VALUES (11, ['a']);
--> error invalid

-- What is NULL has nothing in it, whatever lies behind.
CREATE TABLE behind (k INT, l BIGINT[], s STRUCT(a BIGINT, b VARCHAR));
--> ok

INSERT INTO behind VALUES (1, [8, 3, -2], {'a': 1, 'b': 'x'}), (2, [1], {'a': 2, 'b': NULL}), (3, NULL, NULL);
--> count 3

SELECT k, array_append(nullif(l, [8, 3, -2]), 5) AS a, array_prepend(5, nullif(l, [1])) AS p FROM behind ORDER BY k;
--> rows
-- 1 | [5] | [5, 8, 3, -2]
-- 2 | [1, 5] | [5]
-- 3 | [5] | [5]

SELECT k, (nullif(s, {'a': 1, 'b': 'x'}))['a'] AS a, (nullif(s, s)).b AS b FROM behind ORDER BY k;
--> rows
-- 1 | NULL | NULL
-- 2 | 2 | NULL
-- 3 | NULL | NULL

UPDATE behind SET l = array_append(nullif(l, [8, 3, -2]), k) WHERE (nullif(s, {'a': 2, 'b': NULL})).a IS NOT DISTINCT FROM s.a;
--> count 2

SELECT k, l FROM behind ORDER BY k;
--> rows
-- 1 | [1]
-- 2 | [1]
-- 3 | [3]
