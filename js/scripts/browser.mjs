// A static server and a browser for tests.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves a folder on this machine only, optionally with a content security policy and more headers. */
export async function serve(folder, policy, more = {}) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    let file = join(folder, normalize(path));
    if (existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
    if (!file.startsWith(folder) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream", ...more };
    if (policy) headers["content-security-policy"] = policy;
    response.writeHead(200, headers);
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Opens a page in the installed Chromium; with a `profile` folder, caches are on disk as in everyday use. */
export async function openPage(url, { profile, ...options } = {}) {
  const known = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/chromium-browser"];
  const executablePath = known.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("Chromium is not installed; name it in CHROMIUM");
  const launch = { executablePath, args: ARGUMENTS };
  const browser = await (profile
    ? chromium.launchPersistentContext(profile, { ...launch, ...options })
    : chromium.launch(launch));
  const page = await browser.newPage(profile ? undefined : options);
  page.on("console", (message) => message.type() === "error" && console.error(`in the page: ${message.text()}`));
  page.on("pageerror", (error) => console.error(`in the page: ${error.stack ?? error}`));
  await page.goto(url);
  return { browser, page, close: () => browser.close() };
}
