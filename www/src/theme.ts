import { byId } from "./dom.js";
import { remember, remembered } from "./store.js";

const KEY = "rhei.theme";
const THEMES = {
  system: { sign: "◐", label: "Colors: as the system has them", scheme: "light dark" },
  light: { sign: "☀", label: "Colors: light", scheme: "light" },
  dark: { sign: "☾", label: "Colors: dark", scheme: "dark" },
} as const;
const ORDER = Object.keys(THEMES) as (keyof typeof THEMES)[];

/** Sets up the button that cycles through light, dark and the system's theme. */
export function themes(): void {
  const button = byId("theme");
  let at = Math.max(ORDER.indexOf(remembered(KEY, "system")), 0);
  const apply = () => {
    const { sign, label, scheme } = THEMES[ORDER[at]!];
    document.documentElement.style.colorScheme = scheme;
    button.textContent = sign;
    button.title = label;
    button.setAttribute("aria-label", label);
  };
  button.addEventListener("click", () => {
    at = (at + 1) % ORDER.length;
    remember(KEY, ORDER[at]);
    apply();
  });
  apply();
}
