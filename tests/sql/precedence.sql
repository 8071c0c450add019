-- Precedence of operators, each two of them.

CREATE TABLE b (p BOOLEAN, q BOOLEAN, r BOOLEAN);
--> ok

INSERT INTO b SELECT p.v, q.v, r.v
FROM (VALUES (true), (false), (NULL)) AS p (v), (VALUES (true), (false), (NULL)) AS q (v),
    (VALUES (true), (false), (NULL)) AS r (v);
--> count 27

CREATE TABLE n (x BIGINT, y BIGINT, z BIGINT);
--> ok

INSERT INTO n VALUES (5, 1, 3), (6, 2, 1), (7, 3, 2), (13, 2, 3), (9, 4, 1);
--> count 5

-- what everybody writes to find changed rows
SELECT count(*) FILTER (WHERE p IS DISTINCT FROM q OR r = true) AS n,
    count(*) FILTER (WHERE p IS DISTINCT FROM q OR q IS DISTINCT FROM r) AS m
FROM b;
--> rows
-- 21 | 24

SELECT count(*) FILTER (WHERE p AND q AND r) AS c0, count(*) FILTER (WHERE p AND q OR r) AS c1,
    count(*) FILTER (WHERE p AND q IS DISTINCT FROM r) AS c2,
    count(*) FILTER (WHERE p AND q IS NOT DISTINCT FROM r) AS c3, count(*) FILTER (WHERE p AND q = r) AS c4,
    count(*) FILTER (WHERE p AND q <> r) AS c5, count(*) FILTER (WHERE NOT p AND q) AS c6,
    count(*) FILTER (WHERE p AND q IS NULL) AS c7, count(*) FILTER (WHERE p AND q IS NOT TRUE) AS c8,
    count(*) FILTER (WHERE p AND NOT q) AS c9, count(*) FILTER (WHERE p AND q IN (r, true)) AS c10
FROM b;
--> rows
-- 1 | 11 | 6 | 3 | 2 | 2 | 3 | 3 | 6 | 3 | 4

SELECT count(*) FILTER (WHERE p OR q AND r) AS c0, count(*) FILTER (WHERE p OR q OR r) AS c1,
    count(*) FILTER (WHERE p OR q IS DISTINCT FROM r) AS c2,
    count(*) FILTER (WHERE p OR q IS NOT DISTINCT FROM r) AS c3, count(*) FILTER (WHERE p OR q = r) AS c4,
    count(*) FILTER (WHERE p OR q <> r) AS c5, count(*) FILTER (WHERE NOT p OR q) AS c6,
    count(*) FILTER (WHERE p OR q IS NULL) AS c7, count(*) FILTER (WHERE p OR q IS NOT TRUE) AS c8,
    count(*) FILTER (WHERE p OR NOT q) AS c9, count(*) FILTER (WHERE p OR q IN (r, true)) AS c10
FROM b;
--> rows
-- 11 | 19 | 21 | 15 | 13 | 13 | 15 | 15 | 21 | 15 | 17

SELECT count(*) FILTER (WHERE p IS DISTINCT FROM q AND r) AS c0,
    count(*) FILTER (WHERE p IS DISTINCT FROM q OR r) AS c1,
    count(*) FILTER (WHERE p IS DISTINCT FROM q = r) AS c2,
    count(*) FILTER (WHERE p IS DISTINCT FROM q <> r) AS c3,
    count(*) FILTER (WHERE NOT p IS DISTINCT FROM q) AS c4,
    count(*) FILTER (WHERE p IS DISTINCT FROM q IN (r, true)) AS c5
FROM b;
--> rows
-- 6 | 21 | 18 | 18 | 9 | 18

SELECT count(*) FILTER (WHERE p IS NOT DISTINCT FROM q AND r) AS c0,
    count(*) FILTER (WHERE p IS NOT DISTINCT FROM q OR r) AS c1,
    count(*) FILTER (WHERE p IS NOT DISTINCT FROM q = r) AS c2,
    count(*) FILTER (WHERE p IS NOT DISTINCT FROM q <> r) AS c3,
    count(*) FILTER (WHERE NOT p IS NOT DISTINCT FROM q) AS c4,
    count(*) FILTER (WHERE p IS NOT DISTINCT FROM q IN (r, true)) AS c5
FROM b;
--> rows
-- 3 | 15 | 9 | 9 | 18 | 9

SELECT count(*) FILTER (WHERE p = q AND r) AS c0, count(*) FILTER (WHERE p = q OR r) AS c1,
    count(*) FILTER (WHERE p = q IS DISTINCT FROM r) AS c2,
    count(*) FILTER (WHERE p = q IS NOT DISTINCT FROM r) AS c3, count(*) FILTER (WHERE NOT p = q) AS c4,
    count(*) FILTER (WHERE p = q IS NULL) AS c5, count(*) FILTER (WHERE p = q IS NOT TRUE) AS c6,
    count(*) FILTER (WHERE p = q IN (r, true)) AS c7
