-- Counts, positions and bounds that are greater than what a machine's own word holds: 2^32 and more, where it has 32 bits.

CREATE TABLE big (id INTEGER, s VARCHAR, l INTEGER[]);
--> ok

INSERT INTO big VALUES (1, 'abc', [10, 20, 30]), (2, 'ünïcode', [40]), (3, NULL, NULL), (4, '', []), (5, 'xyz', [50, NULL, 70]);
--> count 5

SELECT id FROM big ORDER BY id LIMIT 4294967297;
--> rows
-- 1
-- 2
-- 3
-- 4
-- 5

SELECT id FROM big ORDER BY id LIMIT 9223372036854775807;
--> rows
-- 1
-- 2
-- 3
-- 4
-- 5

SELECT id FROM big ORDER BY id OFFSET 4294967296;
--> rows

SELECT id FROM big ORDER BY id LIMIT 4294967297 OFFSET 1;
--> rows
-- 2
-- 3
-- 4
-- 5

SELECT id FROM big ORDER BY id LIMIT 9223372036854775807 OFFSET 9223372036854775807;
--> rows

SELECT id FROM big ORDER BY id LIMIT 2147483648 * 2 + 1 OFFSET 4294967297 - 4294967296;
--> rows
-- 2
-- 3
-- 4
-- 5

SELECT count(*) AS n FROM (SELECT id FROM big LIMIT 4294967298) AS q;
--> rows
-- 5

SELECT b.id, (SELECT count(*) FROM (SELECT o.id FROM big AS o WHERE o.id <= b.id LIMIT 4294967297) AS q) AS n FROM big AS b ORDER BY b.id;
--> rows
-- 1 | 1
-- 2 | 2
-- 3 | 3
-- 4 | 4
-- 5 | 5

SELECT id, last_value(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 9223372036854775807 FOLLOWING) AS a, last_value(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 4294967296 FOLLOWING) AS b, first_value(id) OVER (ORDER BY id ROWS BETWEEN 4294967297 PRECEDING AND CURRENT ROW) AS c, count(*) OVER (ORDER BY id ROWS BETWEEN 4294967296 FOLLOWING AND UNBOUNDED FOLLOWING) AS d, count(*) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 4294967297 PRECEDING) AS e FROM big ORDER BY id;
--> rows
-- 1 | 5 | 5 | 1 | 0 | 0
-- 2 | 5 | 5 | 1 | 0 | 0
-- 3 | 5 | 5 | 1 | 0 | 0
-- 4 | 5 | 5 | 1 | 0 | 0
-- 5 | 5 | 5 | 1 | 0 | 0

SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 9223372036854775807 PRECEDING AND 9223372036854775807 FOLLOWING) AS a, string_agg(s, '|') OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 4294967296 FOLLOWING) AS b, sum(id) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 4294967297 FOLLOWING) AS c, row_number() OVER (ORDER BY id ROWS BETWEEN 4294967297 PRECEDING AND CURRENT ROW) AS d FROM big ORDER BY id;
--> rows
-- 1 | 15 | abc\|ünïcode\|\|xyz | 14 | 1
-- 2 | 15 | abc\|ünïcode\|\|xyz | 12 | 2
-- 3 | 15 | ünïcode\|\|xyz | 9 | 3
-- 4 | 15 | \|xyz | 5 | 4
-- 5 | 15 | \|xyz | NULL | 5

--@ duckdb: SELECT id, 5, 5, id FROM big ORDER BY id
SELECT id, last_value(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 18446744073709551615 FOLLOWING) AS a, last_value(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 18446744073709551614 FOLLOWING), last_value(id) OVER (ORDER BY id ROWS BETWEEN 18446744073709551615 PRECEDING AND CURRENT ROW) AS b FROM big ORDER BY id;
--> rows
-- 1 | 5 | 5 | 1
-- 2 | 5 | 5 | 2
-- 3 | 5 | 5 | 3
-- 4 | 5 | 5 | 4
-- 5 | 5 | 5 | 5

