// Tests everything that the playground does, in Chromium, as a reader would use it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openPage, serve } from "../../js/scripts/browser.mjs";

const root = join(import.meta.dirname, "..");
const data = (name) => join(root, "node_modules/vega-datasets/data", name);
const LONG = "SELECT count(*) FROM range(100000) a, range(1000000) b WHERE a.value + b.value = -1";
// Returns 40,000 rows at once, of which a stream gets one batch, and then none for as long as LONG takes.
const BEGINS = "SELECT a.value FROM range(100000) a, range(1000000) b WHERE a.value + 100000 * b.value < 40000";

let server;
let browser;
let context;
const foreign = [];

before(async () => {
  server = await serve(join(root, "dist"));
  const opened = await openPage("about:blank");
  browser = opened.browser;
  context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(server.url)) foreign.push(request.url());
  });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** Opens a new page with nothing stored; every error on the page fails the test. */
async function fresh(hash = "") {
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.PATIENCE ?? 60_000));
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(error.stack ?? String(error)));
  page.on("console", (message) => message.type() === "error" && page.failures.push(message.text()));
  await page.route("**/nothing", (route) => route.fulfill({ body: "" }));
  await page.goto(`${server.url}/nothing`);
  await page.evaluate(() => localStorage.clear());
  await page.goto(`${server.url}/${hash}`);
  await page.waitForSelector("body.ready");
  return page;
}

/** A test on its own page. */
function claim(name, work) {
  test(name, { timeout: 180_000 }, async () => {
    const page = await fresh();
    await work(page);
    assert.deepEqual(page.failures, [], "the page has no errors");
    await page.close();
  });
}

async function write(page, sql) {
  await page.click(".cm-content");
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(sql);
}

/** Clears the status line, so that the next status is a new one. */
function silence(page) {
  return page.evaluate(() => document.querySelector("#status").replaceChildren());
}

/** Runs SQL and waits until it is done. */
async function runs(page, sql) {
  await write(page, sql);
  await silence(page);
  await page.keyboard.press("Control+Enter");
  await status(page, /^Done/);
}

/** Waits for a status line, and until the page is idle, except while a result is running or waits to be read on. */
function status(page, pattern) {
  return page.waitForFunction(
    ([source, isIdle]) =>
      new RegExp(source).test(document.querySelector("#status").textContent) &&
      (!isIdle || !document.body.classList.contains("busy")),
    [pattern.source, !/^\^(Waiting|Running)/.test(pattern.source)],
  );
}

/** Waits until an element has exactly this text. */
async function says(page, selector, text) {
  const isSaid = ([selector, text]) => document.querySelector(selector)?.textContent === text;
  await page
    .waitForFunction(isSaid, [selector, text])
    .catch(async () => assert.equal(await page.textContent(selector), text));
}

/** Waits until the focus is on an element that matches the selector, or inside one. */
function focused(page, selector) {
  return page.waitForFunction((selector) => document.activeElement.closest(selector), selector);
}

/** Scrolls to the end of the grid, which grows frame by frame, until a row with this number or a higher one is drawn. */
function scrolls(page, number) {
  return page.waitForFunction((number) => {
    const viewport = document.querySelector(".slick-viewport");
    viewport.scrollTop = viewport.scrollHeight;
    return [...document.querySelectorAll(".slick-cell.row-number")].some(
      (cell) => Number(cell.textContent.replaceAll(",", "")) >= number,
    );
  }, number);
}

/** The drawn cells of the grid, row by row, without the row number. */
function cells(page) {
  return page.$$eval(".grid .slick-row", (rows) =>
    rows
      .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
      .map((row) => [...row.querySelectorAll(".slick-cell")].slice(1).map((cell) => cell.textContent)),
  );
}

const headers = (page) => page.$$eval(".grid .slick-header-column b", (names) => names.map((name) => name.textContent));

