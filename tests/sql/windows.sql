-- Window functions: ranks, offsets, frames, and windows as the source of DML.

CREATE TABLE t (id INT, grp TEXT, v INT);
--> ok

INSERT INTO t VALUES (1, 'a', 10), (2, 'a', 20), (3, 'a', 20), (4, 'b', 5), (5, 'b', NULL), (6, NULL, 7);
--> count 6

SELECT id, row_number() OVER (ORDER BY id DESC) AS rn, rank() OVER (ORDER BY v NULLS LAST) AS rk, dense_rank() OVER (ORDER BY v NULLS LAST) AS dr FROM t ORDER BY id;
--> rows
-- 1 | 6 | 3 | 3
-- 2 | 5 | 4 | 4
-- 3 | 4 | 4 | 4
-- 4 | 3 | 1 | 1
-- 5 | 2 | 6 | 5
-- 6 | 1 | 2 | 2

SELECT id, sum(v) OVER (PARTITION BY grp) AS total, count(*) OVER (PARTITION BY grp) AS n FROM t ORDER BY id;
--> rows
-- 1 | 50 | 3
-- 2 | 50 | 3
-- 3 | 50 | 3
-- 4 | 5 | 2
-- 5 | 5 | 2
-- 6 | 7 | 1

SELECT id, sum(v) OVER (PARTITION BY grp ORDER BY id) AS running FROM t ORDER BY id;
--> rows
-- 1 | 10
-- 2 | 30
-- 3 | 50
-- 4 | 5
-- 5 | 5
-- 6 | 7

SELECT id, lag(v) OVER (ORDER BY id) AS before, lead(v, 2) OVER (ORDER BY id) AS after, lag(v, 1, -1) OVER (PARTITION BY grp ORDER BY id) AS d FROM t ORDER BY id;
--> rows
-- 1 | NULL | 20 | -1
-- 2 | 10 | 5 | 10
-- 3 | 20 | NULL | 20
-- 4 | 20 | 7 | -1
-- 5 | 5 | NULL | 5
-- 6 | NULL | NULL | -1

SELECT id, sum(v) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS s, min(v) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS m FROM t ORDER BY id;
--> rows
-- 1 | 30 | 5
-- 2 | 50 | 5
-- 3 | 45 | 5
-- 4 | 25 | 5
-- 5 | 12 | 7
-- 6 | 7 | 7

SELECT id, first_value(id) OVER w AS f, last_value(id) OVER w AS l, nth_value(id, 2) OVER w AS n FROM t WINDOW w AS (PARTITION BY grp ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) ORDER BY id;
--> rows
-- 1 | 1 | 3 | 2
-- 2 | 1 | 3 | 2
-- 3 | 1 | 3 | 2
-- 4 | 4 | 5 | 5
-- 5 | 4 | 5 | 5
-- 6 | 6 | 6 | NULL

SELECT id, ntile(2) OVER (ORDER BY id) AS half, percent_rank() OVER (ORDER BY id) AS p, cume_dist() OVER (ORDER BY grp NULLS LAST) AS c FROM t WHERE id <> 6 ORDER BY id;
--> rows
-- 1 | 1 | 0.0 | 0.6
-- 2 | 1 | 0.25 | 0.6
-- 3 | 1 | 0.5 | 0.6
-- 4 | 2 | 0.75 | 1.0
-- 5 | 2 | 1.0 | 1.0

SELECT id, sum(v) OVER (ORDER BY v RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM t WHERE v IS NOT NULL ORDER BY v, id;
--> rows
-- 4 | 5
-- 6 | 12
-- 1 | 22
-- 2 | 62
-- 3 | 62

SELECT id, grp FROM t QUALIFY row_number() OVER (PARTITION BY grp ORDER BY id DESC) = 1 ORDER BY id;
--> rows
-- 3 | a
-- 5 | b
-- 6 | NULL

SELECT grp, sum(v) AS s, rank() OVER (ORDER BY sum(v) DESC) AS rk FROM t WHERE grp IS NOT NULL GROUP BY grp ORDER BY grp;
--> rows
-- a | 50 | 1
-- b | 5 | 2

-- DML by window functions
UPDATE t SET v = q.rn FROM (SELECT id, row_number() OVER (ORDER BY id DESC) AS rn FROM t) AS q WHERE t.id = q.id;
--> count 6

SELECT id, v FROM t ORDER BY id;
--> rows
-- 1 | 6
-- 2 | 5
-- 3 | 4
-- 4 | 3
-- 5 | 2
-- 6 | 1

DELETE FROM t WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY grp ORDER BY id) AS rn FROM t) AS q WHERE rn > 1);
--> count 3

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 6
-- 4 | b | 3
-- 6 | NULL | 1

-- sort keys that are worked out
CREATE TABLE k (id BIGINT, a INT, b INT, d DECIMAL(10, 2));
--> ok

INSERT INTO k VALUES (1, 3, 1, 1.50), (2, 1, 5, 2.50), (3, 2, 9, -3.00), (4, NULL, 2, NULL);
--> count 4

SELECT id, row_number() OVER (ORDER BY -a NULLS LAST) AS n, sum(a) OVER (ORDER BY a + 1 NULLS LAST) AS s,
    rank() OVER (PARTITION BY b % 2 ORDER BY a * b - id NULLS LAST) AS r, lag(id) OVER (ORDER BY d * 2 - a NULLS FIRST) AS l
FROM k ORDER BY id;
--> rows
-- 1 | 1 | 6 | 1 | 3
-- 2 | 3 | 1 | 2 | 1
-- 3 | 2 | 3 | 3 | 4
-- 4 | 4 | 6 | 1 | NULL

--@ duckdb: SELECT first(a ORDER BY b - a DESC NULLS LAST), last(id ORDER BY -id), array_agg(id ORDER BY id - b), string_agg(a::TEXT, '-' ORDER BY d * 2 + a) FROM k WHERE a IS NOT NULL
SELECT first_value(a ORDER BY b - a DESC NULLS LAST) AS f, last_value(id ORDER BY -id) AS l,
    array_agg(id ORDER BY id - b) AS x, string_agg(a::TEXT, '-' ORDER BY d * 2 + a) AS s
FROM k WHERE a IS NOT NULL;
--> rows
-- 2 | 1 | [3, 2, 1] | 2-3-1

SELECT max(a + b) OVER (PARTITION BY a - b ORDER BY -id) + 1 AS m, sum(sum(a - 1)) OVER (ORDER BY min(id) * 2) AS s
FROM k GROUP BY a, b, id ORDER BY s NULLS LAST, m;
--> rows
-- 5 | 2
-- 7 | 2
-- 12 | 3
-- NULL | 3

SELECT -a AS n, count(*) AS c FROM k GROUP BY -a ORDER BY -a NULLS LAST;
--> rows
-- -3 | 1
-- -2 | 1
-- -1 | 1
-- NULL | 1

SELECT DISTINCT ON (a % 2) a % 2 AS k, a + 1 AS n FROM k WHERE a > 0 ORDER BY a % 2, a + 1;
--> rows
-- 0 | 3
-- 1 | 2
