/**
 * What a person said: its words, its versions, and the box in which it is said in another way. It refuses
 * to know what is asked when.
 */
import { copyButton } from "./copy.js";
import { composing, h, iconButton } from "./dom.js";
import { versionSwitch } from "./versions.js";

/** @typedef {{ onEdit: (prompt: string) => void, onVersion: (id: string) => void }} Hooks */

/** @param {string} prompt @param {Hooks} hooks */
export function createAsked(prompt, hooks) {
  const said = h("div", { class: "said", dir: "auto" }, prompt);
  const edit = iconButton("Edit message", "pencil", { "data-act": "", onclick: open });
  const versions = versionSwitch("message", hooks.onVersion);
  const tools = h("div", { class: "tools" }, versions.node, copyButton(() => prompt, "Copy message"), edit);
  const node = h("article", { class: "ask", "aria-label": "You", hidden: prompt === "" }, said, tools);

  /** Shows the words in a box of their own, in place. */
  function open() {
    if (node.querySelector("form")) return;
    const box = h("textarea", { class: "edit-box", "aria-label": "Edit your message", rows: "1", dir: "auto" });
    box.value = prompt;
    const form = h("form", { class: "edit" }, box, h("div", { class: "edit-acts" },
      h("button", { type: "button", class: "text-button", onclick: close }, "Cancel"),
      h("button", { type: "submit", class: "text-button primary" }, "Send")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = box.value.trim();
      if (!text) return box.focus();
      close();
      hooks.onEdit(text);
    });
    box.addEventListener("keydown", (event) => {
      if (composing(event)) return;
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && !event.shiftKey && matchMedia("(hover: hover)").matches) form.requestSubmit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    said.hidden = tools.hidden = true;
    node.append(form);
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }

  function close() {
    node.querySelector("form")?.remove();
    said.hidden = tools.hidden = false;
    edit.focus();
  }

  return { node, open, versions: versions.show };
}
