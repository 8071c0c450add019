import { apacheArrow } from "./inputs.js";
import { decoded, type ResultColumn, type Row, rowOf } from "./rows.js";

/**
 * A table of `apache-arrow`; `any` where that is not installed.
 * @ts-ignore TS2307, where it is not */
export type ArrowTable = import("apache-arrow").Table;

/** All rows of a statement. */
export class Result {
  /** The rows as an Arrow IPC stream, which every version of every Arrow reader takes. */
  readonly ipc: Uint8Array;
  #decoded?: ReturnType<typeof decoded>;

  constructor(ipc: Uint8Array) {
    this.ipc = ipc;
  }

  /** The number of rows. */
  get numRows(): number {
    return this.#table().numRows;
  }

  /** The columns, each with its name, type and values. */
  get columns(): readonly ResultColumn[] {
    return this.#table().columns;
  }

  /** The rows as plain objects; {@link Value} says how values are converted. */
  rows<T = Row>(): T[] {
    return [...this] as T[];
  }

  /** The rows as a table of `apache-arrow`, which must be installed beside this package. */
  async toTable(): Promise<ArrowTable> {
    const { tableFromIPC } = await apacheArrow();
    return tableFromIPC(this.ipc);
  }

  *[Symbol.iterator](): Generator<Row> {
    const { numRows, columns } = this.#table();
    for (let row = 0; row < numRows; row++) yield rowOf(columns, row);
  }

  #table(): ReturnType<typeof decoded> {
    this.#decoded ??= decoded(this.ipc);
    return this.#decoded;
  }
}

/** Some rows of a result that is read as a stream, as a complete Arrow IPC stream. */
export class Batch extends Result {
  readonly #numRows: number;

  constructor(ipc: Uint8Array, numRows: number) {
    super(ipc);
    this.#numRows = numRows;
  }

  override get numRows(): number {
    return this.#numRows;
  }
}
