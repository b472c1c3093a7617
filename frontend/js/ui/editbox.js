/**
 * The box in which what was said is said in another way. It refuses to know what comes of it.
 */
import { composing, h } from "./dom.js";
import { fileLabel } from "./said.js";

/**
 * @param {{ text: string, files: import("../state/files.js").TextFile[] }} parts
 * @param {{ onDone: (text: string | null) => void }} hooks null: it stays as it was
 * @returns {{ node: HTMLFormElement, focus: () => void }}
 */
export function createEditBox({ text, files }, { onDone }) {
  const box = h("textarea", { class: "edit-box", "aria-label": "Edit your message", rows: "1", dir: "auto" });
  box.value = text;
  const node = h("form", { class: "edit" }, ...files.map((file) => h("div", { class: "chip" }, ...fileLabel(file))), box, h("div", { class: "edit-acts" },
    h("button", { type: "button", class: "text-button", onclick: () => onDone(null) }, "Cancel"),
    h("button", { type: "submit", class: "text-button primary" }, "Send")));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    const now = box.value.trim();
    if (now || files.length) onDone(now);
    else box.focus();
  });
  box.addEventListener("keydown", (event) => {
    if (composing(event)) return;
    if (event.key === "Escape") onDone(null);
    else if (event.key === "Enter" && !event.shiftKey && matchMedia("(hover: hover)").matches) node.requestSubmit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    node,
    focus() {
      box.focus();
      box.setSelectionRange(box.value.length, box.value.length);
    },
  };
}
