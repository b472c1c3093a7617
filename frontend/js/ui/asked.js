/**
 * What a person said: its words, its versions, and the box in which it is said in another way. It refuses
 * to know what is asked when.
 */
import { joined, parted } from "../state/files.js";
import { copyButton } from "./copy.js";
import { composing, h, iconButton } from "./dom.js";
import { fileLabel, said } from "./said.js";
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
  function open() {
    if (node.querySelector("form")) return;
    const box = h("textarea", { class: "edit-box", "aria-label": "Edit your message", rows: "1", dir: "auto" });
    box.value = parts.text;
    const files = parts.files.map((file) => h("div", { class: "chip" }, ...fileLabel(file)));
    const form = h("form", { class: "edit" }, ...files, box, h("div", { class: "edit-acts" },
      h("button", { type: "button", class: "text-button", onclick: close }, "Cancel"),
      h("button", { type: "submit", class: "text-button primary" }, "Send")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = box.value.trim();
      if (!text && !files.length) return box.focus();
      close();
      hooks.onEdit(joined(parts.files, text));
    });
    box.addEventListener("keydown", (event) => {
      if (composing(event)) return;
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && !event.shiftKey && matchMedia("(hover: hover)").matches) form.requestSubmit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    words.hidden = tools.hidden = true;
    node.append(form);
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }

  function close() {
    node.querySelector("form")?.remove();
    words.hidden = tools.hidden = false;
    edit.focus();
  }

  return { node, open, versions: versions.show };
}
