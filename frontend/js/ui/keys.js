/**
 * The keyboard, in one table. No single letters, nothing while a text is being composed.
 */
import { composing } from "./dom.js";

/** @typedef {{ stop: () => boolean, newChat: () => void, search: () => void, newest: () => void }} Acts */

/** @param {Acts} acts */
export function createKeys(acts) {
  /** @type {[test: (event: KeyboardEvent) => boolean, act: () => unknown][]} */
  const table = [
    [(e) => e.key === "Escape" && !document.querySelector(":popover-open"), acts.stop],
    [(e) => (e.ctrlKey || e.metaKey) && e.shiftKey && e.code === "KeyO", acts.newChat],
    [(e) => (e.ctrlKey || e.metaKey) && !e.shiftKey && !e.altKey && e.code === "KeyK", acts.search],
    [(e) => (e.ctrlKey || e.metaKey) && e.shiftKey && e.code === "ArrowUp", acts.newest],
  ];
  addEventListener("keydown", (event) => {
    if (composing(event)) return;
    const found = table.find(([test]) => test(event));
    if (found && found[1]() !== false) event.preventDefault();
  });
}
