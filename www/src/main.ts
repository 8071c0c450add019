import { EngineError } from "rhei-datafusion";
import { Chart } from "./chart.js";
import { csvOf } from "./csv.js";
import { Database, identifier, SAMPLE } from "./database.js";
import { byId, element, oncePerFrame } from "./dom.js";
import { Editor, type Statement } from "./editor.js";
import { type Cell, Grid } from "./grid.js";
import { History } from "./history.js";
import { splitter, tabs } from "./layout.js";
import { linkOf, sharedBy } from "./link.js";
import type { Rows } from "./rows.js";
import { type Outcome, run } from "./run.js";
import { remember, remembered } from "./store.js";
import "./style.css";
import { Tables } from "./tables.js";
import { themes } from "./theme.js";
import { count, counted, duration, size } from "./values.js";

const DRAFT = "rhei.draft";
const STARTER = `-- Ctrl+Enter runs what is selected, or everything. The flights of this query are one click away, at the left.
SELECT origin, count(*) AS flights, round(avg(delay), 1) AS mean_delay
FROM flights
GROUP BY origin
ORDER BY flights DESC
LIMIT 20;
`;

const runButton = byId<HTMLButtonElement>("run");
const cancelButton = byId<HTMLButtonElement>("cancel");
const sampleButton = byId<HTMLButtonElement>("sample");
const moreButton = byId<HTMLButtonElement>("more");
const downloadButton = byId<HTMLButtonElement>("download");
const message = byId("message");
const status = byId("status");

let database: Database;
/** Stops the running work, where there is any. */
let running: AbortController | undefined;
let shown: Rows | undefined;

const shared = sharedBy(location.hash);
const editor = new Editor(byId("editor"), shared?.sql ?? remembered(DRAFT, STARTER), {
  onRun: () => void runAll(editor.statements()),
  onRunOne: () => void runAll(editor.statementAtCursor()),
  onChange: (text) => remember(DRAFT, text),
});
const grid = new Grid(byId("rows"), showValue);
const chart = new Chart();
const history = new History((sql) => {
  editor.text = sql;
  editor.focus();
});
const tables = new Tables({
  onName: (name) => editor.insert(name),
  onPreview: ({ name }) => void runAll([{ sql: `SELECT * FROM ${identifier(name)} LIMIT 1000`, at: 0 }]),
  onDrop(table) {
    if (!confirm(`Drop ${table.name}?`)) return;
    void busy(async () => {
      await database.drop(table);
      status.textContent = `Dropped ${table.name}.`;
    });
  },
});

/** Runs one piece of work at a time, which Cancel stops, and reports how it ended. */
async function busy(work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  setBusy(true);
  fail(undefined);
  try {
    await work(mine.signal);
    return true;
  } catch (error) {
    // If later work has taken over the page, its status must stay.
    if (running === mine) await failed(error as Error);
    return false;
  } finally {
    await refresh().catch(failed);
    if (running === mine) {
      running = undefined;
      setBusy(false);
    }
  }
}

function setBusy(isBusy: boolean): void {
  cancelButton.disabled = !isBusy;
  document.body.classList.toggle("busy", isBusy);
  if (!isBusy) moreButton.hidden = true;
}

async function failed(error: Error): Promise<void> {
  if (error instanceof EngineError && error.code === "cancelled") {
    status.textContent = shown ? `Cancelled. ${counted(shown.length, "row")} had arrived.` : "Cancelled.";
    return;
  }
  fail(error);
  if (error instanceof EngineError && (error.code === "engine_crashed" || error.code === "engine_closed")) {
    database = await Database.open();
    fail(new Error(`${error.message}\nThe engine was lost, and its tables with it. A new one has been started.`));
  }
}

function fail(error: Error | undefined): void {
  message.hidden = !error;
  message.textContent = error ? (error instanceof EngineError ? `${error.code}: ${error.message}` : error.message) : "";
  if (error) status.textContent = "Failed.";
}

/** Shows the current tables and the memory in use. */
async function refresh(): Promise<void> {
  const all = await database.tables();
  tables.show(all);
  editor.complete(Object.fromEntries(all.map(({ name, columns }) => [name, columns.map((column) => column.name)])));
  sampleButton.disabled = all.some(({ name }) => name === SAMPLE);
  const { usedBytes, peakBytes, limitBytes } = await database.memory();
  byId("memory").textContent = `memory ${size(usedBytes)}, at most ${size(peakBytes)} of ${size(limitBytes)}`;
}

/** Runs statements one after the other, and shows the rows of each as they arrive. */
async function runAll(statements: Statement[]): Promise<void> {
  if (statements.length === 0) {
    status.textContent = "There is no statement to run.";
    return;
  }
  const begun = performance.now();
  const sql = statements.map((statement) => statement.sql).join(";\n");
  let current = statements[0]!;
  let last: Outcome | undefined;
  editor.mark();
  let mine: AbortSignal | undefined;
  await busy(async (signal) => {
    mine = signal;
    for (current of statements) {
      clear();
      last = await run(database, current, signal, {
        onRows: showRows,
        onProgress: (outcome) => {
          tell(outcome);
          grow();
        },
        onFull: () => nextPage(signal),
      });
    }
    if (statements.length > 1)
      status.textContent += ` · ${statements.length} statements in ${duration(performance.now() - begun)}`;
  });
  // If later work has stopped this run, the page shows the later result.
  if (running && running.signal !== mine) return;
  grow();
  if (!message.hidden) mark(current);
  const error = message.hidden ? undefined : message.textContent!;
  history.add({
    sql,
    at: Date.now(),
    ms: performance.now() - begun,
    rows: last?.rows?.length ?? 0,
    ...(error ? { error } : {}),
  });
}

