/**
 * A dialog over the page: its head with a title and the way out, and what it holds. The browser keeps the
 * focus in it and gives it back. It refuses to know what it is for.
 */
import { wake } from "../styles.js";
import { composing, h, iconButton } from "./dom.js";

/** `kind` names its look; `keys`: those that mean something behind it close it first.
 *  @typedef {{ kind: string, title: string, keys: import("./keys.js").Key[], onClose?: () => void }} Options */

/** @param {Options} options @param {...Node} children */
export function createSheet({ kind, title, keys, onClose = () => {} }, ...children) {
  const heading = h("h2", { id: `${kind}-title` }, title);
  const head = h("div", { class: "sheet-head" }, heading, iconButton("Close", "x", { onclick: () => node.close() }));
  const node = h("dialog", { class: `sheet ${kind}`, "aria-labelledby": heading.id }, h("div", { class: "sheet-inner" }, head, ...children));
  /** Text that is selected to beyond the edge is no press on what is behind. */
  let outside = false;

  node.addEventListener("pointerdown", (event) => (outside = event.target === node));
  node.addEventListener("click", (event) => outside && event.target === node && node.close());
  node.addEventListener("keydown", (event) => !composing(event) && keys.some(([test]) => test(event)) && node.close());
  node.addEventListener("close", onClose);
  document.body.append(node);

  return {
    node, heading,
    async open() {
      await wake("extra-styles");
      if (!node.open) node.showModal();
    },
  };
}
