-- Unquoted names of columns that have capitals.

CREATE TABLE users ("userId" BIGINT PRIMARY KEY, "Name" TEXT, score BIGINT, "Order" BIGINT);
--> ok

INSERT INTO Users (userId, NAME, SCORE) VALUES (1, 'Ada', 10), (2, 'Grace', 20), (3, NULL, 30);
--> count 3

INSERT INTO users (USERID, "Name", "Order") SELECT userid + 3, name, Score FROM USERS WHERE userId < 2;
--> count 1

SELECT userId, name, score, "Order" FROM users ORDER BY USERID;
--> rows
-- 1 | Ada | 10 | NULL
-- 2 | Grace | 20 | NULL
-- 3 | NULL | 30 | NULL
-- 4 | Ada | NULL | 10

SELECT u.USERID, count(*) AS n FROM Users u WHERE u.Name IS NOT NULL GROUP BY u.userId HAVING max(u.SCORE) > 5 ORDER BY u.userid;
--> rows
-- 1 | 1
-- 2 | 1

SELECT users.userId FROM users WHERE users.NAME = 'Ada' ORDER BY users.userid;
--> rows
-- 1
-- 4

-- An alias that is equal but for the case is another name.
SELECT userId AS score, SCORE AS s FROM Users ORDER BY s NULLS LAST, score;
--> rows
-- 1 | 10
-- 2 | 20
-- 3 | 30
-- 4 | NULL

SELECT sum(SCORE) OVER (ORDER BY userId) AS running FROM users ORDER BY running;
--> rows
-- 10
-- 30
-- 60
-- 60

UPDATE USERS SET SCORE = Score + 1, name = coalesce(NAME, 'none') WHERE userid IN (1, 3);
--> count 2

UPDATE Users SET score = 0 WHERE users.userId = 4;
--> count 1

SELECT * FROM users ORDER BY userId;
--> rows
-- 1 | Ada | 11 | NULL
-- 2 | Grace | 20 | NULL
-- 3 | none | 31 | NULL
-- 4 | Ada | 0 | 10

INSERT INTO users (userid, name, score) VALUES (1, 'Ada L.', 12), (5, 'Barbara', 50) ON CONFLICT (USERID) DO UPDATE SET NAME = excluded.name, score = excluded.SCORE + Users.score;
--> count 2

DELETE FROM users WHERE USERID = 2 RETURNING userid, NAME;
--> rows
-- 2 | Grace

SELECT * EXCLUDE ("Order") FROM users ORDER BY userId;
--> rows
-- 1 | Ada L. | 23
-- 3 | none | 31
-- 4 | Ada | 0
-- 5 | Barbara | 50

-- A table in which a name is quoted, and one that has it in lower case.
CREATE TABLE other (userid BIGINT, "Tag" TEXT);
--> ok

INSERT INTO other VALUES (1, 'a'), (4, 'b'), (9, 'c');
--> count 3

SELECT o.userid, tag, name FROM other o JOIN users u ON o.userid = u.userId ORDER BY o.userid;
--> rows
-- 1 | a | Ada L.
-- 4 | b | Ada

SELECT tag FROM other WHERE EXISTS (SELECT 1 FROM users WHERE users.userid = other.userid) ORDER BY TAG;
--> rows
-- a
-- b

-- In the inner query the name means the column of its own table.
SELECT tag FROM other WHERE userid IN (SELECT userid FROM users) ORDER BY tag;
--> rows
-- a
-- b

CREATE VIEW few AS SELECT userId, name FROM users WHERE userId < 4;
--> ok

SELECT tag FROM other WHERE userid IN (SELECT userid FROM few) ORDER BY tag;
--> rows
-- a

SELECT tag FROM other WHERE EXISTS (SELECT 1 FROM few WHERE userid = 9) ORDER BY tag;
--> rows

-- And a view that stands on a view.
CREATE VIEW few_again AS SELECT * FROM few;
--> ok

SELECT tag, (SELECT max(userid) FROM few_again) AS most FROM other ORDER BY tag;
--> rows
-- a | 3
-- b | 3
-- c | 3

SELECT (SELECT max(NAME) FROM users WHERE userId = o.userid) AS name, o.userid FROM other o WHERE userid < 5 ORDER BY userid;
--> rows
-- Ada L. | 1
-- Ada | 4

WITH named AS (SELECT userId, Name FROM users WHERE SCORE > 1) SELECT USERID, name FROM named ORDER BY userid;
--> rows
-- 1 | Ada L.
-- 3 | none
-- 5 | Barbara

SELECT userid FROM other UNION ALL SELECT userid FROM users ORDER BY userid;
--> rows
-- 1
-- 1
-- 3
-- 4
-- 4
-- 5
-- 9

MERGE INTO users USING other ON users.userid = other.USERID WHEN MATCHED THEN UPDATE SET NAME = TAG WHEN NOT MATCHED THEN INSERT (USERID, name, score) VALUES (other.userid, tag, 90);
--> count 3

DELETE FROM users USING other WHERE users.USERID = other.userid AND TAG = 'c';
--> count 1

SELECT * FROM users ORDER BY userid;
--> rows
-- 1 | a | 23 | NULL
-- 3 | none | 31 | NULL
-- 4 | b | 0 | 10
-- 5 | Barbara | 50 | NULL

ALTER TABLE users RENAME COLUMN SCORE TO points;
--> ok

--@ duckdb: ALTER TABLE Users DROP COLUMN "order"
ALTER TABLE Users DROP COLUMN order;
--> ok

SELECT POINTS FROM users WHERE points IS NOT NULL ORDER BY points;
--> rows
-- 0
-- 23
-- 31
-- 50

CREATE TABLE copied AS SELECT USERID AS id, NAME FROM users;
--> ok