async function shot(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

async function sample(page) {
  await page.click("#sample");
  await status(page, /^Loaded|^Done/);
}

/** Drops a file on the page, as a file manager does. */
async function drop(page, name, bytes) {
  const transfer = await page.evaluateHandle(
    ([name, text]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))], name));
      return transfer;
    },
    [name, Buffer.from(bytes).toString("base64")],
  );
  await page.dispatchEvent("#rows", "dragover", { dataTransfer: transfer });
  // The page shows that a file may be dropped.
  await page.waitForSelector("#drop:visible");
  await page.dispatchEvent("#rows", "drop", { dataTransfer: transfer });
  await page.waitForSelector("#drop", { state: "hidden" });
}

const tableNames = (page) => page.$$eval("#tables summary b", (names) => names.map((name) => name.textContent));

claim("the sample is one click away, and its first query runs by itself", async (page) => {
  await shot(page, "start");
  await page.click("#sample");
  await status(page, /^Done: 20 rows/);
  assert.deepEqual(await headers(page), ["origin", "flights", "mean_delay"]);
  const rows = await cells(page);
  assert.equal(rows.length, 20);
  const flights = rows.map((row) => Number(row[1]));
  assert.ok(
    flights[0] > 100_000 && flights.every((value, at) => at === 0 || value <= flights[at - 1]),
    "they are ordered",
  );
  assert.equal(await page.textContent("#tables summary"), "flights3,000,000 rows");
  assert.match(await page.textContent("#memory"), /^memory \d+\.?\d* MB, at most .* of 2\.1 GB$/);
  assert.match(await page.textContent("#status"), /20 rows, .* first after .* all after /);
  await shot(page, "sample");
});

claim("the editor highlights SQL, and completes tables and columns", async (page) => {
  await runs(
    page,
    "CREATE TABLE people (id BIGINT PRIMARY KEY, surname TEXT); INSERT INTO people VALUES (1, 'Lovelace')",
  );
  await write(page, "SELECT 'text', 12 FROM peo");
  await page.waitForSelector(".tok-keyword");
  await says(page, ".tok-string", "'text'");
  await says(page, ".tok-number", "12");
  await page.keyboard.press("Control+Space");
  // With the pointer: a completion list takes keys only after it has been open for a while.
  await page.click(".cm-tooltip-autocomplete:not(.cm-tooltip-autocomplete-disabled) >> text=people");
  await says(page, ".cm-content", "SELECT 'text', 12 FROM people");
  await write(page, "SELECT people.sur");
  await page.keyboard.press("Control+Space");
  await page.waitForSelector(".cm-tooltip-autocomplete >> text=surname");
  await shot(page, "completion");
});

claim("Ctrl+Enter runs everything or the selection, Ctrl+Shift+Enter the statement at the cursor", async (page) => {
  await runs(
    page,
    "CREATE TABLE t (a BIGINT);\nINSERT INTO t VALUES (1), (2); -- a ; in a comment\nSELECT a, 'a;b' AS b FROM t ORDER BY a;",
  );
  assert.deepEqual(await cells(page), [
    ["1", "a;b"],
    ["2", "a;b"],
  ]);
  assert.match(await page.textContent("#status"), /3 statements in/);
  await write(page, "SELECT 1 AS one;\nSELECT 2 AS two;");
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Control+Shift+Enter");
  await page.waitForSelector(".grid >> text=one");
  await status(page, /^Done/);
  await page.keyboard.press("Control+End");
  await page.keyboard.press("Shift+Home");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector(".grid >> text=two");
  await status(page, /^Done/);
  assert.doesNotMatch(await page.textContent("#status"), /statements/);
});

