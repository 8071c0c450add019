import { Engine } from "rhei-datafusion";

globalThis.failures = [];
globalThis.count = 2;
try {
  for (const worker of [true, false]) {
    const db = await Engine.create({ worker });
    const rows = (await db.query("SELECT sum(value) AS s FROM range(1001)")).rows();
    if (rows[0].s !== 500500n) throw new Error(`found ${rows[0].s}`);
    db.close();
  }
} catch (error) {
  globalThis.failures.push(String(error.stack ?? error));
}
document.title = "done";
