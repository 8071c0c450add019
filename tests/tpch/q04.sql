-- TPC-H question 4, order priority checking: how many orders of each priority had a line that came late?

SELECT o_orderpriority, count(*) AS order_count
FROM orders
WHERE o_orderdate >= DATE '1993-07-01'
    AND o_orderdate < DATE '1993-07-01' + INTERVAL '3' MONTH
    AND EXISTS (
        SELECT *
        FROM lineitem
        WHERE l_orderkey = o_orderkey
            AND l_commitdate < l_receiptdate
    )
GROUP BY o_orderpriority
ORDER BY o_orderpriority;
--> rows
-- 1-URGENT | 93
-- 2-HIGH | 103
-- 3-MEDIUM | 109
-- 4-NOT SPECIFIED | 102
-- 5-LOW | 128