claim("files of every kind become tables when they are dropped or opened", async (page) => {
  const csv = readFileSync(data("seattle-weather.csv"));
  await drop(page, "Seattle weather.csv", csv);
  await status(page, /^Loaded 1,461 rows into seattle_weather/);
  await drop(page, "Seattle weather.csv", csv);
  await status(page, /^Loaded 1,461 rows into seattle_weather_2/);
  await drop(page, "cars.json", readFileSync(data("cars.json")));
  await status(page, /^Loaded 406 rows into cars/);
  await drop(page, "flights-200k.arrow", readFileSync(data("flights-200k.arrow")));
  await status(page, /into flights_200k/);
  await page.setInputFiles("#file", data("flights-3m.parquet"));
  await status(page, /^Loaded 3,000,000 rows into flights_3m/);
  assert.deepEqual(await tableNames(page), [
    "cars",
    "flights_200k",
    "flights_3m",
    "seattle_weather",
    "seattle_weather_2",
  ]);
  await runs(page, "SELECT max(temp_max) AS hottest FROM seattle_weather");
  assert.deepEqual(await cells(page), [["35.6"]]);
  await shot(page, "files");

  await drop(page, "Größen & Préfixe.csv", "First name,note\nAda,\n");
  await status(page, /^Loaded 1 row into gro_en_prefixe/);
  await drop(page, "日本.json", '{"value": 1}');
  await status(page, /^Loaded 1 row into table /);
  await runs(page, 'SELECT "First name" FROM gro_en_prefixe');
  assert.deepEqual(await cells(page), [["Ada"]]);

  await drop(page, "picture.png", new Uint8Array([1, 2, 3]));
  await status(page, /^Failed/);
  assert.match(await page.textContent("#message"), /unsupported: picture\.png .*\.parquet/);
  await drop(page, "broken.parquet", new Uint8Array([1, 2, 3]));
  await status(page, /^Failed/);
  assert.match(await page.textContent("#message"), /Parquet/i);
  assert.equal((await tableNames(page)).length, 7, "what failed left no table");
});

claim("a table is described, previewed and dropped at the side", async (page) => {
  await runs(
    page,
    'CREATE TABLE "Odd name" (id BIGINT NOT NULL, "a b" TEXT); INSERT INTO "Odd name" VALUES (7, NULL); CREATE VIEW v AS SELECT 1 AS one',
  );
  const columns = await page.$$eval("#tables details li", (items) => items.map((item) => item.textContent));
  assert.deepEqual(columns, ["idInt64, NOT NULL", "a bUtf8View", "oneInt64, NOT NULL"]);
  await page.click("#tables >> text=Preview");
  await status(page, /^Done: 1 row/);
  assert.deepEqual(await cells(page), [["7", "NULL"]]);
  assert.equal(
    await page.$$eval(".grid .slick-cell.null", (nulls) => nulls.length),
    1,
    "NULL does not look like a text",
  );
  await write(page, "");
  await page.click("#tables li >> text=a b");
  await says(page, ".cm-line", '"a b"');
  page.once("dialog", (dialog) => dialog.accept());
  await page.click("#tables details:has-text('Odd name') >> text=Drop");
  await status(page, /^Dropped Odd name/);
  assert.deepEqual(await tableNames(page), ["v"]);
});

claim("a million rows stream into the grid, which draws those that are seen", async (page) => {
  await write(page, "SELECT value AS n, value * value AS square FROM range(2500000)");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#more:visible");
  await status(page, /^Waiting for you to read on: 1,0\d\d,\d\d\d rows/);
  await scrolls(page, 1_000_000);
  const drawn = await page.$$eval(".grid .slick-row", (rows) => rows.length);
  assert.ok(drawn < 200, `${drawn} rows are drawn`);
  for (const [n, square] of await cells(page)) assert.equal(BigInt(n) ** 2n, BigInt(square));
  await page.click("#more");
  await status(page, /^Waiting for you to read on: 2,0/);
  await page.click("#more");
  await status(page, /^Done: 2,500,000 rows/);
  assert.ok(!(await page.isVisible("#more")));
  await scrolls(page, 2_500_000);
  await page.waitForSelector(".slick-cell >> text=2499999");
  await shot(page, "million");
});

