/**
 * What a person said, as it is shown: the files that went along as folded lines, then the words. A file is
 * written out when it is opened, not before.
 */
import { bytesOf, parted } from "../state/files.js";
import { sizeOf } from "../state/sentences.js";
import { h, icon } from "./dom.js";

/** @typedef {import("../types").TextFile} TextFile */

/** The icon, the name and the size of a file. @param {TextFile} file */
export const fileLabel = (file) => [
  icon("file-text"), h("span", { class: "file-name", title: file.name }, file.name), h("span", { class: "file-size" }, sizeOf(bytesOf(file)) || "empty"),
];

/** @param {TextFile} file */
function folded(file) {
  const node = h("details", { class: "file" }, h("summary", {}, ...fileLabel(file)));
  const open = () => node.append(h("pre", { tabindex: "0", "aria-label": file.name }, file.text));
  node.addEventListener("toggle", open, { once: true });
  return node;
}

/** @param {string} message @returns {(Node | string)[]} */
export function said(message) {
  const { files, text } = parted(message);
  return [...files.map(folded), text];
}
