// Runs the tests in a page, with a worker and without; the page's title reports the end.
import * as arrow from "./arrow.js";
import * as rhei from "./node_modules/rhei-datafusion/dist/index.js";
import { tests } from "./suite.mjs";

const crash = (db) => db.backend.call(-1, "crash", []);
const failures = [];
globalThis.failures = failures;
globalThis.count = 0;
// As the test runner of Node.js does.
addEventListener("unhandledrejection", ({ reason }) =>
  failures.push(`no one heard of this: ${reason?.stack ?? reason}`),
);

for (const worker of [true, false]) {
  const open = (options) => rhei.Engine.create({ worker, ...options });
  for (const [name, claim] of Object.entries(tests)) {
    globalThis.count++;
    try {
      await claim({ rhei, open, arrow, crash, hasNames: false });
    } catch (error) {
      failures.push(`${worker ? "in a worker" : "in the page"}: ${name}: ${error.stack ?? error}`);
    }
  }
}
document.title = "done";
