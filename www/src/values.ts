import type { Value } from "rhei-datafusion";

/** A value as text, as SQL would write it. `type` is the Arrow type as the engine names it. */
export function textOf(value: Value, type: string): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (value instanceof Date) return date(value, type);
  if (value instanceof Uint8Array) return `x'${[...value].map((byte) => byte.toString(16).padStart(2, "0")).join("")}'`;
  if (Array.isArray(value)) return `[${value.map((part) => textOf(part, inner(type, part))).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([name, part]) => `${name}: ${textOf(part, inner(type, part))}`)
    .join(", ")}}`;
}

function date(value: Date, type: string): string {
  if (Number.isNaN(value.getTime())) return "out of range";
  const text = value.toISOString();
  if (type.startsWith("Date")) return text.slice(0, -"T00:00:00.000Z".length);
  const shown = text
    .replace("T", " ")
    .replace(/(\.\d*?)0*Z$/, "$1")
    .replace(/\.$/, "");
  return type.includes(",") ? `${shown}Z` : shown;
}

/** The assumed type of a nested value: a Date is a day unless the type mentions a timestamp. */
function inner(type: string, part: Value): string {
  return part instanceof Date && !type.includes("Timestamp") ? "Date" : "Timestamp";
}

export const isNumber = (type: string) => /^(U?Int|Float|Decimal)/.test(type);
export const isTime = (type: string) => /^(Date|Timestamp)/.test(type);

const grouped = new Intl.NumberFormat("en");

export const count = (value: number | bigint) => grouped.format(value);

/** A number with its noun: `1 row`, `1,000 rows`. */
export const counted = (value: number, thing: string) => `${count(value)} ${thing}${value === 1 ? "" : "s"}`;

/** A readable size, in powers of 1,000. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

export function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
