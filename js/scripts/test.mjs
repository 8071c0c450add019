// All tests of the package: types, the tests in Node.js and in Chromium, and projects that install the tarball.
//
//     node scripts/test.mjs [--no-build] [--only PART-OF-A-STEP'S-NAME]
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { openPage, serve } from "./browser.mjs";

const root = join(import.meta.dirname, "..");
const bin = (name) => join(root, "node_modules", ".bin", name);
const run = (command, args, cwd = root) => execFileSync(command, args, { stdio: "inherit", cwd });
const { values: options } = parseArgs({ options: { "no-build": { type: "boolean" }, only: { type: "string" } } });
let steps = 0;

async function step(name, work) {
  if (options.only && !name.includes(options.only)) return;
  steps++;
  const begun = performance.now();
  console.log(`\n--> ${name}`);
  await work();
  console.log(`<-- ${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

if (!options["no-build"]) await step("build", () => run("node", ["scripts/build.mjs"]));

const work = mkdtempSync(join(tmpdir(), "rhei-js-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", work], {
  cwd: root,
  encoding: "utf8",
}).trim();
const tarball = join(work, packed.split("\n").at(-1));

/** A project with the tarball and other packages installed. */
function project(name, packages, files) {
  const folder = join(work, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  run(
    "npm",
    ["install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", tarball, ...packages.map(version)],
    folder,
  );
  for (const file of files) cpSync(join(root, "test", file), join(folder, file.split("/").at(-1)), { recursive: true });
  return folder;
}

/** A package at the version that this package is developed with. */
function version(name) {
  const path = join(root, "node_modules", name, "package.json");
  return `${name}@${JSON.parse(readFileSync(path, "utf8")).version}`;
}

await step("types of the examples", () => {
  const folder = project("types", ["typescript", "apache-arrow", "@types/node"], ["examples.ts"]);
  const strict = [
    "--strict",
    "--noEmit",
    "--skipLibCheck",
    "--target",
    "es2022",
    "--lib",
    "es2023,dom,dom.iterable,dom.asynciterable,esnext.disposable",
  ];
  run(
    bin("tsc"),
    [...strict, "--module", "nodenext", "--moduleResolution", "nodenext", "--types", "node", "examples.ts"],
    folder,
  );
  run(
    bin("tsc"),
    [...strict, "--module", "esnext", "--moduleResolution", "bundler", "--types", "node", "examples.ts"],
    folder,
  );
});

await step("types without apache-arrow", () => {
  const folder = project("types-alone", ["typescript", "@types/node"], []);
  writeFileSync(
    join(folder, "main.ts"),
    'import { Engine } from "rhei-datafusion";\nawait (await Engine.create()).query("SELECT 1");\n',
  );
  const checked = [
    "--strict",
    "--noEmit",
    "--target",
    "es2022",
    "--lib",
    "es2023,dom,dom.iterable,dom.asynciterable,esnext.disposable",
  ];
  run(
    bin("tsc"),
    [...checked, "--module", "nodenext", "--moduleResolution", "nodenext", "--types", "node", "main.ts"],
    folder,
  );
});

await step("claims in Node.js", () => {
  const folder = project("node", ["apache-arrow"], ["suite.mjs", "parquet.mjs", "node.test.mjs", "exits.mjs"]);
  run("node", ["--test", "--test-reporter=spec", "node.test.mjs"], folder);
  // An idle engine must not keep a program alive.
  execFileSync("node", ["exits.mjs"], { cwd: folder, timeout: 120_000, stdio: "inherit" });
});

await step("examples", () => {
  const examples = readdirSync(join(root, "examples"));
  const folder = project(
    "examples",
    [],
    examples.map((name) => `../examples/${name}`),
  );
  for (const name of examples) {
    console.log(`${name}:`);
    run("node", [name], folder);
  }
});

/** Waits for a page to report in its title that it is done, and checks its failures. */
async function verdict(folder, path = "/", policy) {
  const server = await serve(folder, policy);
  const { page, close } = await openPage(server.url + path);
  try {
    await page.waitForFunction(() => document.title.startsWith("done"), undefined, { timeout: 600_000 });
    const failures = await page.evaluate(() => globalThis.failures ?? []);
    const count = await page.evaluate(() => globalThis.count ?? 1);
    if (failures.length) throw new Error(`in Chromium:\n${failures.join("\n")}`);
    console.log(`${count} claims hold in Chromium`);
  } finally {
    await close();
    server.close();
  }
}

// The strictest policy under which the page must work.
const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";

await step("claims in Chromium", async () => {
  const folder = project("chromium", ["apache-arrow"], ["suite.mjs", "parquet.mjs", "page.mjs", "page.html"]);
  const bundled = { bundle: true, format: "esm", outfile: join(folder, "arrow.js"), logLevel: "error" };
  await build({ ...bundled, stdin: { contents: 'export * from "apache-arrow"', resolveDir: folder } });
  await verdict(folder, "/page.html", STRICT);
});

await step("a page without a bundler", async () => {
  const folder = project("plain", [], ["consumers/plain/index.html", "consumers/main.js"]);
  // A browser without a bundler does not find packages by name.
  const main = readFileSync(join(folder, "main.js"), "utf8");
  writeFileSync(
    join(folder, "plain.js"),
    main.replace('"rhei-datafusion"', '"./node_modules/rhei-datafusion/dist/index.js"'),
  );
  await verdict(folder, "/", STRICT);
});

for (const arrow of [false, true]) {
  const more = arrow ? ["apache-arrow"] : [];
  const suffix = arrow ? ", with apache-arrow" : "";
  await step(`Vite${suffix}`, async () => {
    const folder = project(`vite${more.length}`, ["vite", ...more], ["consumers/vite/index.html", "consumers/main.js"]);
    run("npx", ["vite", "build", "--logLevel", "warn"], folder);
    oneWasm(join(folder, "dist"));
    await verdict(join(folder, "dist"), "/", STRICT);
  });
  await step(`webpack${suffix}`, async () => {
    const folder = project(
      `webpack${more.length}`,
      ["webpack", "webpack-cli", ...more],
      ["consumers/webpack/index.html", "consumers/main.js"],
    );
    run("npx", ["webpack", "--mode", "production", "--entry", "./main.js", "--stats", "errors-warnings"], folder);
    cpSync(join(folder, "index.html"), join(folder, "dist/index.html"));
    oneWasm(join(folder, "dist"));
    await verdict(join(folder, "dist"), "/", STRICT);
  });
}

await step("Vite's development server", async () => {
  const { createServer } = await import("vite");
  const folder = project("vitedev", ["vite"], ["consumers/vite/index.html", "consumers/main.js"]);
  const server = await createServer({ root: folder, logLevel: "warn", server: { port: 0, host: "127.0.0.1" } });
  await server.listen();
  const { page, close } = await openPage(server.resolvedUrls.local[0]);
  try {
    await page.waitForFunction(() => document.title.startsWith("done"), undefined, { timeout: 60_000 });
    const failures = await page.evaluate(() => globalThis.failures ?? []);
    if (failures.length) throw new Error(failures.join("\n"));
  } finally {
    await close();
    await server.close();
  }
});

/** Checks that the bundle has the engine's WebAssembly exactly once. */
function oneWasm(folder) {
  const found = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".wasm"));
  if (found.length !== 1) throw new Error(`the bundle holds ${found.length} copies of the engine: ${found}`);
}

if (steps === 0) throw new Error(`no step has ${JSON.stringify(options.only)} in its name`);
console.log(options.only ? "\nthe chosen tests of the package passed" : "\nall tests of the package passed");
