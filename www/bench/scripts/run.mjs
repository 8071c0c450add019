// Measures this engine beside DuckDB-WASM in one page, in the Chromium that is installed, and prints a table in Markdown. What is
// missing is made first: packages, the engine, data.
//
//     npm start -- [--only=start,tpch,load,update,size] [--rounds=N] [--build] [--serve]
//
// Like the other benchmarks it leaves the judgement to its reader: a bar that is missed does not change the exit code; a wrong
// answer, or a measure that fails, does.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { dist, engine, page as makePage, packages, sizes, tpchTables } from "./prepare.mjs";

const USAGE = `usage: npm start -- [options]

  --only=MEASURES  of start, tpch, load, update and size, separated by commas
  --rounds=N       samples of each; of update 15 times as many (default: 7)
  --build          build the npm package even where its release build is there
  --serve          serve the page for a browser of yours, and measure nothing`;

const MEASURES = ["start", "tpch", "load", "update", "size"];

// Pages that are isolated have clocks of 5 µs and not of 100. Nothing is compressed, so no engine has to be decompressed.
const HEADERS = {
  "cache-control": "max-age=3600",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

function options() {
  const kinds = {
    only: { type: "string" },
    rounds: { type: "string" },
    build: { type: "boolean" },
    serve: { type: "boolean" },
  };
  const { values } = parseArgs({ options: kinds });
  const only = values.only?.split(",") ?? MEASURES;
  const rounds = Number(values.rounds ?? 7);
  const unknown = only.find((name) => !MEASURES.includes(name));
  if (unknown !== undefined) throw new Error(`there is no measure '${unknown}'`);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds wants a number");
  return { ...values, only, rounds };
}

let asked;
try {
  asked = options();
} catch (error) {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exit(2);
}
packages();
engine({ again: asked.build });
await makePage(asked.serve || asked.only.includes("tpch") ? tpchTables() : undefined);
if (asked.serve || asked.only.includes("size")) await sizes();

const { openPage, serve } = await import("../../../js/scripts/browser.mjs");
const server = await serve(dist, undefined, HEADERS);
if (asked.serve) console.log(`open ${server.url}, and press Run`);
else await measure();

async function measure() {
  const profile = mkdtempSync(join(tmpdir(), "rhei-bench-"));
  const { page, close } = await openPage(`${server.url}/?only=${asked.only}&rounds=${asked.rounds}`, { profile });
  try {
    page.on("console", (message) => message.type() === "log" && console.error(message.text()));
    await page.click("#run");
    const { browser, markdown, ...found } = await page.evaluate(() => globalThis.outcome);
    const [model] = cpus();
    const preface = [
      `${cpus().length} cores (${model.model.trim()}), ${browser.match(/Chrome\/[\d.]+/)}; rounds: ${asked.rounds}.`,
      "Times are medians ± half the distance of the quartiles; `found` is what the bar limits.",
    ];
    console.log(`${preface.join("\n")}\n\n${markdown}`);
    const results = join(import.meta.dirname, "../results");
    mkdirSync(results, { recursive: true });
    const file = join(results, `${new Date().toISOString().replaceAll(/[:.]/g, "-")}.json`);
    writeFileSync(file, JSON.stringify({ browser, preface, ...found }, undefined, 1));
    console.error(`\nall samples: ${file}`);
  } finally {
    await close();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
