-- What one step of a recursive query joins has nothing to do with what the step before it joined.

CREATE TABLE edges (node BIGINT, next BIGINT, w BIGINT);
--> ok

--@ duckdb: INSERT INTO edges SELECT range, range + 1, range % 7 FROM range(5000)
INSERT INTO edges SELECT value, value + 1, value % 7 FROM range(5000);
--> count 5000

WITH RECURSIVE path AS (
    SELECT 10 AS node, 0 AS steps
    UNION ALL
    SELECT edges.next, path.steps + 1 FROM path JOIN edges ON edges.node = path.node WHERE path.steps < 20
)
SELECT count(*), max(node), max(steps) FROM path;
--> rows
-- 21 | 30 | 20

WITH RECURSIVE path AS (
    SELECT 4990 AS node
    UNION ALL
    SELECT edges.next FROM edges, path WHERE edges.node = path.node AND edges.node IN (SELECT node FROM edges WHERE w < 7)
)
SELECT count(*), max(node) FROM path;
--> rows
-- 11 | 5000

WITH RECURSIVE best AS (
    SELECT 0 AS node, 0 AS steps
    UNION ALL
    SELECT n.next, best.steps + 1
    FROM best JOIN (SELECT next, node FROM edges ORDER BY node LIMIT 30) n ON n.node = best.node
    WHERE best.steps < 50
)
SELECT count(*), max(node) FROM best;
--> rows
-- 31 | 30
