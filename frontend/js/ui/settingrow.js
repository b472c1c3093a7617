/**
 * One setting as it is typed: its name, the field, the way to set it back, and a line that says what it is or
 * what is wrong with it. What is being typed is never taken away by news. It refuses to know where it goes.
 */
import { EFFORTS, checked, placeholder, tooLong } from "../state/fields.js";
import { h, iconButton, setAttribute, setText } from "./dom.js";

/** @typedef {import("../types").ChatSettings} ChatSettings */
/** @typedef {import("../types").Model} Model */
/** `read`: what a text means, or what is wrong with it. `hint`: what counts where it is empty.
 *  @typedef {{
 *   name: keyof ChatSettings, label: string, about: string, input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement,
 *   read: (text: string) => { value: unknown, problem: string | null }, hint?: (model: Model | null) => string,
 * }} Kind */
/** @typedef {ReturnType<typeof createRow>} SettingRow */

/** @param {Kind} kind @param {{ onType: () => void, onLeave: () => void }} hooks */
function createRow({ name, label, about, input, read, hint }, { onType, onLeave }) {
  const id = `set-${name}`;
  const line = h("p", { class: "set-about", id: `${id}-about` }, about);
  const back = iconButton(`Set back: ${label}`, "rotate-ccw", { class: "icon-button set-back", title: "Set back", onclick: clear });
  const node = h("div", { class: "set", "data-name": name }, h("label", { for: id }, label), input, input instanceof HTMLSelectElement ? null : back, line);
  /** It holds what isn't kept yet. */
  let dirty = false;
  /** What the server said against it. @type {string | null} */
  let refusal = null;
  input.id = id;
  input.setAttribute("aria-describedby", line.id);
  input.addEventListener("input", touch);
  input.addEventListener("change", onLeave);

  function touch() {
    dirty = true;
    refusal = null;
    judge(node.hasAttribute("data-wrong"));
    onType();
  }

  /** Its button goes, the focus stays. */
  function clear() {
    input.value = "";
    input.focus();
    touch();
    onLeave();
  }

  /** @param {boolean} [tell] what is wrong, which "-" is not while "-1" is typed */
  function judge(tell = true) {
    const problem = tell ? refusal ?? read(input.value).problem : null;
    setAttribute(node, "data-wrong", problem !== null);
    setAttribute(input, "aria-invalid", problem !== null ? "true" : null);
    setAttribute(line, "role", problem !== null ? "alert" : null);
    setText(line, problem ?? about);
    setAttribute(node, "data-set", input.value !== "");
  }

  return {
    node, name, input, judge,
    /** What is to be kept; null: nothing new, or nothing that can be. */
    get news() {
      const { value, problem } = read(input.value);
      return dirty && refusal === null && problem === null ? { value, text: input.value } : null;
    },
    /** @param {string} text that is kept now; more may have been typed */
    settled(text) {
      if (input.value === text) dirty = false;
    },
    /** @param {string} why */
    refuse(why) {
      refusal = why;
      judge();
    },
    /** What was typed and can't be kept goes. */
    rest() {
      dirty = false;
      refusal = null;
    },
    /** @param {unknown} value that is kept @param {Model | null} model */
    show(value, model) {
      if (hint) setAttribute(input, "placeholder", hint(model));
      if (dirty) return;
      // "0.50" is as good as "0.5".
      const { value: typed, problem } = read(input.value);
      if (problem !== null || typed !== value) input.value = value === undefined ? "" : String(value);
      judge();
    },
  };
}

/** @param {import("../state/fields.js").Field} field @param {Parameters<typeof createRow>[1]} hooks */
export function numberRow(field, hooks) {
  const input = h("input", { type: "text", inputmode: field.whole ? "numeric" : "decimal", autocomplete: "off", spellcheck: "false", maxlength: "30" });
  // A phone's keyboard for numbers may have no minus.
  if ((field.min ?? field.above ?? -1) < 0) input.inputMode = "text";
  return createRow({ ...field, input, read: (text) => checked(field, text), hint: (model) => placeholder(field, model) }, hooks);
}

/** @param {Parameters<typeof createRow>[1]} hooks */
export function instructionsRow(hooks) {
  const input = h("textarea", { rows: "3", dir: "auto", placeholder: "Answer in French. Be brief." });
  const about = "Told to the model before all else, with each message.";
  const read = (/** @type {string} */ text) => ({ value: text.trim() || undefined, problem: tooLong(text.trim()) });
  return createRow({ name: "instructions", label: "Instructions", about, input, read }, hooks);
}

/** @param {Parameters<typeof createRow>[1]} hooks */
export function effortRow(hooks) {
  const option = (/** @type {[string, string]} */ [value, words]) => h("option", { value }, words);
  const input = h("select", {}, option(["", "Default"]), ...Object.entries(EFFORTS).map(option));
  const about = "How much it thinks before it answers.";
  const row = createRow({ name: "reasoning_effort", label: "Thinking", about, input, read: (text) => ({ value: text || undefined, problem: null }) }, hooks);
  return {
    ...row,
    get news() {
      return row.news;
    },
    /** @param {unknown} value @param {Model | null} model */
    show(value, model) {
      // Another client may know a degree that isn't offered here.
      if (typeof value === "string" && ![...input.options].some((o) => o.value === value)) input.append(option([value, value]));
      row.node.hidden = model?.tokenwire.capabilities.reasoning !== true && value === undefined;
      row.show(value, model);
    },
  };
}
