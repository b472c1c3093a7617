/**
 * What a formula on the page can do: be typeset, scroll where it is too wide, and be copied as it was typed.
 */
import { setFormula } from "../md/math.js";

/** Only what scrolls is a stop for the keyboard. */
const widths = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const node = /** @type {HTMLElement} */ (target);
    const wide = node.scrollWidth > node.clientWidth + 1;
    if (wide === node.hasAttribute("data-wide")) continue;
    node.toggleAttribute("data-wide", wide);
    if (wide) node.tabIndex = 0;
    else node.removeAttribute("tabindex");
  }
});

/** @param {HTMLElement} node */
export function finishFormula(node) {
  setFormula(node);
  widths.observe(node);
}

/** The formula that a place is in. @param {Node} place */
const around = (place) => (place instanceof Element ? place : place.parentElement)?.closest(".math[data-set]");

/** Whole formulas, and their source instead of their signs. @param {ClipboardEvent} event */
function copy(event) {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !event.clipboardData) return;
  const range = selection.getRangeAt(0);
  const [first, last] = [around(range.startContainer), around(range.endContainer)];
  if (!first && !last && !range.cloneContents().querySelector(".math")) return;
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  document.documentElement.toggleAttribute("data-copying", true);
  event.clipboardData.setData("text/plain", selection.toString());
  document.documentElement.toggleAttribute("data-copying", false);
  event.preventDefault();
}

document.addEventListener("copy", copy);
