// Builds the missing parts of the engine and of the page, and serves the page on this machine.
//
//     npm start [-- --port 4173]
//
// Needs cargo, npm and clang. The engine is built for tests, which takes minutes; after `scripts/npm_package` the small
// and fast release build is used.
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const www = join(import.meta.dirname, "..");
const js = join(www, "../js");
const { values } = parseArgs({ options: { port: { type: "string", default: "4173" } } });

const run = (cwd, command, ...args) => execFileSync(command, args, { stdio: "inherit", cwd });

for (const folder of [js, www]) {
  const installed = join(folder, "node_modules/.package-lock.json");
  const locked = join(folder, "package-lock.json");
  const isCurrent = existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs;
  if (!isCurrent) run(folder, "npm", "ci");
}
if (!existsSync(join(js, "dist/rhei_datafusion.wasm"))) run(js, "npm", "run", "build");
run(www, "npm", "run", "build");
run(www, "npx", "vite", "preview", "--port", values.port, "--strictPort");
