-- Tables without a key may hold equal rows; DML treats each as a row of its own.

CREATE TABLE t (a INT, b TEXT);
--> ok

INSERT INTO t VALUES (1, 'x'), (1, 'x'), (1, 'x'), (2, 'y'), (NULL, NULL), (NULL, NULL);
--> count 6

SELECT a, b, count(*) AS n FROM t GROUP BY a, b ORDER BY a NULLS LAST;
--> rows
-- 1 | x | 3
-- 2 | y | 1
-- NULL | NULL | 2

UPDATE t SET b = 'z' WHERE a = 1;
--> count 3

INSERT INTO t SELECT * FROM t WHERE a = 2;
--> count 1

INSERT INTO t SELECT DISTINCT a, b FROM t;
--> count 3

SELECT a, b, count(*) AS n FROM t GROUP BY a, b ORDER BY a NULLS LAST;
--> rows
-- 1 | z | 4
-- 2 | y | 3
-- NULL | NULL | 3

DELETE FROM t WHERE a = 2 RETURNING a, b;
--> rows
-- 2 | y
-- 2 | y
-- 2 | y

DELETE FROM t WHERE a IS NULL AND b IS NULL;
--> count 3

UPDATE t SET a = a + 1 RETURNING a;
--> rows
-- 2
-- 2
-- 2
-- 2

SELECT count(*) AS n, count(DISTINCT a) AS d FROM t;
--> rows
-- 4 | 1

DELETE FROM t USING (SELECT 2 AS a UNION ALL SELECT 2) AS s WHERE t.a = s.a;
--> count 4

--@ duckdb: skip uniqueness is identity for conflict clauses, a plain INSERT does not check it
CREATE TABLE k (id BIGINT PRIMARY KEY, v INT);
--> ok

--@ duckdb: skip uniqueness is identity for conflict clauses, a plain INSERT does not check it
INSERT INTO k VALUES (1, 1), (1, 2);
--> count 2

--@ duckdb: skip uniqueness is identity for conflict clauses, a plain INSERT does not check it
DELETE FROM k WHERE v = 2;
--> count 1

--@ duckdb: skip uniqueness is identity for conflict clauses, a plain INSERT does not check it
SELECT * FROM k;
--> rows
-- 1 | 1
