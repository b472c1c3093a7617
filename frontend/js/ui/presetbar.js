/**
 * Settings with a name, as buttons: one press and the chat has them; the one that it has can be named anew or
 * deleted, and what has no name can be given one. It refuses to know how settings reach a chat.
 */
import { isPlain } from "../state/fields.js";
import { named, presetOf, presets, removePreset, renamePreset, savePreset } from "../state/presets.js";
import { composing, h, setAttribute, setText } from "./dom.js";

/** @typedef {import("../types").ChatSettings} ChatSettings */
/** `onSay` tells what was done, with the way back.
 *  @typedef {{ now: () => ChatSettings, onApply: (settings: ChatSettings, words: string) => void, onSay: (words: string, undo?: () => void) => void }} Hooks */

const MOST = 60;
const KEPT_NOT = "This browser keeps nothing more: the preset is not saved.";

/** @param {Hooks} hooks */
export function createPresetBar({ now, onApply, onSay }) {
  const list = h("ul", { class: "presets", role: "list" });
  const none = h("p", { class: "set-about" }, "None yet. What is set below can be kept under a name.");
  const save = h("button", { type: "button", class: "link-button", onclick: () => act("save") }, "Save as a preset");
  const rename = h("button", { type: "button", class: "link-button", onclick: () => act("rename") }, "Rename");
  const remove = h("button", { type: "button", class: "link-button", onclick: erase }, "Delete");
  const acts = h("div", { class: "preset-acts" }, save, rename, remove);
  const field = h("input", { type: "text", "aria-label": "Name of the preset", placeholder: "Name", maxlength: String(MOST), autocomplete: "off" });
  const done = h("button", { type: "submit", class: "text-button primary" }, "Save");
  const form = h("form", { class: "preset-form", hidden: true }, field, done, h("button", { type: "button", class: "text-button", onclick: () => close() }, "Cancel"));
  const node = h("section", { "aria-label": "Presets" }, h("h3", {}, "Presets"), none, list, acts, form);
  /** The name that is typed is that of a new preset, or the new one of this. @type {string | null} */
  let renamed = null;

  field.addEventListener("input", weigh);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) finish(field.value.trim());
    else field.focus();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || composing(event)) return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });

  /** @param {"save" | "rename"} what */
  function act(what) {
    renamed = what === "rename" ? presetOf(now())?.name ?? null : null;
    field.value = renamed ?? "";
    form.hidden = false;
    acts.hidden = true;
    weigh();
    field.select();
    field.focus();
  }

  /** Another of that name would go. */
  function weigh() {
    const other = named(field.value);
    setText(done, other && other.name !== renamed ? "Replace" : "Save");
  }

  /** @param {string} name */
  function finish(name) {
    const kept = renamed === null ? savePreset(name, now()) : renamePreset(renamed, name);
    onSay(kept ? `Saved “${name}”` : KEPT_NOT);
    close();
  }

  function close() {
    const inside = form.contains(document.activeElement);
    form.hidden = true;
    acts.hidden = false;
    draw();
    if (inside) stay();
  }

  /** Who was at what is gone stands at what is left. */
  const stay = () => /** @type {HTMLElement | null} */ (node.querySelector("[aria-pressed=true], .preset-acts button:not([hidden]), .preset"))?.focus();

  function erase() {
    const preset = presetOf(now());
    if (!preset) return;
    removePreset(preset.name);
    draw();
    stay();
    onSay(`Deleted “${preset.name}”`, () => (savePreset(preset.name, preset.settings), draw()));
  }

  function draw() {
    const settings = now();
    const current = presetOf(settings);
    const all = presets();
    const names = all.map(({ name }) => name);
    if (JSON.stringify(names) !== JSON.stringify([...list.children].map((row) => row.textContent))) {
      const at = document.activeElement?.closest(".preset")?.textContent;
      list.replaceChildren(...all.map(({ name }) => h("li", {}, h("button", { type: "button", class: "preset", dir: "auto", onclick: () => choose(name) }, name))));
      if (at) buttons()[names.indexOf(at)]?.focus();
    }
    buttons().forEach((button, i) => setAttribute(button, "aria-pressed", String(names[i] === current?.name)));
    list.hidden = !all.length;
    none.hidden = all.length > 0 || !isPlain(settings);
    save.hidden = isPlain(settings) || current !== undefined;
    rename.hidden = remove.hidden = current === undefined;
  }

  const buttons = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".preset")]);

  /** @param {string} name */
  function choose(name) {
    const preset = named(name);
    if (preset && preset !== presetOf(now())) onApply(preset.settings, `“${preset.name}” is in force`);
  }

  return { node, draw, close: () => (form.hidden ? undefined : close()) };
}
