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
