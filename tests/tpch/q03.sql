-- TPC-H question 3, shipping priority: which orders that were not shipped yet are worth the most?

SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
FROM customer, orders, lineitem
WHERE c_mktsegment = 'BUILDING'
    AND c_custkey = o_custkey
    AND l_orderkey = o_orderkey
    AND o_orderdate < DATE '1995-03-15'
    AND l_shipdate > DATE '1995-03-15'
GROUP BY l_orderkey, o_orderdate, o_shippriority
ORDER BY revenue DESC, o_orderdate
LIMIT 10;
--> rows
-- 47714 | 267010.5894 | 1995-03-11 | 0
-- 22276 | 266351.5562 | 1995-01-29 | 0
-- 32965 | 263768.3414 | 1995-02-25 | 0
-- 21956 | 254541.1285 | 1995-02-02 | 0
-- 1637 | 243512.7981 | 1995-02-08 | 0
-- 10916 | 241320.0814 | 1995-03-11 | 0
-- 30497 | 208566.6969 | 1995-02-07 | 0
-- 450 | 205447.4232 | 1995-03-05 | 0
-- 47204 | 204478.5213 | 1995-03-13 | 0
-- 9696 | 201502.2188 | 1995-02-20 | 0
