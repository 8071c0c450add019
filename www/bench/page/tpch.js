// The 22 queries of TPC-H over the same rows in memory, their answers compared.
import { sameAnswer } from "./answers.js";
import { DuckDb, Ours, withEngines } from "./engines.js";
import { noMore, noted, ratioOf, time } from "./report.js";
import { geometricMean, interleave, timed } from "./rounds.js";

const TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"];

export async function tpch({ rounds, report }) {
  const queries = await (await fetch("queries.json")).json();
  return withEngines([DuckDb.open, Ours.open], async (duckDb, ours) => {
    for (const table of TABLES) {
      report(`loading ${table}`);
      const response = await fetch(`tpch/${table}.parquet`);
      await ours.loadParquet(table, new Uint8Array(await response.arrayBuffer()));
      await duckDb.appendArrow(table, await ours.exportArrow(table));
    }
    const operations = {};
    for (const { name, sql } of queries) {
      report(`the answers of ${name}`);
      sameAnswer(`TPC-H ${name}`, await ours.query(sql), await duckDb.query(sql));
      operations[`${name} theirs`] = () => timed(() => duckDb.query(sql));
      operations[`${name} ours`] = () => timed(() => ours.query(sql));
    }
    report("22 queries");
    // All in each round: what is often run is compiled once more and better, and that is done when the clock begins to count.
    const found = await interleave({ warmUp: 2, samples: rounds }, operations);
    const ratios = [];
    const rows = queries.map(({ name }) => {
      const timings = { theirs: found[`${name} theirs`], ours: found[`${name} ours`] };
      const ratio = ratioOf(timings);
      ratios.push(ratio);
      const figures = { theirs: time(timings.theirs), ours: time(timings.ours) };
      return { operation: `TPC-H ${name}`, ...figures, bar: noted(ratio), timings };
    });
    const mean = geometricMean(ratios);
    return [...rows, { operation: "TPC-H, geometric mean of the ratios", bar: noMore(mean), mean }];
  });
}
