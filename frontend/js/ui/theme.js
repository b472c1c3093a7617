/**
 * Light, dark or as the system has it: one button that walks through the three, and other tabs follow.
 */
import { recall, remember } from "../state/memory.js";
import { byId, icon } from "./dom.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const ICONS = { auto: "sun-moon", light: "sun", dark: "moon" };

/** @typedef {keyof typeof NEXT} Theme */

export function createTheme() {
  const button = byId("theme");
  /** @returns {Theme} */
  const current = () => {
    const word = recall("theme");
    return word === "light" || word === "dark" ? word : "auto";
  };

  function apply() {
    const theme = current();
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.replaceChildren(icon(ICONS[theme]));
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.title = `Theme: ${theme}`;
  }

  button.addEventListener("click", () => {
    const next = NEXT[current()];
    remember("theme", next === "auto" ? null : next);
    apply();
  });
  addEventListener("storage", apply);
  apply();
}