claim("a result is a chart in one click, and another in a second", async (page) => {
  await sample(page);
  await status(page, /^Done: 20 rows/);
  await page.click("#chart-tab");
  await page.waitForFunction(() => document.querySelectorAll("#chart svg [aria-label=bar] rect").length === 20);
  await shot(page, "chart-bars");
  await page.selectOption("#chart label:has-text('Chart') select", { label: "dot" });
  await page.waitForFunction(() => document.querySelectorAll("#chart svg [aria-label=dot] circle").length === 20);
  await silence(page);
  await page.click("#run");
  await status(page, /^Done: 20 rows/);
  await page.waitForFunction(() => document.querySelectorAll("#chart svg [aria-label=dot] circle").length === 20);
  await runs(
    page,
    "SELECT CAST(date_trunc('day', date) AS DATE) AS day, count(*) AS flights FROM flights GROUP BY 1 ORDER BY 1",
  );
  await page.waitForSelector("#chart svg [aria-label=line] path");
  await shot(page, "chart-line");
  await runs(page, "SELECT delay FROM flights LIMIT 50000");
  await page.waitForSelector("#chart svg [aria-label=rect] rect");
  assert.match(await page.textContent("#chart"), /the first 20,000 rows of 50,000 rows/);
  await runs(page, "SELECT 1 AS a WHERE false");
  assert.match(await page.textContent("#chart"), /drawn here/);
});

claim("a query is cancelled by button and by Esc, and the engine goes on", async (page) => {
  for (const cancel of [() => page.click("#cancel"), () => page.keyboard.press("Escape")]) {
    await write(page, LONG);
    await page.keyboard.press("Control+Enter");
    await page.waitForSelector("#cancel:enabled");
    await cancel();
    await status(page, /^Cancelled\.$/);
    assert.ok(await page.isDisabled("#cancel"));
    // The same while rows are arriving.
    await write(page, BEGINS);
    await page.keyboard.press("Control+Enter");
    await status(page, /^Running: /);
    await cancel();
    await status(page, /^Cancelled\. [\d,]+ rows had arrived/);
    assert.ok(await page.isDisabled("#cancel"));
  }
  await write(page, "SELECT value FROM range(3000000)");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#more:visible");
  await page.click("#cancel");
  await status(page, /^Cancelled\. 1,0.* rows had arrived/);
  await runs(page, "SELECT 42 AS answer");
  assert.deepEqual(await cells(page), [["42"]]);
  await write(page, LONG);
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#cancel:enabled");
  await runs(page, "SELECT 43 AS answer");
  assert.deepEqual(await cells(page), [["43"]], "a new query takes the place of one that runs");
});

claim("what was run is in the history, also after a reload", async (page) => {
  await runs(page, "SELECT 1 AS first_query");
  await runs(page, "SELECT 2 AS second_query");
  await write(page, "SELECT * FROM nowhere");
  await page.keyboard.press("Control+Enter");
  await status(page, /^Failed/);
  await page.reload();
  await page.waitForSelector("body.ready");
  assert.match(await page.textContent(".cm-content"), /nowhere/, "the text is still there");
  await page.click("#history-open");
  await page.waitForSelector("#history:visible");
  assert.equal(await page.$$eval("#history-list button", (items) => items.length), 3);
  assert.match(await page.textContent("#history-list"), /invalid: .*nowhere.*1 row in/);
  await shot(page, "history");
  await page.fill("#history-filter", "FIRST");
  await page.keyboard.press("Enter");
  await says(page, ".cm-content", "SELECT 1 AS first_query");
  await page.waitForSelector("#history", { state: "hidden" });
  await page.click("#history-open");
  await page.click("#history-clear");
  await says(page, "#history-list", "Nothing yet.");
});

claim("a link carries the query, and the sample that it needs", async (page) => {
  await sample(page);
  await status(page, /^Done: 20 rows/);
  await runs(page, 'SELECT count(*) AS "n & <b>" FROM flights -- 100 % + ü');
  await page.click("#link");
  await status(page, /^The link is copied/);
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.startsWith(`${server.url}/#`));
  const other = await fresh(link.slice(server.url.length + 1));
  await status(other, /^Done: 1 row/);
  assert.deepEqual([await headers(other), await cells(other)], [["n & <b>"], [["3000000"]]]);
  assert.match(await other.textContent(".cm-content"), /100 % \+ ü/);
  assert.deepEqual(other.failures, []);
  await other.close();
});

