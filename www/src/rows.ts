import type { Batch, ResultStream, Value } from "rhei-datafusion";
import { textOf } from "./values.js";

export type Columns = NonNullable<ResultStream["columns"]>;

/** The rows of a result that have arrived, as Arrow batches: a value is decoded only when it is read. */
export class Rows {
  readonly columns: Columns;
  #batches: Batch[] = [];
  /** For each batch, the number of rows up to its end. */
  #ends: number[] = [];
  #bytes = 0;
  #last = 0;

  constructor(columns: Columns) {
    this.columns = columns;
  }

  add(batch: Batch): void {
    this.#batches.push(batch);
    this.#ends.push(this.length + batch.numRows);
    this.#bytes += batch.ipc.byteLength;
  }

  get length(): number {
    return this.#ends.at(-1) ?? 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  value(row: number, column: number): Value {
    const at = this.#batchOf(row);
    return this.#batches[at]!.columns[column]!.get(row - (this.#ends[at - 1] ?? 0));
  }

  text(row: number, column: number): string {
    return textOf(this.value(row, column), this.columns[column]!.type);
  }

  #batchOf(row: number): number {
    const holds = (at: number) => row < this.#ends[at]! && row >= (this.#ends[at - 1] ?? 0);
    if (this.#last < this.#ends.length && holds(this.#last)) return this.#last;
    let [low, high] = [0, this.#ends.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (row < this.#ends[middle]!) high = middle;
      else low = middle + 1;
    }
    this.#last = low;
    return low;
  }
}
