// Files into tables, and results out as Arrow.
//
//     node files.mjs
import assert from "node:assert/strict";
import { Engine } from "rhei-datafusion";

const db = await Engine.create();
const csv = new Blob(["day,visits\n2026-01-01,120\n2026-01-02,95\n2026-01-03,\n"]);
assert.equal(await db.loadCsv("visits", csv), 3);

const json = new Blob(['{"day": "2026-01-01", "sales": 7.5}\n{"day": "2026-01-02", "sales": 3.25}\n']);
assert.equal(await db.loadJson("sales", json), 2);

const joined = await db.query(`SELECT CAST(v.day AS TEXT) AS day, v.visits, s.sales
  FROM visits AS v LEFT JOIN sales AS s ON CAST(v.day AS TEXT) = CAST(s.day AS TEXT) ORDER BY day`);
console.log(joined.rows());
assert.deepEqual(joined.rows(), [
  { day: "2026-01-01", visits: 120n, sales: 7.5 },
  { day: "2026-01-02", visits: 95n, sales: 3.25 },
  { day: "2026-01-03", visits: null, sales: null },
]);

// The result is an Arrow IPC stream, which any Arrow reader takes; here this engine's own.
assert.equal(await db.loadArrow("joined", joined.ipc), 3);
db.close();
