-- Comments and white space around and inside statements do not change what they are.

/* first */ CREATE TABLE t (id INT, -- the key
  v INT /* the value */
);
--> ok

/* one */ /* two */
INSERT INTO t VALUES (1, 10), (2, 20), -- two of four
  (3, 30), (4, 40);
--> count 4

/* a comment first
-- and one within */ DELETE FROM t WHERE id = 1;
--> count 1

/* c */ -- d
UPDATE t
   SET v = v + 1 /* DELETE FROM t */
 WHERE id = 2;
--> count 1

/* c */ WITH q AS (SELECT 3 AS id) DELETE FROM t WHERE id IN (SELECT id FROM q);
--> count 1

   WITH q AS (SELECT 9 AS id, 90 AS v)
   INSERT INTO t SELECT id, v FROM q;
--> count 1

/* c */ MERGE INTO t USING (SELECT 4 AS id) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 44;
--> count 1

/* c */ SELECT * FROM t ORDER BY id;
--> rows
-- 2 | 21
-- 4 | 44
-- 9 | 90

/* c */ (SELECT id FROM t WHERE id = 2) UNION ALL (SELECT 100) ORDER BY id;
--> rows
-- 2
-- 100

/* INSERT INTO t VALUES (5, 5) */ SELECT count(*) AS n FROM t;
--> rows
-- 3

/* c */ UPDATE t SET v = 0 WHERE id = 2 RETURNING id, v;
--> rows
-- 2 | 0

/* c */ TRUNCATE TABLE t;
--> count 3

/* c */ DROP TABLE t;
--> ok
