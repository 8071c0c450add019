// Makes what the page needs, where it is missing: packages, the engine, data, and the folder that is served.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const bench = join(import.meta.dirname, "..");
const repository = join(bench, "../..");
const js = join(repository, "js");
const cache = join(homedir(), ".cache/rhei-datafusion");
const modules = join(bench, "node_modules");

/** The folder that is served. */
export const dist = join(bench, "dist");

function run(command, args, cwd = repository) {
  // What is measured goes to the standard output, and this does not.
  execFileSync(command, args, { cwd, stdio: ["ignore", process.stderr, process.stderr] });
}

/** Installs the packages of this folder and of js/, where they are not there or older than what is locked. */
export function packages() {
  for (const folder of [js, bench]) {
    const installed = join(folder, "node_modules/.package-lock.json");
    const locked = join(folder, "package-lock.json");
    if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs) continue;
    run("npm", ["ci", "--no-audit", "--no-fund"], folder);
  }
}

/** Builds the npm package, unless its release build is there. */
export function engine({ again }) {
  const profile = join(js, "wasm/profile");
  const isRelease = existsSync(profile) && readFileSync(profile, "utf8").trim() === "npm";
  if (isRelease && existsSync(join(js, "dist/rhei_datafusion.wasm")) && !again) return;
  console.error("building the npm package for release, which takes half an hour");
  run("node", ["scripts/build.mjs", "--release"], js);
}

/** Generates the tables of TPC-H at scale factor 0.1. Returns their folder. */
export function tpchTables() {
  const folder = join(cache, "tpch-0.1");
  if (existsSync(folder)) return folder;
  const venv = execFileSync(join(repository, "scripts/need_venv"), {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  run(join(venv, "bin/tpchgen-cli"), ["parquet", "--scale-factor=0.1", `--output-dir=${unfinished}`]);
  renameSync(unfinished, folder);
  return folder;
}

/** The 22 queries, by their numbers. */
function queries() {
  const folder = join(repository, "tests/tpch");
  const files = readdirSync(folder)
    .filter((file) => /^q\d\d\.sql$/.test(file))
    .sort();
  if (files.length !== 22) throw new Error(`${folder} holds ${files.length} queries`);
  return files.map((file) => {
    const [statement] = readFileSync(join(folder, file), "utf8").split(/^--> rows/m);
    const sql = statement
      .replace(/^--.*$/gm, "")
      .trim()
      .replace(/;$/, "");
    return { name: file.slice(1, 3), sql };
  });
}

/** Makes the folder that is served anew. */
export async function page(tables) {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(bench, "page/main.js")],
    outfile: join(dist, "page.js"),
    bundle: true,
    format: "esm",
    target: "es2023",
    logLevel: "warning",
    // As it is in the package, with its worker and its WebAssembly beside it.
    alias: { "rhei-datafusion": "./ours/index.js" },
    external: ["./ours/index.js"],
  });
  cpSync(join(bench, "index.html"), join(dist, "index.html"));
  writeFileSync(join(dist, "queries.json"), JSON.stringify(queries()));
  const folders = {
    ours: join(modules, "rhei-datafusion/dist"),
    duckdb: join(modules, "@duckdb/duckdb-wasm/dist"),
    "duckdb-parquet": join(modules, "duckdb-wasm-parquet/dist"),
    flights: join(modules, "vega-datasets/data"),
    ...(tables && { tpch: tables }),
  };
  for (const [name, folder] of Object.entries(folders)) symlinkSync(folder, join(dist, name), "dir");
}

/** Notes the sizes of both engines' WebAssembly for the page. */
export async function sizes() {
  const [ours, theirs] = await Promise.all(
    ["ours/rhei_datafusion.wasm", "duckdb/duckdb-eh.wasm"].map((file) => sizesOf(join(dist, file))),
  );
  writeFileSync(join(dist, "sizes.json"), JSON.stringify({ ours, theirs }));
}

async function sizesOf(file) {
  const content = readFileSync(file);
  // Compressing takes minutes: it is done once for each content.
  const known = join(cache, "sizes", `${createHash("sha256").update(content).digest("hex")}.json`);
  if (existsSync(known)) return JSON.parse(readFileSync(known, "utf8"));
  console.error(`compressing ${file}`);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 };
  const compressed = await promisify(brotliCompress)(content, { params });
  const found = { bytes: content.length, compressedBytes: compressed.length };
  mkdirSync(join(cache, "sizes"), { recursive: true });
  writeFileSync(known, JSON.stringify(found));
  return found;
}
