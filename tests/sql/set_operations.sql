-- UNION, INTERSECT, EXCEPT with and without ALL, and as the source of DML.

CREATE TABLE a (x INT, s TEXT);
--> ok

CREATE TABLE b (x INT, s TEXT);
--> ok

INSERT INTO a VALUES (1, 'one'), (1, 'one'), (2, 'two'), (NULL, NULL), (NULL, NULL);
--> count 5

INSERT INTO b VALUES (1, 'one'), (3, 'three'), (NULL, NULL);
--> count 3

SELECT x, s FROM a UNION SELECT x, s FROM b ORDER BY x NULLS LAST;
--> rows
-- 1 | one
-- 2 | two
-- 3 | three
-- NULL | NULL

SELECT x FROM a UNION ALL SELECT x FROM b ORDER BY x NULLS FIRST;
--> rows
-- NULL
-- NULL
-- NULL
-- 1
-- 1
-- 1
-- 2
-- 3

SELECT x FROM a INTERSECT SELECT x FROM b ORDER BY x NULLS LAST;
--> rows
-- 1
-- NULL

SELECT x, s FROM a EXCEPT SELECT x, s FROM b ORDER BY x;
--> rows
-- 2 | two

SELECT x FROM b EXCEPT SELECT x FROM a;
--> rows
-- 3

SELECT x FROM a EXCEPT SELECT x FROM a;
--> rows

SELECT x FROM a UNION SELECT x FROM b EXCEPT SELECT 1 ORDER BY x NULLS LAST;
--> rows
-- 2
-- 3
-- NULL

(SELECT x FROM a WHERE x = 2) UNION ALL (SELECT x FROM b WHERE x = 3) ORDER BY x DESC;
--> rows
-- 3
-- 2

SELECT count(*) AS n FROM (SELECT x FROM a UNION SELECT x FROM b) AS u;
--> rows
-- 4

SELECT x FROM a UNION ALL SELECT x FROM b ORDER BY x NULLS LAST LIMIT 3 OFFSET 1;
--> rows
-- 1
-- 1
-- 2

SELECT 1 AS n UNION ALL SELECT CAST(2 AS BIGINT) UNION ALL SELECT CAST(3 AS SMALLINT) ORDER BY n;
--> rows
-- 1
-- 2
-- 3

VALUES (1, 'a'), (2, 'b');
--> rows
-- 1 | a
-- 2 | b

INSERT INTO a SELECT x, s FROM b EXCEPT SELECT x, s FROM a;
--> count 1

DELETE FROM a WHERE x IN (SELECT x FROM a INTERSECT SELECT x FROM b);
--> count 3

SELECT * FROM a ORDER BY x NULLS LAST;
--> rows
-- 2 | two
-- NULL | NULL
-- NULL | NULL

SELECT x FROM a UNION SELECT x, s FROM b;
--> error invalid

-- One input has a column that is constant there, and one that is another one again.
CREATE TABLE k (x INTEGER, d DATE);
--> ok

INSERT INTO k VALUES (3, '2024-01-03'), (1, '2024-01-01'), (NULL, NULL), (2, '2024-03-01'), (3, '2023-01-01');
--> count 5

SELECT p, q, r FROM (SELECT x AS p, DATE '2024-02-01' AS q, x AS r FROM k UNION ALL SELECT max(x), max(d), max(x) FROM k) AS u ORDER BY p, q, r;
--> rows
-- 1 | 2024-02-01 | 1
-- 2 | 2024-02-01 | 2
-- 3 | 2024-02-01 | 3
-- 3 | 2024-02-01 | 3
-- 3 | 2024-03-01 | 3
-- NULL | 2024-02-01 | NULL

SELECT p, sum(p) OVER (ORDER BY p, q, r ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS s FROM (SELECT x AS p, DATE '2024-02-01' AS q, x AS r FROM k UNION ALL SELECT max(x), max(d), max(x) FROM k) AS u ORDER BY p, q, r, s;
--> rows
-- 1 | 3
-- 2 | 6
-- 3 | 8
-- 3 | 9
-- 3 | 6
-- NULL | 3

SELECT p, q, r, row_number() OVER (PARTITION BY p ORDER BY q, r DESC) AS n FROM (SELECT x AS p, 7 AS q, x AS r FROM k UNION ALL SELECT min(x), 5, count(*) FROM k UNION ALL SELECT x, x, 3 FROM k WHERE x = 3) AS u ORDER BY p, q, r DESC, n;
--> rows
-- 1 | 5 | 5 | 1
-- 1 | 7 | 1 | 2
-- 2 | 7 | 2 | 1
-- 3 | 3 | 3 | 1
-- 3 | 3 | 3 | 2
-- 3 | 7 | 3 | 3
-- 3 | 7 | 3 | 4
-- NULL | 7 | NULL | 1
