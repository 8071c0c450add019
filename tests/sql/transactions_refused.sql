-- Transactions by SQL are refused, with a word on what to use; statements stand alone.

CREATE TABLE t (id BIGINT);
--> ok

--@ duckdb: skip DuckDB has transactions
BEGIN;
--> error unsupported: execute_batch

INSERT INTO t VALUES (1);
--> count 1

ROLLBACK;
--> error unsupported: execute_batch

SELECT * FROM t;
--> rows
-- 1

--@ duckdb: skip DuckDB has transactions
BEGIN TRANSACTION;
--> error unsupported: execute_batch

--@ duckdb: skip DuckDB has transactions
START TRANSACTION;
--> error unsupported: execute_batch

DELETE FROM t;
--> count 1

COMMIT;
--> error unsupported: execute_batch

/* a comment first */ ROLLBACK;
--> error unsupported: execute_batch

ROLLBACK TO SAVEPOINT here;
--> error unsupported

RELEASE SAVEPOINT here;
--> error unsupported

SELECT count(*) AS n FROM t;
--> rows
-- 0
