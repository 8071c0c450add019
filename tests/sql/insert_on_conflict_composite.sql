-- ON CONFLICT where the key has several columns, text in it, and where rows came by other statements.

CREATE TABLE stock (shop TEXT, item BIGINT, qty INT NOT NULL DEFAULT 0, note TEXT, PRIMARY KEY (shop, item));
--> ok

INSERT INTO stock (shop, item, qty) VALUES ('a', 1, 10), ('a', 2, 20), ('b', 1, 30);
--> count 3

INSERT INTO stock (shop, item, qty) VALUES ('a', 1, 1), ('b', 2, 2) ON CONFLICT (shop, item) DO UPDATE SET qty = stock.qty + excluded.qty;
--> count 2

SELECT * FROM stock ORDER BY shop, item;
--> rows
-- a | 1 | 11 | NULL
-- a | 2 | 20 | NULL
-- b | 1 | 30 | NULL
-- b | 2 | 2 | NULL

-- the order of the columns in the target does not matter
INSERT INTO stock (item, shop, qty) VALUES (2, 'a', 5) ON CONFLICT (item, shop) DO UPDATE SET qty = excluded.qty, note = 'set';
--> count 1

INSERT INTO stock (shop, item, qty) SELECT shop, item + 1, 7 FROM stock ON CONFLICT (shop, item) DO NOTHING;
--> count 2

SELECT * FROM stock ORDER BY shop, item;
--> rows
-- a | 1 | 11 | NULL
-- a | 2 | 5 | set
-- a | 3 | 7 | NULL
-- b | 1 | 30 | NULL
-- b | 2 | 2 | NULL
-- b | 3 | 7 | NULL

-- a key that an UPDATE made counts, the one it took away does not
UPDATE stock SET item = 50 WHERE shop = 'b' AND item = 1;
--> count 1

INSERT INTO stock (shop, item, qty) VALUES ('b', 50, 1), ('b', 1, 1) ON CONFLICT (shop, item) DO UPDATE SET qty = -1;
--> count 2

SELECT shop, item, qty FROM stock WHERE shop = 'b' ORDER BY item;
--> rows
-- b | 1 | 1
-- b | 2 | 2
-- b | 3 | 7
-- b | 50 | -1

INSERT INTO stock (shop, item) VALUES (NULL, 1);
--> error invalid: shop

INSERT INTO stock (shop, item, qty) VALUES ('a', 1, 1) ON CONFLICT (shop) DO NOTHING;
--> error invalid

INSERT INTO stock (shop, item, qty) VALUES ('a', 1, NULL) ON CONFLICT (shop, item) DO UPDATE SET qty = excluded.qty;
--> error invalid: qty

SELECT qty FROM stock WHERE shop = 'a' AND item = 1;
--> rows
-- 11

INSERT INTO stock (shop, item, qty) VALUES ('O''Brien', 1, 1), ('', 1, 2), ('o''brien', 1, 3) ON CONFLICT (shop, item) DO NOTHING;
--> count 3

INSERT INTO stock (shop, item, qty) VALUES ('O''Brien', 1, 9), ('', 1, 9) ON CONFLICT (shop, item) DO UPDATE SET qty = stock.qty * 100 + excluded.qty RETURNING shop, qty;
--> rows unordered
-- '' | 209
-- O'Brien | 109

SELECT shop, qty FROM stock WHERE qty > 100 ORDER BY shop;
--> rows
-- '' | 209
-- O'Brien | 109
