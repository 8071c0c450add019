import { byId, element } from "./dom.js";
import { remember, remembered } from "./store.js";
import { counted, duration } from "./values.js";

export interface Entry {
  sql: string;
  /** The start, in milliseconds since 1970. */
  at: number;
  ms: number;
  rows: number;
  error?: string;
}

const KEY = "rhei.history";
const KEPT = 200;

/** The statements that were run in this browser, newest first. */
export class History {
  #entries = remembered<Entry[]>(KEY, []);
  #dialog = byId<HTMLDialogElement>("history");
  #filter = byId<HTMLInputElement>("history-filter");
  #list = byId("history-list");
  #onPick: (sql: string) => void;

  constructor(onPick: (sql: string) => void) {
    this.#onPick = onPick;
    this.#filter.addEventListener("input", () => this.#draw());
    byId("history-clear").addEventListener("click", () => this.#keep([]));
    byId("history-open").addEventListener("click", () => {
      this.#filter.value = "";
      this.#draw();
      this.#dialog.showModal();
    });
    this.#filter.addEventListener("keydown", (event) => {
      // Enter picks the first entry found; by default it would close the dialog without a choice.
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#list.querySelector("button")?.click();
    });
  }

  add(entry: Entry): void {
    const others = this.#entries.filter(({ sql }) => sql !== entry.sql);
    this.#keep([entry, ...others].slice(0, KEPT));
  }

  #keep(entries: Entry[]): void {
    this.#entries = entries;
    remember(KEY, entries);
    this.#draw();
  }

  #draw(): void {
    const wanted = this.#filter.value.toLowerCase();
    const found = this.#entries.filter(({ sql }) => sql.toLowerCase().includes(wanted));
    this.#list.replaceChildren(...found.map((entry) => element("li", {}, this.#button(entry))));
    if (found.length === 0) this.#list.append(element("li", { className: "hint" }, "Nothing yet."));
  }

  #button(entry: Entry): HTMLButtonElement {
    const outcome = entry.error ?? `${counted(entry.rows, "row")} in ${duration(entry.ms)}`;
    const when = new Date(entry.at).toLocaleString();
    const button = element(
      "button",
      { type: "button" },
      element("code", {}, entry.sql),
      element("small", {}, `${when} · ${outcome}`),
    );
    button.addEventListener("click", () => {
      this.#dialog.close();
      this.#onPick(entry.sql);
    });
    return button;
  }
}
