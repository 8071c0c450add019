-- Clauses that would be read and passed over: each is refused by its name.

CREATE TABLE t (id BIGINT, v BIGINT);
--> ok

INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 20);
--> count 4

--@ duckdb: skip DuckDB samples
SELECT * FROM t TABLESAMPLE SYSTEM (10);
--> error unsupported: TABLESAMPLE

--@ duckdb: skip DuckDB samples
SELECT * FROM (SELECT * FROM t) AS q TABLESAMPLE (10 PERCENT);
--> error unsupported: TABLESAMPLE

SELECT v, count(*) FROM t GROUP BY v WITH ROLLUP;
--> error unsupported: GROUP BY … WITH ROLLUP; write GROUP BY ROLLUP

SELECT v, count(*) AS n FROM t GROUP BY ROLLUP (v) ORDER BY v;
--> rows
-- 10 | 1
-- 20 | 2
-- 30 | 1
-- NULL | 4

SELECT * FROM t FOR UPDATE;
--> error unsupported: FOR UPDATE

SELECT * FROM t PREWHERE id = 1;
--> error unsupported: PREWHERE

SELECT * FROM t FOR SYSTEM_TIME AS OF '2024-01-01';
--> error invalid: SYSTEM_TIME

SELECT * FROM t WITH (NOLOCK);
--> error unsupported: WITH (…) after a table

SELECT * FROM t FORMAT JSON;
--> error unsupported: FORMAT

SELECT * FROM t SETTINGS max_threads = 1;
--> error unsupported: SETTINGS

SELECT id FROM t START WITH id = 1 CONNECT BY PRIOR id = v;
--> error unsupported: CONNECT BY

--@ duckdb: skip DuckDB counts
SELECT * FROM generate_series(1, 3) WITH ORDINALITY;
--> error unsupported: WITH ORDINALITY

-- within writes and views too
--@ duckdb: skip DuckDB samples
DELETE FROM t WHERE id IN (SELECT id FROM t TABLESAMPLE SYSTEM (10));
--> error unsupported: TABLESAMPLE

--@ duckdb: skip DuckDB samples
CREATE VIEW w AS SELECT * FROM t TABLESAMPLE SYSTEM (10);
--> error unsupported: TABLESAMPLE

SELECT count(*) AS n FROM t;
--> rows
-- 4

-- a recursive query is a UNION without ends of its own
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 100 LIMIT 5) SELECT count(*) FROM r;
--> error unsupported: LIMIT or OFFSET in the recursive query r

WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM R WHERE n < 100 ORDER BY n DESC) SELECT count(*) FROM r;
--> error unsupported: ORDER BY in the recursive query r

--@ duckdb: skip DuckDB does that
WITH RECURSIVE r AS (WITH t AS (SELECT 1 AS id) SELECT id AS n FROM t UNION ALL SELECT n + 1 FROM r WHERE n < 5)
SELECT count(*) FROM r;
--> error unsupported: WITH in the recursive query r

WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 100) SELECT sum(n) AS s FROM (SELECT n FROM r LIMIT 5);
--> rows
-- 15

-- where it reads itself not, they hold
--@ duckdb: skip DuckDB refuses them
WITH RECURSIVE r AS (SELECT id FROM t UNION ALL SELECT v FROM t ORDER BY id DESC LIMIT 3 OFFSET 1) SELECT * FROM r ORDER BY id;
--> rows
-- 10
-- 20
-- 20

WITH RECURSIVE r (n) AS (WITH t AS (SELECT 7 AS id) SELECT id FROM t UNION ALL SELECT id + 1 FROM t) SELECT sum(n) AS s FROM r;
--> rows
-- 15
