/**
 * The model's name in the header and the popover behind it: groups, states, stage and progress of what is
 * loading. Choosing a model is told to the app; what the server says is drawn as it comes.
 */
import { contextOf, sizeOf, stageOf } from "../state/sentences.js";
import { grouped, shortName } from "../state/models.js";
import { byId, h, icon, setAttribute, walk } from "./dom.js";

/** @typedef {import("../types").Model} Model */

const FILTER_FROM = 7;
/** @type {Partial<Record<import("../types").ModelState, string>>} */
const WORDS = { recovering: "Restarting", draining: "Being unloaded", absent: "Not loaded", unloaded: "Not loaded", failed: "Could not be loaded" };

/** @param {(model: Model) => void} onChoose */
export function createPicker(onChoose) {
  const button = byId("picker-button");
  const panel = byId("picker");
  /** @type {Model[]} */
  let models = [];
  /** @type {string | null} */
  let current = null;
  let query = "";

  const isOpen = () => panel.matches(":popover-open");
  const rows = () => /** @type {HTMLElement[]} */ ([...panel.querySelectorAll(".model")]);

  // The button opens the panel by its popovertarget; here it is filled before and focused after.
  panel.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open") return;
    query = "";
    panel.querySelector("input")?.remove();
    panel.style.setProperty("--x", `${Math.max(8, Math.min(button.getBoundingClientRect().left, innerWidth - 392))}px`);
    fill();
  });
  panel.addEventListener("toggle", () => {
    button.setAttribute("aria-expanded", String(isOpen()));
    if (!isOpen()) return;
    const first = panel.querySelector("input") ?? rows().find((r) => r.hasAttribute("aria-current")) ?? rows()[0];
    /** @type {HTMLElement | undefined} */ (first)?.focus();
  });
  panel.addEventListener("keydown", (event) => walk(event, rows()));

  function fill() {
    const focused = document.activeElement?.getAttribute("data-model");
    const shown = models.filter((m) => m.id.toLowerCase().includes(query));
    const list = h("div", {}, ...grouped(shown).map(group));
    if (!shown.length) list.append(h("p", { class: "picker-none" }, models.length ? "No model of that name." : "The list of models is on its way."));
    const old = panel.querySelector("div");
    if (old) old.replaceWith(list);
    else panel.append(list);
    const input = panel.querySelector("input");
    if (models.length >= FILTER_FROM && !input) panel.prepend(filter());
    if (models.length < FILTER_FROM) input?.remove();
    if (focused) rows().find((r) => r.dataset.model === focused)?.focus();
  }

  function filter() {
    return h("input", {
      class: "picker-filter", type: "search", "aria-label": "Filter models", placeholder: "Filter",
      oninput: (/** @type {Event} */ event) => {
        query = /** @type {HTMLInputElement} */ (event.target).value.trim().toLowerCase();
        fill();
      },
    });
  }

  /** @param {{name: string, models: Model[]}} part @param {number} index */
  function group(part, index) {
    const id = `models-${index}`;
    return h("div", { role: "group", "aria-labelledby": id }, h("div", { class: "picker-group", id }, part.name), ...part.models.map(row));
  }

  /** @param {Model} model */
  function row(model) {
    const info = model.tokenwire;
    const busy = info.state === "loading" || info.state === "downloading";
    const chosen = model.id === current;
    const stage = busy ? stageOf(info) : info.state === "failed" ? info.detail ?? WORDS.failed ?? "" : "";
    const facts = [sizeOf(info.size_bytes), contextOf(info.context_length), busy ? "" : WORDS[info.state]].filter(Boolean);
    const node = h("button", {
      type: "button", class: "model", "data-model": model.id, "data-state": info.state, "aria-current": chosen ? "true" : null,
      onclick: () => (panel.hidePopover(), onChoose(model)),
    },
    h("span", { class: "dot", "data-state": info.state }), h("span", { class: "model-name" }, shortName(model.id)),
    chosen ? icon("check") : h("span"), h("span", { class: "model-about" }, facts.join(" · ")),
    h("span", { class: "model-stage" }, stage), busy && bar(info.progress));
    return node;
  }

  /** @param {number | null} share */
  function bar(share) {
    const node = h("span", { class: "model-bar", "aria-hidden": "true" });
    node.style.setProperty("--share", String(share ?? 0.05));
    return node;
  }

  return {
    /** @param {Model[]} list @param {Model | null} chosen */
    update(list, chosen) {
      models = list;
      current = chosen?.id ?? null;
      byId("model-name").textContent = chosen ? shortName(chosen.id) : "Tokenwire";
      setAttribute(byId("model-dot"), "data-state", chosen?.tokenwire.state);
      button.setAttribute("aria-label", chosen ? `Model: ${chosen.id}, ${(WORDS[chosen.tokenwire.state] ?? chosen.tokenwire.state).toLowerCase()}` : "Choose a model");
      if (isOpen()) fill();
    },
  };
}
