-- TEXT and BYTEA: empty and odd strings, bytes, and BOOLEAN beside them.

CREATE TABLE t (id INT, txt TEXT, bin BYTEA, ok BOOLEAN);
--> ok

INSERT INTO t VALUES (1, '', X'', true), (2, ' padded ', X'00ff', false), (3, 'pipe | and \ slash', X'deadbeef', NULL), (4, 'NULL', NULL, true), (5, 'ünïcödé 日本 🦀', CAST('abc' AS BYTEA), false);
--> count 5

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | '' | '' | true
-- 2 | \spadded\s | 00ff | false
-- 3 | pipe \| and \\ slash | deadbeef | NULL
-- 4 | \NULL | NULL | true
-- 5 | ünïcödé 日本 🦀 | 616263 | false

SELECT id FROM t WHERE txt = '';
--> rows
-- 1

SELECT id FROM t WHERE bin = X'00ff';
--> rows
-- 2

SELECT id FROM t WHERE ok ORDER BY id;
--> rows
-- 1
-- 4

SELECT id FROM t WHERE NOT ok ORDER BY id;
--> rows
-- 2
-- 5

UPDATE t SET txt = 'two
lines' WHERE id = 1;
--> count 1

UPDATE t SET bin = X'0102' WHERE bin = X'00ff';
--> count 1

UPDATE t SET ok = txt IS NOT NULL AND bin IS NOT NULL;
--> count 5

UPDATE t SET txt = NULL WHERE txt = 'NULL';
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | two\nlines | '' | true
-- 2 | \spadded\s | 0102 | true
-- 3 | pipe \| and \\ slash | deadbeef | true
-- 4 | NULL | NULL | false
-- 5 | ünïcödé 日本 🦀 | 616263 | true

SELECT id, length(txt) AS n, upper(txt) AS up FROM t WHERE id IN (1, 5) ORDER BY id;
--> rows
-- 1 | 9 | TWO\nLINES
-- 5 | 12 | ÜNÏCÖDÉ 日本 🦀

DELETE FROM t WHERE bin = CAST('abc' AS BYTEA);
--> count 1

SELECT min(txt) AS lo, max(txt) AS hi, count(bin) AS bins, count(DISTINCT ok) AS oks FROM t;
--> rows
-- \spadded\s | two\nlines | 3 | 2

SELECT id FROM t WHERE bin > X'01' ORDER BY bin;
--> rows
-- 2
-- 3

SELECT CAST(true AS TEXT) AS t, CAST('false' AS BOOLEAN) AS f, CAST(1 AS BOOLEAN) AS one, CAST(0 AS BOOLEAN) AS zero;
--> rows
-- true | false | true | false
