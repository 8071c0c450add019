-- What reaches files or changes the limits of the engine is denied.

CREATE TABLE t (id BIGINT, name TEXT);
--> ok

INSERT INTO t VALUES (1, 'a');
--> count 1

COPY t TO 'denied.csv';
--> error denied

COPY (SELECT * FROM t) TO 'denied.parquet';
--> error denied

COPY t TO 'denied.json' STORED AS JSON;
--> error denied

EXPLAIN COPY t TO 'denied.csv';
--> error denied

CREATE EXTERNAL TABLE e STORED AS PARQUET LOCATION 'denied.parquet';
--> error denied

CREATE EXTERNAL TABLE e (a INT) STORED AS CSV LOCATION 'denied.csv';
--> error denied

SELECT * FROM 'denied.parquet';
--> error denied

INSERT INTO t SELECT * FROM 'denied.csv';
--> error denied

SET datafusion.runtime.memory_limit = '1G';
--> error denied

SET datafusion.runtime.temp_directory = '/tmp';
--> error denied

/* a comment first */ COPY t TO 'denied.csv';
--> error denied

SELECT * FROM t;
--> rows
-- 1 | a