FROM b;
--> rows
-- 2 | 13 | 18 | 9 | 6 | 15 | 21 | 5

SELECT count(*) FILTER (WHERE p <> q AND r) AS c0, count(*) FILTER (WHERE p <> q OR r) AS c1,
    count(*) FILTER (WHERE p <> q IS DISTINCT FROM r) AS c2,
    count(*) FILTER (WHERE p <> q IS NOT DISTINCT FROM r) AS c3, count(*) FILTER (WHERE NOT p <> q) AS c4,
    count(*) FILTER (WHERE p <> q IS NULL) AS c5, count(*) FILTER (WHERE p <> q IS NOT TRUE) AS c6,
    count(*) FILTER (WHERE p <> q IN (r, true)) AS c7
FROM b;
--> rows
-- 2 | 13 | 18 | 9 | 6 | 15 | 21 | 5

SELECT sum(x + y + z) AS c0, sum(x + y - z) AS c1, sum(x + y * z) AS c2, sum(x + y % z) AS c3, sum(x + y & z) AS c4,
    sum(x + y | z) AS c5, sum(x + y << z) AS c6, sum(x + y >> z) AS c7, count(*) FILTER (WHERE x = y + z) AS c8,
    count(*) FILTER (WHERE x < y + z) AS c9, count(*) FILTER (WHERE x >= y + z) AS c10,
    count(*) FILTER (WHERE x BETWEEN y + 1 AND z + 4) AS c11, count(*) FILTER (WHERE x + y IN (6, 8, 12)) AS c12,
    count(*) FILTER (WHERE x + y IS DISTINCT FROM 6 OR z = 1) AS c13, sum(- x + y) AS c14
FROM n;
--> rows
-- 62 | 42 | 61 | 44 | 8 | 54 | 250 | 13 | 0 | 0 | 5 | 1 | 2 | 4 | -28

SELECT sum(x - y + z) AS c0, sum(x - y - z) AS c1, sum(x - y * z) AS c2, sum(x - y % z) AS c3, sum(x - y & z) AS c4,
    sum(x - y | z) AS c5, count(*) FILTER (WHERE x = y - z) AS c6, count(*) FILTER (WHERE x < y - z) AS c7,
    count(*) FILTER (WHERE x >= y - z) AS c8, count(*) FILTER (WHERE x BETWEEN y - 1 AND z - 4) AS c9,
    count(*) FILTER (WHERE x - y IN (6, 8, 12)) AS c10,
    count(*) FILTER (WHERE x - y IS DISTINCT FROM 6 OR z = 1) AS c11, sum(- x - y) AS c12
FROM n;
--> rows
-- 38 | 18 | 19 | 36 | 4 | 34 | 0 | 0 | 5 | 0 | 0 | 5 | -52

SELECT sum(x * y + z) AS c0, sum(x * y - z) AS c1, sum(x * y * z) AS c2, sum(x * y % z) AS c3, sum(x * y & z) AS c4,
    sum(x * y | z) AS c5, sum(x * y << z) AS c6, sum(x * y >> z) AS c7, count(*) FILTER (WHERE x = y * z) AS c8,
    count(*) FILTER (WHERE x < y * z) AS c9, count(*) FILTER (WHERE x >= y * z) AS c10,
    count(*) FILTER (WHERE x BETWEEN y * 1 AND z * 4) AS c11, count(*) FILTER (WHERE x * y IN (6, 8, 12)) AS c12,
    count(*) FILTER (WHERE x * y IS DISTINCT FROM 6 OR z = 1) AS c13, sum(- x * y) AS c14
FROM n;
--> rows
-- 110 | 90 | 183 | 5 | 3 | 107 | 428 | 32 | 0 | 0 | 5 | 2 | 1 | 5 | -100

SELECT sum(x % y + z) AS c0, sum(x % y - z) AS c1, sum(x % y * z) AS c2, sum(x % y % z) AS c3, sum(x % y & z) AS c4,
    sum(x % y | z) AS c5, sum(x % y << z) AS c6, sum(x % y >> z) AS c7, count(*) FILTER (WHERE x = y % z) AS c8,
    count(*) FILTER (WHERE x < y % z) AS c9, count(*) FILTER (WHERE x >= y % z) AS c10,
    count(*) FILTER (WHERE x BETWEEN y % 1 AND z % 4) AS c11, count(*) FILTER (WHERE x % y IN (6, 8, 12)) AS c12,
    count(*) FILTER (WHERE x % y IS DISTINCT FROM 6 OR z = 1) AS c13
FROM n;
--> rows
-- 13 | -7 | 6 | 2 | 2 | 11 | 14 | 0 | 0 | 0 | 5 | 0 | 0 | 5

