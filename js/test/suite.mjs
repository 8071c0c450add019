// Tests of the package, for Node.js and for a page alike: each gets the package, functions that open and crash an
// engine, and whether modules find each other by name (in a page without a bundler they do not).

import { files, flags } from "./parquet.mjs";

export function assert(condition, message = "it does not hold") {
  if (!condition) throw new Error(message);
}

export function equal(found, expected, message = "") {
  const text = (value) =>
    JSON.stringify(value, (_, part) =>
      typeof part === "bigint" ? `${part}n` : part instanceof Uint8Array ? [...part] : part,
    );
  assert(text(found) === text(expected), `${message} found ${text(found)}, expected ${text(expected)}`);
}

export async function fails(work, code, text = "") {
  let error;
  try {
    await work();
  } catch (thrown) {
    error = thrown;
  }
  assert(error, `it did not fail with ${code}`);
  assert(error instanceof Error, "what is thrown is no Error");
  assert(error.code === code, `it failed with ${error.code} (${error.message}), and not with ${code}`);
  assert(error.message.includes(text), `"${error.message}" does not say "${text}"`);
  return error;
}

const LONG = "SELECT count(*) FROM range(100000) a, range(1000000) b WHERE a.value + b.value = -1";
// Returns 40,000 rows at once, and then none for as long as LONG takes: a stream gets one batch and waits for the
// second.
const BEGINS = "SELECT a.value FROM range(100000) a, range(1000000) b WHERE a.value + 100000 * b.value < 40000";

/** Starts a query that is running once this resolves, and until it is stopped. Returns a function that waits for its end. */
async function atWork(db, options) {
  let ended;
  await new Promise((resolve, reject) => {
    ended = db.query(BEGINS, [], { ...options, onProgress: resolve });
    ended.catch(reject);
  });
  return () => ended;
}

