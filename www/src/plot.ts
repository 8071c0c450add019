import * as Plot from "@observablehq/plot";
import type { Value } from "rhei-datafusion";
import type { Rows } from "./rows.js";
import { isNumber, isTime, textOf } from "./values.js";

/** The maximum number of rows in a chart. */
export const DRAWN = 20_000;
/** From this many names on, labels are rotated, and from this many on they are hidden. */
const [ASLANT, NAMELESS] = [12, 80];

export const MARKS = ["bar", "line", "dot", "histogram"] as const;
export type Mark = (typeof MARKS)[number];

/** In place of a column: as y the number of rows, as color no colors. */
export const NONE = -1;

/** The chart's settings: columns of a result by position, and the kind of mark. */
export interface Choice {
  mark: Mark;
  x: number;
  y: number;
  color: number;
}

type Drawn = number | string | Date | null;

interface Point {
  x: Drawn;
  y: Drawn;
  color: Drawn;
}

/** Draws the first rows of a result at the size of its container. */
export function drawing(rows: Rows, choice: Choice, place: HTMLElement): Element {
  const at = (row: number, column: number) =>
    column === NONE ? null : drawn(rows.value(row, column), rows.columns[column]!.type);
  const points = Array.from({ length: Math.min(rows.length, DRAWN) }, (_, row): Point => {
    return { x: at(row, choice.x), y: at(row, choice.y), color: at(row, choice.color) };
  });
  const label = (column: number) => rows.columns[column]?.name ?? "number of rows";
  const { type } = rows.columns[choice.x]!;
  // Names keep the order of the rows.
  const names = isNumber(type) || isTime(type) ? undefined : [...new Set(points.map(({ x }) => x as string))];
  const isCount = choice.y === NONE || choice.mark === "histogram";
  return Plot.plot({
    width: Math.max(place.clientWidth, 320),
    height: Math.max(place.clientHeight, 200),
    marginLeft: 70,
    marginBottom: names && names.length > ASLANT ? 90 : 40,
    style: { background: "transparent", color: "inherit", fontSize: "12px" },
    color: { legend: choice.color !== NONE, label: label(choice.color) },
    x: { label: label(choice.x), ...(names && scale(names)) },
    y: { label: label(isCount ? NONE : choice.y), grid: true, tickFormat: "~s" },
    marks: [Plot.ruleY([0]), isCount ? counts(points, choice, !!names) : values(points, choice, !!names)],
  });
}

function scale(domain: string[]): Plot.ScaleOptions {
  const aslant = domain.length > ASLANT ? { tickRotate: -45 } : {};
  return { type: "band", domain, ...aslant, ...(domain.length > NAMELESS ? { ticks: [] } : {}) };
}

/** A chart of the number of rows with each name, or in each range of numbers or times. */
function counts(points: Point[], { color }: Choice, hasNames: boolean): Plot.Markish {
  const options = { x: "x", fill: shade(color), tip: true };
  return hasNames
    ? Plot.barY(points, Plot.groupX({ y: "count" }, options))
    : Plot.rectY(points, Plot.binX({ y: "count" }, options));
}

/** A mark for each row. */
function values(points: Point[], { mark, color }: Choice, hasNames: boolean): Plot.Markish {
  const options = { x: "x", y: "y", tip: true };
  switch (mark) {
    case "line":
      return Plot.lineY(points, { ...options, stroke: shade(color), ...(hasNames ? {} : { sort: "x" }) });
    case "bar":
      if (hasNames) return Plot.barY(points, { ...options, fill: shade(color) });
      return Plot.ruleX(points, { x: "x", y1: 0, y2: "y", stroke: shade(color), strokeWidth: 3, tip: true });
    default:
      return Plot.dot(points, { ...options, stroke: shade(color) });
  }
}

function shade(color: number): string {
  return color === NONE ? "var(--accent)" : "color";
}

function drawn(value: Value, type: string): Drawn {
  if (value === null || value instanceof Date) return value;
  return isNumber(type) ? Number(value) : textOf(value, type);
}