SELECT id, name FROM copied ORDER BY id;
--> rows
-- 1 | a
-- 3 | none
-- 4 | b
-- 5 | Barbara

CREATE VIEW seen AS SELECT userId, POINTS FROM users;
--> ok

SELECT userid, points FROM seen ORDER BY userid;
--> rows
-- 1 | 23
-- 3 | 31
-- 4 | 0
-- 5 | 50

-- What is written in quotes is not looked for in another case.
--@ duckdb: skip DuckDB does not tell the cases apart, in quotes neither
SELECT "userid" FROM users;
--> error invalid: userid

SELECT nothing FROM users;
--> error invalid: No field named nothing

UPDATE users SET nothing = 1;
--> error invalid: No field named nothing

-- Two columns that are equal but for the case.
--@ duckdb: skip DuckDB does not tell the cases apart
CREATE TABLE twice ("aB" BIGINT, "Ab" BIGINT, c BIGINT);
--> ok

--@ duckdb: skip DuckDB does not tell the cases apart
INSERT INTO twice ("aB", "Ab", C) VALUES (1, 2, 3);
--> count 1

--@ duckdb: skip DuckDB does not tell the cases apart
SELECT ab FROM twice;
--> error invalid: the name ab may be any of the columns "Ab", "aB"; write it in quotes as one of them

--@ duckdb: skip DuckDB does not tell the cases apart
UPDATE twice SET c = AB;
--> error invalid: any of the columns

--@ duckdb: skip DuckDB does not tell the cases apart
UPDATE twice SET aB = 1;
--> error invalid: any of the columns

--@ duckdb: skip DuckDB does not tell the cases apart
INSERT INTO twice (ab) VALUES (1);
--> error invalid: any of the columns

--@ duckdb: skip DuckDB does not tell the cases apart
ALTER TABLE twice DROP COLUMN ab;
--> error invalid: any of the columns

--@ duckdb: skip DuckDB does not tell the cases apart
ALTER TABLE twice ADD COLUMN ab BIGINT;
--> ok

--@ duckdb: skip DuckDB does not tell the cases apart
SELECT AB, "aB", C FROM twice;
--> rows
-- NULL | 1 | 3

-- A CTE is not the table of its name.
WITH users AS (SELECT 7 AS userid, 8 AS "uSerId2") SELECT userid, USERID2 FROM users;
--> rows
-- 7 | 8

-- Names that are none of a column of the SELECT stay as they are.
CREATE TABLE capitals ("X" INT, l INT[], "Name" TEXT, s STRUCT(name INT), "Total" INT, id INT);
--> ok

INSERT INTO capitals VALUES (100, [1, 2], 'a', {'name': 7}, 3, 1), (200, [3], 'b', {'name': 8}, 4, 2);
--> count 2

CREATE TABLE totals (uid INT, total INT);
--> ok

INSERT INTO totals VALUES (1, 10), (2, 20);
--> count 2

SELECT list_transform(l, lambda x: x + 1) FROM capitals ORDER BY x;
--> rows
-- [2, 3]
-- [4]

SELECT s.name, name FROM capitals ORDER BY NAME;
--> rows
-- 7 | a
-- 8 | b

SELECT ID FROM capitals WHERE id IN (SELECT uid FROM totals ORDER BY total DESC LIMIT 1);
--> rows
-- 2

SELECT * REPLACE (upper(name) AS name) FROM (SELECT "Name" FROM capitals) ORDER BY 1;
--> rows
-- A
-- B

SELECT * REPLACE (upper(name) AS NAME) FROM capitals ORDER BY x;
--> rows
-- 100 | [1, 2] | A | {name: 7} | 3 | 1
-- 200 | [3] | B | {name: 8} | 4 | 2

CREATE VIEW first_level AS SELECT x, name, total, id FROM capitals;
--> ok

CREATE VIEW second_level AS SELECT X, NAME, Total, ID FROM first_level WHERE TOTAL > 0;
--> ok

CREATE VIEW third_level AS SELECT x, name, total, id FROM second_level WHERE NAME <> 'c';
--> ok

SELECT a.x, b.name, a.TOTAL FROM third_level a JOIN second_level b ON a.ID = b.id ORDER BY A.x;
--> rows
-- 100 | a | 3
-- 200 | b | 4

SELECT c.Name, t.total FROM capitals c JOIN totals t ON c.ID = t.uid WHERE C.TOTAL < t.Total ORDER BY 1;
--> rows
-- a | 10
-- b | 20

-- The key of a table.
CREATE TABLE keyed ("orderId" BIGINT, "Line" BIGINT, PRIMARY KEY (orderId, line));
--> ok

INSERT INTO keyed VALUES (1, NULL);
--> error invalid: Line

INSERT INTO keyed VALUES (1, 1), (1, 2) ON CONFLICT (ORDERID, LINE) DO NOTHING;
--> count 2

INSERT INTO keyed (LINE, orderID) VALUES (3, 1), (1, 2);
--> count 2

SELECT * FROM keyed ORDER BY ALL;
--> rows
-- 1 | 1
-- 1 | 2
-- 1 | 3
-- 2 | 1

--@ duckdb: skip it finds a quoted name in any case
INSERT INTO keyed ("orderid", line) VALUES (1, 4);
--> error invalid: orderid

INSERT INTO keyed (orderId, ORDERID) VALUES (1, 4);
--> error invalid

--@ duckdb: skip it refuses two names that differ in their case alone
CREATE TABLE two ("aB" BIGINT, "Ab" BIGINT);
--> ok

--@ duckdb: skip the table is not there
INSERT INTO two (ab) VALUES (1);
--> error invalid: may be any of the columns

--@ duckdb: skip the table is not there
INSERT INTO two ("Ab", "aB") VALUES (1, 2);
--> count 1