export const tests = {
  async "statements return counts, and queries rows"({ open }) {
    const db = await open();
    equal(await db.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, x DOUBLE, name TEXT)"), 0);
    equal(await db.execute("INSERT INTO t VALUES (1, 0.5, 'one'), (2, NULL, 'two')"), 2);
    equal(await db.execute("UPDATE t SET x = $1 WHERE id = $2", [1, 2n]), 1);
    equal(await db.execute("UPDATE t SET x = ? WHERE id = ? AND x = ?", [1, 2n, 1]), 1);
    const result = await db.query("SELECT * FROM t ORDER BY id");
    equal(result.rows(), [
      { id: 1n, x: 0.5, name: "one" },
      { id: 2n, x: 1, name: "two" },
    ]);
    equal([...result].length, 2);
    equal((await db.query("SELECT * FROM t WHERE id = $id", { id: 1 })).rows().length, 1);
    equal(await db.executeBatch("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 3, 'three')"), [1, 1]);
    await fails(() => db.executeBatch("DELETE FROM t; INSERT INTO nowhere VALUES (1)"), "invalid", "nowhere");
    equal((await db.query("SELECT count(*) AS n FROM t")).rows(), [{ n: 2n }]);
    equal((await db.query("SELECT 1 AS one WHERE false")).rows(), []);
    db.close();
  },

  // Proves W2.
  async "every type crosses as it is documented"({ open }) {
    const db = await open();
    const sql = `SELECT CAST(NULL AS INT) AS none, true AS yes, CAST(1 AS TINYINT) AS tiny, 7 AS big, 0.25::DOUBLE AS half,
      CAST(-12345.678 AS DECIMAL(12, 3)) AS exact, CAST(-0.05 AS DECIMAL(5, 2)) AS small, 'ä€𝄞' AS text, x'00ff' AS bytes,
      DATE '2026-02-28' AS day, TIMESTAMP '2026-02-28T12:34:56.789' AS at, CAST('12:34:56.5' AS TIME) AS clock,
      [1, 2, NULL] AS list, {a: 1, b: 'x'} AS part, arrow_cast('d', 'Dictionary(Int32, Utf8)') AS dict,
      CAST(18446744073709551615 AS BIGINT UNSIGNED) AS huge, INTERVAL '1 month 2 days' AS span`;
    const [row] = (await db.query(sql)).rows();
    equal(row.none, null);
    equal([row.yes, row.tiny, row.big, row.half], [true, 1, 7n, 0.25]);
    equal([row.exact, row.small, row.text], ["-12345.678", "-0.05", "ä€𝄞"]);
    equal([...row.bytes], [0, 255]);
    assert(row.day instanceof Date && row.at instanceof Date, "dates are Dates");
    equal([row.day.toISOString(), row.at.toISOString()], ["2026-02-28T00:00:00.000Z", "2026-02-28T12:34:56.789Z"]);
    equal(row.clock, "12:34:56.5");
    equal([row.list, row.part, row.dict, row.huge], [[1n, 2n, null], { a: 1n, b: "x" }, "d", 18446744073709551615n]);
    equal(row.span, "1 months 2 days");
    db.close();
  },

  async "columns have names, types and values"({ open }) {
    const db = await open();
    const values = [
      "true",
      "1",
      "CAST(1 AS SMALLINT UNSIGNED)",
      "1.5::REAL",
      "1.25",
      "'x'",
      "x'00'",
      "DATE '2026-02-28'",
      "TIMESTAMP '2026-02-28T12:34:56'",
      "CAST('12:34:56' AS TIME)",
      "[1, NULL]",
      "{a: 1, b: 'x'}",
      "NULL",
      "INTERVAL '1 day'",
      "arrow_cast(0, 'Timestamp(Microsecond, Some(\"UTC\"))')",
      "arrow_cast('d', 'Dictionary(Int32, Utf8)')",
      "MAP {'a': 1}",
      "arrow_cast([1, 2], 'FixedSizeList(2, Int32)')",
      "arrow_cast(5, 'Duration(Second)')",
    ];
    const { columns, numRows } = await db.query(`SELECT ${values.map((value, at) => `${value} AS c${at}`)}`);
    const types = (await db.query(`SELECT ${values.map((value, at) => `arrow_typeof(${value}) AS c${at}`)}`)).columns;
    equal(
      columns.map((column) => column.name),
      values.map((_, at) => `c${at}`),
    );
    // Results and streams have neither view types nor dictionaries, which some Arrow readers do not support.
    const plain = (type) => type.replaceAll("View", "").replace(/Dictionary\(Int32, (\w+)\)/, "$1");
    equal(
      columns.map((column) => column.type),
      types.map((column) => plain(column.get(0))),
    );
    equal([numRows, columns[5].get(0), columns[12].get(0)], [1, "x", null]);
    const stream = db.stream("SELECT 1 AS a, 'x' AS b WHERE false");
    equal(stream.columns, undefined);
    for await (const batch of stream) assert(false, `no rows, and not ${batch.numRows}`);
    equal(
      stream.columns.map((column) => column.name),
      ["a", "b"],
    );
    await db.execute("CREATE TABLE t (id BIGINT, x TEXT)");
    equal(
      (await db.query("UPDATE t SET x = 'y' RETURNING id, x")).columns.map((column) => column.name),
      ["id", "x"],
    );
    db.close();
  },

  async "parameters have the types that they look like"({ open }) {
    const db = await open();
    const types = await db.query(
      "SELECT arrow_typeof($1) a, arrow_typeof($2) b, arrow_typeof($3) c, arrow_typeof($4) d, arrow_typeof($5) e, arrow_typeof($6) f, $7 IS NULL AS g",
      [1, 1.5, 2n ** 63n, "x", true, new Date(0), null],
    );
    const [row] = types.rows();
    equal(row, { a: "Int64", b: "Float64", c: "UInt64", d: "Utf8", e: "Boolean", f: "Timestamp(ms)", g: true });
    const back = (
      await db.query("SELECT $1 AS at, $2 AS bytes, $3 AS list", [new Date(1234), new Uint8Array([1, 2]), [1, 2.5]])
    ).rows();
    equal([back[0].at.getTime(), [...back[0].bytes], back[0].list], [1234, [1, 2], [1, 2.5]]);
    await fails(() => db.query("SELECT $1", [2n ** 64n]), "invalid", "64 bits");
    await fails(() => db.query("SELECT $1", [{}]), "invalid", "$1");
    for (const list of [
      ["1", 2],
      [true, 1],
      [new Date(0), 1],
      [2n ** 63n, 1n],
    ]) {
      await fails(() => db.query("SELECT $1", [list]), "invalid", "one type");
    }
    await fails(() => db.query("SELECT $1", [new Date(NaN)]), "invalid");
    db.close();
  },

  async "dictionaries arrive as their values, however many there are"({ open }) {
    const db = await open();
    const many = "SELECT arrow_cast('r' || value, 'Dictionary(Int32, Utf8)') AS s FROM range(20000)";
    const rows = (await db.query(many)).rows();
    equal([rows[0].s, rows[19_999].s], ["r0", "r19999"]);
    let count = 0;
    for await (const batch of db.stream(
      "SELECT arrow_cast('same', 'Dictionary(Int32, Utf8)') AS s, value FROM range(200000)",
    )) {
      for (const { s } of batch.rows()) assert(s === "same", `the value is ${s}`);
      count += batch.numRows;
    }
    equal(count, 200_000);
    db.close();
  },

  async "moments keep their millisecond, and intervals all of their parts"({ open }) {
    const db = await open();
    const [row] = (
      await db.query(`SELECT arrow_cast('2026-12-31T23:59:59.999999999', 'Timestamp(Nanosecond, None)') AS last,
        arrow_cast('9999-12-31T23:59:59.999999', 'Timestamp(Microsecond, None)') AS far,
        arrow_cast('1969-12-31T23:59:59.999900', 'Timestamp(Microsecond, None)') AS before,
        arrow_cast('2026-01-01T00:00:07', 'Timestamp(Second, None)') AS second,
        [arrow_cast('2026-12-31T23:59:59.999999999', 'Timestamp(Nanosecond, None)'), NULL] AS several,
        INTERVAL '3000 hours' AS long, [INTERVAL '1 month -2 days'] AS spans`)
    ).rows();
    const text = (date) => date.toISOString();
    equal(text(row.last), "2026-12-31T23:59:59.999Z");
    equal(text(row.far), "9999-12-31T23:59:59.999Z");
    equal(text(row.before), "1969-12-31T23:59:59.999Z");
    equal(text(row.second), "2026-01-01T00:00:07.000Z");
    equal([text(row.several[0]), row.several[1]], ["2026-12-31T23:59:59.999Z", null]);
    equal([row.long, row.spans], ["10800000000000000 ns", ["1 months -2 days"]]);
    db.close();
  },

  async "what a call is given stays the caller's"({ open }) {
    const db = await open();
    // A Buffer is a part of memory that has other users.
    const bytes = globalThis.Buffer?.from("a\n1\n2\n") ?? new TextEncoder().encode("a\n1\n2\n");
    equal([await db.loadCsv("t", bytes), await db.loadCsv("u", bytes)], [2, 2]);
    equal(bytes.length, 6);
    const params = [1];
    const inserted = db.execute("INSERT INTO t VALUES ($1)", params);
    params[0] = 100;
    await inserted;
    equal((await db.query("SELECT sum(a) AS s FROM t")).rows(), [{ s: 4n }]);
    const named = Object.assign(Object.create(null), { least: 2 });
    equal((await db.query("SELECT count(*) AS n FROM t WHERE a >= $least", named)).rows(), [{ n: 1n }]);
    db.close();
  },

  async "a wrong argument is an error of the call alone"({ open }) {
    const db = await open();
    await db.execute("CREATE TABLE t (a BIGINT)");
    const wrong = [
      () => db.query(undefined),
      () => db.execute(7),
      () => db.query("SELECT 1", [], { timeoutMs: "soon" }),
      () => db.query("SELECT 1", [], { timeoutMs: 5n }),
      () => db.stream(undefined)[Symbol.asyncIterator]().next(),
      () => db.createTable("u", undefined),
      () => db.createTable("u", [{ name: "a", type: "INT" }], { primaryKey: [1] }),
      () => db.createTable(undefined, [{ name: "a", type: "INT" }]),
      () => db.loadCsv(undefined, new Uint8Array()),
      () => db.loadCsv("t", new Uint8Array(), { null: 0 }),
      () => db.loadParquet("t", 5),
      () => db.tableExists(null),
      () => db.dropColumn("t", 1),
      () => db.exportArrow(),
      () => db.registerFunction("f", (x) => x, { args: [] }),
      () => db.registerFunction("f", (x) => x, { args: [1], returns: "INT" }),
      () => db.registerFunction("f", undefined, { args: [], returns: "INT" }),
    ];
    for (const work of wrong) await fails(work, "invalid");
    equal(await db.tables(), ["t"]);
    await fails(() => open({ memoryLimitBytes: 5n }), "invalid");
    await fails(() => open({ wasm: new Uint8Array([0, 1, 2]) }), "invalid", "WebAssembly");
    db.close();
  },

  async "a signal stops a call that was made just before"({ open }) {
    const db = await open();
    const calls = [
      (signal) => db.query(LONG, [], { signal }),
      (signal) => db.execute(`CREATE TABLE long AS ${LONG}`, [], { signal }),
      (signal) => db.executeBatch(`CREATE TABLE long AS ${LONG}`, [], { signal }),
      (signal) => db.stream(LONG, [], { signal })[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) {
      const controller = new AbortController();
      const called = call(controller.signal);
      controller.abort();
      await fails(() => called, "cancelled");
    }
    equal(await db.tables(), []);
    db.close();
  },

  async "a stream that no one reads is stopped"({ open }) {
    const db = await open();
    const reader = db.stream(BEGINS).toReadableStream().getReader();
    equal((await reader.read()).done, false);
    const pending = reader.read();
    // This later call is answered, so the engine has started on the pending read.
    await db.version();
    await reader.cancel();
    equal((await pending).done, true);
    const controller = new AbortController();
    const batches = db
      .stream("SELECT value FROM range(1000000)", [], { signal: controller.signal })
      [Symbol.asyncIterator]();
    equal((await batches.next()).done, false);
    controller.abort();
    await fails(() => batches.next(), "cancelled");
    equal((await db.query("SELECT 1 AS one")).rows(), [{ one: 1n }]);
    db.close();
  },

  async "the first line of a CSV file says which column is which"({ open }) {
    const db = await open();
    const csv = (text) => new TextEncoder().encode(text);
    await db.execute("CREATE TABLE t (a TEXT, b TEXT, c BIGINT)");
    equal(await db.loadCsv("t", csv("b,A\nbee,ay\n")), 1);
    equal(await db.loadCsv("t", csv("x,y,3\n"), { header: false }), 1);
    equal((await db.query("SELECT * FROM t ORDER BY a")).rows(), [
      { a: "ay", b: "bee", c: null },
      { a: "x", b: "y", c: 3n },
    ]);
    await fails(() => db.loadCsv("t", csv("a,d\n1,2\n")), "invalid", "'d'");
    equal((await db.query("SELECT count(*) AS n FROM t")).rows(), [{ n: 2n }]);
    db.close();
  },

  async "files have columns of any name, and columns without a value"({ open }) {
    const db = await open();
    const bytes = (text) => new TextEncoder().encode(text);
    await db.loadCsv("people", bytes("First name,note,Größe\nAda,,1.5\n"));
    equal((await db.query('SELECT "First name" AS name, note, "Größe" FROM people')).rows(), [
      { name: "Ada", note: null, Größe: 1.5 },
    ]);
    await db.execute("INSERT INTO people VALUES ('Bob', 'a note', 2)");
    await db.loadJson("j", bytes('{"a": null, "b": {"c d": null}, "e": [], "f": [null]}'));
    equal((await db.query("SELECT * FROM j")).rows(), [{ a: null, b: { "c d": null }, e: [], f: [null] }]);
    await db.loadCsv("n", bytes('x,y\n1,NA\n"",2\nNA,3\n'), { null: "NA" });
    equal((await db.query("SELECT * FROM n ORDER BY y")).rows(), [
      { x: null, y: 2n },
      { x: null, y: 3n },
      { x: 1n, y: null },
    ]);
    await fails(() => db.loadCsv("m", bytes("a,\n1,2\n")), "invalid", "name");
    db.close();
  },

  async "several files make one table"({ open }) {
    const db = await open();
    const bytes = (text) => new TextEncoder().encode(text);
    const files = ["a\n1\n", "a\n2\n3\n", "a\n4\n"];
    equal(await Promise.all(files.map((text) => db.loadCsv("T", bytes(text)))), [1, 2, 1]);
    equal((await db.query("SELECT sum(a) AS s FROM t")).rows(), [{ s: 10n }]);
    // The file with an error creates no table; the next file does.
    const mixed = ["a\n1,2\n", "a\n7\n"].map((text) => db.loadCsv("u", bytes(text)).catch((error) => error.code));
    equal((await Promise.all(mixed))[1], 1);
    equal((await db.query("SELECT a FROM u")).rows(), [{ a: 7n }]);
    db.close();
  },

  async "tables are exported by the names that they are made by"({ open }) {
    const db = await open();
    await db.createTable("Users", [{ name: "id", type: "BIGINT" }]);
    await db.execute("INSERT INTO users VALUES (1)");
    await db.execute('CREATE VIEW "V w" AS SELECT id + 1 AS next FROM users');
    equal(await db.loadArrow("copy", await db.exportArrow("Users")), 1);
    equal(await db.loadParquet("copy", await db.exportParquet("Users")), 1);
    equal(await db.loadArrow("viewed", await db.exportArrow("V w")), 1);
    equal((await db.query("SELECT (SELECT sum(id) FROM copy) AS a, (SELECT max(next) FROM viewed) AS b")).rows(), [
      { a: 2n, b: 2n },
    ]);
    await fails(() => db.exportArrow('x" WHERE 1 = 1 --'), "invalid");
    db.close();
  },

  async "what onProgress throws is thrown by the call, which is stopped"({ open }) {
    const db = await open();
    const error = new Error("enough");
    let told = 0;
    const call = db.query("SELECT value FROM range(3000000)", [], {
      onProgress() {
        told++;
        throw error;
      },
    });
    equal(await call.catch((thrown) => thrown === error), true);
    equal(told, 1);
    equal((await db.query("SELECT 1 AS one")).rows(), [{ one: 1n }]);
    db.close();
  },

  async "a function that fails in two ways at once fails one query"({ open }) {
    const db = await open();
    const fn = (x) => {
      if (x === 2n) throw new Error("two");
      return Promise.reject(new Error("one"));
    };
    await db.registerFunction("f", fn, { args: ["BIGINT"], returns: "BIGINT" });
    await fails(() => db.query("SELECT f(value) AS y FROM range(1, 3)"), "invalid", "two");
    // An unhandled rejection of the other promise would be reported before this query is answered.
    equal((await db.query("SELECT 1 AS one")).rows(), [{ one: 1n }]);
    db.close();
  },

  async "a file that is too large is an error of the call alone"({ open }) {
    const db = await open({ memoryLimitBytes: 64 * 1024 * 1024 });
    await fails(() => db.loadCsv("t", new Uint8Array(65 * 1024 * 1024)), "resources_exhausted", "memoryLimitBytes");
    equal(await db.loadCsv("t", new TextEncoder().encode("a\n1\n")), 1);
    db.close();
  },

  // Proves W3.
  async "errors are Errors with a code, and the engine goes on"({ open, rhei }) {
    const db = await open();
    const error = await fails(() => db.query("SELEC 1"), "invalid");
    assert(error instanceof rhei.EngineError, "it is an EngineError");
    await fails(() => db.query("SELECT * FROM nowhere"), "invalid", "nowhere");
    await fails(() => db.query("SELECT * FROM 'file.parquet'"), "denied");
    await fails(() => db.query("SELECT nope FROM (SELECT 1 AS a)"), "invalid", "nope");
    await fails(() => db.dropTable("nowhere"), "invalid", "nowhere");
    await fails(() => db.execute("COPY (SELECT 1) TO 'x.csv'"), "denied");
    equal((await db.query("SELECT 1 AS a")).rows(), [{ a: 1n }]);
    db.close();
  },

  async "tables can be made, described, changed and dropped"({ open }) {
    const db = await open();
    await db.createTable(
      "t",
      [
        { name: "id", type: "BIGINT", nullable: false },
        { name: "price", type: "DECIMAL(10, 2)" },
        { name: "at", type: "Timestamp(Millisecond, None)" },
      ],
      { primaryKey: ["id"] },
    );
    const schema = await db.tableSchema("t");
    equal(
      schema.map((column) => column.name),
      ["id", "price", "at"],
    );
    equal(schema[0], { name: "id", type: "Int64", nullable: false });
    equal(await db.tableExists("t"), true);
    equal(await db.tableExists("u"), false);
    await db.addColumn("t", "note", "TEXT");
    await db.dropColumn("t", "at");
    equal(
      (await db.tableSchema("t")).map((column) => column.name),
      ["id", "price", "note"],
    );
    const version = await db.version();
    await db.execute("INSERT INTO t VALUES (1, 1.5, 'x')");
    equal(await db.version(), version + 1);
    await db.execute("CREATE VIEW v AS SELECT id FROM t");
    equal(await db.tables(), ["t"]);
    await db.execute("DROP VIEW v");
    await db.dropTable("t");
    equal(await db.tables(), []);
    await fails(() => db.createTable("x", [{ name: "a", type: "NOPE" }]), "invalid", "NOPE");
    await fails(() => db.createTable("x", [{ name: "a", type: "BIGINT); DROP TABLE t --" }]), "invalid");
    db.close();
  },

  async "changes of another database are applied once"({ open }) {
    const db = await open();
    await db.execute("CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT)");
    const event = (type, data, old) => ({ database: "shop", table: "users", type, ts: 1764486000, data, old });
    const events = [
      event("insert", { id: 1, name: "Ada" }),
      event("insert", { id: 2, name: "Grace" }),
      event("update", { id: 3, name: "Ada" }, { id: 1 }),
    ];
    const options = { format: "maxwell", firstSeq: 9007199254740993n, position: "binlog.000002:1234" };
    const done = await db.applyChanges("shop", events, options);
    equal(
      [done.events, done.changes, done.inserted, done.updated, done.progress, done.watermark],
      [3, 3, 2, 1, "now", 9007199254740995n],
    );
    const found = async () => (await db.query("SELECT * FROM users ORDER BY id")).rows();
    const expected = [
      { id: 2n, name: "Grace" },
      { id: 3n, name: "Ada" },
    ];
    equal(await found(), expected);
    equal(await db.watermark("shop"), { seq: 9007199254740995n, position: "binlog.000002:1234" });
    equal(await db.watermark("other"), undefined);
    equal([...(await db.watermarks())], [["shop", { seq: 9007199254740995n, position: "binlog.000002:1234" }]]);
    const lines = events.map((event) => JSON.stringify(event)).join("\n");
    for (const again of [lines, new TextEncoder().encode(lines)]) {
      equal((await db.applyChanges("shop", again, options)).progress, "before");
    }
    equal(await found(), expected);

    const next = { format: "maxwell", firstSeq: 9007199254740996n };
    const bad = [event("insert", { id: "four", name: "x" }), event("insert", { id: 5, name: "y", city: "z" })];
    await fails(() => db.applyChanges("shop", bad.slice(0, 1), next), "invalid", "'four'");
    await fails(() => db.applyChanges("shop", bad.slice(1), next), "invalid", "'city'");
    // Errors name the options and methods of this package.
    await fails(() => db.applyChanges("shop", bad.slice(0, 1), next), "invalid", 'give the option skip: ["bad-value"]');
    await fails(() => db.applyChanges("shop", bad.slice(1), next), "invalid", "choose unknownColumns");
    const late = { ...next, after: 9007199254740999n, upto: 9007199254741000n };
    await fails(() => db.applyChanges("shop", [], late), "invalid", "or call resetWatermark");
    const skipped = await db.applyChanges("shop", bad, { ...next, skip: ["bad-value"], unknownColumns: "add" });
    equal([skipped.skipped, skipped.inserted, skipped.addedColumns], [1, 1, ["users.city"]]);
    equal([skipped.skips[0].reason, skipped.skips[0].seq], ["bad-value", 9007199254740996n]);
    await db.resetWatermark("shop", 9007199254740993n);
    equal(await db.watermark("shop"), { seq: 9007199254740993n, position: undefined });
    await fails(() => db.resetWatermark("shop", -1), "invalid", "watermark");
    await db.resetWatermark("shop");
    equal((await db.watermarks()).size, 0);
    await fails(() => db.applyChanges("shop", [], { format: "mysql" }), "invalid", "mysql");
    await fails(() => db.applyChanges("shop", [], { format: "maxwell", skipp: [] }), "invalid", "skipp");
    await fails(() => db.applyChanges("shop", [], {}), "invalid", "format");
    await fails(() => db.applyChanges("shop", 1, { format: "maxwell" }), "invalid", "events");
    await fails(() => db.applyChanges("shop", [{ n: 1n }], { format: "maxwell" }), "invalid", "JSON");
    await fails(() => db.applyChanges("shop", "{", { format: "maxwell", firstSeq: -1 }), "invalid", "firstSeq");
  },

  async "files are loaded and written"({ open }) {
    const db = await open();
    const text = new TextEncoder();
    equal(await db.loadCsv("c", text.encode("id,name,x\n1,one,1.5\n2,,\n")), 2);
    equal((await db.query("SELECT * FROM c ORDER BY id")).rows(), [
      { id: 1n, name: "one", x: 1.5 },
      { id: 2n, name: null, x: null },
    ]);
    equal(await db.loadCsv("c", text.encode("3;drei;NA\n"), { header: false, delimiter: ";", null: "NA" }), 1);
    equal((await db.query("SELECT count(*) AS n FROM c")).rows(), [{ n: 3n }]);
    equal(await db.loadJson("j", text.encode('[{"a": 1, "b": "x"}, {"a": 2}]')), 2);
    equal(await db.loadJson("j", new Blob(['{"a": 3, "b": "z"}\n{"a": 4}\n'])), 2);
    equal((await db.query("SELECT sum(a) AS s, count(b) AS n FROM j")).rows(), [{ s: 10n, n: 2n }]);
    const many = [
      { z: 1, m: { y: "x", b: [{ q: 1, a: null }] } },
      { z: 2.5, early: true, m: { y: null, b: [{ q: 2, a: "a" }] } },
    ];
    equal(await db.loadJson("k", text.encode(JSON.stringify(many, null, 2))), 2);
    equal(await db.loadJson("k", text.encode(many.map((object) => JSON.stringify(object, null, 1)).join(" "))), 2);
    const { columns } = await db.query("SELECT * FROM k ORDER BY z LIMIT 1");
    equal(
      columns.map((column) => column.name),
      ["z", "m", "early"],
      "columns stand as they first appear",
    );
    equal(columns[1].get(0), { y: "x", b: [{ q: 1n, a: null }] });
    await db.dropTable("k");
    await fails(() => db.loadJson("l", text.encode('{"a": 1}\n{"a": ')), "invalid", "JSON");
    await fails(() => db.loadJson("l", text.encode('[{"a": 1}')), "invalid", "JSON");
    equal(await db.tableExists("l"), false);

    const parquet = await db.exportParquet("c");
    equal(new TextDecoder().decode(parquet.subarray(0, 4)), "PAR1");
    equal(await db.loadParquet("p", parquet), 3);
    equal(
      (await db.query("SELECT * FROM p ORDER BY id")).rows(),
      (await db.query("SELECT * FROM c ORDER BY id")).rows(),
    );
    const arrow = await db.exportArrow("j");
    equal(await db.loadArrow("a", arrow), 4);
    equal(await db.loadArrow("a", arrow), 4);
    equal((await db.query("SELECT count(*) AS n FROM a")).rows(), [{ n: 8n }]);

    await fails(() => db.loadParquet("broken", text.encode("PAR1 nonsense PAR1")), "invalid", "Parquet");
    await fails(() => db.loadCsv("c", text.encode("id,name,x\nnot a number,a,b\n")), "invalid");
    await fails(() => db.loadArrow("broken", text.encode("nonsense")), "invalid");
    await fails(() => db.loadCsv("c", text.encode(""), { delimiter: "ab" }), "invalid", "delimiter");
    equal(await db.tables(), ["a", "c", "j", "p"]);
    equal((await db.query("SELECT count(*) AS n FROM c")).rows(), [{ n: 3n }]);
    db.close();
  },

  async "Parquet files of every compression but Brotli are read"({ open }) {
    const db = await open();
    const bytes = (name) => Uint8Array.from(atob(files[name]), (character) => character.charCodeAt(0));
    for (const name of ["uncompressed", "snappy", "gzip", "zstd", "lz4_raw"]) {
      equal(await db.loadParquet(name, bytes(name)), 300, name);
      const sql = `SELECT count(*) AS n, sum(id) AS ids, count(DISTINCT name) AS names, max(name) AS last FROM ${name}`;
      equal((await db.query(sql)).rows(), [{ n: 300n, ids: 44850n, names: 300n, last: "row 6 of 97" }], name);
    }
    await fails(() => db.loadParquet("b", bytes("brotli")), "invalid", "brotli");
    equal(await db.tableExists("b"), false);
    db.close();
  },

  async "a signal stops a query, and only that"({ open }) {
    const db = await open();
    const stop = new AbortController();
    const ended = await atWork(db, { signal: stop.signal });
    equal((await db.query("SELECT 1 AS a")).rows(), [{ a: 1n }]);
    stop.abort(new Error("enough"));
    const error = await fails(ended, "cancelled");
    equal([error.name, error.cause.message], ["AbortError", "enough"]);
    await fails(() => db.query("SELECT 1", [], { signal: AbortSignal.abort() }), "cancelled");
    await fails(() => db.execute(`INSERT INTO nowhere ${LONG}`), "invalid");
    await fails(() => db.query(LONG, [], { timeoutMs: 50 }), "timeout");
    equal((await db.query("SELECT 2 AS a")).rows(), [{ a: 2n }]);
    db.close();
  },

  async "a signal stops a load, and the table is as it was"({ open }) {
    const db = await open();
    const endless = flags(4_000_000_000);
    for (const known of [[], ["t"]]) {
      const stop = new AbortController();
      const { usedBytes } = await db.memory();
      let isOver = false;
      const load = () => db.loadParquet("t", endless, { signal: stop.signal }).finally(() => (isOver = true));
      const loading = fails(load, "cancelled");
      // Until some rows are loaded.
      while (!isOver && (await db.memory()).usedBytes < usedBytes + (1 << 20)) await db.version();
      stop.abort();
      await loading;
      equal(await db.tables(), known);
      if (known.length) equal((await db.query("SELECT count(*) AS n FROM t")).rows(), [{ n: 0n }]);
      else await db.execute("CREATE TABLE t (a BOOLEAN, b BOOLEAN, c BOOLEAN, d BOOLEAN)");
    }
    equal(await db.loadParquet("t", flags(400_000)), 400_000);
    equal((await db.query("SELECT count(*) AS n FROM t WHERE a AND b AND c AND d")).rows(), [{ n: 400_000n }]);
    db.close();
  },

  async "two queries at once both go on"({ open }) {
    const db = await open();
    await db.execute("CREATE TABLE t AS SELECT value AS id FROM range(200000)");
    const sums = await Promise.all(
      [1, 2, 3, 4].map(async (factor) => (await db.query(`SELECT sum(id * ${factor}) AS s FROM t`)).rows()[0].s),
    );
    equal(
      sums,
      [1, 2, 3, 4].map((factor) => 19999900000n * BigInt(factor)),
    );
    let counted = 0;
    await Promise.all([
      (async () => {
        for (let i = 0; i < 50; i++) counted += await db.execute("UPDATE t SET id = id + 1 WHERE id < 100");
      })(),
      db.query("SELECT count(*) FROM t a JOIN t b ON a.id = b.id"),
    ]);
    assert(counted > 0);
    db.close();
  },

  async "progress is told"({ open }) {
    const db = await open();
    const told = [];
    await db.query("SELECT value FROM range(100000)", [], { onProgress: (progress) => told.push(progress) });
    assert(told.length >= 5, `${told.length} times`);
    equal(told.at(-1).rows, 100000);
    assert(told.every((progress, at) => at === 0 || progress.bytes >= told[at - 1].bytes));
    db.close();
  },

  async "a stream is read as far as one likes"({ open, rhei }) {
    const db = await open();
    let rows = 0;
    for await (const batch of db.stream("SELECT value FROM range(300000)")) {
      equal(batch.rows().length, batch.numRows);
      rows += batch.numRows;
    }
    equal(rows, 300000);
    // An endless result: the engine must not run ahead of the reader.
    let batches = 0;
    for await (const batch of db.stream("SELECT a.value FROM range(1000000) a, range(1000000) b")) {
      assert(batch instanceof rhei.Batch);
      if (++batches === 3) break;
    }
    const before = (await db.memory()).usedBytes;
    // Any work that is still going on would get its turns during this query.
    equal((await db.query("SELECT sum(value) AS s FROM range(3000000)")).rows(), [{ s: 4499998500000n }]);
    assert((await db.memory()).usedBytes <= before + (1 << 20), "it went on without a reader");
    const reader = db.stream("SELECT value FROM range(50000)").toReadableStream().getReader();
    let count = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) count += next.value.numRows;
    equal(count, 50000);
    const once = db.stream("SELECT 1");
    for await (const _ of once);
    await fails(
      async () => {
        for await (const _ of once);
      },
      "invalid",
      "once",
    );
    const stop = new AbortController();
    const begun = db.stream(BEGINS, [], { signal: stop.signal })[Symbol.asyncIterator]();
    equal((await begun.next()).done, false);
    const next = fails(() => begun.next(), "cancelled");
    await db.version();
    stop.abort();
    await next;
    await fails(
      async () => {
        for await (const _ of db.stream("SELECT * FROM nowhere"));
      },
      "invalid",
      "nowhere",
    );
    db.close();
  },

  async "a stream keeps its snapshot"({ open }) {
    const db = await open();
    await db.execute("CREATE TABLE t AS SELECT value AS id FROM range(200000)");
    let rows = 0;
    for await (const batch of db.stream("SELECT * FROM t")) {
      if (rows === 0) await db.execute("DELETE FROM t");
      rows += batch.numRows;
    }
    equal(rows, 200000);
    equal((await db.query("SELECT count(*) AS n FROM t")).rows(), [{ n: 0n }]);
    db.close();
  },

  async "200 MB of results stream in bounded memory"({ open }) {
    const db = await open();
    let bytes = 0;
    let most = 0;
    for await (const batch of db.stream(
      "SELECT value, value * 2 AS twice, CAST(value AS TEXT) AS text FROM range(9000000)",
    )) {
      bytes += batch.ipc.length;
      most = Math.max(most, (await db.memory()).usedBytes);
    }
    assert(bytes > 200e6, `${bytes} bytes`);
    assert(most < 64e6, `${most} bytes were in use`);
    db.close();
  },

  async "a limit on memory is an error, and the engine goes on"({ open }) {
    const db = await open({ memoryLimitBytes: 96 << 20 });
    const sort =
      "SELECT count(*) FROM (SELECT DISTINCT value * 7919 % 20000003 AS a, CAST(value AS TEXT) AS b FROM range(20000000))";
    await fails(() => db.query(sort), "resources_exhausted");
    await fails(
      () => db.execute("CREATE TABLE t AS SELECT value, CAST(value AS TEXT) AS text FROM range(20000000)"),
      "resources_exhausted",
      "memory",
    );
    await fails(
      () => db.query("SELECT value, CAST(value AS TEXT) AS text FROM range(20000000)"),
      "resources_exhausted",
    );
    equal(await db.tables(), []);
    equal((await db.query("SELECT sum(value) AS s FROM range(1000)")).rows(), [{ s: 499500n }]);
    const { usedBytes, limitBytes } = await db.memory();
    assert(usedBytes < 48 << 20 && limitBytes === 96 << 20, `${usedBytes} bytes are in use`);
    db.close();
  },

  async "functions of JavaScript are called"({ open }) {
    const db = await open();
    await db.registerFunction("twice", (x) => (x === null ? null : x * 2), { args: ["DOUBLE"], returns: "DOUBLE" });
    equal((await db.query("SELECT twice(1.5) AS a, twice(NULL) AS b")).rows(), [{ a: 3, b: null }]);
    await db.registerFunction("shout", async (text, times) => text.toUpperCase() + "!".repeat(Number(times)), {
      args: ["TEXT", "BIGINT"],
      returns: "TEXT",
    });
    await db.execute("CREATE TABLE t AS SELECT value AS id, 'row ' || value AS name FROM range(10000)");
    const rows = (await db.query("SELECT count(*) AS n FROM t WHERE shout(name, 1) = 'ROW 77!'")).rows();
    equal(rows, [{ n: 1n }]);
    equal(await db.execute("UPDATE t SET name = shout(name, id % 3) WHERE id < 5"), 5);
    equal((await db.query("SELECT name FROM t WHERE id = 2")).rows(), [{ name: "ROW 2!!" }]);
    await db.registerFunction(
      "broken",
      () => {
        throw new Error("no such luck");
      },
      { args: [], returns: "INT" },
    );
    await fails(() => db.query("SELECT broken()"), "invalid", "no such luck");
    equal((await db.query("SELECT 1 AS a")).rows(), [{ a: 1n }]);
    db.close();
  },

  async "what is in flight fails when the engine is closed"({ open }) {
    const db = await open();
    const ended = await atWork(db);
    db.close();
    await fails(ended, "engine_closed");
    await fails(() => db.query("SELECT 1"), "engine_closed");
    db.close();
  },

  // Proves W1.
  async "a crash rejects what is in flight, and another engine works"({ open, crash }) {
    const db = await open();
    const ended = await atWork(db);
    await fails(() => crash(db), "engine_crashed");
    await fails(ended, "engine_crashed");
    await fails(() => db.query("SELECT 1"), "engine_crashed");
    const other = await open();
    equal((await other.query("SELECT 1 AS a")).rows(), [{ a: 1n }]);
    other.close();
  },

  async "apache-arrow takes results and gives tables"({ open, arrow, hasNames }) {
    const db = await open();
    const result = await db.query("SELECT value AS id, 'row ' || value AS name FROM range(3)");
    const table = arrow.tableFromIPC(result.ipc);
    equal(table.numRows, 3);
    equal(table.get(2).toJSON(), { id: 2n, name: "row 2" });
    const made = arrow.tableFromArrays({ a: Int32Array.of(1, 2, 3), b: Float64Array.of(0.5, 1.5, 2.5) });
    if (hasNames) {
      equal(await db.loadArrow("t", made), 3);
      equal((await result.toTable()).numRows, 3);
    } else {
      await fails(() => db.loadArrow("t", made), "unsupported", "apache-arrow");
      await fails(() => result.toTable(), "unsupported", "apache-arrow");
      equal(await db.loadArrow("t", arrow.tableToIPC(made, "stream")), 3);
    }
    equal((await db.query("SELECT * FROM t WHERE a = 2")).rows(), [{ a: 2, b: 1.5 }]);
    const { Schema, Field, Int64, Utf8, Decimal, TimestampMillisecond, Float32, Bool, DateDay } = arrow;
    const schema = new Schema([
      new Field("i", new Int64(), false),
      new Field("s", new Utf8(), true),
      new Field("d", new Decimal(2, 10), true),
      new Field("t", new TimestampMillisecond(), true),
      new Field("f", new Float32(), true),
      new Field("b", new Bool(), true),
      new Field("day", new DateDay(), true),
    ]);
    await db.createTable("u", schema, { primaryKey: ["i"] });
    equal(
      (await db.tableSchema("u")).map((c) => c.type),
      ["Int64", "Utf8", "Decimal128(10, 2)", "Timestamp(ms)", "Float32", "Boolean", "Date32"],
    );
    db.close();
  },
};
