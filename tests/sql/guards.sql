-- A condition that cannot fail keeps rows from those that can, however many there are and whatever they are.

CREATE TABLE t (id BIGINT, n BIGINT, s TEXT);
--> ok

--@ duckdb: INSERT INTO t SELECT range, range % 4, CASE WHEN range % 4 = 0 THEN 'none' ELSE CAST(range % 4 AS TEXT) END FROM range(4000)
INSERT INTO t SELECT value, value % 4, CASE WHEN value % 4 = 0 THEN 'none' ELSE CAST(value % 4 AS TEXT) END FROM range(4000);
--> count 4000

SELECT count(*) FROM t WHERE n <> 0 AND 8 / n >= 4 AND id + 1 > 0;
--> rows
-- 2000

SELECT count(*) FROM t WHERE id + 1 > 0 AND n <> 0 AND 8 / n >= 4;
--> rows
-- 2000

--@ duckdb: SELECT count(*) FROM t WHERE n <> 0 AND TRY_CAST(s AS BIGINT) = n AND id * 2 >= 0
SELECT count(*) FROM t WHERE n <> 0 AND CAST(s AS BIGINT) = n AND id * 2 >= 0;
--> rows
-- 3000

SELECT count(*) FROM t x JOIN t y ON x.id = y.id WHERE x.n <> 0 AND 8 / x.n >= 4 AND x.id + y.id > 0;
--> rows
-- 2000
