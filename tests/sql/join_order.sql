-- Joins are made in the order that costs least, with the rows of the order that was written.

CREATE TABLE big (id BIGINT, m BIGINT, t BIGINT);
--> ok

--@ duckdb: INSERT INTO big SELECT range, range % 100, CASE WHEN range % 7 <> 0 THEN range % 10 END FROM range(1000)
INSERT INTO big SELECT value, value % 100, CASE WHEN value % 7 <> 0 THEN value % 10 END FROM range(1000);
--> count 1000

-- Those from 1000 on are in no row of big.
CREATE TABLE mid (id BIGINT, z BIGINT, s VARCHAR);
--> ok

--@ duckdb: INSERT INTO mid SELECT range, range % 4 + 1, CAST(range % 4 AS VARCHAR) FROM range(100)
INSERT INTO mid SELECT value, value % 4 + 1, CAST(value % 4 AS VARCHAR) FROM range(100);
--> count 100

INSERT INTO mid VALUES (1000, 0, 'none'), (1001, 0, ''), (1002, 0, '1.5');
--> count 3

CREATE TABLE tiny (id BIGINT);
--> ok

INSERT INTO tiny VALUES (1), (2), (8), (NULL);
--> count 4

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = mid.z;
--> rows
-- 500 | 249250

-- Rows that only decide about others.
SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE EXISTS (SELECT 1 FROM tiny WHERE tiny.id = big.t);
--> rows
-- 258 | 129216

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE NOT EXISTS (SELECT 1 FROM tiny WHERE tiny.id = big.t);
--> rows
-- 742 | 370284

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE big.t IN (SELECT id FROM tiny);
--> rows
-- 258 | 129216

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE big.t NOT IN (SELECT id FROM tiny WHERE id IS NOT NULL);
--> rows
-- 599 | 299213

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE big.t NOT IN (SELECT id FROM tiny);
--> rows
-- 0 | NULL

SELECT count(*) AS n, sum(mid.id) AS s FROM mid JOIN tiny ON tiny.id = mid.z WHERE NOT EXISTS (SELECT 1 FROM big WHERE big.m = mid.id AND big.id < 50);
--> rows
-- 24 | 1788

SELECT count(*) AS n, sum(mid.id) AS s FROM mid JOIN tiny ON tiny.id = mid.z WHERE EXISTS (SELECT 1 FROM big WHERE big.m = mid.id AND big.id < 150);
--> rows
-- 50 | 2425

-- Where NULL is equal to NULL.
SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE EXISTS (SELECT 1 FROM tiny WHERE tiny.id IS NOT DISTINCT FROM big.t);
--> rows
-- 401 | 200287

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE NOT EXISTS (SELECT 1 FROM tiny WHERE tiny.id IS NOT DISTINCT FROM big.t);
--> rows
-- 599 | 299213

SELECT count(*) AS n FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id IS NOT DISTINCT FROM big.t;
--> rows
-- 401

SELECT count(*) AS n FROM big JOIN tiny ON tiny.id IS NOT DISTINCT FROM big.t JOIN mid ON big.m = mid.id WHERE mid.z = 2;
--> rows
-- 78

SELECT count(*) AS n, count(q.t) AS t FROM (SELECT t, m FROM big INTERSECT SELECT t, m FROM big WHERE id < 300) AS q JOIN mid ON mid.id = q.m;
--> rows
-- 143 | 100

SELECT count(*) AS n, count(q.t) AS t FROM (SELECT t, m FROM big EXCEPT SELECT t, m FROM big WHERE id < 300) AS q JOIN mid ON mid.id = q.m;
--> rows
-- 57 | 0

--@ duckdb: SELECT count(*) AS n, count(t) AS t FROM (SELECT t, m FROM big INTERSECT SELECT t, m FROM big WHERE id < 300) AS q JOIN (SELECT m AS other FROM big) AS b ON other = m JOIN mid ON mid.id = m JOIN tiny ON tiny.id = mid.z
SELECT count(*) AS n, count(t) AS t FROM (SELECT t, m FROM big INTERSECT SELECT t, m FROM big WHERE id < 300) JOIN (SELECT m AS other FROM big) ON other = m JOIN mid ON mid.id = m JOIN tiny ON tiny.id = mid.z;
--> rows
-- 710 | 500

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN (SELECT m AS other FROM big) AS b ON b.other = big.m JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = mid.z WHERE EXISTS (SELECT 1 FROM tiny AS x WHERE x.id IS NOT DISTINCT FROM big.t);
--> rows
-- 2000 | 996380

-- A condition that fails for rows that another join drops.
--@ duckdb: SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = 8 // mid.z
SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = 8 / mid.z;
--> rows
-- 750 | 374750

--@ duckdb: SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = TRY_CAST(mid.s AS BIGINT)
SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = CAST(mid.s AS BIGINT);
--> rows
-- 500 | 249750

--@ duckdb: SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE EXISTS (SELECT 1 FROM tiny WHERE tiny.id = TRY_CAST(mid.s AS BIGINT))
SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id WHERE EXISTS (SELECT 1 FROM tiny WHERE tiny.id = CAST(mid.s AS BIGINT));
--> rows
-- 500 | 249750

SELECT count(*) AS n, sum(big.id) AS s FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = CAST(mid.z AS INTEGER);
--> rows
-- 500 | 249250

-- Equal columns of several conditions.
SELECT count(*) AS n FROM big JOIN mid ON big.m = mid.id JOIN tiny ON tiny.id = mid.id AND tiny.id = big.m;
--> rows
-- 30

SELECT count(*) AS n FROM big JOIN mid ON big.m = mid.id AND big.t = mid.z + 1 JOIN tiny ON tiny.id = big.t AND tiny.id + mid.z = big.t * 2 - 1;
--> rows
-- 43
