/**
 * The keyboard, in one table. No single letters, nothing while a text is being composed.
 */

/** @typedef {{ stop: () => boolean, newChat: () => void, newest: () => void }} Acts */

/** @param {Acts} acts */
export function createKeys(acts) {
  /** @type {[test: (event: KeyboardEvent) => boolean, act: () => unknown][]} */
  const table = [
    [(e) => e.key === "Escape" && !document.querySelector(":popover-open"), acts.stop],
    [(e) => (e.ctrlKey || e.metaKey) && e.shiftKey && e.code === "KeyO", acts.newChat],
    [(e) => (e.ctrlKey || e.metaKey) && e.shiftKey && e.code === "ArrowUp", acts.newest],
  ];
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const found = table.find(([test]) => test(event));
    if (found && found[1]() !== false) event.preventDefault();
  });
}
