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

-- Aggregates that cannot give rows back, over frames that begin later for a later row.
CREATE TABLE slid (id INT, grp INT, b BOOLEAN, n INT, s TEXT);
--> ok

INSERT INTO slid SELECT value, value % 3, CASE WHEN value % 7 = 0 THEN NULL ELSE value % 5 < 3 END, value * 37 % 16, CASE WHEN value % 4 = 0 THEN NULL ELSE 's' || value END FROM range(200) AS r (value);
--> count 200

SELECT id, bool_and(b) OVER w AS a, bool_or(b) OVER w AS o, bit_and(n) OVER w AS ba, bit_or(n) OVER w AS bo, string_agg(s, '-') OVER w AS t FROM slid WHERE id < 12 WINDOW w AS (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) ORDER BY id;
--> rows
-- 0 | NULL | NULL | 0 | 0 | NULL
-- 1 | true | true | 0 | 5 | s1
-- 2 | true | true | 0 | 15 | s1-s2
-- 3 | false | true | 0 | 15 | s1-s2-s3
-- 4 | false | true | 0 | 15 | s2-s3
-- 5 | false | true | 0 | 15 | s3-s5
-- 6 | false | true | 0 | 15 | s5-s6
-- 7 | true | true | 0 | 15 | s5-s6-s7
-- 8 | false | true | 0 | 15 | s6-s7
-- 9 | false | false | 0 | 15 | s7-s9
-- 10 | false | true | 0 | 15 | s9-s10
-- 11 | false | true | 0 | 15 | s9-s10-s11

SELECT id, bool_and(b) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a, string_agg(s, ',') FILTER (WHERE b) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING) AS t FROM slid WHERE id < 15 ORDER BY id;
--> rows
-- 0 | false | NULL
-- 1 | false | NULL
-- 2 | true | NULL
-- 3 | false | NULL
-- 4 | false | s1
-- 5 | false | s2
-- 6 | false | NULL
-- 7 | false | s1
-- 8 | false | s2,s5
-- 9 | false | s6
-- 10 | false | s1
-- 11 | false | s2,s5
-- 12 | false | s6
-- 13 | false | s10
-- 14 | true | s5,s11

SELECT count(*) AS rows, count(a) AS a, sum(length(t)) AS t, sum(bo) AS bo, min(ba) AS ba FROM (SELECT bool_or(b) OVER w AS a, string_agg(s, ',') OVER w AS t, bit_or(n) OVER w AS bo, bit_and(n) OVER w AS ba FROM slid WINDOW w AS (ORDER BY id ROWS BETWEEN 100 PRECEDING AND 3 FOLLOWING)) AS q;
--> rows
-- 200 | 200 | 50138 | 3000 | 0

SELECT id, bool_and(b) OVER (ORDER BY n RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a, count(DISTINCT n) OVER (ORDER BY id ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS d, string_agg(DISTINCT s, ',') OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING) AS t FROM slid WHERE id < 12 ORDER BY id;
--> rows
-- 0 | NULL | 1 | s1
-- 1 | false | 2 | s2
-- 2 | true | 3 | s3
-- 3 | false | 4 | NULL
-- 4 | false | 5 | s5
-- 5 | false | 5 | s6
-- 6 | false | 5 | s7
-- 7 | false | 5 | NULL
-- 8 | false | 5 | s9
-- 9 | false | 5 | s10
-- 10 | true | 5 | s11
-- 11 | false | 5 | NULL

DROP TABLE slid;
--> ok
