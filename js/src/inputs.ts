import { EngineError } from "./errors.js";

/** A file: its bytes, a `File` or `Blob`, a response, or a URL to fetch. */
export type FileSource = Uint8Array | ArrayBuffer | Blob | Response | URL | string;

/** The bytes of a file, in a buffer that can be transferred to the engine. */
export async function bytesOf(source: FileSource, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (ArrayBuffer.isView(source)) {
    // The caller keeps its bytes, and a Buffer is a part of shared memory: the bytes are copied.
    return new Uint8Array(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  }
  if (source instanceof ArrayBuffer) return new Uint8Array(source.slice(0));
  if (source instanceof Blob) return read("the file", () => source.arrayBuffer(), signal);
  if (!(source instanceof Response || source instanceof URL || typeof source === "string")) {
    throw new EngineError(
      "invalid",
      `a file is given as its bytes, a Blob, a Response or a URL, and not as ${named(source)}`,
    );
  }
  const response = source instanceof Response ? source : await fetched(String(source), signal);
  const url = response.url || "the response";
  if (!response.ok) throw new EngineError("unavailable", `${url} cannot be read: status ${response.status}`);
  if (response.bodyUsed) throw new EngineError("invalid", `the body of ${url} was read before`);
  return read(url, () => response.arrayBuffer(), signal);
}

async function read(
  what: string,
  bytes: () => Promise<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await bytes());
  } catch (cause) {
    if (signal?.aborted) throw cancelled(signal);
    throw new EngineError("unavailable", `${what} cannot be read: ${cause}`, { cause });
  }
}

async function fetched(url: string, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, signal ? { signal } : {});
  } catch (cause) {
    if (signal?.aborted) throw cancelled(signal);
    throw new EngineError("unavailable", `${url} cannot be fetched`, { cause });
  }
}

/** The value, if it is a string: inside the engine, a value of another type would not be reported as an error. */
export function text(what: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new EngineError("invalid", `${what} is a string, and not ${named(value)}`);
}

/** A time in milliseconds; 0 where there is no limit. */
export function milliseconds(what: string, value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number" && value >= 0) return value;
  throw new EngineError("invalid", `${what} is a number of milliseconds, and not ${named(value)}`);
}

function named(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `an object (${Object.prototype.toString.call(value)})`
    : String(value);
}

export function cancelled(signal: AbortSignal): EngineError {
  return new EngineError("cancelled", "the call was aborted", { cause: signal.reason });
}

/** A table of any version of `apache-arrow`, recognised by its properties. */
export interface ArrowTableLike {
  readonly schema: unknown;
  readonly batches: readonly unknown[];
}

export function isArrowTable(value: unknown): value is ArrowTableLike {
  return typeof value === "object" && value !== null && "schema" in value && "batches" in value;
}

/**
 * The package `apache-arrow`, where it is installed.
 * @ts-ignore TS2307, where it is not */
export async function apacheArrow(): Promise<typeof import("apache-arrow")> {
  try {
    return await import("apache-arrow");
  } catch (cause) {
    const why =
      "apache-arrow is not installed, or this page has no import map for it; take and give Arrow IPC bytes instead";
    throw new EngineError("unsupported", why, { cause });
  }
}

/** A column of a table. `type` is a type of SQL (`BIGINT`, `DECIMAL(10, 2)`) or of Arrow (`Int64`, `Timestamp(Millisecond, None)`). */
export interface Column {
  name: string;
  type: string;
  /** Default: true. */
  nullable?: boolean;
}

/** A schema of any version of `apache-arrow`. */
export interface ArrowSchemaLike {
  readonly fields: readonly { readonly name: string; readonly type: unknown; readonly nullable: boolean }[];
}

export function columnsOf(schema: readonly Column[] | ArrowSchemaLike): Column[] {
  if (Array.isArray(schema)) return schema.map((column) => ({ ...column }));
  if (typeof schema !== "object" || schema === null || !("fields" in schema)) {
    throw new EngineError(
      "invalid",
      `a schema is a list of { name, type, nullable }, or one of apache-arrow, and not ${named(schema)}`,
    );
  }
  return schema.fields.map(({ name, type, nullable }) => ({ name, type: arrowType(type, name), nullable }));
}

interface ArrowTypeLike {
  typeId: number;
  bitWidth?: number;
  isSigned?: boolean;
  precision?: number;
  scale?: number;
  unit?: number;
  timezone?: string | null;
  byteWidth?: number;
  listSize?: number;
  children?: readonly { name: string; type: unknown }[] | null;
  dictionary?: unknown;
}

const UNITS = ["Second", "Millisecond", "Microsecond", "Nanosecond"];

/** The engine's name of a type of apache-arrow. */
function arrowType(given: unknown, column: string): string {
  const type = given as ArrowTypeLike;
  const unit = () => UNITS[type.unit ?? 1];
  // Numbers below -1 are subclasses for one width or unit.
  switch (type.typeId) {
    case 1:
      return "Null";
    case 2:
      return `${type.isSigned ? "Int" : "UInt"}${type.bitWidth}`;
    case 3:
      return `Float${[16, 32, 64][type.precision ?? 2]}`;
    case 4:
      return "Binary";
    case 5:
      return "Utf8";
    case 6:
      return "Boolean";
    case 7:
      return `Decimal${type.bitWidth ?? 128}(${type.precision}, ${type.scale})`;
    case 8:
      return type.unit === 0 ? "Date32" : "Date64";
    case 9:
      return `Time${type.bitWidth}(${unit()})`;
    case 10:
      return `Timestamp(${unit()}, ${type.timezone ? `Some("${type.timezone}")` : "None"})`;
    case 12:
      return `List(${arrowType(type.children![0]!.type, column)})`;
    case 15:
      return `FixedSizeBinary(${type.byteWidth})`;
    case 18:
      return `Duration(${unit()})`;
    case 19:
      return "LargeBinary";
    case 20:
      return "LargeUtf8";
    case -1:
      return arrowType(type.dictionary, column);
    default:
      throw new EngineError(
        "unsupported",
        `column '${column}': a table cannot be made of the type ${String(given)} this way; give its name`,
      );
  }
}
