import { EngineError } from "./errors.js";

/** Which tool wrote the events. */
export type EventFormat = "rhei" | "debezium" | "debezium-flattened" | "maxwell" | "canal" | "wal2json";

/** Why a change cannot be applied. */
export type SkipReason = "unknown-table" | "no-key" | "null-key" | "no-row" | "bad-value";

type TimeUnit = "s" | "ms" | "us" | "ns";

export interface HistoryOptions {
  /** The columns that identify a row. */
  key: readonly string[];
  /** Whether a delete adds a row with the operation `D`. Default: true. */
  tombstones?: boolean;
}

/** How events are read and applied. */
export interface ApplyOptions {
  format: EventFormat;
  /** The number of the first event; each event after it has one more. Events of Rhei have their own. */
  firstSeq?: number | bigint;
  /** The numbers of the events, one for each and not falling: the offsets of a Kafka partition, which may have gaps. */
  seqs?: readonly (number | bigint)[];
  /** The sequence number after which these events begin: an error if events before are missing. */
  after?: number | bigint;
  /** The sequence number up to which these are all events of the source. Default: that of the last event. */
  upto?: number | bigint;
  /** Where the source is to be read on from, stored with the watermark: at most 4,096 bytes. */
  position?: string;
  /** The tables of the source (`table`, `database.table` or `schema.table`) that have other names here. */
  tables?: Readonly<Record<string, string>>;
  /** The one table to which all rows go. */
  onlyTable?: string;
  /** The tables that keep the history of their rows. */
  histories?: Readonly<Record<string, HistoryOptions>>;
  /** What happens with columns that a table does not have. Default: `refuse`. */
  unknownColumns?: "refuse" | "add" | "ignore";
  /** Changes that are left out, counted and listed instead of being an error. */
  skip?: readonly SkipReason[];
  /** Whether an insert of a key that is there is an error, and an update or delete of one that is not. Default: false. */
  strict?: boolean;
  /** How Debezium's events without a schema write decimals. */
  decimals?: "base64" | "text";
  /** The unit of times that Debezium's events without a schema write as numbers. */
  timeUnit?: TimeUnit;
  /** The same for single columns, as `column` or `table.column`. */
  timeUnits?: Readonly<Record<string, TimeUnit>>;
  /** How Debezium's events write bytes. Default: `base64`. */
  bytes?: "base64" | "base64-url-safe" | "hex";
  /** What Debezium's events write for a value that was not sent. Default: `__debezium_unavailable_value`. */
  unavailable?: string;
  /** Whether negative numbers in columns of unsigned 64-bit integers are numbers of 2^63 and more. Default: false. */
  wrappedUnsigned?: boolean;
  /** Whether events that create, alter or drop a table are left out. Default: they are an error. */
  ignoreDdl?: boolean;
  /** Whether flattened events without a value are left out. Default: they are an error. */
  ignoreTombstones?: boolean;
  signal?: AbortSignal | undefined;
}

/** What was done with events. */
export interface Applied {
  events: number;
  /** The number of row changes in the events. */
  changes: number;
  /** The events that are no row changes, by their kind. */
  ignored: Record<string, number>;
  /** Whether the changes were applied now, partly now, or all of them before. */
  progress: "now" | "partly" | "before";
  version: number;
  /** The watermark of the source. */
  watermark: bigint | undefined;
  before: number;
  inserted: number;
  updated: number;
  replaced: number;
  deleted: number;
  truncated: number;
  absentUpdates: number;
  absentDeletes: number;
  skipped: number;
  /** The first 1,000 changes that were left out. */
  skips: { reason: SkipReason; message: string; table: string; seq: bigint | undefined }[];
  ignoredColumns: string[];
  addedColumns: string[];
}

/** How far the events of a source are applied. */
export interface Watermark {
  seq: bigint;
  position: string | undefined;
}

/** A watermark as the engine has it: the number as text, and the position. */
export type FoundWatermark = [seq: string, position: string | undefined];

export function watermark([seq, position]: FoundWatermark): Watermark {
  return { seq: BigInt(seq), position };
}

/** Events as bytes that can be transferred to the engine. */
export function eventBytes(events: string | Uint8Array | readonly object[]): Uint8Array<ArrayBuffer> {
  if (ArrayBuffer.isView(events)) {
    return new Uint8Array(new Uint8Array(events.buffer, events.byteOffset, events.byteLength));
  }
  if (typeof events === "string") return new TextEncoder().encode(events);
  if (!Array.isArray(events)) {
    throw new EngineError("invalid", "events are a text, bytes, or a list of objects");
  }
  return new TextEncoder().encode(json("the events", events));
}

/** The options as JSON; a bigint as text. */
export function applyOptions(options: object): string {
  if (typeof options !== "object" || options === null || !("format" in options)) {
    throw new EngineError("invalid", "applyChanges needs the option format, the tool that wrote the events");
  }
  return json("the options", options, (_, value) => (typeof value === "bigint" ? value.toString() : value));
}

function json(what: string, value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  try {
    return JSON.stringify(value, replacer);
  } catch (cause) {
    throw new EngineError("invalid", `${what} cannot be written as JSON: ${cause}`, { cause });
  }
}

/** The engine's answer. */
export function applied(text: string): Applied {
  const answer = JSON.parse(text);
  const seq = (value: string | null) => (value === null ? undefined : BigInt(value));
  return {
    ...answer,
    watermark: seq(answer.watermark),
    skips: answer.skips.map((skip: { seq: string | null }) => ({ ...skip, seq: seq(skip.seq) })),
  };
}
