// The contestants behind one set of methods. Each is an engine in a worker of its own, and results come back as Arrow.
import * as current from "@duckdb/duckdb-wasm";
import { tableFromIPC } from "apache-arrow";
import * as withParquet from "duckdb-wasm-parquet";
import { Engine } from "rhei-datafusion";

export class Ours {
  #db;

  constructor(db) {
    this.#db = db;
  }

  static async open() {
    return new Ours(await Engine.create());
  }

  async query(sql) {
    return tableFromIPC((await this.#db.query(sql)).ipc);
  }

  /** Runs a statement that changes rows. Returns their number. */
  execute(sql) {
    return this.#db.execute(sql);
  }

  /** Appends an Arrow IPC stream to a table, which is made where it is not there. */
  async appendArrow(table, bytes) {
    await this.#db.loadArrow(table, bytes);
  }

  async loadParquet(table, bytes) {
    await this.#db.loadParquet(table, bytes);
  }

  /** All rows of a table as an Arrow IPC stream. */
  exportArrow(table) {
    return this.#db.exportArrow(table);
  }

  close() {
    this.#db.close();
  }
}

export class DuckDb {
  #db;
  #worker;
  #connection;

  constructor(db, worker, connection) {
    this.#db = db;
    this.#worker = worker;
    this.#connection = connection;
  }

  /** The version that is measured. */
  static open() {
    return DuckDb.#start(current, "duckdb");
  }

  /** The last version with a reader of Parquet: in later ones it is an extension, fetched from a host of its own. */
  static openWithParquet() {
    return DuckDb.#start(withParquet, "duckdb-parquet");
  }

  static async #start(library, folder) {
    const worker = new Worker(new URL(`${folder}/duckdb-browser-eh.worker.js`, location.href));
    const db = new library.AsyncDuckDB(new library.VoidLogger(), worker);
    await db.instantiate(new URL(`${folder}/duckdb-eh.wasm`, location.href).href);
    return new DuckDb(db, worker, await db.connect());
  }

  query(sql) {
    return this.#connection.query(sql);
  }

  async execute(sql) {
    const result = await this.#connection.query(sql);
    return Number(result.getChildAt(0)?.get(0) ?? 0);
  }

  /** As that of {@link Ours}; the bytes are given away. */
  async appendArrow(table, bytes, { create = true } = {}) {
    await this.#connection.insertArrowFromIPCStream(bytes, { name: table, create });
  }

  /** Needs {@link DuckDb.openWithParquet}; the bytes are given away. */
  async loadParquet(table, bytes) {
    await this.#db.registerFileBuffer(`${table}.parquet`, bytes);
    await this.#connection.query(`CREATE TABLE ${table} AS SELECT * FROM read_parquet('${table}.parquet')`);
    await this.#db.dropFile(`${table}.parquet`);
  }

  close() {
    this.#worker.terminate();
  }
}

/** Opens engines for as long as `work` takes. */
export async function withEngines(openers, work) {
  const engines = [];
  try {
    for (const open of openers) engines.push(await open());
    return await work(...engines);
  } finally {
    for (const engine of engines) engine.close();
  }
}
