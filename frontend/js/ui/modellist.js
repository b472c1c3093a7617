/**
 * The list of models in the picker's popover: a search, the groups, a row each, and the offer to fetch what
 * a search names. Rows live as long as their models and only move where their group changes: whoever is on
 * one of them stays there. It is fetched apart from the page.
 */
import { grouped, matching, offered } from "../state/catalogue.js";
import { newsOf } from "../state/modelwords.js";
import { announce } from "./announce.js";
import { arrange, composing, h, icon, setText, walk } from "./dom.js";
import { soon } from "./frame.js";
import { ModelRow } from "./modelrow.js";

/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").AppState} AppState */
/** @typedef {{ node: HTMLElement, list: HTMLElement }} Section */

const touch = matchMedia("(hover: none) and (pointer: coarse)");

/** @param {HTMLElement} panel @param {import("./modelrow.js").Hooks} hooks */
export function createModelList(panel, hooks) {
  const field = h("input", {
    type: "search", "aria-label": "Search models", placeholder: "Search, or add owner/name", autocomplete: "off", autocapitalize: "none",
    spellcheck: "false", maxlength: "200", oninput: draw,
  });
  const body = h("div", { class: "picker-list" });
  const none = h("p", { class: "picker-none" });
  const offerName = h("span", { class: "model-name" });
  const offer = h("button", { type: "button", class: "model-offer", onclick: take }, icon("arrow-down"), h("span", {}, "Download ", offerName));
  const offerTrouble = h("p", { class: "picker-none model-trouble", role: "alert" });
  /** @type {Map<string, ModelRow>} */
  const rows = new Map();
  /** @type {Map<string, Section>} */
  const sections = new Map();
  /** @type {AppState | null} */
  let state = null;
  /** @type {Model | null} */
  let current = null;
  /** What was asked of the hub: its row is to be seen when it comes. @type {string | null} */
  let wanted = null;

  panel.replaceChildren(h("div", { class: "search picker-search" }, icon("search"), field), body);
  panel.addEventListener("keydown", (event) => {
    // A key that is held would go on with what has the focus after its first press.
    if (event.repeat && event.key === "Enter") event.preventDefault();
    // The key's own click would be on what has the focus then.
    if (event.target === field && event.key === "Enter" && !composing(event)) (event.preventDefault(), stops()[1]?.focus());
    const row = document.activeElement?.closest(".model-row")?.querySelector(".model");
    walk(event, stops(), row ?? document.activeElement);
  });

  const isOpen = () => panel.matches(":popover-open");
  const stops = () => [field, .../** @type {NodeListOf<HTMLElement>} */ (body.querySelectorAll(".model, .model-offer"))];

  function draw() {
    if (!state) return;
    const { models, refusals } = state;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const row = focused?.closest(".model-row")?.querySelector(".model");
    const shown = matching(models, field.value);
    const name = offered(models, field.value);
    for (const id of rows.keys()) if (!models.some((m) => m.id === id)) rows.delete(id);
    setText(offerName, name ?? "");
    setText(offerTrouble, (name && refusals[name]) ?? "");
    setText(none, models.length ? "No model here is called that. The name of one on the hub, owner/name, can be downloaded." : "The list of models is on its way.");
    const parts = grouped(shown).map((group) => section(group.name, group.models.map((model) => rowOf(model).node)));
    arrange(body, [...parts, ...(shown.length || name ? [] : [none]), ...(name ? [offer] : []), ...(offerTrouble.textContent ? [offerTrouble] : [])]);
    settle([focused, row, field]);
  }

  const drawOpen = () => isOpen() && draw();

  /** A row keeps the focus when it moves to another group; of what is gone, the search takes it. @param {(Element | null | undefined)[]} stays the first that is still there */
  function settle(stays) {
    const seen = wanted && rows.get(wanted);
    if (seen) {
      wanted = null;
      if (stays[0] === offer) seen.choice.focus();
    } else if (stays[0] !== document.activeElement && !panel.contains(document.activeElement)) {
      /** @type {HTMLElement | undefined} */ (stays.find((node) => node?.isConnected))?.focus({ preventScroll: true });
    }
  }

  /** @param {string} name @param {Element[]} nodes */
  function section(name, nodes) {
    let part = sections.get(name);
    if (!part) {
      const id = `models-${sections.size}`;
      const list = h("ul", { class: "models", role: "list", "aria-labelledby": id });
      part = { list, node: h("section", {}, h("h2", { class: "picker-group", id }, name), list) };
      sections.set(name, part);
    }
    arrange(part.list, nodes);
    return part.node;
  }

  /** @param {Model} model */
  function rowOf(model) {
    let row = rows.get(model.id);
    if (!row) rows.set(model.id, (row = new ModelRow(model, hooks)));
    row.update(model, model.id === current?.id, state?.refusals[model.id]);
    return row;
  }

  /** Fetches what the search names. */
  function take() {
    const name = offerName.textContent ?? "";
    wanted = name;
    hooks.onTend("download", name);
  }

  /** What changed while the list is open, and the model of this chat always. @param {AppState} after */
  function tellNews(after) {
    for (const model of after.models) {
      const before = state?.models.find((m) => m.id === model.id);
      const news = before && before !== model && (isOpen() || model.id === current?.id) ? newsOf(before, model) : null;
      if (news) announce(news);
    }
  }

  return {
    /** Before it is seen. */
    fill() {
      field.value = "";
      wanted = null;
      rows.forEach((row) => row.rest());
      draw();
    },
    /** It is seen: what a person is likely to want next has the focus. */
    open() {
      draw();
      const mine = /** @type {HTMLElement | null} */ (body.querySelector(".model[aria-current]"));
      const many = (state?.models.length ?? 0) > 6;
      body.scrollTop = 0;
      mine?.scrollIntoView({ block: "nearest" });
      (many && !touch.matches ? field : mine ?? stops()[1] ?? field).focus({ preventScroll: true });
    },
    /** @param {AppState} next @param {Model | null} chosen */
    update(next, chosen) {
      tellNews(next);
      state = next;
      current = chosen;
      soon(drawOpen);
    },
  };
}