claim("nothing of a result, a name or an error is taken for HTML", async (page) => {
  const html = "<img src=x onerror=\"document.title='taken'\"><b>x</b>";
  const name = html.replaceAll('"', '""');
  const pictures = [];
  page.on(
    "request",
    (request) =>
      request.resourceType() === "image" && !request.url().startsWith("data:") && pictures.push(request.url()),
  );
  await runs(
    page,
    `CREATE TABLE "${name}" ("${name}" TEXT); INSERT INTO "${name}" VALUES ('${html.replaceAll("'", "''")}'); SELECT * FROM "${name}"`,
  );
  assert.deepEqual([await headers(page), await cells(page)], [[html], [[html]]]);
  await page.click(".grid .slick-cell >> nth=1");
  await says(page, "#value", `${html}\n${html}`);
  await page.click("#chart-tab");
  await page.waitForSelector("#chart svg");
  await page.click("#history-open");
  await page.waitForSelector("#history:visible");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#history", { state: "hidden" });
  await write(page, `SELECT * FROM "${name}2"`);
  await page.keyboard.press("Control+Enter");
  await status(page, /^Failed/);
  assert.match(await page.textContent("#message"), /<img/);
  await drop(page, `${html.replaceAll("/", "")}.png`, new Uint8Array([1]));
  await status(page, /^Failed/);
  // Requests are reported in order: an image request would be reported before this one.
  await page.evaluate(async () => void (await fetch("nothing")));
  assert.deepEqual(pictures, []);
  assert.equal(await page.$$eval("img", (images) => images.length), 0);
  assert.equal(await page.title(), "rhei-datafusion playground");
});

claim("an error says what is wrong, and the editor where", async (page) => {
  await write(page, "SELECT 1;\nSELECT 2 FRM t WHERE");
  await page.keyboard.press("Control+Enter");
  await status(page, /^Failed/);
  assert.match(await page.textContent("#message"), /^invalid: /);
  await page.waitForSelector(".cm-lintRange-error");
  await shot(page, "error");
  await runs(page, "SELECT 1 AS a");
  assert.ok(!(await page.isVisible("#message")));
  assert.equal(await page.$$eval(".cm-lintRange-error", (marks) => marks.length), 0);
});

claim("a plan and a long value are read whole below the grid", async (page) => {
  await runs(page, "EXPLAIN SELECT count(*) FROM range(10) WHERE value > 3");
  await page.waitForSelector("#value:visible");
  assert.match(await page.textContent("#value"), /Filter[\s\S]*\n/);
  await page.click("#chart-tab");
  await runs(page, "EXPLAIN SELECT sum(value) FROM range(10) WHERE value > 4");
  assert.ok(!(await page.isVisible("#value")), "it belongs to the rows, which are not seen");
  await page.click("#rows-tab");
  await page.waitForSelector("#value:visible");
  assert.match(await page.textContent("#value"), /sum/);
  await runs(
    page,
    "SELECT repeat('long ', 300) AS text, DATE '2026-02-28' AS day, TIMESTAMP '2026-02-28T12:30:00.250' AS at, [DATE '2026-02-28'] AS days, CAST(1.50 AS DECIMAL(5, 2)) AS price, x'0aff' AS bytes, {a: 1, b: NULL} AS part",
  );
  assert.deepEqual((await cells(page))[0].slice(1), [
    "2026-02-28",
    "2026-02-28 12:30:00.25",
    "[2026-02-28]",
    "1.50",
    "x'0aff'",
    "{a: 1, b: NULL}",
  ]);
  await page.click(".grid .slick-cell >> nth=1");
  await says(page, "#value", `text\n${"long ".repeat(300)}`);
  await shot(page, "value");
});

claim("a result is downloaded as CSV", async (page) => {
  await runs(page, "SELECT * FROM (VALUES (1, 'a \"b\", c', NULL), (2, '', 1.5)) AS t(id, text, x) ORDER BY id");
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  assert.equal(file.suggestedFilename(), "result.csv");
  assert.equal(readFileSync(await file.path(), "utf8"), 'id,text,x\r\n1,"a ""b"", c",\r\n2,"",1.5\r\n');
});

