// UPDATE of one row by its key in a table of a million.
import {
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { DuckDb, Ours, withEngines } from "./engines.js";
import { noLonger, noted, ratioOf, time } from "./report.js";
import { interleave, timed } from "./rounds.js";

const ROWS = 1_000_000;
const BATCH_ROWS = 8192;
const WARM_UP = 10;

/** Coprime to the number of rows: its multiples meet each key once before one comes again. */
const STRIDE = 618_033;

export async function update({ rounds, report }) {
  const samples = Math.max(50, 15 * rounds);
  return withEngines([DuckDb.open, Ours.open], async (duckDb, ours) => {
    const rows = [];
    for (const [table, order, idOf] of [
      ["in_order", "keys loaded in order", (row) => row],
      ["shuffled", "keys loaded in random order", (row) => (row * STRIDE) % ROWS],
    ]) {
      report(`a table of 1,000,000 rows, ${order}`);
      const bytes = rowsAsArrow(idOf);
      for (const engine of [ours, duckDb]) {
        await engine.execute(`CREATE TABLE ${table} (id BIGINT PRIMARY KEY, grp INT, amount DOUBLE, name TEXT)`);
        await engine.appendArrow(table, bytes.slice(), { create: false });
      }
      report("UPDATE of one row");
      const change = (engine) => async (round) => {
        let changed;
        const took = await timed(async () => {
          changed = await engine.execute(`UPDATE ${table} SET amount = ${-1 - round} WHERE id = ${keyOf(round)}`);
        });
        if (changed !== 1) throw new Error(`an UPDATE by key changed ${changed} rows`);
        return took;
      };
      const timings = await interleave({ warmUp: WARM_UP, samples }, { theirs: change(duckDb), ours: change(ours) });
      for (const engine of [duckDb, ours]) await check(engine, table, WARM_UP + samples);
      const figures = { theirs: time(timings.theirs), ours: time(timings.ours) };
      // Of random order it is known that no part of a table can be left out by its range of keys: there is no bar.
      const bar = table === "in_order" ? noLonger(timings) : noted(ratioOf(timings));
      rows.push({ operation: `UPDATE of one row by key, 1,000,000 rows, ${order}`, ...figures, bar, timings });
    }
    return rows;
  });
}

const keyOf = (round) => (round * STRIDE + 12_345) % ROWS;

/** All rows are there, and each change and nothing else was made. */
async function check(engine, table, changes) {
  const all = await engine.query(`SELECT count(*) FROM ${table}`);
  const changed = await engine.query(`SELECT id, amount FROM ${table} WHERE amount < 0`);
  const found = new Map(changed.toArray().map(({ id, amount }) => [Number(id), amount]));
  let isRight = Number(all.getChildAt(0).get(0)) === ROWS && changed.numRows === changes;
  for (let round = 0; round < changes; round++) isRight &&= found.get(keyOf(round)) === -1 - round;
  if (!isRight) throw new Error(`after ${changes} UPDATEs by key the table is wrong`);
}

function rowsAsArrow(idOf) {
  const fields = [
    new Field("id", new Int64()),
    new Field("grp", new Int32()),
    new Field("amount", new Float64()),
    new Field("name", new Utf8()),
  ];
  const schema = new Schema(fields);
  const batches = [];
  for (let begin = 0; begin < ROWS; begin += BATCH_ROWS) {
    const length = Math.min(BATCH_ROWS, ROWS - begin);
    const ids = Array.from({ length }, (_, row) => idOf(begin + row));
    const columns = [
      vectorFromArray(BigInt64Array.from(ids, BigInt)),
      vectorFromArray(Int32Array.from(ids, (id) => (id * 7919) % 100)),
      vectorFromArray(Float64Array.from(ids, (id) => ((id * 104_729) % 100_000) / 100)),
      vectorFromArray(
        ids.map((id) => `name of ${id}`),
        new Utf8(),
      ),
    ];
    const children = columns.map((column) => column.data[0]);
    batches.push(new RecordBatch(schema, makeData({ type: new Struct(fields), length, nullCount: 0, children })));
  }
  return tableToIPC(new Table(schema, batches), "stream");
}
