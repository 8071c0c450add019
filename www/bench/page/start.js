// How long until the first row: a worker, its code, the WebAssembly from the HTTP cache, and `SELECT 1`.
import { DuckDb, Ours } from "./engines.js";
import { noLonger, time } from "./report.js";
import { interleave, pause, timed } from "./rounds.js";

/** The first visits are those of someone who works for a while, for browsers keep the code that was compiled well meanwhile. */
const WARM_UP = 2;
const WORK_MS = 4000;
const WORK = `SELECT value % 100 AS k, count(*), sum(value), min(value), avg(value)
FROM range(100000) AS t(value) WHERE value % 7 < 5 GROUP BY value % 100 ORDER BY 2 DESC, k LIMIT 10`;

export async function start({ rounds }) {
  await Promise.all(["ours/rhei_datafusion.wasm", "duckdb/duckdb-eh.wasm"].map(inCache));
  const timings = await interleave({ warmUp: WARM_UP, samples: rounds }, { theirs: visit(DuckDb), ours: visit(Ours) });
  const figures = { theirs: time(timings.theirs), ours: time(timings.ours) };
  return [{ operation: "start, to the first row", ...figures, bar: noLonger(timings), timings }];
}

const visit = (Contestant) => async (round) => {
  let engine;
  const took = await timed(async () => {
    engine = await Contestant.open();
    const one = (await engine.query("SELECT 1 AS one")).get(0).one;
    if (Number(one) !== 1) throw new Error(`SELECT 1 gave ${one}`);
  });
  if (round < WARM_UP) await workFor(engine, WORK_MS);
  engine.close();
  await pause(200);
  return took;
};

async function workFor(engine, milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) await engine.query(WORK);
  // What is still being compiled is kept when nothing was for a while.
  await pause(milliseconds);
}

/** Fetches a file, and makes sure that the browser's cache keeps it. */
async function inCache(path) {
  await (await fetch(path)).arrayBuffer();
  const again = await fetch(path, { cache: "only-if-cached", mode: "same-origin" }).catch(() => undefined);
  if (!again?.ok) throw new Error(`the browser does not cache ${path}`);
  await again.arrayBuffer();
}
