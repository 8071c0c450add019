// Values apart from the SQL text: by number, in order, or by name.
//
//     node parameters.mjs
import assert from "node:assert/strict";
import { Engine } from "rhei-datafusion";

const db = await Engine.create();
await db.execute("CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT, seen TIMESTAMP)");
const names = ["O'Brien", "'; DROP TABLE users; --"];
for (const [index, name] of names.entries()) {
  await db.execute("INSERT INTO users VALUES ($1, $2, $3)", [index, name, new Date(0)]);
}
const found = await db.query("SELECT id, name FROM users WHERE name = ?", ["O'Brien"]);
assert.deepEqual(found.rows(), [{ id: 0n, name: "O'Brien" }]);

const since = await db.query("SELECT count(*) AS n FROM users WHERE seen < $now AND id IN ($a, $b)", {
  now: new Date(),
  a: 0,
  b: 1,
});
console.log(`${since.rows()[0].n} names are stored as they are`);
assert.equal(since.rows()[0].n, 2n);
db.close();
