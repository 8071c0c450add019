import type { ScalarFunction } from "./functions.js";

/** The engine's WebAssembly: a URL, the bytes of the file, or a compiled module. */
export type WasmSource = string | URL | BufferSource | WebAssembly.Module;

/** The options of an engine's instance at its start. */
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
  | "applyChanges"
  | "watermark"
  | "watermarks"
  | "resetWatermark"
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

/** The number of rows and bytes of a result so far. */
export interface Progress {
  rows: number;
  bytes: number;
}

export interface CallOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Buffers of the arguments, which are transferred to the engine. */
  transfer?: ArrayBuffer[];
}

/** Runs the calls of an engine: in this thread, or in a worker. */
export interface Backend {
  /** Starts a call with a number that the caller chooses. */
  call(id: number, method: Method, args: unknown[], options?: CallOptions): Promise<unknown>;
  /** Registers a function for SQL. Types have their names in SQL or Arrow. */
  register(id: number, name: string, args: string[], returns: string, fn: ScalarFunction): Promise<unknown>;
  /** Cancels a call, or a result that the call opened. */
  cancel(id: number): void;
  /** Drops a result that is not read to its end. */
  closeResult(id: number): void;
  /** Ends the engine. Pending calls fail. */
  close(): void;
}
