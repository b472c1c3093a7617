/**
 * What a person said: its words, its versions, and the box in which it is said in another way. It refuses
 * to know what is asked when.
 */
import { joined, parted } from "../state/files.js";
import { copyButton } from "./copy.js";
import { h, iconButton } from "./dom.js";
import { extras } from "./later.js";
import { said } from "./said.js";
import { versionSwitch } from "./versions.js";

/** @typedef {{ onEdit: (prompt: string) => void, onVersion: (id: string) => void }} Hooks */

/** @param {string} prompt @param {Hooks} hooks */
export function createAsked(prompt, hooks) {
  const parts = parted(prompt);
  const words = h("div", { class: "said", dir: "auto" }, ...said(prompt));
  const edit = iconButton("Edit message", "pencil", { "data-act": "", onclick: open });
  const versions = versionSwitch("message", hooks.onVersion);
  const tools = h("div", { class: "tools" }, versions.node, copyButton(() => prompt, "Copy message"), edit);
  const node = h("article", { class: "ask", "aria-label": "You", hidden: prompt === "" }, words, tools);

  /** Shows the words in a box of their own, in place. */
  async function open() {
    const { createEditBox } = await extras();
    if (node.querySelector("form")) return;
    const box = createEditBox(parts, {
      onDone(text) {
        box.node.remove();
        words.hidden = tools.hidden = false;
        edit.focus();
        if (text !== null) hooks.onEdit(joined(parts.files, text));
      },
    });
    words.hidden = tools.hidden = true;
    node.append(box.node);
    box.focus();
  }

  return { node, open, versions: versions.show };
}
