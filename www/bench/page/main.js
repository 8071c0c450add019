// The page: runs the measures that its address names, and shows what they found.
//
//     /?only=start,tpch,load,update,size&rounds=7

import { load } from "./load.js";
import { markdown, show } from "./report.js";
import { size } from "./size.js";
import { start } from "./start.js";
import { tpch } from "./tpch.js";
import { update } from "./update.js";

const MEASURES = { start, tpch, load, update, size };

const button = document.getElementById("run");
const status = document.getElementById("status");
const table = document.getElementById("table");
const text = document.getElementById("markdown");

async function run() {
  const asked = new URLSearchParams(location.search);
  const only = asked.get("only")?.split(",") ?? Object.keys(MEASURES);
  const rounds = Number(asked.get("rounds") ?? 7);
  const rows = [];
  for (const name of only) {
    const report = (what) => {
      status.textContent = `${name}: ${what}`;
      console.log(status.textContent);
    };
    report("begins");
    rows.push(...(await MEASURES[name]({ rounds, report })));
    show(table, rows);
  }
  text.textContent = markdown(rows);
  return { browser: navigator.userAgent, rounds, rows, markdown: text.textContent };
}

button.onclick = () => {
  button.disabled = true;
  // For whoever drives the page.
  globalThis.outcome = run();
  globalThis.outcome
    .then(() => (status.textContent = "done"))
    .catch((error) => (status.textContent = `failed: ${error.message}`))
    .finally(() => (button.disabled = false));
};
