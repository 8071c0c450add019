import type { Backend, Progress, WasmSource } from "./backend.js";
import {
  type Applied,
  type ApplyOptions,
  applied,
  applyOptions,
  eventBytes,
  type FoundWatermark,
  type Watermark,
  watermark,
} from "./changes.js";
import { EngineError } from "./errors.js";
import type { ScalarFunction } from "./functions.js";
import {
  type ArrowSchemaLike,
  type ArrowTableLike,
  apacheArrow,
  bytesOf,
  type Column,
  cancelled,
  columnsOf,
  type FileSource,
  isArrowTable,
  milliseconds,
  text,
} from "./inputs.js";
import { Batch, Result } from "./result.js";
import type { ResultColumn } from "./rows.js";

export interface EngineOptions {
  /** Whether the engine runs in a worker of its own. Default: true. */
  worker?: boolean;
  /** The location of its WebAssembly. Default: beside this module. */
  wasm?: WasmSource;
  /** The memory limit of tables and statements together, in bytes; beyond it: `resources_exhausted`. Default: 2 GiB. */
  memoryLimitBytes?: number;
  /** The timeout of a statement, in milliseconds. Default: no limit. */
  statementTimeoutMs?: number;
}

export interface LoadOptions {
  /** Stops the call, which then fails with code `cancelled` and has changed nothing. */
  signal?: AbortSignal | undefined;
}

export interface CallOptions extends LoadOptions {
  /** The timeout of this call, in milliseconds, in place of the engine's. */
  timeoutMs?: number | undefined;
}

export interface QueryOptions extends CallOptions {
  /** Called from time to time with the size of the result so far. An error that it throws ends the call with that error. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface CsvOptions extends LoadOptions {
  /** Whether the first line names the columns. Default: true. */
  header?: boolean;
  /** One ASCII character. Default: a comma. */
  delimiter?: string;
  /** The text that stands for NULL, as an empty field does. */
  null?: string;
}

/** The values of `$1`, `$2` … as a list, or of `$name` as an object. */
export type Params = readonly unknown[] | object;

/** The number of bytes that a stream requests at a time. */
const BATCH_BYTES = 256 * 1024;

/** An in-memory SQL engine. Any number of calls may run at the same time; a query reads the tables as they were at its start. */
export class Engine {
  /** @internal */
  readonly backend: Backend;
  #ids = 0;

