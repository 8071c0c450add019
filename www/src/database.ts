import { Engine, EngineError, type ResultStream, type Value } from "rhei-datafusion";
import flights from "../node_modules/vega-datasets/data/flights-3m.parquet?url";

export interface Table {
  name: string;
  isView: boolean;
  rows: number;
  columns: { name: string; type: string; nullable: boolean }[];
}

/** The kinds of files that can be loaded as tables, by file name extension. */
const LOADERS: [RegExp, "loadParquet" | "loadCsv" | "loadJson" | "loadArrow", object?][] = [
  [/\.parquet$/i, "loadParquet"],
  [/\.tsv$/i, "loadCsv", { delimiter: "\t" }],
  [/\.(csv|txt)$/i, "loadCsv"],
  [/\.(json|jsonl|ndjson)$/i, "loadJson"],
  [/\.(arrow|arrows|feather|ipc)$/i, "loadArrow"],
];

export const SAMPLE = "flights";

/** The engine, with the operations that the page needs. */
export class Database {
  #engine: Engine;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  static async open(): Promise<Database> {
    return new Database(await Engine.create());
  }

  stream(sql: string, signal: AbortSignal): ResultStream {
    return this.#engine.stream(sql, [], { signal });
  }

  memory(): ReturnType<Engine["memory"]> {
    return this.#engine.memory();
  }

  /** All tables and views, by name. */
  async tables(): Promise<Table[]> {
    const columns = await this.#engine.query(
      `SELECT c.table_name, c.column_name, c.data_type, c.is_nullable, t.table_type
       FROM information_schema.columns c JOIN information_schema.tables t ON c.table_schema = t.table_schema AND c.table_name = t.table_name
       WHERE c.table_schema = 'public' ORDER BY c.table_name, c.ordinal_position`,
    );
    const tables = new Map<string, Table>();
    for (const row of columns.rows<Record<string, string>>()) {
      const name = row["table_name"]!;
      const table = tables.get(name) ?? { name, isView: row["table_type"] === "VIEW", rows: 0, columns: [] };
      table.columns.push({
        name: row["column_name"]!,
        type: row["data_type"]!,
        nullable: row["is_nullable"] === "YES",
      });
      tables.set(name, table);
    }
    for (const table of tables.values()) {
      if (table.isView) continue;
      const [counted] = (await this.#engine.query(`SELECT count(*) AS n FROM ${quoted(table.name)}`)).rows();
      table.rows = Number(counted!["n"] as Value);
    }
    return [...tables.values()];
  }

  async drop(table: Table): Promise<void> {
    await this.#engine.execute(`DROP ${table.isView ? "VIEW" : "TABLE"} ${quoted(table.name)}`);
  }

  /** Creates a table from a file, with an unused name that resembles the file's. */
  async load(file: File, signal: AbortSignal): Promise<{ table: string; rows: number }> {
    const loader = LOADERS.find(([pattern]) => pattern.test(file.name));
    if (!loader) {
      throw new EngineError(
        "unsupported",
        `${file.name} is no Parquet, CSV, JSON or Arrow file by its name: it should end with .parquet, .csv, .tsv, .json, .jsonl or .arrow`,
      );
    }
    const [, method, options] = loader;
    const table = await this.#freeName(file.name);
    return { table, rows: await this.#engine[method](table, file, { ...options, signal }) };
  }

  /** Loads three million flights of 2001 within the United States, from Vega's data sets. */
  async loadSample(signal: AbortSignal): Promise<{ table: string; rows: number }> {
    return { table: SAMPLE, rows: await this.#engine.loadParquet(SAMPLE, new URL(flights, location.href), { signal }) };
  }

  hasSample(): Promise<boolean> {
    return this.#engine.tableExists(SAMPLE);
  }

  async #freeName(file: string): Promise<string> {
    // A table's name has only letters without accents, digits and `_`.
    const plain = file
      .replace(/\.[^.]*$/, "")
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .toLowerCase();
    const stem = plain.replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
    const base = /^[a-z]/.test(stem) ? stem : `table_${stem}`.replace(/_$/, "");
    const taken = new Set((await this.tables()).map((table) => table.name));
    for (let number = 1; ; number++) {
      const name = number === 1 ? base : `${base}_${number}`;
      if (!taken.has(name)) return name;
    }
  }
}

/** A name for SQL, quoted only where necessary. */
export function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoted(name);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
