// Builds the package into dist/: the engine for wasm32, its glue, the modules and their types.
//
//     node scripts/build.mjs            in minutes, for tests
//     node scripts/build.mjs --release  small and fast, for the registry; prints the sizes
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const crate = join(root, "..");
const { release } = parseArgs({ options: { release: { type: "boolean" } } }).values;
const profile = release ? "npm" : "dev";
const bin = (name) => join(root, "node_modules", ".bin", name);

function run(command, args, options = {}) {
  execFileSync(command, args, { stdio: "inherit", cwd: root, ...options });
}

/** Flags that remove this machine's folders from messages: they would add bytes and reveal local paths. */
function withoutPaths() {
  const sources = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/src");
  const folders = existsSync(sources) ? readdirSync(sources).map((name) => join(sources, name)) : [];
  return [...folders, crate].map((folder) => `--remap-path-prefix=${folder}/=`);
}

// The environment for building Rust for wasm32, as need_wasm prints it.
const exported = execFileSync(join(crate, "scripts/need_wasm"), { encoding: "utf8" });
const env = { ...process.env };
for (const [, name, value] of exported.matchAll(/^export (\w+)=(.*)$/gm)) env[name] = value;

if (release) {
  // The engine writes files with Snappy only, so one of zstd's compressors suffices, the smallest; all files can be
  // read.
  const compressors = ["DFAST", "GREEDY", "LAZY", "LAZY2", "BTLAZY2", "BTOPT", "BTULTRA"];
  const flags = compressors.map((name) => `-DZSTD_EXCLUDE_${name}_BLOCK_COMPRESSOR`);
  const name = "CFLAGS_wasm32_unknown_unknown";
  env[name] = [env[name], ...flags, "-DHUF_FORCE_DECOMPRESS_X1=1", "-DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT=1"]
    .filter(Boolean)
    .join(" ");
}

const features = ["--no-default-features", "--features", "javascript"];
const target = ["--target", "wasm32-unknown-unknown"];
const config = release
  ? ["--config", `target.wasm32-unknown-unknown.rustflags = ${JSON.stringify(withoutPaths())}`]
  : [];
run("cargo", ["rustc", "--lib", "--crate-type", "cdylib", "--profile", profile, ...target, ...features, ...config], {
  cwd: crate,
  env,
});
const metadata = JSON.parse(
  execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps"], { cwd: crate, env, encoding: "utf8" }),
);
const folder = release ? "npm" : "debug";
const built = join(metadata.target_directory, "wasm32-unknown-unknown", folder, "rhei_datafusion.wasm");

rmSync(join(root, "wasm"), { recursive: true, force: true });
const names = release ? ["--remove-name-section"] : [];
run(
  "wasm-bindgen",
  [
    built,
    ...names,
    "--target",
    "no-modules",
    "--omit-default-module-path",
    "--out-dir",
    "wasm",
    "--out-name",
    "rhei_datafusion",
  ],
  { env },
);
// The glue code holds one instance. As a function it makes any number of instances, and a crash affects only one of
// them.
const glue = join(root, "wasm", "rhei_datafusion");
const code = readFileSync(`${glue}.js`, "utf8");
writeFileSync(`${glue}.js`, `export function instance() {\n${code}\nreturn wasm_bindgen;\n}\n`);
appendFileSync(`${glue}.d.ts`, "\nexport function instance(): typeof wasm_bindgen;\n");
const wasm = join(root, "wasm", "rhei_datafusion_bg.wasm");
if (release) {
  // Only features that browsers have had since 2023: with all that wasm-opt knows, no browser could load the module.
  const known = [
    "simd",
    "bulk-memory",
    "bulk-memory-opt",
    "nontrapping-float-to-int",
    "sign-ext",
    "mutable-globals",
    "reference-types",
    "multivalue",
  ];
  run(bin("wasm-opt"), [
    wasm,
    "-o",
    wasm,
    "-Oz",
    ...known.map((feature) => `--enable-${feature}`),
    "--strip-producers",
  ]);
}

const dist = join(root, "dist");
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
cpSync(wasm, join(dist, "rhei_datafusion.wasm"));
const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  outdir: dist,
  splitting: true,
  external: ["apache-arrow"],
};
const source = (name) => join(root, "src", `${name}.ts`);
await build({
  ...common,
  platform: "browser",
  entryPoints: ["index", "worker"].map(source),
  chunkNames: "browser-[hash]",
});
await build({
  ...common,
  platform: "node",
  entryPoints: ["node", "worker-node"].map(source),
  chunkNames: "node-[hash]",
});
run(bin("tsc"), ["-p", "."]);
for (const name of ["LICENSE"]) {
  if (existsSync(join(crate, name))) cpSync(join(crate, name), join(root, name));
}

// The benchmarks of the page read this file, and build again where it names a build for tests.
writeFileSync(join(root, "wasm", "profile"), profile);
if (release) {
  const bytes = readFileSync(wasm);
  const small = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  const mb = (count) => `${(count / 1e6).toFixed(2)} MB`;
  console.log(`rhei_datafusion.wasm: ${mb(statSync(wasm).size)}, ${mb(small.length)} with brotli`);
}
