import { byId, element } from "./dom.js";
import { type Choice, DRAWN, drawing, MARKS, type Mark, NONE } from "./plot.js";
import type { Rows } from "./rows.js";
import { counted, isNumber, isTime } from "./values.js";

/** A chart of a result; column types decide the first settings, and the reader can change them. */
export class Chart {
  #parent = byId("chart");
  #rows: Rows | undefined;
  /** The settings for the columns of the last result; a repeated query is drawn with the same settings. */
  #choice: Choice | undefined;
  #names = "";

  constructor() {
    new ResizeObserver(() => this.#isSeen() && this.#draw()).observe(this.#parent);
  }

  /** Shows the rows of a new result. */
  show(rows: Rows | undefined): void {
    this.#rows = rows;
    if (rows && names(rows) !== this.#names) {
      this.#names = names(rows);
      this.#choice = rows.columns.length > 0 ? chosen(rows) : undefined;
    }
    this.redraw();
  }

  /** Draws again: more rows have arrived, or the chart has become visible. */
  redraw(): void {
    if (!this.#isSeen()) return;
    this.#parent.replaceChildren();
    if (!this.#rows || !this.#choice || this.#rows.length === 0) {
      this.#parent.append(element("p", { className: "hint" }, "A query's rows are drawn here."));
      return;
    }
    this.#parent.append(this.#controls(this.#rows, this.#choice), element("div", { className: "plot" }));
    this.#draw();
  }

  #isSeen(): boolean {
    return !this.#parent.hidden;
  }

  #controls(rows: Rows, choice: Choice): HTMLElement {
    const columns = rows.columns.map(({ name }, at): [string, number] => [name, at]);
    const pick = <T extends string | number>(
      label: string,
      options: [string, T][],
      value: T,
      take: (value: T) => void,
    ) => {
      const select = element(
        "select",
        {},
        ...options.map(([text], at) => element("option", { value: String(at) }, text)),
      );
      select.selectedIndex = options.findIndex(([, option]) => option === value);
      select.addEventListener("change", () => {
        take(options[select.selectedIndex]![1]);
        this.#draw();
      });
      return element("label", {}, `${label} `, select);
    };
    return element(
      "div",
      { className: "actions" },
      pick(
        "Chart",
        MARKS.map((mark): [string, Mark] => [mark, mark]),
        choice.mark,
        (mark) => (choice.mark = mark),
      ),
      pick("x", columns, choice.x, (x) => (choice.x = x)),
      pick("y", [["number of rows", NONE], ...columns], choice.y, (y) => (choice.y = y)),
      pick("color", [["none", NONE], ...columns], choice.color, (color) => (choice.color = color)),
      element(
        "small",
        {},
        rows.length > DRAWN ? `the first ${counted(DRAWN, "row")} of ${counted(rows.length, "row")}` : "",
      ),
    );
  }

  #draw(): void {
    const plot = this.#parent.querySelector(".plot");
    if (!plot || !this.#rows || !this.#choice) return;
    try {
      plot.replaceChildren(drawing(this.#rows, this.#choice, plot as HTMLElement));
    } catch (error) {
      plot.replaceChildren(element("p", { className: "hint" }, `This cannot be drawn: ${(error as Error).message}`));
    }
  }
}

const names = (rows: Rows) => JSON.stringify(rows.columns.map(({ name, type }) => [name, type]));

/** The first settings: a number over time, or over text, or over another number. */
function chosen(rows: Rows): Choice {
  const find = (test: (type: string) => boolean, not = -1) =>
    rows.columns.findIndex(({ type }, at) => at !== not && test(type));
  const time = find(isTime);
  const text = find((type) => !isNumber(type) && !isTime(type));
  const x = time >= 0 ? time : Math.max(text, 0);
  const y = find(isNumber, x);
  const both = isNumber(rows.columns[x]!.type);
  if (y < 0) return { mark: "histogram", x, y: NONE, color: NONE };
  return { mark: time >= 0 ? "line" : both ? "dot" : "bar", x, y, color: time >= 0 && text >= 0 ? text : NONE };
}
