-- TPC-H question 13, customer distribution: how many customers have how many orders?

SELECT c_count, count(*) AS custdist
FROM (
    SELECT c_custkey, count(o_orderkey)
    FROM customer LEFT OUTER JOIN orders ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%'
    GROUP BY c_custkey
) AS c_orders (c_custkey, c_count)
GROUP BY c_count
ORDER BY custdist DESC, c_count DESC;
--> rows
-- 0 | 500
-- 11 | 68
-- 10 | 64
-- 12 | 62
-- 9 | 62
-- 8 | 61
-- 14 | 54
-- 13 | 52
-- 7 | 49
-- 20 | 48
-- 21 | 47
-- 16 | 46
-- 15 | 45
-- 19 | 44
-- 17 | 41
-- 18 | 38
-- 22 | 33
-- 6 | 33
-- 24 | 30
-- 23 | 27
-- 25 | 21
-- 27 | 17
-- 26 | 15
-- 5 | 14
-- 28 | 6
-- 4 | 6
-- 32 | 5
-- 29 | 5
-- 30 | 2
-- 3 | 2
-- 31 | 1
-- 2 | 1
-- 1 | 1
