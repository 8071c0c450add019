-- PREPARE, EXECUTE and DEALLOCATE.

CREATE TABLE t (id BIGINT, name TEXT, v INT);
--> ok

INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'O''Brien', 30);
--> count 3

PREPARE by_id AS SELECT name, v FROM t WHERE id = $1;
--> ok

EXECUTE by_id(1);
--> rows
-- a | 10

EXECUTE by_id(99);
--> rows

-- it reads the table of now
UPDATE t SET v = 21 WHERE id = 2;
--> count 1

EXECUTE by_id(2);
--> rows
-- b | 21

PREPARE two AS SELECT id FROM t WHERE name = $1 AND v > $2;
--> ok

EXECUTE two('O''Brien', 5);
--> rows
-- 3

EXECUTE two('O''Brien', 500);
--> rows

DELETE FROM t WHERE id = 3;
--> count 1

EXECUTE two('O''Brien', 5);
--> rows

EXECUTE by_id;
--> error invalid

EXECUTE nope(1);
--> error invalid: nope

--@ duckdb: skip DuckDB replaces the first
PREPARE by_id AS SELECT 1 AS one;
--> error invalid: by_id

DEALLOCATE by_id;
--> ok

EXECUTE by_id(1);
--> error invalid: by_id

PREPARE by_id AS SELECT v + $1 AS n FROM t WHERE id = 1;
--> ok

EXECUTE by_id(5);
--> rows
-- 15

SELECT $1 AS unbound;
--> error invalid

-- parameters by their places in the text
PREPARE two_new AS INSERT INTO t VALUES (?, ?, ?);
--> ok

EXECUTE two_new(7, 'seven', 70);
--> count 1

PREPARE change AS UPDATE t SET v = ? + ? * 10, name = ? WHERE id = ? AND name = ?;
--> ok

EXECUTE change(1, 2, 'new', 7, 'seven');
--> count 1

PREPARE look AS SELECT name, v, ? AS first FROM t WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ? OFFSET ?;
--> ok

EXECUTE look('x', 7, 8, 1, 0);
--> rows
-- new | 21 | x

EXECUTE look('x', 7, 8, 1, 1);
--> rows

PREPARE gone AS DELETE FROM t WHERE id = ? OR (id = ? AND v = ?);
--> ok

EXECUTE gone(70, 7, 21);
--> count 1

--@ duckdb: skip DuckDB numbers the two together
PREPARE mixed AS SELECT ?, $2;
--> error invalid: both '?' and '$2'

--@ duckdb: skip DuckDB numbers the two together
PREPARE mixed AS SELECT $1 FROM t WHERE id = ?;
--> error invalid: both '?' and '$1'