claim("the page is used by keyboard alone", async (page) => {
  await write(page, "SELECT value AS n, 'x' AS text FROM range(1000)");
  await page.keyboard.press("Control+Enter");
  await status(page, /^Done: 1,000 rows/);
  // From the editor, Tab moves to the bar below it, the tabs, and the grid.
  await page.keyboard.press("Tab");
  await focused(page, "#splitter");
  const before = await page.$eval("#editor", (editor) => editor.offsetHeight);
  await page.keyboard.press("ArrowUp");
  await page.waitForFunction((before) => document.querySelector("#editor").offsetHeight < before, before);
  await page.keyboard.press("Tab");
  await focused(page, "#rows-tab");
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector("#chart:visible");
  await page.keyboard.press("ArrowLeft");
  await page.waitForSelector("#rows:visible");
  await page.keyboard.press("Tab");
  await focused(page, "#download");
  await page.keyboard.press("Tab");
  await focused(page, "#rows");
  await says(page, "#value", "n\n0");
  for (const row of ["1", "2", "3"]) {
    await page.keyboard.press("ArrowDown");
    await says(page, "#value", `n\n${row}`);
  }
  await page.keyboard.press("Control+c");
  await page.waitForFunction(async () => (await navigator.clipboard.readText()) === "3");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("Control+End");
  await page.waitForSelector(".slick-cell.row-number >> text=1,000");
  const named = await page.$$eval("button, select, input, #splitter", (parts) =>
    parts
      .filter((part) => !part.hidden && !(part.textContent.trim() || part.getAttribute("aria-label") || part.title))
      .map((part) => part.outerHTML),
  );
  assert.deepEqual(
    named.filter((html) => !html.includes('type="file"')),
    [],
    "everything that is pressed has a name",
  );
});

claim("whoever comes to the rows before they are drawn again begins at the first cell", async (page) => {
  await runs(page, "SELECT value AS n FROM range(1000)");
  await page.click("#chart-tab");
  await page.waitForSelector("#chart svg");
  await page.evaluate(() => {
    document.querySelector("#rows-tab").click();
    document.querySelector(".grid [tabindex='0']").focus();
  });
  for (const row of ["1", "2"]) {
    await page.keyboard.press("ArrowDown");
    await says(page, "#value", `n\n${row}`);
  }
});

claim("the page is light or dark, as the system or the reader has it", async (page) => {
  const back = (color) =>
    page.waitForFunction((color) => getComputedStyle(document.body).backgroundColor === color, color);
  await page.emulateMedia({ colorScheme: "light" });
  await back("rgb(255, 255, 255)");
  await page.emulateMedia({ colorScheme: "dark" });
  await back("rgb(22, 24, 29)");
  await sample(page);
  await status(page, /^Done: 20 rows/);
  await shot(page, "dark");
  await page.click("#chart-tab");
  await page.waitForSelector("#chart svg");
  await shot(page, "dark-chart");
  await page.click("#theme");
  // Light, whatever the system's theme, also after a reload.
  await back("rgb(255, 255, 255)");
  await page.reload();
  await page.waitForSelector("body.ready");
  await back("rgb(255, 255, 255)");
  await page.setViewportSize({ width: 420, height: 800 });
  // Nothing is wider than a phone's screen.
  await page.waitForFunction(() => innerWidth === 420 && document.documentElement.scrollWidth <= innerWidth);
  await shot(page, "narrow");
});

test("a lost engine is told of, and a new one takes its place", { timeout: 180_000 }, async () => {
  const page = await fresh();
  await runs(page, "CREATE TABLE t (a BIGINT)");
  await write(page, LONG);
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#cancel:enabled");
  await page.workers()[0].evaluate(
    () =>
      void setTimeout(() => {
        throw new Error("lost");
      }),
  );
  await status(page, /^Failed/);
  assert.match(await page.textContent("#message"), /A new one has been started/);
  assert.deepEqual(await tableNames(page), []);
  await runs(page, "SELECT 1 AS a");
  assert.deepEqual(await cells(page), [["1"]]);
  await page.close();
});

test("the page asks no one but its own server", () => assert.deepEqual(foreign, []));
