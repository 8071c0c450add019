// A large result, batch by batch: the engine works no further ahead than is read, and stops when reading stops.
//
//     node streaming.mjs
import assert from "node:assert/strict";
import { Engine, EngineError } from "rhei-datafusion";

const db = await Engine.create();
let rows = 0;
for await (const batch of db.stream("SELECT value AS n, value * value AS square FROM range(100000)")) {
  const square = batch.columns[1].get(batch.numRows - 1);
  rows += batch.numRows;
  assert.equal(square, BigInt(rows - 1) ** 2n);
}
assert.equal(rows, 100_000);

// An endless result, of which only the beginning is read.
for await (const batch of db.stream("SELECT a.value FROM range(1000000) AS a CROSS JOIN range(1000000) AS b")) {
  console.log(`the first batch has ${batch.numRows} rows`);
  break;
}

// A signal or a timeout ends a statement, whatever it is doing.
const controller = new AbortController();
const endless = db.query("SELECT count(*) FROM range(1000000) AS a JOIN range(1000000) AS b ON a.value < b.value", [], {
  signal: controller.signal,
});
controller.abort();
await assert.rejects(endless, (error) => error instanceof EngineError && error.code === "cancelled");
db.close();
