import { apacheArrow } from "./inputs.js";
import { rowsOf, type Row } from "./rows.js";

/** All rows of a statement. */
export class Result {
  /** The rows as an Arrow IPC stream, which every version of every Arrow reader takes. */
  readonly ipc: Uint8Array;

  constructor(ipc: Uint8Array) {
    this.ipc = ipc;
  }

  /** The rows as plain objects; {@link Value} says how values are converted. */
  rows<T = Row>(): T[] {
    return [...rowsOf(this.ipc)] as T[];
  }

  /** The rows as a table of `apache-arrow`, which has to be installed beside this package. */
  async toTable(): Promise<import("apache-arrow").Table> {
    const { tableFromIPC } = await apacheArrow();
    return tableFromIPC(this.ipc);
  }

  [Symbol.iterator](): Generator<Row> {
    return rowsOf(this.ipc);
  }
}

/** Some rows of a result that is read as a stream: an Arrow IPC stream of its own. */
export class Batch extends Result {
  /** How many rows there are. */
  readonly numRows: number;

  constructor(ipc: Uint8Array, numRows: number) {
    super(ipc);
    this.numRows = numRows;
  }
}
