// Functions of the program, called from SQL; they may return promises.
//
//     node functions.mjs
import assert from "node:assert/strict";
import { Engine } from "rhei-datafusion";

const db = await Engine.create();
await db.execute("CREATE TABLE cities (name TEXT)");
await db.execute("INSERT INTO cities VALUES ('Ulm'), ('Bern'), (NULL)");

const inhabitants = new Map([
  ["Ulm", 130_000],
  ["Bern", 135_000],
]);
const lookUp = async (name) => inhabitants.get(name) ?? null;
await db.registerFunction("inhabitants", lookUp, { args: ["TEXT"], returns: "BIGINT" });

const rows = (await db.query("SELECT name, inhabitants(name) AS n FROM cities ORDER BY name")).rows();
console.log(rows);
assert.deepEqual(rows, [
  { name: "Bern", n: 135_000n },
  { name: "Ulm", n: 130_000n },
  { name: null, n: null },
]);
db.close();
