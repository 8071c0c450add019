/** A function for SQL, called with the values of one row; it may return a promise. */
// biome-ignore lint/suspicious/noExplicitAny: of what type they are, the caller knows.
export type ScalarFunction = (...values: any[]) => unknown;

/** The values of a function for a batch, or its error. */
export type Answered = { values: unknown[] } | { error: string };

/** Calls a function for every row of a batch; the arguments are given as columns. */
export async function evaluate(fn: ScalarFunction, columns: unknown[][], rows: number): Promise<Answered> {
  const values: unknown[] = new Array(rows);
  try {
    for (let row = 0; row < rows; row++) values[row] = fn(...columns.map((column) => column[row]));
    return { values: await Promise.all(values) };
  } catch (error) {
    // The other promises may fail too; their errors are ignored.
    void Promise.allSettled(values);
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
