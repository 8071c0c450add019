import {
  type Batch,
  type Column,
  type DataType,
  type Field,
  IntervalUnit,
  type StructType,
  Type,
  tableFromIPC,
} from "@uwdata/flechette";
import { typeName } from "./types.js";

/**
 * The JavaScript value that `rows()` returns for each SQL type:
 *
 * | SQL | JavaScript |
 * |---|---|
 * | NULL | `null` |
 * | BOOLEAN | `boolean` |
 * | TINYINT … INT, also unsigned; REAL, DOUBLE | `number` |
 * | BIGINT, also unsigned | `bigint` |
 * | DECIMAL | `string`, exact |
 * | TEXT | `string` |
 * | BYTEA | `Uint8Array` |
 * | DATE, TIMESTAMP | `Date`, to the millisecond; without a time zone it is UTC |
 * | TIME | `string`, `hh:mm:ss` and a fraction where there is one |
 * | INTERVAL, durations | `string` of Arrow's parts, as `1 months 2 days 3 ns` |
 * | lists | `Array` |
 * | structs | plain object |
 * | maps | `Array` of `[key, value]` |
 */
export type Value = null | boolean | number | bigint | string | Uint8Array | Date | Value[] | { [name: string]: Value };

export type Row = Record<string, Value>;

/** A column of a result. */
export class ResultColumn {
  readonly name: string;
  /** Its Arrow type, as `tableSchema` names it. */
  readonly type: string;
  readonly nullable: boolean;
  /** The value in a row, counted from 0. */
  readonly get: (row: number) => Value;

  constructor(field: Field, values: Column<unknown>) {
    this.name = field.name;
    this.type = typeName(field.type);
    this.nullable = field.nullable;
    const convert = nullable(converter(field.type));
    this.get = (row) => convert(values.at(row));
  }
}

/** An Arrow IPC stream, column by column. */
export function decoded(ipc: Uint8Array): { numRows: number; columns: ResultColumn[] } {
  const table = tableFromIPC(ipc, { useBigInt: true, useDecimalInt: true, useDate: false });
  const columns = table.schema.fields.map((field, at) => {
    const values = table.getChildAt(at);
    for (const batch of values.data) exact(batch);
    return new ResultColumn(field, values);
  });
  return { numRows: table.numRows, columns };
}

/** The parts of an interval of months, days and nanoseconds, in bytes. */
const INTERVAL = { bytes: 16, days: 4, nanoseconds: 8 };

/** Makes a batch return exact values where Flechette returns inexact numbers or throws for large ones. */
// biome-ignore lint/suspicious/noExplicitAny: as Flechette has it.
function exact(batch: Batch<any>): void {
  for (const child of batch.children ?? []) exact(child);
  const type = batch.type;
  if (type.typeId === Type.Timestamp) {
    const values = batch.values as BigInt64Array;
    batch.value = (index) => values[index]!;
  } else if (type.typeId === Type.Interval && type.unit === IntervalUnit.MONTH_DAY_NANO) {
    const { buffer, byteOffset, byteLength } = batch.values as Uint8Array;
    const view = new DataView(buffer, byteOffset, byteLength);
    batch.value = (index) => {
      const at = index * INTERVAL.bytes;
      return [
        view.getInt32(at, true),
        view.getInt32(at + INTERVAL.days, true),
        view.getBigInt64(at + INTERVAL.nanoseconds, true),
      ];
    };
  }
}

/** The row as a plain object. */
export function rowOf(columns: readonly ResultColumn[], row: number): Row {
  const object: Row = {};
  for (const { name, get } of columns) {
    // Not by assignment: a column may be called __proto__.
    if (name === "__proto__") Object.defineProperty(object, name, { value: get(row), enumerable: true });
    else object[name] = get(row);
  }
  return object;
}

// biome-ignore lint/suspicious/noExplicitAny: each takes values of its own type.
type Converter = (value: any) => Value;

const asIs: Converter = (value) => value;

function nullable(convert: Converter): Converter {
  return (value) => (value === null || value === undefined ? null : convert(value));
}

function converter(type: DataType): Converter {
  switch (type.typeId) {
    case Type.Decimal:
      return (value) => decimal(BigInt(value), type.scale);
    case Type.Date:
      return (value) => new Date(Number(value));
    case Type.Timestamp: {
      const perMillisecond = 1000n ** BigInt(Math.max(type.unit - 1, 0));
      return type.unit === 0
        ? (value: bigint) => new Date(Number(value) * 1000)
        : (value: bigint) => new Date(Number(floored(value, perMillisecond)));
    }
    case Type.Time:
      return (value) => time(BigInt(value), type.unit);
    case Type.Interval:
      return (value) => interval(value);
    case Type.Duration:
      return (value) => `${value} ${["s", "ms", "us", "ns"][type.unit]}`;
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList:
    case Type.ListView:
    case Type.LargeListView: {
      const convert = nullable(converter(type.children[0]!.type));
      return (value) => Array.from(value as Iterable<unknown>, convert);
    }
    case Type.Struct: {
      const parts = type.children.map((part) => ({ name: part.name, convert: nullable(converter(part.type)) }));
      return (value) => {
        const pairs = parts.map(({ name, convert }): [string, Value] => [name, convert(value[name])]);
        return Object.fromEntries(pairs);
      };
    }
    case Type.Map: {
      const entries = type.children[0]!.type as StructType;
      const [key, item] = entries.children.map((part) => nullable(converter(part.type)));
      return (value) => Array.from(value as Iterable<[unknown, unknown]>, ([k, v]) => [key!(k), item!(v)]);
    }
    case Type.Dictionary:
      return converter(type.dictionary);
    default:
      return asIs;
  }
}

/** The quotient, rounded down: a time before 1970 belongs to the millisecond that contains it. */
function floored(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient;
}

/** A decimal's integer with its decimal point, exact. */
function decimal(digits: bigint, scale: number): string {
  if (scale <= 0) return (digits * 10n ** BigInt(-scale)).toString();
  const sign = digits < 0n ? "-" : "";
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, "0");
  return `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

function time(value: bigint, unit: number): string {
  const perSecond = 1000n ** BigInt(unit);
  const seconds = value / perSecond;
  const two = (part: bigint) => part.toString().padStart(2, "0");
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  const fraction = (value % perSecond)
    .toString()
    .padStart(3 * unit, "0")
    .replace(/0+$/, "");
  return fraction === "" || unit === 0 ? clock : `${clock}.${fraction}`;
}

function interval(value: number | ArrayLike<number | bigint>): string {
  if (typeof value === "number") return `${value} months`;
  const parts = Array.from(value);
  const names = parts.length === 2 ? ["days", "ms"] : ["months", "days", "ns"];
  const shown = parts.map((part, at) => `${part} ${names[at]}`).filter((_, at) => Number(parts[at]) !== 0);
  return shown.join(" ") || "0 days";
}