/** Marks the position in the editor that a parser error reports. */
function mark(statement: Statement): void {
  const found = /Line: (\d+), Column: (\d+)/.exec(message.textContent!);
  if (found)
    editor.mark({ statement, line: Number(found[1]), column: Number(found[2]), message: message.textContent! });
}

/** Asks the reader whether to read the next page. */
function nextPage(signal: AbortSignal): Promise<void> {
  moreButton.hidden = false;
  return new Promise((resolve) => {
    const go = () => {
      moreButton.hidden = true;
      resolve();
    };
    moreButton.onclick = go;
    signal.addEventListener("abort", go, { once: true });
  });
}

function clear(): void {
  shown = undefined;
  downloadButton.disabled = true;
  grid.clear();
  chart.show(undefined);
}

function showRows(rows: Rows): void {
  shown = rows;
  downloadButton.disabled = false;
  if (rows.columns.length > 0) grid.show(rows);
  chart.show(rows);
}

const grow = oncePerFrame(() => grid.grow());

function tell({ rows, firstMs, ms, state }: Outcome): void {
  const length = rows?.length ?? 0;
  const found =
    rows && rows.columns.length > 0
      ? `${counted(length, "row")}, ${size(rows.bytes)} · first after ${duration(firstMs!)} · `
      : "";
  const words = { running: "Running: ", waiting: "Waiting for you to read on: ", done: "Done: " };
  status.textContent = `${words[state]}${found}${state === "done" ? "all after " : ""}${duration(ms)}`;
  if (state !== "done") return;
  chart.redraw();
  // A query plan is text of many lines: show it in the pane of values.
  if (rows && length > 0 && length <= 10) {
    const at = rows.columns.findIndex((_, column) => rows.text(0, column).includes("\n"));
    if (at >= 0) grid.activate(0, at);
  }
}

function showValue(cell: Cell | undefined): void {
  const pane = byId("value");
  pane.hidden = !cell;
  pane.replaceChildren();
  if (cell) pane.append(element("b", {}, cell.name), "\n", cell.text);
}

async function loadFiles(files: Iterable<File>): Promise<void> {
  for (const file of files) {
    status.textContent = `Loading ${file.name} …`;
    const begun = performance.now();
    const isDone = await busy(async (signal) => {
      const { table, rows } = await database.load(file, signal);
      status.textContent = `Loaded ${counted(rows, "row")} into ${table} in ${duration(performance.now() - begun)}.`;
    });
    if (!isDone) return;
  }
}

function loadSample(): Promise<boolean> {
  status.textContent = `Loading ${count(3_000_000)} flights …`;
  const begun = performance.now();
  return busy(async (signal) => {
    const { table, rows } = await database.loadSample(signal);
    status.textContent = `Loaded ${counted(rows, "row")} into ${table} in ${duration(performance.now() - begun)}.`;
  });
}

async function copyLink(): Promise<void> {
  const link = linkOf({ sql: editor.text, sample: await database.hasSample() });
  window.history.replaceState(null, "", link);
  try {
    await navigator.clipboard.writeText(link);
    status.textContent = "The link is copied. It carries the query, and no data.";
  } catch {
    status.textContent = "The link is in the address bar. It carries the query, and no data.";
  }
}

function download(): void {
  if (!shown) return;
  const url = URL.createObjectURL(csvOf(shown));
  element("a", { href: url, download: "result.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Lets files be dropped anywhere on the page. */
function drops(): void {
  const sign = byId("drop");
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    sign.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) sign.hidden = true;
  });
  addEventListener(
    "drop",
    (event) => {
      sign.hidden = true;
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.stopPropagation();
      void loadFiles([...event.dataTransfer!.files]);
    },
    { capture: true },
  );
}

async function start(): Promise<void> {
  themes();
  splitter(byId("splitter"), byId("editor"));
  tabs(() => chart.redraw());
  drops();
  const picker = byId<HTMLInputElement>("file");
  byId("open").addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    const files = [...(picker.files ?? [])];
    picker.value = "";
    void loadFiles(files);
  });
  const begun = performance.now();
  database = await Database.open();
  status.textContent = `Ready after ${duration(performance.now() - begun)}.`;
  runButton.addEventListener("click", () => void runAll(editor.statements()));
  cancelButton.addEventListener("click", () => running?.abort());
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) running?.abort();
  });
  sampleButton.addEventListener("click", async () => {
    if ((await loadSample()) && editor.text === STARTER) await runAll(editor.statements());
  });
  byId("link").addEventListener("click", () => void copyLink());
  downloadButton.addEventListener("click", download);
  await refresh();
  document.body.classList.add("ready");
  editor.focus();
  if (!shared) return;
  if (!shared.sample || (await loadSample())) await runAll(editor.statements());
}

start().catch((error: Error) => fail(new Error(`The engine did not start: ${error.message}`)));