  /** @internal */
  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Runs a statement and collects its rows. */
  async query(sql: string, params?: Params, options: QueryOptions = {}): Promise<Result> {
    return new Result((await this.#call("query", statement(sql, params, options), options)) as Uint8Array);
  }

  /** Runs a statement and returns its rows as a stream, with backpressure. */
  stream(sql: string, params?: Params, options: CallOptions = {}): ResultStream {
    return new ResultStream(this.backend, () => ++this.#ids, sql, params, options);
  }

  /** Runs a statement for its effect. Returns the number of affected rows, 0 for DDL. */
  async execute(sql: string, params?: Params, options: CallOptions = {}): Promise<number> {
    return (await this.#call("execute", statement(sql, params, options), options)) as number;
  }

  /** Runs statements, separated by semicolons, all or none. Returns the number of affected rows of each. */
  async executeBatch(sql: string, params?: Params, options: CallOptions = {}): Promise<number[]> {
    return (await this.#call("executeBatch", statement(sql, params, options), options)) as number[];
  }

  /** Creates a table. A table with the same schema is left as it is; a table with another schema is an error. */
  async createTable(
    table: string,
    schema: readonly Column[] | ArrowSchemaLike,
    options: { primaryKey?: readonly string[] } = {},
  ): Promise<void> {
    const key = [...(options.primaryKey ?? [])].map((column) => text("a column of the primary key", column));
    await this.#call("createTable", [text("the table's name", table), columnsOf(schema), key]);
  }

  /**
   * Appends an Arrow IPC stream or file, or a table of `apache-arrow`, to a table, which is created if it does not exist. Returns
   * the number of rows.
   */
  async loadArrow(table: string, source: FileSource | ArrowTableLike, options: LoadOptions = {}): Promise<number> {
    const bytes = isArrowTable(source) ? await serialized(source) : source;
    return this.#load("loadArrow", table, bytes, [], options);
  }

  /** Appends a Parquet file, as {@link Engine.loadArrow} does. */
  loadParquet(table: string, source: FileSource, options: LoadOptions = {}): Promise<number> {
    return this.#load("loadParquet", table, source, [], options);
  }

  /**
   * Appends a CSV file, as {@link Engine.loadArrow} does. The types are those of the table, or are inferred from the first rows.
   * The first line names the columns, also for an existing table; without a header the columns are in the table's order.
   */
  async loadCsv(table: string, source: FileSource, options: CsvOptions = {}): Promise<number> {
    const delimiter = options.delimiter ?? ",";
    if (text("the delimiter", delimiter).length !== 1 || delimiter.charCodeAt(0) > 127) {
      throw new EngineError("invalid", `the delimiter is one ASCII character, and not '${delimiter}'`);
    }
    const isNull = options.null === undefined ? undefined : text("the option null", options.null);
    const args = [options.header ?? true, delimiter.charCodeAt(0), isNull];
    return this.#load("loadCsv", table, source, args, options);
  }

  /** Appends a JSON file, as {@link Engine.loadArrow} does: one object after the other, or a list of objects. */
  loadJson(table: string, source: FileSource, options: LoadOptions = {}): Promise<number> {
    return this.#load("loadJson", table, source, [], options);
  }

  /**
   * Applies the row changes of another database, as events of Rhei, Debezium, Maxwell, Canal or wal2json, in one commit together
   * with the watermark of `source`: events that were applied before are left out. `events` is JSON, one event after the other or
   * one list of events, as text or bytes, or a list of objects.
   */
  async applyChanges(
    source: string,
    events: string | Uint8Array | readonly object[],
    options: ApplyOptions,
  ): Promise<Applied> {
    const { signal, ...rest } = options ?? {};
    const bytes = eventBytes(events);
    const args = [text("the source", source), bytes, applyOptions(rest)];
    return applied((await this.#call("applyChanges", args, { signal }, [bytes.buffer])) as string);
  }

  /** How far the events of a source are applied; `undefined` if none are. */
  async watermark(source: string): Promise<Watermark | undefined> {
    const found = (await this.#call("watermark", [text("the source", source)])) as FoundWatermark | null;
    return found ? watermark(found) : undefined;
  }

  /** How far the events of each source are applied, by the names of the sources. */
  async watermarks(): Promise<Map<string, Watermark>> {
    const found = (await this.#call("watermarks", [])) as [string, FoundWatermark][];
    return new Map(found.map(([source, of]) => [source, watermark(of)]));
  }

  /**
   * Says that the events of a source are applied up to the number `to`, or without it that none are: for a source whose rows were
   * loaded in another way, or whose numbers begin anew. The rows of the tables stay, and the position is forgotten.
   */
  async resetWatermark(source: string, to?: number | bigint): Promise<void> {
    await this.#call("resetWatermark", [text("the source", source), to?.toString()]);
  }

  /** All rows of a table or view as an Arrow IPC stream. */
  async exportArrow(table: string, options: QueryOptions = {}): Promise<Uint8Array> {
    return (await this.#call(
      "exportArrow",
      [text("the table's name", table), milliseconds("timeoutMs", options.timeoutMs)],
      options,
    )) as Uint8Array;
  }

  /** All rows of a table or view as a Parquet file. */
  async exportParquet(table: string, options: LoadOptions = {}): Promise<Uint8Array> {
    return (await this.#call("exportParquet", [text("the table's name", table)], options)) as Uint8Array;
  }

  /** The names of all tables, sorted. */
  async tables(): Promise<string[]> {
    return (await this.#call("tables", [])) as string[];
  }

  /** The columns of a table or view, with their Arrow types. */
  async tableSchema(table: string): Promise<Required<Column>[]> {
    return (await this.#call("tableSchema", [text("the table's name", table)])) as Required<Column>[];
  }

  async tableExists(table: string): Promise<boolean> {
    return (await this.#call("tableExists", [text("the table's name", table)])) as boolean;
  }

  /** Adds a column, with NULL in all rows. */
  async addColumn(table: string, column: string, type: string): Promise<void> {
    await this.#call("addColumn", [text("the table's name", table), { name: column, type }]);
  }

  async dropColumn(table: string, column: string): Promise<void> {
    await this.#call("dropColumn", [text("the table's name", table), text("the column's name", column)]);
  }

  async dropTable(table: string): Promise<void> {
    await this.#call("dropTable", [text("the table's name", table)]);
  }

  /**
   * Registers a function for SQL, in SELECT lists and in conditions. `fn` is called with the values of one row, converted as
   * {@link Value} describes, and returns a value, or a promise of a value. `fn` may query this engine, but must not wait for a
   * change: the calling statement may be changing the same table, and each would wait for the other.
   */
  async registerFunction(
    name: string,
    fn: ScalarFunction,
    types: { args: readonly string[]; returns: string },
  ): Promise<void> {
    if (typeof fn !== "function") throw new EngineError("invalid", `what is registered as '${name}' is no function`);
    const args = [...(types?.args ?? [])].map((type, at) => text(`the type of argument ${at + 1}`, type));
    const returns = text("the type that is returned", types?.returns);
    await this.backend.register(++this.#ids, text("the function's name", name), args, returns, fn);
  }

  /** The number of commits so far. */
  async version(): Promise<number> {
    return (await this.#call("version", [])) as number;
  }

  /** The current and the peak memory of tables and statements, and the limit, in bytes. */
  async memory(): Promise<{ usedBytes: number; peakBytes: number; limitBytes: number }> {
    return (await this.#call("memory", [])) as { usedBytes: number; peakBytes: number; limitBytes: number };
  }

  /** Ends the engine and frees its memory. Pending calls fail with code `engine_closed`. */
  close(): void {
    this.backend.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #load(
    method: "loadArrow" | "loadParquet" | "loadCsv" | "loadJson",
    table: string,
    source: FileSource,
    args: unknown[],
    options: LoadOptions,
  ): Promise<number> {
    text("the table's name", table);
    if (options.signal?.aborted) throw cancelled(options.signal);
    const bytes = await bytesOf(source, options.signal);
    return (await this.#call(method, [table, bytes, ...args], options, [bytes.buffer])) as number;
  }

  async #call(
    method: Parameters<Backend["call"]>[1],
    args: unknown[],
    options: QueryOptions = {},
    transfer: ArrayBuffer[] = [],
  ): Promise<unknown> {
    const id = ++this.#ids;
    const { onProgress, signal } = options;
    let thrown: { error: unknown } | undefined;
    const tell = (progress: Progress) => {
      if (thrown) return;
      try {
        onProgress!(progress);
      } catch (error) {
        thrown = { error };
        this.backend.cancel(id);
      }
    };
    const call = () => this.backend.call(id, method, args, { onProgress: onProgress && tell, transfer });
    try {
      const answer = await abortable(this.backend, id, signal, call);
      if (!thrown) return answer;
    } catch (error) {
      if (!thrown) throw error;
    }
    // `onProgress` threw an error, which ended the call.
    throw (thrown as { error: unknown }).error;
  }
}

/** The arguments of a statement's call. */
function statement(sql: string, params: Params | undefined, options: CallOptions): unknown[] {
  return [text("a statement", sql), params, milliseconds("timeoutMs", options.timeoutMs)];
}

/** Makes a call that a signal can cancel. */
async function abortable(
  backend: Backend,
  id: number,
  signal: AbortSignal | undefined,
  call: () => Promise<unknown>,
): Promise<unknown> {
  if (!signal) return call();
  if (signal.aborted) throw cancelled(signal);
  const abort = () => backend.cancel(id);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await call();
  } catch (error) {
    throw error instanceof EngineError && error.code === "cancelled" ? cancelled(signal) : error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A result that is read batch by batch, once. */
export class ResultStream implements AsyncIterable<Batch> {
  #backend: Backend;
  #nextId: () => number;
  #open: { sql: string; params: Params | undefined; options: CallOptions };
  #used = false;
  #id: number | undefined;
  #columns: readonly ResultColumn[] | undefined;

  /** @internal */
  constructor(backend: Backend, nextId: () => number, sql: string, params: Params | undefined, options: CallOptions) {
    this.#backend = backend;
    this.#nextId = nextId;
    this.#open = { sql, params, options };
  }

  /** The columns, without values. They are known once the first batch, or the end of the result, has arrived. */
  get columns(): readonly Pick<ResultColumn, "name" | "type" | "nullable">[] | undefined {
    return this.#columns;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    if (this.#used) throw new EngineError("invalid", "a stream can be read once");
    this.#used = true;
    const { sql, params, options } = this.#open;
    const { signal } = options;
    const result = this.#nextId();
    this.#id = result;
    // The signal also works while the stream is not being read.
    const abort = () => this.#stop();
    signal?.addEventListener("abort", abort, { once: true });
    const call = (id: number, work: () => Promise<unknown>) => abortable(this.#backend, id, signal, work);
    let isEnd = false;
    try {
      const head = (await call(result, () =>
        this.#backend.call(result, "open", statement(sql, params, options)),
      )) as Uint8Array;
      this.#columns = new Result(head).columns;
      while (!isEnd) {
        const id = this.#nextId();
        const pulled = await call(result, () => this.#backend.call(id, "pull", [result, BATCH_BYTES]));
        const [bytes, rows, end] = pulled as [Uint8Array, number, boolean];
        isEnd = end;
        if (rows > 0) yield new Batch(joined(head, bytes), rows);
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      if (!isEnd) this.#stop();
    }
  }

  /** Cancels the pending batch and drops the rest of the result. */
  #stop(): void {
    if (this.#id === undefined) return;
    this.#backend.cancel(this.#id);
    this.#backend.closeResult(this.#id);
  }

  /** The result as a stream of the web platform. */
  toReadableStream(): ReadableStream<Batch> {
    const batches = this[Symbol.asyncIterator]();
    return new ReadableStream<Batch>(
      {
        async pull(controller) {
          const next = await batches.next();
          if (next.done) controller.close();
          else controller.enqueue(next.value);
        },
        cancel: async () => {
          this.#stop();
          await batches.return();
        },
      },
      { highWaterMark: 0 },
    );
  }
}

function joined(head: Uint8Array, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + rest.length);
  bytes.set(head);
  bytes.set(rest, head.length);
  return bytes;
}

async function serialized(table: ArrowTableLike): Promise<Uint8Array> {
  const { tableToIPC } = await apacheArrow();
  return tableToIPC(table as never, "stream");
}
