// The claims in Node.js, with a worker and without, on the package as it is installed.
import { test } from "node:test";
import * as arrow from "apache-arrow";
import * as rhei from "rhei-datafusion";
import { tests } from "./suite.mjs";

const crash = (db) => db.backend.call(-1, "crash", []);

for (const worker of [true, false]) {
  const open = (options) => rhei.Engine.create({ worker, ...options });
  for (const [name, claim] of Object.entries(tests)) {
    test(`${worker ? "in a worker" : "in this thread"}: ${name}`, { timeout: 30_000 }, () => claim({ rhei, open, arrow, crash, hasNames: true }));
  }
}
