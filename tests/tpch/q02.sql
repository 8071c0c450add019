-- TPC-H question 2, minimum cost supplier: who in Europe supplies brass parts of a size at the least cost?

SELECT s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
FROM part, supplier, partsupp, nation, region
WHERE p_partkey = ps_partkey
    AND s_suppkey = ps_suppkey
    AND p_size = 15
    AND p_type LIKE '%BRASS'
    AND s_nationkey = n_nationkey
    AND n_regionkey = r_regionkey
    AND r_name = 'EUROPE'
    AND ps_supplycost = (
        SELECT min(ps_supplycost)
        FROM partsupp, supplier, nation, region
        WHERE p_partkey = ps_partkey
            AND s_suppkey = ps_suppkey
            AND s_nationkey = n_nationkey
            AND n_regionkey = r_regionkey
            AND r_name = 'EUROPE'
    )
ORDER BY s_acctbal DESC, n_name, s_name, p_partkey
LIMIT 100;
--> rows
-- 4186.95 | Supplier#000000077 | GERMANY | 249 | Manufacturer#4 | wVtcr0uH3CyrSiWMLsqnB09Syo,UuZxPMeBghlY | 17-281-345-4863 | the slyly final asymptotes. blithely pending theodoli
-- 1883.37 | Supplier#000000086 | ROMANIA | 1015 | Manufacturer#4 | J1fgg5QaqnN | 29-903-665-7065 | cajole furiously special, final requests: furiously spec
-- 1687.81 | Supplier#000000017 | ROMANIA | 1634 | Manufacturer#2 | c2d,ESHRSkK3WYnxpgw6aOqN0q | 29-601-884-9219 | eep against the furiously bold ideas. fluffily bold packa
-- 287.16 | Supplier#000000052 | ROMANIA | 323 | Manufacturer#4 | WCk XCHYzBA1dvJDSol4ZJQQcQN, | 29-974-934-4713 | dolites are slyly against the furiously regular packages. ironic, final deposits cajole quickly
