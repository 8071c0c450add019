// Tables of medians, ratios and bars, as lines of cells and as Markdown.

const HEADINGS = ["operation", "DuckDB-WASM", "ours", "bar", "found", "result"];

export const ratioOf = ({ theirs, ours }) => ours.milliseconds / theirs.milliseconds;

/** Ours takes at most as long as DuckDB-WASM. */
export const noLonger = (timings) => noMore(ratioOf(timings));

/** The same of a ratio of ours to theirs. */
export function noMore(ratio) {
  return { rule: "ours ≤ DuckDB-WASM", found: ratio.toFixed(2), holds: ratio <= 1 };
}

/** A limit to a figure of ours. */
export function atMost(limit, found, show) {
  return { rule: `ours ≤ ${show(limit)}`, found: show(found), holds: found <= limit };
}

/** The ratio of ours to theirs, for information. */
export function noted(ratio) {
  return { rule: "ours / DuckDB-WASM", found: ratio.toFixed(2), holds: null };
}

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

/** A row of the report as cells. */
export function cells({ operation, theirs, ours, bar }) {
  const result = bar.holds === null ? "information" : bar.holds ? "PASS" : "MISS";
  return [operation, theirs ?? "", ours ?? "", bar.rule, bar.found, result];
}

/** The median in a unit that suits it, and the spread in percent of it. */
export function time({ milliseconds, spread }) {
  const percent = Math.round((100 * spread) / milliseconds);
  return `${duration(milliseconds)} ±${percent} %`;
}

function duration(milliseconds) {
  if (milliseconds < 1) return `${(milliseconds * 1000).toPrecision(3)} µs`;
  if (milliseconds < 1000) return `${milliseconds.toPrecision(3)} ms`;
  return `${(milliseconds / 1000).toPrecision(3)} s`;
}

/** The rows as a table in Markdown, readable as it stands. */
export function markdown(rows) {
  const lines = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const padded = lines.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`);
  padded.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return padded.join("\n");
}

/** Shows the rows in the element of a table. */
export function show(table, rows) {
  const line = (name, texts) => {
    const row = document.createElement("tr");
    for (const text of texts) {
      const cell = document.createElement(name);
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  };
  table.replaceChildren(line("th", HEADINGS), ...rows.map((row) => line("td", cells(row))));
}
