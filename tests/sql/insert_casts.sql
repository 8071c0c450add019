-- Values are cast to the column's type; what does not fit fails the statement as a whole.

CREATE TABLE t (tiny TINYINT, small SMALLINT, i INT, big BIGINT, d DOUBLE, txt TEXT, day DATE, ok BOOLEAN, price DECIMAL(6,2));
--> ok

INSERT INTO t VALUES ('1', '2', '3', '4', '5.5', 'six', '2024-07-08', 'true', '9.99');
--> count 1

INSERT INTO t (tiny, small, i, big) VALUES (127, 32767, 2147483647, 9223372036854775807);
--> count 1

INSERT INTO t (tiny, small, i, big) VALUES (-128, -32768, -2147483648, -9223372036854775808);
--> count 1

INSERT INTO t (txt) VALUES (42);
--> count 1

SELECT * FROM t ORDER BY tiny NULLS FIRST;
--> rows
-- NULL | NULL | NULL | NULL | NULL | 42 | NULL | NULL | NULL
-- -128 | -32768 | -2147483648 | -9223372036854775808 | NULL | NULL | NULL | NULL | NULL
-- 1 | 2 | 3 | 4 | 5.5 | six | 2024-07-08 | true | 9.99
-- 127 | 32767 | 2147483647 | 9223372036854775807 | NULL | NULL | NULL | NULL | NULL

INSERT INTO t (tiny) VALUES (300);
--> error invalid: 300

INSERT INTO t (tiny) VALUES (-129);
--> error invalid: 129

INSERT INTO t (small) VALUES (32768);
--> error invalid: 32768

INSERT INTO t (i) VALUES (2147483648);
--> error invalid: 2147483648

INSERT INTO t (big) VALUES ('abc');
--> error invalid: abc

INSERT INTO t (big) VALUES ('');
--> error invalid

INSERT INTO t (day) VALUES ('2024-02-30');
--> error invalid: 2024-02-30

INSERT INTO t (ok) VALUES ('maybe');
--> error invalid: maybe

INSERT INTO t (price) VALUES ('12345.67');
--> error invalid

INSERT INTO t (tiny) VALUES (1), (2), (1000);
--> error invalid: 1000

INSERT INTO t (tiny) SELECT big FROM t WHERE big IS NOT NULL;
--> error invalid

SELECT count(*) AS n, count(tiny) AS tinies FROM t;
--> rows
-- 4 | 3

UPDATE t SET tiny = 300;
--> error invalid: 300

UPDATE t SET tiny = i WHERE i > 3;
--> error invalid: 2147483647

UPDATE t SET big = 'abc' WHERE big = 4;
--> error invalid: abc

SELECT tiny, big FROM t WHERE txt = 'six';
--> rows
-- 1 | 4

-- columns of other types feed a text column and back
UPDATE t SET txt = CAST(i AS TEXT) WHERE i IS NOT NULL;
--> count 3

UPDATE t SET big = CAST(txt AS BIGINT) - 1 WHERE i = 3;
--> count 1

SELECT i, txt, big FROM t WHERE i IS NOT NULL ORDER BY i;
--> rows
-- -2147483648 | -2147483648 | -9223372036854775808
-- 3 | 3 | 2
-- 2147483647 | 2147483647 | 9223372036854775807
