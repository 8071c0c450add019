-- TPC-H question 1, pricing summary report: how much was billed, shipped and returned up to a date?
-- The average of decimals is a decimal, cut off after six places; DuckDB's is a double.

--@ duckdb: SELECT * REPLACE (CAST(trunc(avg_qty, 6) AS DECIMAL(19, 6)) AS avg_qty, CAST(trunc(avg_price, 6) AS DECIMAL(19, 6)) AS avg_price, CAST(trunc(avg_disc, 6) AS DECIMAL(19, 6)) AS avg_disc) FROM ({statement})
SELECT
    l_returnflag,
    l_linestatus,
    sum(l_quantity) AS sum_qty,
    sum(l_extendedprice) AS sum_base_price,
    sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price,
    sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge,
    avg(l_quantity) AS avg_qty,
    avg(l_extendedprice) AS avg_price,
    avg(l_discount) AS avg_disc,
    count(*) AS count_order
FROM lineitem
WHERE l_shipdate <= DATE '1998-12-01' - INTERVAL '90' DAY
GROUP BY l_returnflag, l_linestatus
ORDER BY l_returnflag, l_linestatus;
--> rows
-- A | F | 380456.00 | 532348211.65 | 505822441.4861 | 526165934.000839 | 25.575154 | 35785.709306 | 0.050081 | 14876
-- N | F | 8971.00 | 12384801.37 | 11798257.2080 | 12282485.056933 | 25.778735 | 35588.509683 | 0.047758 | 348
-- N | O | 742802.00 | 1041502841.45 | 989737518.6346 | 1029418531.523350 | 25.454987 | 35691.129209 | 0.049931 | 29181
-- R | F | 381449.00 | 534594445.35 | 507996454.4067 | 528524219.358903 | 25.597168 | 35874.006532 | 0.049827 | 14902
