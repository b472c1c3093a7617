/**
 * The one line of state above the composer, and the thin line of progress under the header.
 */
import { announce } from "./announce.js";
import { byId, h, setAttribute } from "./dom.js";

/** @typedef {import("../state/sentences.js").Line} Line */

const ACTIONS = { reload: "Reload", reconnect: "Try now" };

/** @param {(action: "reload" | "reconnect") => void} onAction */
export function createStateLine(onAction) {
  const node = byId("state");
  const progress = byId("progress");
  let shown = "";

  /** @param {Line} line */
  function write(line) {
    const { action } = line;
    node.replaceChildren(
      h("span", { class: "dot" }), h("span", {}, line.text),
      ...(action ? [h("button", { type: "button", class: "link-button", onclick: () => onAction(action) }, ACTIONS[action])] : []));
    if (line.tone === "wrong") announce(line.text);
  }

  /** @param {Line | null} line */
  return (line) => {
    const key = line ? `${line.tone} ${line.text} ${line.action}` : "";
    if (key !== shown) {
      shown = key;
      setAttribute(node, "data-tone", line?.tone);
      if (line) write(line);
      else node.replaceChildren();
    }
    progress.hidden = line?.progress === undefined;
    setAttribute(progress, "data-unknown", line?.progress === null);
    progress.style.setProperty("--share", String(line?.progress ?? 0));
  };
}
