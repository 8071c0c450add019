import type { Database } from "./database.js";
import type { Statement } from "./editor.js";
import { Rows } from "./rows.js";

/** The number of rows after which reading pauses until the reader continues. */
const PAGE = 1_000_000;

/** The state of a statement so far. Times are in milliseconds since its start. */
export interface Outcome {
  rows: Rows | undefined;
  firstMs: number | undefined;
  ms: number;
  state: "running" | "waiting" | "done";
}

export interface RunEvents {
  /** The columns are known: the result starts. */
  onRows(rows: Rows): void;
  /** Rows have arrived, or the state has changed. */
  onProgress(outcome: Outcome): void;
  /** Called when a page of rows is full; reading goes on once the promise resolves. */
  onFull(): Promise<void>;
}

/** Runs a statement and reads its rows as a stream. Rejects with the engine's error. */
export async function run(
  database: Database,
  { sql }: Statement,
  signal: AbortSignal,
  events: RunEvents,
): Promise<Outcome> {
  const begun = performance.now();
  // The time that the reader takes between two pages is not counted.
  let waited = 0;
  const outcome: Outcome = { rows: undefined, firstMs: undefined, ms: 0, state: "running" };
  const tell = (state: Outcome["state"]) => {
    outcome.state = state;
    outcome.ms = performance.now() - begun - waited;
    events.onProgress(outcome);
  };
  const stream = database.stream(sql, signal);
  const rowsBegun = () => {
    const rows = new Rows(stream.columns ?? []);
    outcome.rows = rows;
    outcome.firstMs = performance.now() - begun;
    return rows;
  };
  let full = PAGE;
  for await (const batch of stream) {
    const isFirst = !outcome.rows;
    const rows = outcome.rows ?? rowsBegun();
    rows.add(batch);
    if (isFirst) events.onRows(rows);
    tell("running");
    if (rows.length >= full) {
      const since = performance.now();
      tell("waiting");
      await events.onFull();
      waited += performance.now() - since;
      full = rows.length + PAGE;
    }
  }
  if (!outcome.rows) events.onRows(rowsBegun());
  tell("done");
  return outcome;
}
