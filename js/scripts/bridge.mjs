// Engines in a page of Chromium, for a program that sends requests as lines of JSON:
//
//     node scripts/bridge.mjs
//
// {"open": true} creates an engine and answers {"engine": 1}; {"engine": 1, "sql": "SELECT 2"} answers {"bytes": n},
// followed by an Arrow IPC stream of n bytes; {"close": 1} closes an engine. An error answers {"code": "invalid",
// "message": "…"}. The package must be built.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openPage, serve } from "./browser.mjs";

const server = await serve(join(import.meta.dirname, ".."));
const { page, close } = await openPage(`${server.url}/package.json`);

await page.evaluate(async () => {
  const { Engine } = await import("/dist/index.js");
  const engines = new Map();
  let last = 0;
  globalThis.answer = async ({ open, engine, sql, close: closed }) => {
    try {
      if (open) {
        engines.set(++last, await Engine.create());
        return { engine: last };
      }
      if (closed) {
        await engines.get(closed).close();
        engines.delete(closed);
        return {};
      }
      const { ipc } = await engines.get(engine).query(sql);
      let text = "";
      for (let at = 0; at < ipc.length; at += 8192) text += String.fromCharCode(...ipc.subarray(at, at + 8192));
      return { ipc: btoa(text) };
    } catch ({ code, message }) {
      return { code, message };
    }
  };
});

for await (const line of createInterface({ input: process.stdin })) {
  const { ipc, ...answer } = await page.evaluate((request) => globalThis.answer(request), JSON.parse(line));
  const bytes = ipc === undefined ? undefined : Buffer.from(ipc, "base64");
  process.stdout.write(`${JSON.stringify(bytes ? { bytes: bytes.length } : answer)}\n`);
  if (bytes) process.stdout.write(bytes);
}
await close();
server.close();
