/**
 * The keyboard, in one table. No single letters, nothing while a text is being composed. The keys that can
 * wait, and the words for all, are those of keysheet.js.
 */
import { composing } from "./dom.js";

/** @typedef {{ stop: () => boolean, newChat: () => void, search: () => void, newest: () => void }} Acts */
/** What a key does; false: nothing, and it means what it means. @typedef {[test: (event: KeyboardEvent) => boolean, act: () => unknown]} Key */

/** @param {Acts} acts @returns {Key[]} the table, to which more may be added */
export function createKeys(acts) {
  /** @type {Key[]} */
  const table = [
    [(e) => e.key === "Escape" && !document.querySelector(":popover-open, :modal"), acts.stop],
    [(e) => (e.ctrlKey || e.metaKey) && e.shiftKey && e.code === "KeyO", acts.newChat],
    [(e) => (e.ctrlKey || e.metaKey) && !e.shiftKey && !e.altKey && e.code === "KeyK", acts.search],
    [(e) => (e.ctrlKey || e.metaKey) && e.shiftKey && e.code === "ArrowUp", acts.newest],
  ];
  addEventListener("keydown", (event) => {
    if (composing(event)) return;
    const found = table.find(([test]) => test(event));
    if (found && found[1]() !== false) event.preventDefault();
  });
  return table;
}
