-- What is kept as text, a DEFAULT and a view's query, is what was written.

CREATE TABLE d (a INT, s TEXT DEFAULT 'x''''y', q TEXT DEFAULT '''', b TEXT DEFAULT 'it''s', w TEXT DEFAULT '\', v TEXT DEFAULT '\''', n INT DEFAULT - -1);
--> ok

INSERT INTO d (a) VALUES (1);
--> count 1

ALTER TABLE d ADD COLUMN z TEXT DEFAULT '''''''';
--> ok

INSERT INTO d (a) VALUES (2);
--> count 1

SELECT * FROM d ORDER BY a;
--> rows
-- 1 | x''y | ' | it's | \\ | \\' | 1 | '''
-- 2 | x''y | ' | it's | \\ | \\' | 1 | '''

CREATE VIEW v AS SELECT 'x''''y' AS s, - -2 AS n, '\''' AS b, 'a''b' || '''' AS c;
--> ok

SELECT * FROM v;
--> rows
-- x''y | 2 | \\' | a'b'
