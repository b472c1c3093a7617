/**
 * The end of a list that is read page by page: it asks for the next page when it comes into view, and is
 * a button for whoever doesn't scroll. It refuses to know what the pages hold.
 */
import { h } from "./dom.js";

/** @param {HTMLElement} scroller @param {string} label @param {() => void} onMore */
export function createMore(scroller, label, onMore) {
  const node = h("button", { type: "button", class: "text-button history-note", onclick: onMore }, label);
  const reached = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && onMore(), { root: scroller });
  /** @type {string | null} */
  let asked = null;
  return {
    node,
    /** Called when the list is drawn. @param {string | null} cursor of the next page; null when there is none */
    watch(cursor) {
      if (cursor === asked) return;
      // Observed anew for each page: an end that stays in view while rows come before it says nothing.
      asked = cursor;
      reached.unobserve(node);
      if (cursor) reached.observe(node);
    },
  };
}
