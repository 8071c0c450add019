-- TPC-H question 22, global sales opportunity: which customers with money have ordered nothing?

SELECT cntrycode, count(*) AS numcust, sum(c_acctbal) AS totacctbal
FROM (
    SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal
    FROM customer
    WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
        AND c_acctbal > (
            SELECT avg(c_acctbal)
            FROM customer
            WHERE c_acctbal > 0.00
                AND substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
        )
        AND NOT EXISTS (
            SELECT *
            FROM orders
            WHERE o_custkey = c_custkey
        )
) AS custsale
GROUP BY cntrycode
ORDER BY cntrycode;
--> rows
-- 13 | 10 | 75359.29
-- 17 | 8 | 62288.98
-- 18 | 14 | 111072.45
-- 23 | 5 | 40458.86
-- 29 | 11 | 88722.85
-- 30 | 17 | 122189.33
-- 31 | 8 | 66313.16
