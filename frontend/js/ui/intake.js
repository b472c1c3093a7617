/**
 * How files come to a message: chosen, dropped anywhere, pasted, or made of a long text that was pasted. It
 * is fetched apart from the page and refuses to know where they go.
 */
import { taken } from "../state/sniff.js";
import { byId, h, iconButton } from "./dom.js";

/** @typedef {import("../types").TextFile} TextFile */

const KEPT_NOT = "Too large to be kept in this browser: a reload loses what is attached here.";

/** @param {File[]} list @param {number} many how many there are already @returns {Promise<{ files: TextFile[], refused: string[] }>} */
export async function takeIn(list, many) {
  /** @type {TextFile[]} */
  const files = [];
  /** @type {string[]} */
  const refused = [];
  for (const one of list) {
    const file = await taken(one, many + files.length);
    if (typeof file === "string") refused.push(file);
    else files.push(file);
  }
  return { files, refused };
}

/** Asks for files. @param {(list: File[]) => void} onFiles */
export function choose(onFiles) {
  const input = h("input", { type: "file", multiple: true });
  input.addEventListener("change", () => onFiles([...(input.files ?? [])]));
  input.click();
}

/** What was refused, and why; it goes when it is read. @param {string[]} sentences @param {boolean} kept */
export function tellRefused(sentences, kept) {
  const all = kept ? sentences : [...sentences, KEPT_NOT];
  const node = byId("file-notes");
  const close = iconButton("Close", "x", { onclick: () => node.replaceChildren() });
  node.replaceChildren(...(all.length ? [h("div", {}, ...all.map((s) => h("p", {}, s))), close] : []));
}

/** A long text was pasted: it may be a file instead. @param {string} text @param {() => void} onAccept */
export function offer(text, onAccept) {
  const node = byId("file-notes");
  const words = `That is a long text: ${new Intl.NumberFormat("en").format(text.length)} characters.`;
  const accept = h("button", { type: "button", class: "text-button" }, "Attach it as a file");
  accept.addEventListener("click", () => (node.replaceChildren(), onAccept()));
  node.replaceChildren(h("div", {}, h("p", {}, words)), accept, iconButton("Leave it as it is", "x", { onclick: () => node.replaceChildren() }));
}

/** Shows where a drop goes while something is dragged over the window. */
export function watchDrags() {
  const node = byId("drop");
  const isOver = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  let depth = 0;
  const show = (/** @type {number} */ next) => (node.hidden = !(depth = Math.max(0, next)));
  addEventListener("dragenter", (event) => isOver(event) && show(depth + 1));
  addEventListener("dragleave", (event) => isOver(event) && show(depth - 1));
  addEventListener("drop", () => show(0));
}
