/**
 * One model in the list: a button that chooses it, those that do something to it, and a line on what
 * happens to it now. It is changed in place, many times a second while it is fetched; what a press means
 * is told to the list.
 */
import { shortName } from "../state/models.js";
import { actionQuestion, actionsOf, choiceQuestion, factsOf, hintOf, isBarred, noteOf, nowOf, ownerOf } from "../state/modelwords.js";
import { announce } from "./announce.js";
import { arrange, h, icon, setAttribute, setText } from "./dom.js";

/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").ModelVerb} Verb */
/** @typedef {import("../state/modelwords.js").Question} Question */
/** @typedef {{ onChoose: (model: Model) => void, onTend: (verb: Verb, id: string) => void }} Hooks */

let counter = 0;

export class ModelRow {
  #hooks;
  #model;
  #name = h("span", { class: "model-name" });
  #owner = h("span", { class: "model-owner" });
  #facts = h("span", { class: "model-about" });
  #now = h("p", { class: "model-now", id: `model-${counter++}` });
  #note = h("p", { class: "model-note", id: `${this.#now.id}-note` });
  #trouble = h("p", { class: "model-now model-trouble", role: "alert", hidden: true });
  #bar = h("span", { class: "model-bar", "aria-hidden": "true", hidden: true });
  #tools = h("div", { class: "model-tools" });
  #ask = h("div", { class: "model-ask", role: "group", hidden: true });
  #dot = h("span", { class: "dot" });
  /** @type {Map<string, HTMLButtonElement>} */
  #buttons = new Map();

  /** @param {Model} model @param {Hooks} hooks */
  constructor(model, hooks) {
    this.#model = model;
    this.#hooks = hooks;
    setText(this.#name, shortName(model.id));
    setText(this.#owner, ownerOf(model));
    this.choice = h("button", { type: "button", class: "model", title: model.tokenwire.description, "aria-describedby": `${this.#now.id} ${this.#note.id}`, onclick: this.#choose },
      this.#dot, h("span", { class: "model-title" }, this.#name, " ", this.#owner), icon("check"), " ", this.#facts);
    this.node = h("li", { class: "model-row" }, this.choice, this.#tools, this.#note, this.#now, this.#bar, this.#trouble, this.#ask);
  }

  /** @param {Model} model @param {boolean} chosen @param {string | undefined} refused why the server didn't do what it was asked */
  update(model, chosen, refused) {
    const { state, progress } = model.tokenwire;
    const now = nowOf(model);
    if (state !== this.#model.tokenwire.state) this.#forget();
    this.#model = model;
    setAttribute(this.node, "data-state", state);
    setAttribute(this.node, "data-barred", isBarred(model));
    setAttribute(this.#dot, "data-state", state);
    setAttribute(this.choice, "aria-current", chosen ? "true" : null);
    setAttribute(this.choice, "aria-disabled", isBarred(model) ? "true" : null);
    this.#tell(factsOf(model));
    setText(this.#note, noteOf(model));
    setText(this.#now, now.text);
    setAttribute(this.#now, "data-wrong", now.wrong);
    this.#bar.hidden = state !== "loading" && state !== "downloading";
    setAttribute(this.#bar, "data-unknown", progress === null);
    this.#bar.style.setProperty("--share", String(progress ?? 0));
    this.#trouble.hidden = !refused;
    setText(this.#trouble, refused ?? "");
    this.#draw();
  }

  /** Each fact stays whole on a narrow screen. @param {string} facts */
  #tell(facts) {
    if (this.#facts.textContent === facts) return;
    const parts = facts.split(" · ").map((fact) => h("span", { class: "model-fact" }, fact));
    this.#facts.replaceChildren(...parts.flatMap((part, i) => (i ? [" · ", part] : [part])));
  }

  #draw() {
    const focused = [...this.#buttons.values()].includes(/** @type {HTMLButtonElement} */ (document.activeElement));
    arrange(this.#tools, actionsOf(this.#model).map((action) => this.#button(action)));
    // Never on the button that stands in its place: that one may undo it.
    if (focused && !this.#tools.contains(document.activeElement)) this.choice.focus({ preventScroll: true });
  }

  /** @param {import("../state/modelwords.js").Action} action */
  #button(action) {
    const { verb, label, barred } = action;
    const key = `${verb} ${label}`;
    let button = this.#buttons.get(key);
    if (!button) {
      // The second click of two would be on what has taken its place.
      const onclick = (/** @type {MouseEvent} */ event) => event.detail < 2 && this.#act(verb, button);
      button = h("button", { type: "button", class: "model-act", "aria-label": `${label} ${shortName(this.#model.id)}`, onclick }, label);
      this.#buttons.set(key, button);
    }
    setAttribute(button, "title", hintOf(this.#model, action));
    setAttribute(button, "aria-disabled", barred ? "true" : null);
    setAttribute(button, "aria-describedby", barred ? this.#now.id : null);
    return button;
  }

  #choose = () => {
    if (isBarred(this.#model)) return announce(nowOf(this.#model).text);
    const question = choiceQuestion(this.#model);
    if (question) this.#question(question, this.choice, () => this.#hooks.onChoose(this.#model));
    else this.#hooks.onChoose(this.#model);
  };

  /** @param {Verb} verb @param {HTMLButtonElement} [button] */
  #act(verb, button) {
    if (button?.hasAttribute("aria-disabled")) return announce(nowOf(this.#model).text);
    const question = actionQuestion(this.#model, verb);
    const act = () => this.#hooks.onTend(verb, this.#model.id);
    if (question) this.#question(question, button ?? this.choice, act);
    else act();
  }

  /** In the row itself: nothing covers what it is about. @param {Question} question @param {HTMLElement} from @param {() => void} act */
  #question({ text, yes, no }, from, act) {
    const end = () => this.#forget(from);
    const first = h("button", { type: "button", class: "model-act", "data-main": true, onclick: () => (end(), act()) }, yes);
    setAttribute(this.#ask, "aria-label", text);
    this.#ask.replaceChildren(h("p", {}, text), first, h("button", { type: "button", class: "model-act", onclick: end }, no));
    this.#ask.hidden = false;
    this.#tools.hidden = true;
    first.focus();
  }

  /** What was asked is answered, or has nothing to ask about any more. @param {HTMLElement} back where to go on */
  #forget(back = this.choice) {
    if (this.#ask.hidden) return;
    const focused = this.#ask.contains(document.activeElement);
    this.#ask.hidden = true;
    this.#tools.hidden = false;
    if (focused) back.focus({ preventScroll: true });
  }

  /** Nothing is asked when the list is opened again. */
  rest = () => this.#forget();
}
