// Builds the page with the engine in js/dist, and runs its tests in Chromium.
//
//     npm test [-- --screenshots FOLDER]
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({ options: { screenshots: { type: "string" } } });
const run = (command, args, env = {}) =>
  execFileSync(command, args, { stdio: "inherit", cwd: root, env: { ...process.env, ...env } });

run("npm", ["run", "build"]);
run("node", ["--test", "--test-reporter=spec", "test/"], values.screenshots ? { SCREENSHOTS: values.screenshots } : {});
