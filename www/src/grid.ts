import { type Column, type GridOption, SlickGrid } from "slickgrid";
import "slickgrid/dist/styles/css/slick.grid.css";
import { element } from "./dom.js";
import type { Rows } from "./rows.js";
import { count, isNumber } from "./values.js";

interface Item {
  row: number;
}

/** A cell of the grid whose full value is shown. */
export interface Cell {
  name: string;
  text: string;
}

/** The number of rows that determine the width of a column. */
const MEASURED = 100;
const [NARROW, NUMBER, WIDE] = [60, 130, 420];
const CHARACTER = 7.6;

/** The grid of a result's rows; only the visible rows are drawn. */
export class Grid {
  #parent: HTMLElement;
  #grid: SlickGrid<Item> | undefined;
  #onCell: (cell: Cell | undefined) => void;
  /** The row and column to activate once the grid is drawn: a hidden grid is not drawn. */
  #pendingCell: [number, number] | undefined;

  constructor(parent: HTMLElement, onCell: (cell: Cell | undefined) => void) {
    this.#parent = parent;
    this.#onCell = onCell;
    new ResizeObserver(() => this.#fit()).observe(parent);
  }

  clear(): void {
    this.#grid?.destroy(true);
    this.#grid = undefined;
    this.#pendingCell = undefined;
    this.#parent.replaceChildren();
    this.#onCell(undefined);
  }

  show(rows: Rows): void {
    this.clear();
    const host = element("div", { className: "grid" });
    this.#parent.append(host);
    const data = {
      getLength: () => rows.length,
      getItem: (row: number): Item => ({ row }),
      getItemMetadata: () => null,
    };
    const options: GridOption = {
      enableHtmlRendering: false,
      enableCellNavigation: true,
      enableColumnReorder: false,
      enableTextSelectionOnCells: true,
      syncColumnCellResize: false,
      rowHeight: 26,
      headerRowHeight: 40,
    };
    const grid = new SlickGrid<Item>(host, data, columns(rows), options);
    // Keyboard focus starts at the first cell.
    host.addEventListener("focusin", () => {
      if (!grid.getActiveCell() && rows.length > 0) this.activate(0, 0);
    });
    grid.onActiveCellChanged.subscribe((_, { row, cell }) => {
      if (cell !== undefined) this.#pendingCell = undefined;
      const column = cell === undefined || cell === 0 ? undefined : rows.columns[cell - 1];
      this.#onCell(column && row < rows.length ? { name: column.name, text: rows.text(row, cell - 1) } : undefined);
    });
    grid.onKeyDown.subscribe((event, { row, cell }) => {
      const { key, ctrlKey, metaKey } = event.getNativeEvent<KeyboardEvent>();
      // The browser itself copies selected text.
      if (key !== "c" || !(ctrlKey || metaKey) || cell === 0 || !getSelection()?.isCollapsed) return;
      void navigator.clipboard.writeText(rows.text(row, cell - 1));
    });
    this.#grid = grid;
  }

  /** More rows have arrived. */
  grow(): void {
    this.#grid?.updateRowCount();
    this.#grid?.render();
  }

  /** Activates a cell; row and column are counted from 0. */
  activate(row: number, column: number): void {
    this.#pendingCell = [row, column];
    this.#fit();
  }

  /** Redraws the rows for the current size of the container. */
  #fit(): void {
    this.#grid?.resizeCanvas();
    if (this.#pendingCell) this.#grid?.setActiveCell(this.#pendingCell[0], this.#pendingCell[1] + 1);
  }
}

function columns(rows: Rows): Column<Item>[] {
  const numbers: Column<Item> = {
    id: "#",
    field: "row",
    name: "",
    width: 96,
    cssClass: "number row-number",
    focusable: false,
    selectable: false,
    formatter: (row) => count(row + 1),
  };
  return [
    numbers,
    ...rows.columns.map((column, at): Column<Item> => {
      const name = element("span", {}, element("b", {}, column.name), " ", element("small", {}, column.type));
      return {
        id: `c${at}`,
        field: "row",
        name,
        toolTip: `${column.name}: ${column.type}`,
        width: width(rows, at),
        minWidth: 40,
        cssClass: isNumber(column.type) ? "number" : "",
        headerCssClass: isNumber(column.type) ? "number" : "",
        formatter: (row) => ({ text: rows.text(row, at), addClasses: rows.value(row, at) === null ? "null" : "" }),
      };
    }),
  ];
}

function width(rows: Rows, column: number): number {
  const { name, type } = rows.columns[column]!;
  let longest = name.length + type.length + 2;
  for (let row = 0; row < Math.min(rows.length, MEASURED); row++) {
    longest = Math.max(longest, rows.text(row, column).length);
  }
  // Later numbers are often longer than the first ones.
  const least = isNumber(type) ? NUMBER : NARROW;
  return Math.min(Math.max(longest * CHARACTER + 20, least), WIDE);
}
