import { byId } from "./dom.js";
import { remember, remembered } from "./store.js";

const KEY = "rhei.editor-height";
const LEAST = 60;
const STEP = 20;

/** Sets up the bar below the editor, which changes the editor's height by pointer and by arrow keys. */
export function splitter(bar: HTMLElement, above: HTMLElement): void {
  const set = (height: number) => {
    const most = above.parentElement!.clientHeight - 2 * LEAST;
    const kept = Math.max(LEAST, Math.min(height, most));
    above.style.height = `${kept}px`;
    bar.setAttribute("aria-valuenow", String(Math.round(kept)));
    bar.setAttribute("aria-valuemin", String(LEAST));
    bar.setAttribute("aria-valuemax", String(most));
    return kept;
  };
  set(remembered(KEY, 200));
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    const [from, height] = [event.clientY, above.offsetHeight];
    bar.onpointermove = (move) => set(height + move.clientY - from);
    bar.onpointerup = (up) => {
      bar.onpointermove = null;
      remember(KEY, set(height + up.clientY - from));
    };
  });
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -STEP, ArrowDown: STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    remember(KEY, set(above.offsetHeight + step));
  });
}

/** Sets up the tabs of the result. Arrow keys move between tabs, as usual for tabs. */
export function tabs(onChart: () => void): void {
  const all = [...document.querySelectorAll<HTMLElement>("[role=tab]")];
  const select = (chosen: HTMLElement) => {
    for (const tab of all) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")!).hidden = !isChosen;
    }
    chosen.focus();
    onChart();
  };
  all.forEach((tab, at) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) select(all[(at + step + all.length) % all.length]!);
    });
  });
}