SELECT id, sum(id) OVER (ORDER BY id % 2, id % 3 GROUPS BETWEEN 9223372036854775807 PRECEDING AND 9223372036854775807 FOLLOWING) AS a, count(*) OVER (ORDER BY id % 2 GROUPS BETWEEN 4294967296 PRECEDING AND 4294967296 PRECEDING) AS b, sum(id) OVER (ORDER BY id % 2 GROUPS BETWEEN CURRENT ROW AND 4294967297 FOLLOWING) AS c, first_value(id) OVER (ORDER BY id GROUPS BETWEEN 4294967296 PRECEDING AND CURRENT ROW) AS d FROM big ORDER BY id;
--> rows
-- 1 | 15 | 0 | 9 | 1
-- 2 | 15 | 0 | 15 | 1
-- 3 | 15 | 0 | 9 | 1
-- 4 | 15 | 0 | 15 | 1
-- 5 | 15 | 0 | 9 | 1

SELECT id, sum(id) OVER (ORDER BY id RANGE BETWEEN 1000000000000 PRECEDING AND 4294967296 FOLLOWING) AS a, count(*) OVER (ORDER BY id RANGE BETWEEN 4294967297 FOLLOWING AND 4294967299 FOLLOWING) AS b FROM (SELECT CAST(id AS BIGINT) AS id FROM big) AS q ORDER BY id;
--> rows
-- 1 | 15 | 0
-- 2 | 15 | 0
-- 3 | 15 | 0
-- 4 | 15 | 0
-- 5 | 15 | 0

SELECT id, nth_value(id, 4294967297) OVER (ORDER BY id) AS a, nth_value(id, 4294967296) OVER (ORDER BY id) AS b, nth_value(id, 9223372036854775807) OVER (ORDER BY id) AS c, nth_value(id, 2) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 4294967297 FOLLOWING) AS d FROM big ORDER BY id;
--> rows
-- 1 | NULL | NULL | NULL | 2
-- 2 | NULL | NULL | NULL | 3
-- 3 | NULL | NULL | NULL | 4
-- 4 | NULL | NULL | NULL | 5
-- 5 | NULL | NULL | NULL | NULL

SELECT id, lead(id, 4294967297) OVER (ORDER BY id) AS a, lag(id, 4294967297) OVER (ORDER BY id) AS b, lead(id, 9223372036854775807, -1) OVER (ORDER BY id) AS c, lag(id, 4294967296, -1) OVER (ORDER BY id) AS d, lag(id, -4294967297, -1) OVER (ORDER BY id) AS e FROM big ORDER BY id LIMIT 3;
--> rows
-- 1 | NULL | NULL | -1 | -1 | -1
-- 2 | NULL | NULL | -1 | -1 | -1
-- 3 | NULL | NULL | -1 | -1 | -1

SELECT id, ntile(4294967297) OVER (ORDER BY id) AS a, ntile(9223372036854775807) OVER (ORDER BY id) AS b FROM big ORDER BY id;
--> rows
-- 1 | 1 | 1
-- 2 | 2 | 2
-- 3 | 3 | 3
-- 4 | 4 | 4
-- 5 | 5 | 5

--@ duckdb: SELECT id, substr(s, 9), s, substr(s, 9), s[:1], s[2:] FROM big ORDER BY id
SELECT id, substr(s, 4294967297) AS a, substr(s, 1, 4294967297) AS b, substr(s, 4294967298, 1) AS c, substr(s, -4294967295, 4294967297) AS d, substr(s, 2, 9223372036854775806) AS e FROM big ORDER BY id;
--> rows
-- 1 | '' | abc | '' | a | bc
-- 2 | '' | ünïcode | '' | ü | nïcode
-- 3 | NULL | NULL | NULL | NULL | NULL
-- 4 | '' | '' | '' | '' | ''
-- 5 | '' | xyz | '' | x | yz

--@ duckdb: SELECT id, s, s, CASE WHEN s IS NOT NULL THEN '' END, CASE WHEN s IS NOT NULL THEN '' END, s FROM big ORDER BY id
SELECT id, left(s, 4294967297) AS a, right(s, 4294967297) AS b, left(s, -4294967297) AS c, right(s, -4294967297) AS d, left(s, 4294967296) AS g FROM big ORDER BY id;
--> rows
-- 1 | abc | abc | '' | '' | abc
-- 2 | ünïcode | ünïcode | '' | '' | ünïcode
-- 3 | NULL | NULL | NULL | NULL | NULL
-- 4 | '' | '' | '' | '' | ''
-- 5 | xyz | xyz | '' | '' | xyz

SELECT id, split_part(s, 'b', 4294967297) AS a, split_part(s, 'b', -4294967297) AS b, repeat(s, -4294967295) AS c, s AS d FROM big ORDER BY id;
--> rows
-- 1 | '' | '' | '' | abc
-- 2 | '' | '' | '' | ünïcode
-- 3 | NULL | NULL | NULL | NULL
-- 4 | '' | '' | '' | ''
-- 5 | '' | '' | '' | xyz

