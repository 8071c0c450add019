import type { Rows } from "./rows.js";

/** The rows that have arrived, as a CSV file; NULL is an empty field, and text is quoted where necessary. */
export function csvOf(rows: Rows): Blob {
  const line = (fields: string[]) => `${fields.join(",")}\r\n`;
  const parts = [line(rows.columns.map(({ name }) => field(name)))];
  for (let row = 0; row < rows.length; row++) {
    parts.push(line(rows.columns.map((_, at) => (rows.value(row, at) === null ? "" : field(rows.text(row, at))))));
  }
  return new Blob(parts, { type: "text/csv" });
}

function field(text: string): string {
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
