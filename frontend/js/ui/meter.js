/**
 * The thin arc beside the send button: how full the chat is, and how much of that the engine has read. Its
 * place is kept while there is nothing to show.
 */
import { fillWords, levelOf } from "../state/context.js";
import { byId, setAttribute, setText } from "./dom.js";

/** @typedef {import("../types").Fill} Fill */

export function createMeter() {
  const node = byId("meter");
  const words = byId("meter-words");
  /** @param {Fill | null} fill */
  return (fill) => {
    setAttribute(node, "data-known", Boolean(fill));
    if (!fill) return;
    const share = (/** @type {number} */ tokens) => String(Math.min(1, tokens / fill.max));
    const said = fillWords(fill);
    setAttribute(node, "aria-valuemax", fill.max);
    setAttribute(node, "aria-valuenow", Math.min(fill.used, fill.max));
    setAttribute(node, "aria-valuetext", said);
    setAttribute(node, "data-level", levelOf(fill));
    node.style.setProperty("--used", share(fill.used));
    node.style.setProperty("--cached", share(fill.cached ?? 0));
    setText(words, said);
  };
}