SELECT id, list_slice(l, 1, 4294967297) AS e, list_slice(l, 4294967297, 4294967298) AS f, list_slice(l, -4294967297, 4294967297) AS g FROM big ORDER BY id;
--> rows
-- 1 | [10, 20, 30] | [] | [10, 20, 30]
-- 2 | [40] | [] | [40]
-- 3 | NULL | NULL | NULL
-- 4 | [] | [] | []
-- 5 | [50, NULL, 70] | [] | [50, NULL, 70]

SELECT id, overlay(s PLACING 'ZZ' FROM 4294967297 FOR 1) AS a FROM big ORDER BY id;
--> rows
-- 1 | abcZZ
-- 2 | ünïcodeZZ
-- 3 | NULL
-- 4 | ZZ
-- 5 | xyzZZ

SELECT id, l[1:4294967297] AS a, l[2:4294967298] AS b FROM big ORDER BY id;
--> rows
-- 1 | [10, 20, 30] | [20, 30]
-- 2 | [40] | []
-- 3 | NULL | NULL
-- 4 | [] | []
-- 5 | [50, NULL, 70] | [NULL, 70]

SELECT chr(4294967393) AS a;
--> error invalid

SELECT repeat('a', 4294967297) AS a;
--> error resources_exhausted

SELECT lpad('a', 4294967297, 'x') AS a;
--> error resources_exhausted

SELECT array_repeat(1, 4294967297) AS a;
--> error resources_exhausted

SELECT array_resize([1], 4294967297) AS a;
--> error resources_exhausted

--@ duckdb: skip it has no such functions
SELECT array_remove_n([1, 1, 2], 1, 4294967297) AS a, array_replace_n([1, 1, 2], 1, 5, 4294967297) AS b, array_replace_n([1, 1, 2], 1, 5, -4294967295) AS c;
--> rows
-- [2] | [5, 5, 2] | [1, 1, 2]

--@ duckdb: skip it has no such functions
SELECT substr_index('a.b.c', '.', 4294967297) AS a, substr_index('a.b.c', '.', -4294967297) AS b, regexp_count('aaa', 'a', 4294967297) AS c, regexp_instr('aaa', 'a', 4294967298) AS d, regexp_instr('aaa', 'a', 1, 4294967297) AS e;
--> rows
-- a.b.c | a.b.c | 0 | 0 | 0

SELECT factorial(4294967298) AS a;
--> error invalid

SELECT power(2, 4294967297) AS a;
--> rows
-- inf

SELECT count(*) AS n FROM generate_series(4294967296, 4294967299);
--> rows
-- 4

SELECT * FROM generate_series(1, 9223372036854775807, 4294967296000000000);
--> rows
-- 1
-- 4294967296000000001
-- 8589934592000000001

SELECT (MAP {4294967297: 1})[1] AS a, (MAP {4294967297: 1})[4294967297] AS b;
--> rows
-- NULL | 1

SELECT to_hex(4294967297) AS a, bit_length('a') AS b;
--> rows
-- 100000001 | 8

SELECT date_bin(INTERVAL '1 day', to_timestamp(4294967297)) AS a, make_date(4294968, 1, 1) AS b;
--> error invalid

SELECT arrow_cast(1, 'FixedSizeBinary(4294967297)') AS a;
--> error invalid

SELECT CAST(4294967297 AS INTEGER) AS a;
--> error invalid

SELECT id, l[4294967297] AS a, l[-4294967297] AS b, l[9223372036854775807] AS c, list_extract(l, 4294967298) AS d FROM big ORDER BY id;
--> rows
-- 1 | NULL | NULL | NULL | NULL
-- 2 | NULL | NULL | NULL | NULL
-- 3 | NULL | NULL | NULL | NULL
-- 4 | NULL | NULL | NULL | NULL
-- 5 | NULL | NULL | NULL | NULL

--@ duckdb: skip it has no third argument
SELECT array_position([1, 2, 1], 1, 4294967298) AS a;
--> error invalid: out of bounds

--@ duckdb: skip it gives an empty list
SELECT array_slice([1, 2, 3, 4], 1, 4, 4294967297) AS a;
--> error unsupported: 4294967297

SELECT round(CAST(2.5 AS DOUBLE), 4294967297) AS a;
--> error invalid: 4294967297
