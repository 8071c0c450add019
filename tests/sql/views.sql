-- Views follow their tables, and can be replaced, nested and dropped.

CREATE TABLE t (id BIGINT, grp TEXT, v INT);
--> ok

INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20);
--> count 2

CREATE VIEW big AS SELECT id, v FROM t WHERE v > 10;
--> ok

SELECT * FROM big ORDER BY id;
--> rows
-- 2 | 20

INSERT INTO t VALUES (3, 'a', 30), (4, 'b', 5);
--> count 2

SELECT * FROM big ORDER BY id;
--> rows
-- 2 | 20
-- 3 | 30

UPDATE t SET v = 100 WHERE id = 1;
--> count 1

DELETE FROM t WHERE id = 2;
--> count 1

SELECT * FROM big ORDER BY id;
--> rows
-- 1 | 100
-- 3 | 30

CREATE VIEW sums (name, total) AS SELECT grp, sum(v) FROM t GROUP BY grp;
--> ok

SELECT name, total FROM sums ORDER BY name;
--> rows
-- a | 130
-- b | 5

CREATE VIEW nested AS SELECT b.id, s.total FROM big b JOIN t ON t.id = b.id JOIN sums s ON s.name = t.grp;
--> ok

SELECT * FROM nested ORDER BY id;
--> rows
-- 1 | 130
-- 3 | 130

CREATE VIEW big AS SELECT 1 AS one;
--> error invalid: exists

CREATE OR REPLACE VIEW big AS SELECT id, -v AS v FROM t;
--> ok

SELECT * FROM big ORDER BY id;
--> rows
-- 1 | -100
-- 3 | -30
-- 4 | -5

-- a view as the source of DML
INSERT INTO t SELECT id + 100, 'view', v FROM big WHERE id = 1;
--> count 1

DELETE FROM t WHERE id IN (SELECT id FROM big WHERE v = -5);
--> count 1

UPDATE t SET v = big.v FROM big WHERE t.id = big.id AND big.id = 3;
--> count 1

SELECT * FROM t ORDER BY id;
--> rows
-- 1 | a | 100
-- 3 | a | -30
-- 101 | view | -100

-- the table behind it is made anew
CREATE OR REPLACE TABLE t AS SELECT 7 AS id, 'new' AS grp, 77 AS v;
--> ok

SELECT * FROM sums;
--> rows
-- new | 77

CREATE VIEW bad AS SELECT nope FROM t;
--> error invalid: No field named

CREATE VIEW bad AS SELECT * FROM nope;
--> error invalid: not found

DROP VIEW sums;
--> ok

SELECT * FROM sums;
--> error invalid: not found

DROP VIEW sums;
--> error invalid: sums

DROP VIEW IF EXISTS sums;
--> ok

DROP TABLE big;
--> error invalid: big

DROP VIEW t;
--> error invalid: t

SELECT count(*) AS n FROM t;
--> rows
-- 1
