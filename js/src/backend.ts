import type { ScalarFunction } from "./functions.js";

/** Where an engine finds its WebAssembly: a URL, the bytes of the file, or a module that was compiled already. */
export type WasmSource = string | URL | BufferSource | WebAssembly.Module;

/** What the instance of an engine is told at its start. */
export interface Start {
  wasm: WasmSource;
  memoryLimitBytes: number;
  statementTimeoutMs: number;
}

/** The methods of the engine in WebAssembly that run as calls. */
export type Method =
  | "query"
  | "open"
  | "pull"
  | "execute"
  | "executeBatch"
  | "createTable"
  | "loadArrow"
  | "loadParquet"
  | "loadCsv"
  | "loadJson"
  | "exportArrow"
  | "exportParquet"
  | "tables"
  | "tableSchema"
  | "tableExists"
  | "addColumn"
  | "dropColumn"
  | "dropTable"
  | "version"
  | "memory";

/** How many rows and bytes of a result are there so far. */
export interface Progress {
  rows: number;
  bytes: number;
}

export interface CallOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Buffers of the arguments that the engine may keep. */
  transfer?: ArrayBuffer[];
}

/** Runs the calls of an engine: in this thread, or in a worker. */
export interface Backend {
  /** Begins a call under a number of the caller's. */
  call(id: number, method: Method, args: unknown[], options?: CallOptions): Promise<unknown>;
  /** Makes a function known to SQL. Types are named as SQL or Arrow has them. */
  register(id: number, name: string, args: string[], returns: string, fn: ScalarFunction): Promise<unknown>;
  /** Stops a call, or a result that it opened. */
  cancel(id: number): void;
  /** Forgets a result that is not read to its end. */
  closeResult(id: number): void;
  /** Ends everything. What is in flight fails. */
  close(): void;
}
