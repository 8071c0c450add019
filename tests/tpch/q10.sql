-- TPC-H question 10, returned item reporting: which customers sent back the most in a quarter?

SELECT
    c_custkey,
    c_name,
    sum(l_extendedprice * (1 - l_discount)) AS revenue,
    c_acctbal,
    n_name,
    c_address,
    c_phone,
    c_comment
FROM customer, orders, lineitem, nation
WHERE c_custkey = o_custkey
    AND l_orderkey = o_orderkey
    AND o_orderdate >= DATE '1993-10-01'
    AND o_orderdate < DATE '1993-10-01' + INTERVAL '3' MONTH
    AND l_returnflag = 'R'
    AND c_nationkey = n_nationkey
GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
ORDER BY revenue DESC
LIMIT 20;
--> rows
-- 679 | Customer#000000679 | 378211.3252 | 1394.44 | IRAN | IJf1FlZL9I9m,rvofcoKy5pRUOjUQV | 20-146-696-9508 | ely pending frays boost carefully
-- 1201 | Customer#000001201 | 374331.5340 | 5165.39 | IRAN | LfCSVKWozyWOGDW02g9UX,XgH5YU2o5ql1zBrN | 20-825-400-1187 | lyly pending packages. special requests sleep-- platelets use blithely after the instructions. sometimes even id
-- 422 | Customer#000000422 | 366451.0126 | -272.14 | INDONESIA | AyNzZBvmIDo42JtjP9xzaK3pnvkh Qc0o08ssnvq | 19-299-247-2444 | eposits; furiously ironic packages accordi
-- 334 | Customer#000000334 | 360370.7550 | -405.91 | EGYPT | OPN1N7t4aQ23TnCpc | 14-947-291-5002 | fully busily special ideas. carefully final excuses lose slyly carefully express accounts. even, ironic platelets ar
-- 805 | Customer#000000805 | 359448.9036 | 511.69 | IRAN | wCKx5zcHvwpSffyc9qfi9dvqcm9LT,cLAG | 20-732-989-5653 | busy sentiments. pending packages haggle among the express requests-- slyly regular excuses above the slyl
-- 932 | Customer#000000932 | 341608.2753 | 6553.37 | JORDAN | HN9Ap0NsJG7Mb8O | 23-300-708-7927 | packages boost slyly along the furiously express foxes. ev
-- 853 | Customer#000000853 | 341236.6246 | -444.73 | BRAZIL | U0 9PrwAgWK8AE0GHmnCGtH9BTexWWv87k | 12-869-161-3468 | yly special deposits wake alongside of
-- 872 | Customer#000000872 | 338328.7808 | -858.61 | PERU | vLP7iNZBK4B,HANFTKabVI3AO Y9O8H | 27-357-139-7164 | \sdetect. packages wake slyly express foxes. even deposits ru
-- 737 | Customer#000000737 | 338185.3365 | 2501.74 | CHINA | NdjG1k243iCLSoy1lYqMIrpvuH1Uf75 | 28-658-938-1102 | ding to the final platelets. regular packages against the carefully final ideas hag
-- 1118 | Customer#000001118 | 319875.7280 | 4130.18 | IRAQ | QHg,DNvEVXaYoCdrywazjAJ | 21-583-715-8627 | y regular requests above the blithely ironic accounts use slyly bold packages: regular pinto beans eat carefully spe
-- 223 | Customer#000000223 | 319564.2750 | 7476.20 | SAUDI ARABIA | ftau6Pk,brboMyEl,,kFm | 30-193-643-1517 | al, regular requests run furiously blithely silent packages. blithely ironic accounts across the furious
-- 808 | Customer#000000808 | 314774.6167 | 5561.93 | ROMANIA | S2WkSKCGtnbhcFOp6MWcuB3rzFlFemVNrg\s | 29-531-319-7726 | \sunusual deposits. furiously even packages against the furiously even ac
-- 478 | Customer#000000478 | 299651.8026 | -210.40 | ARGENTINA | clyq458DIkXXt4qLyHlbe,n JueoniF | 11-655-291-2694 | o the foxes. ironic requests sleep. c
-- 1441 | Customer#000001441 | 294705.3935 | 9465.15 | UNITED KINGDOM | u0YYZb46w,pwKo5H9vz d6B9zK4BOHhG jx | 33-681-334-4499 | nts haggle quietly quickly final accounts. slyly regular accounts among the sl
-- 1478 | Customer#000001478 | 294431.9178 | 9701.54 | GERMANY | x7HDvJDDpR3MqZ5vg2CanfQ1hF0j4 | 17-420-484-5959 | ng the furiously bold foxes. even notornis above the unusual\s
-- 211 | Customer#000000211 | 287905.6368 | 4198.72 | JORDAN | URhlVPzz4FqXem | 23-965-335-9471 | furiously regular foxes boost fluffily special ideas. carefully regular dependencies are. slyly ironic\s
-- 197 | Customer#000000197 | 283190.4807 | 9860.22 | ARGENTINA | UeVqssepNuXmtZ38D | 11-107-312-6585 | ickly final accounts cajole. furiously re
-- 1030 | Customer#000001030 | 282557.3566 | 6359.27 | INDIA | Xpt1BiB5h9o | 18-759-877-1870 | ding to the slyly unusual accounts. even requests among the evenly
-- 1049 | Customer#000001049 | 281134.1117 | 8747.99 | INDONESIA | bZ1OcFhHaIZ5gMiH | 19-499-258-2851 | uriously according to the furiously silent packages
-- 1094 | Customer#000001094 | 274877.4440 | 2544.49 | BRAZIL | OFz0eedTmPmXk2 3XM9v9Mcp13NVC0PK | 12-234-721-9871 | tes serve blithely quickly pending foxes. express, quick accounts
