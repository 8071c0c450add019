// Runs the tests in Node.js, with a worker and without, on the installed package.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import * as arrow from "apache-arrow";
import * as rhei from "rhei-datafusion";
import { tests } from "./suite.mjs";

const crash = (db) => db.backend.call(-1, "crash", []);

for (const worker of [true, false]) {
  const open = (options) => rhei.Engine.create({ worker, ...options });
  for (const [name, claim] of Object.entries(tests)) {
    test(`${worker ? "in a worker" : "in this thread"}: ${name}`, { timeout: 120_000 }, () =>
      claim({ rhei, open, arrow, crash, hasNames: true }),
    );
  }
}

test("the worker of a crashed engine ends", { timeout: 120_000 }, async () => {
  const db = await rhei.Engine.create();
  let ended = 0;
  const { terminate } = Worker.prototype;
  Worker.prototype.terminate = function () {
    ended++;
    return terminate.call(this);
  };
  try {
    await assert.rejects(crash(db), { code: "engine_crashed" });
    assert.equal(ended, 1);
    await assert.rejects(db.query("SELECT 1"), { code: "engine_crashed" });
  } finally {
    Worker.prototype.terminate = terminate;
  }
});

test("the engine's WebAssembly is found by path and by URL", { timeout: 120_000 }, async () => {
  for (const worker of [true, false]) {
    const url = import.meta.resolve("rhei-datafusion/wasm");
    for (const wasm of [url, new URL(url), fileURLToPath(url)]) (await rhei.Engine.create({ worker, wasm })).close();
    await assert.rejects(rhei.Engine.create({ worker, wasm: "nowhere.wasm" }), { code: "unavailable" });
  }
});
