/**
 * The end of a text that grows: where its caret stands, and which blocks are so far above it that they may
 * rest, so that a frame costs the same however long the text is. It refuses to know how a block is drawn.
 */
import { setAttribute } from "./dom.js";

/** So many blocks at the end are laid out whether they are seen or not. */
const AWAKE = 24;

/** @param {HTMLElement} text @returns {(live: boolean) => void} to be called when it has grown */
export function createTail(text) {
  let resting = 0;
  /** @type {Element | null} */
  let end = null;
  return (live) => {
    // At its end it may have been drawn anew.
    if (!live) resting = 0;
    for (; resting < text.childElementCount - AWAKE; resting++) {
      const block = text.children[resting];
      // Equations are counted through the text, and what rests is counted by itself.
      if (!block.matches(".display, :has(.display)")) setAttribute(block, "data-rest", true);
    }
    if (end) setAttribute(end, "data-end", false);
    end = live ? endOf(text.lastElementChild) : null;
    if (end) setAttribute(end, "data-end", true);
  };
}

/** Where the next word comes. Found here, as a rule that looks for it is asked of all that is written. @param {Element | null} node */
function endOf(node) {
  while (node?.matches("ul, ol, li") && node.lastElementChild?.matches("p, ul, ol, li")) node = node.lastElementChild;
  return node?.matches(".code") ? node.querySelector(".seg:last-child") : node?.matches("p, li, h3, h4, h5, h6") ? node : null;
}
