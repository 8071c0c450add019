// A load of three million rows from a file in memory into a table.
import { sameAnswer } from "./answers.js";
import { DuckDb, Ours, withEngines } from "./engines.js";
import { noLonger, time } from "./report.js";
import { interleave, timed } from "./rounds.js";

const SUMMARY = `SELECT count(*), count(DISTINCT origin), count(DISTINCT destination), min(date), max(date), sum(delay), sum(distance)
FROM flights`;

export async function load({ rounds, report }) {
  const parquet = new Uint8Array(await (await fetch("flights/flights-3m.parquet")).arrayBuffer());
  return withEngines([DuckDb.open, DuckDb.openWithParquet, Ours.open], async (duckDb, duckDbParquet, ours) => {
    report("the flights as Arrow");
    await ours.loadParquet("flights", parquet);
    const arrow = await ours.exportArrow("flights");
    const summary = await ours.query(SUMMARY);
    await ours.execute("DROP TABLE flights");

    // Engines may keep the bytes that they are given, so each load has its own, made off the clock.
    const loading = (engine, load, bytes) => async () => {
      const given = bytes.slice();
      const took = await timed(() => load(engine, given));
      sameAnswer("the flights", summary, await engine.query(SUMMARY));
      await engine.execute("DROP TABLE flights");
      return took;
    };
    const fromArrow = (engine) => loading(engine, (engine, bytes) => engine.appendArrow("flights", bytes), arrow);
    const fromParquet = (engine) => loading(engine, (engine, bytes) => engine.loadParquet("flights", bytes), parquet);
    report("loading flights");
    const timings = await interleave(
      { warmUp: 1, samples: rounds },
      {
        theirArrow: fromArrow(duckDb),
        ourArrow: fromArrow(ours),
        theirParquet: fromParquet(duckDbParquet),
        ourParquet: fromParquet(ours),
      },
    );
    const row = (what, theirs, ours) => {
      const figures = { theirs: time(theirs), ours: time(ours) };
      return {
        operation: `load of 3,000,000 flights, ${what}`,
        ...figures,
        bar: noLonger({ theirs, ours }),
        timings: { theirs, ours },
      };
    };
    const { theirArrow, ourArrow, theirParquet, ourParquet } = timings;
    return [
      row("Parquet (DuckDB-WASM 1.28.0)", theirParquet, ourParquet),
      row("Arrow IPC", theirArrow, ourArrow),
      row("Parquet (DuckDB-WASM: Arrow IPC)", theirArrow, ourParquet),
    ];
  });
}
