// Tables in memory: create, insert, upsert, update with RETURNING, query.
//
//     node in_memory.mjs
import assert from "node:assert/strict";
import { Engine } from "rhei-datafusion";

const db = await Engine.create();
await db.execute("CREATE TABLE stock (item TEXT PRIMARY KEY, amount BIGINT, price DECIMAL(10, 2))");
await db.execute("INSERT INTO stock VALUES ('tea', 10, 2.50), ('coffee', 5, 4.00)");

// A row whose key is there is updated, any other is inserted.
await db.execute(`INSERT INTO stock VALUES ('tea', 3, 2.60), ('cocoa', 8, 3.10)
  ON CONFLICT (item) DO UPDATE SET amount = stock.amount + excluded.amount, price = excluded.price`);

const dearer = await db.query("UPDATE stock SET price = price * 2 WHERE item = 'cocoa' RETURNING item, price");
assert.deepEqual(dearer.rows(), [{ item: "cocoa", price: "6.20" }]);

const rows = (await db.query("SELECT item, amount FROM stock ORDER BY item")).rows();
console.log(rows);
assert.deepEqual(rows, [
  { item: "cocoa", amount: 8n },
  { item: "coffee", amount: 5n },
  { item: "tea", amount: 13n },
]);
db.close();
