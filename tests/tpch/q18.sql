-- TPC-H question 18, large volume customer: who placed orders of more than 300 pieces?

SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)
FROM customer, orders, lineitem
WHERE o_orderkey IN (
        SELECT l_orderkey
        FROM lineitem
        GROUP BY l_orderkey
        HAVING sum(l_quantity) > 300
    )
    AND c_custkey = o_custkey
    AND o_orderkey = l_orderkey
GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
ORDER BY o_totalprice DESC, o_orderdate
LIMIT 100;
--> rows
-- Customer#000000667 | 667 | 29158 | 1995-10-21 | 439687.23 | 305.00
-- Customer#000000178 | 178 | 6882 | 1997-04-09 | 422359.65 | 303.00
