-- TPC-H question 5, local supplier volume: what did suppliers sell to customers of their own nation in Asia?

SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM customer, orders, lineitem, supplier, nation, region
WHERE c_custkey = o_custkey
    AND l_orderkey = o_orderkey
    AND l_suppkey = s_suppkey
    AND c_nationkey = s_nationkey
    AND s_nationkey = n_nationkey
    AND n_regionkey = r_regionkey
    AND r_name = 'ASIA'
    AND o_orderdate >= DATE '1994-01-01'
    AND o_orderdate < DATE '1994-01-01' + INTERVAL '1' YEAR
GROUP BY n_name
ORDER BY revenue DESC;
--> rows
-- VIETNAM | 1000926.6999
-- CHINA | 740210.7570
-- JAPAN | 660651.2425
-- INDONESIA | 566379.5276
-- INDIA | 422874.6844