SELECT sum(x & y + z) AS c0, sum(x & y - z) AS c1, sum(x & y * z) AS c2, sum(x & y % z) AS c3, sum(x & y & z) AS c4,
    sum(x & y | z) AS c5, sum(x & y << z) AS c6, sum(x & y >> z) AS c7, count(*) FILTER (WHERE x = y & z) AS c8,
    count(*) FILTER (WHERE x < y & z) AS c9, count(*) FILTER (WHERE x >= y & z) AS c10,
    count(*) FILTER (WHERE x BETWEEN y & 1 AND z & 4) AS c11, count(*) FILTER (WHERE x & y IN (6, 8, 12)) AS c12,
    count(*) FILTER (WHERE x & y IS DISTINCT FROM 6 OR z = 1) AS c13
FROM n;
--> rows
-- 17 | 19 | 13 | 2 | 3 | 13 | 24 | 1 | 0 | 0 | 5 | 0 | 0 | 5

SELECT sum(x | y + z) AS c0, sum(x | y - z) AS c1, sum(x | y * z) AS c2, sum(x | y % z) AS c3, sum(x | y & z) AS c4,
    sum(x | y | z) AS c5, sum(x | y << z) AS c6, sum(x | y >> z) AS c7, count(*) FILTER (WHERE x = y | z) AS c8,
    count(*) FILTER (WHERE x < y | z) AS c9, count(*) FILTER (WHERE x >= y | z) AS c10,
    count(*) FILTER (WHERE x BETWEEN y | 1 AND z | 4) AS c11, count(*) FILTER (WHERE x | y IN (6, 8, 12)) AS c12,
    count(*) FILTER (WHERE x | y IS DISTINCT FROM 6 OR z = 1) AS c13
FROM n;
--> rows
-- 45 | 23 | 48 | 42 | 7 | 49 | 226 | 11 | 0 | 0 | 5 | 1 | 1 | 5

SELECT sum(x << y + z) AS c0, sum(x << y * z) AS c1, sum(x << y % z) AS c2, sum(x << y & z) AS c3,
    sum(x << y | z) AS c4, sum(x << y << z) AS c5, sum(x << y >> z) AS c6,
    count(*) FILTER (WHERE x = y << z) AS c7, count(*) FILTER (WHERE x < y << z) AS c8,
    count(*) FILTER (WHERE x >= y << z) AS c9, count(*) FILTER (WHERE x BETWEEN y << 1 AND z << 4) AS c10,
    count(*) FILTER (WHERE x << y IN (6, 8, 12)) AS c11,
    count(*) FILTER (WHERE x << y IS DISTINCT FROM 6 OR z = 1) AS c12
FROM n;
--> rows
-- 1056 | 1488 | 91 | 2 | 294 | 1056 | 105 | 0 | 3 | 2 | 5 | 0 | 5

SELECT sum(x >> y + z) AS c0, sum(x >> y * z) AS c1, sum(x >> y % z) AS c2, sum(x >> y & z) AS c3,
    sum(x >> y | z) AS c4, sum(x >> y << z) AS c5, sum(x >> y >> z) AS c6,
    count(*) FILTER (WHERE x = y >> z) AS c7, count(*) FILTER (WHERE x < y >> z) AS c8,
    count(*) FILTER (WHERE x >= y >> z) AS c9, count(*) FILTER (WHERE x BETWEEN y >> 1 AND z >> 4) AS c10,
    count(*) FILTER (WHERE x >> y IN (6, 8, 12)) AS c11,
    count(*) FILTER (WHERE x >> y IS DISTINCT FROM 6 OR z = 1) AS c12
FROM n;
--> rows
-- 0 | 1 | 23 | 6 | 10 | 42 | 0 | 0 | 0 | 5 | 0 | 0 | 5

SELECT bool_and('a' || 'b' LIKE 'a%' AND x > 0) AS l, bool_and(x::VARCHAR || y = '51' OR x > 5) AS e,
    count(*) FILTER (WHERE true = y BETWEEN 1 AND 3) AS b,
    count(*) FILTER (WHERE NOT x BETWEEN 6 AND 9 OR y = 4) AS o, sum(-x::DOUBLE * 2) AS q
FROM n;
--> rows
-- true | true | 4 | 3 | -80.0

SELECT -x::VARCHAR FROM n;
--> error invalid

SELECT NOT EXISTS (SELECT 1 WHERE FALSE) IN (SELECT TRUE WHERE FALSE) AS a, NOT EXISTS (SELECT 1) = TRUE AS b, NOT EXISTS (SELECT 1) AND FALSE AS c, NOT EXISTS (SELECT 1) IS NULL AS d, NOT NOT EXISTS (SELECT 1) AS e;
--> rows
-- true | false | false | true | true

-- What stands in the parentheses of IN is told by what stands behind its first value.
SELECT 2 IN ((SELECT 1) UNION SELECT 2) AS a, 2 IN ((SELECT 1) + 1, 7) AS b, 3 NOT IN ((SELECT 1), (SELECT 2)) AS c, 1 IN ((SELECT 1) ORDER BY 1 LIMIT 1) AS d, 4 IN ((4)) AS e, 4 IN ((1) + 3) AS f;
--> rows
-- true | true | true | true | true | true

SELECT TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE IN ((TRUE)))))))))))))))))))))))))))))))))))))))))))))))) AS v;
--> rows
-- true
