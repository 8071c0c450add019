-- MERGE: sources that are subqueries, aggregates, values and the target itself; NULL keys.

CREATE TABLE totals (k TEXT, n BIGINT, total BIGINT);
--> ok

CREATE TABLE events (k TEXT, v INT);
--> ok

INSERT INTO totals VALUES ('a', 1, 5), ('z', 9, 90);
--> count 2

INSERT INTO events VALUES ('a', 10), ('a', 20), ('b', 30), (NULL, 40), ('c', NULL);
--> count 5

MERGE INTO totals AS t USING (SELECT k, count(*) AS n, sum(v) AS total FROM events GROUP BY k) AS e ON t.k = e.k WHEN MATCHED THEN UPDATE SET n = t.n + e.n, total = t.total + e.total WHEN NOT MATCHED THEN INSERT (k, n, total) VALUES (e.k, e.n, e.total);
--> count 4

SELECT * FROM totals ORDER BY k NULLS LAST;
--> rows
-- a | 3 | 35
-- b | 1 | 30
-- c | 1 | NULL
-- z | 9 | 90
-- NULL | 1 | 40

-- NULL equals nothing, so the row is not matched a second time either
MERGE INTO totals AS t USING (SELECT k, count(*) AS n FROM events GROUP BY k) AS e ON t.k = e.k WHEN NOT MATCHED THEN INSERT (k, n) VALUES (e.k, e.n);
--> count 1

SELECT * FROM totals WHERE k IS NULL ORDER BY total NULLS LAST;
--> rows
-- NULL | 1 | 40
-- NULL | 1 | NULL

MERGE INTO totals AS t USING (VALUES ('a', 100), ('q', 200)) AS e(k, v) ON t.k = e.k WHEN MATCHED THEN UPDATE SET total = e.v WHEN NOT MATCHED THEN INSERT (k, total) VALUES (e.k, e.v);
--> count 2

SELECT * FROM totals WHERE k IN ('a', 'q') ORDER BY k;
--> rows
-- a | 3 | 100
-- q | NULL | 200

-- the target is its own source
MERGE INTO totals AS t USING (SELECT k, max(total) AS m FROM totals WHERE k IS NOT NULL GROUP BY k) AS e ON t.k = e.k WHEN MATCHED AND e.m IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET n = e.m + 1;
--> count 5

SELECT * FROM totals ORDER BY k NULLS LAST, total NULLS LAST;
--> rows
-- a | 101 | 100
-- b | 31 | 30
-- q | 201 | 200
-- z | 91 | 90
-- NULL | 1 | 40
-- NULL | 1 | NULL

MERGE INTO totals AS t USING (SELECT e.k, e.v FROM events e JOIN totals o ON e.k = o.k WHERE e.v = 30) AS j ON t.k = j.k WHEN MATCHED THEN UPDATE SET n = -1;
--> count 1

SELECT k, n FROM totals WHERE n = -1;
--> rows
-- b | -1

-- a key of several columns
MERGE INTO totals AS t USING (SELECT 'b' AS k, -1 AS n) AS e ON t.k = e.k AND t.n = e.n WHEN MATCHED THEN DELETE;
--> count 1

SELECT count(*) AS n FROM totals;
--> rows
-- 5

WITH fresh AS (SELECT 'w' AS k, 1 AS n) MERGE INTO totals AS t USING fresh ON t.k = fresh.k WHEN NOT MATCHED THEN INSERT (k, n) VALUES (fresh.k, fresh.n);
--> count 1

SELECT * FROM totals WHERE k = 'w';
--> rows
-- w | 1 | NULL
