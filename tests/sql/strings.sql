-- String functions, LIKE, and strings in DML.

CREATE TABLE t (id INT, s TEXT);
--> ok

INSERT INTO t VALUES (1, 'Hello'), (2, 'hello world'), (3, ''), (4, NULL), (5, '50%_off'), (6, '  trim  ');
--> count 6

SELECT id, upper(s) AS u, lower(s) AS l, length(s) AS n FROM t ORDER BY id;
--> rows
-- 1 | HELLO | hello | 5
-- 2 | HELLO WORLD | hello world | 11
-- 3 | '' | '' | 0
-- 4 | NULL | NULL | NULL
-- 5 | 50%_OFF | 50%_off | 7
-- 6 | \s\sTRIM\s\s | \s\strim\s\s | 8

SELECT id FROM t WHERE s LIKE 'hello%';
--> rows
-- 2

SELECT id FROM t WHERE s ILIKE 'HELLO%' ORDER BY id;
--> rows
-- 1
-- 2

SELECT id FROM t WHERE s NOT LIKE '%o%' ORDER BY id;
--> rows
-- 3
-- 6

SELECT id FROM t WHERE s LIKE '_ello';
--> rows
-- 1

SELECT id, trim(s) AS b, ltrim(s) AS l, rtrim(s) AS r FROM t WHERE id = 6;
--> rows
-- 6 | trim | trim\s\s | \s\strim

SELECT substr('hello', 2, 3) AS a, substring('hello' FROM 2) AS b, left('hello', 2) AS c, right('hello', 3) AS d, strpos('hello', 'l') AS e, strpos('hello', 'z') AS f;
--> rows
-- ell | ello | he | llo | 3 | 0

SELECT replace('banana', 'an', 'AN') AS a, reverse('abc') AS b, repeat('ab', 3) AS c, lpad('7', 3, '0') AS d, rpad('7', 3, '.') AS e, translate('abc', 'ac', 'xz') AS f;
--> rows
-- bANANa | cba | ababab | 007 | 7.. | xbz

SELECT split_part('a,b,c', ',', 2) AS a, concat('a', NULL, 'b', 1) AS b, concat_ws('-', 'x', NULL, 'y') AS c, starts_with('hello', 'he') AS d, ascii('A') AS e, chr(66) AS f;
--> rows
-- b | ab1 | x-y | true | 65 | B

SELECT 'a' || 'b' || CAST(3 AS TEXT) AS a, 'it''s' AS b, 'tab and "quotes"' AS c, '' AS d, md5('a') AS e;
--> rows
-- ab3 | it's | tab and "quotes" | '' | 0cc175b9c0f1b6a831c399e269772661

SELECT 'a' < 'b' AS a, 'B' < 'a' AS b, '' < 'a' AS c, 'abc' = 'ABC' AS d, 'a' = 'a ' AS e;
--> rows
-- true | true | true | false | false

SELECT length('日本語') AS n, substr('日本語', 2, 1) AS s, reverse('añb') AS r, upper('été') AS u;
--> rows
-- 3 | 本 | bña | ÉTÉ

SELECT regexp_replace('a1b22', '[0-9]+', '#') AS a, regexp_replace('a1b22', '[0-9]+', '#', 'g') AS b, position('lo' IN 'hello') AS p;
--> rows
-- a#b22 | a#b# | 4

UPDATE t SET s = s || '!' WHERE s LIKE '%o';
--> count 1

UPDATE t SET s = replace(trim(s), 'trim', 'cut') WHERE id = 6;
--> count 1

UPDATE t SET s = s || '?';
--> count 6

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | Hello!?
-- 2 | hello world?
-- 3 | ?
-- 4 | NULL
-- 5 | 50%_off?
-- 6 | cut?

DELETE FROM t WHERE s LIKE '%world_' OR length(s) = 1;
--> count 2

SELECT id FROM t ORDER BY id;
--> rows
-- 1
-- 4
-- 5
-- 6
