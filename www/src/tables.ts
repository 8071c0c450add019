import type { Table } from "./database.js";
import { identifier } from "./database.js";
import { byId, element } from "./dom.js";
import { counted } from "./values.js";

export interface TableEvents {
  /** A name was picked for the editor. */
  onName(name: string): void;
  /** The reader wants the first rows of a table. */
  onPreview(table: Table): void;
  onDrop(table: Table): void;
}

/** The list of tables and their columns at the side. */
export class Tables {
  #parent = byId("tables");
  #events: TableEvents;
  #open = new Set<string>();
  #known = new Set<string>();

  constructor(events: TableEvents) {
    this.#events = events;
  }

  show(tables: Table[]): void {
    for (const { name } of tables) if (!this.#known.has(name)) this.#open.add(name);
    this.#known = new Set(tables.map(({ name }) => name));
    this.#parent.replaceChildren(...tables.map((table) => this.#table(table)));
    if (tables.length === 0) this.#parent.append(element("p", { className: "hint" }, "No tables yet."));
  }

  #table(table: Table): HTMLElement {
    const { name, isView, rows, columns } = table;
    const summary = element(
      "summary",
      {},
      element("b", {}, name),
      element("small", {}, isView ? "view" : counted(rows, "row")),
    );
    const actions = element(
      "div",
      { className: "actions" },
      this.#button("Insert name", `Write ${name} into the editor`, () => this.#events.onName(identifier(name))),
      this.#button("Preview", `The first rows of ${name}`, () => this.#events.onPreview(table)),
      this.#button("Drop", `Drop ${name}`, () => this.#events.onDrop(table)),
    );
    const list = element("ul", {}, ...columns.map((column) => this.#column(column)));
    const details = element("details", { open: this.#open.has(name) }, summary, actions, list);
    details.addEventListener("toggle", () => (details.open ? this.#open.add(name) : this.#open.delete(name)));
    return details;
  }

  #column({ name, type, nullable }: Table["columns"][number]): HTMLElement {
    const label = `Write ${name} into the editor`;
    const button = this.#button("", label, () => this.#events.onName(identifier(name)));
    button.append(element("span", {}, name), element("small", {}, nullable ? type : `${type}, NOT NULL`));
    return element("li", {}, button);
  }

  #button(text: string, title: string, work: () => void): HTMLButtonElement {
    const button = element("button", { type: "button", title }, text);
    button.addEventListener("click", work);
    return button;
  }
}
