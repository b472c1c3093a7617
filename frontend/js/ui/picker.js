/**
 * The model's name in the header, how far it is, and the popover that it opens. The list in the popover
 * comes when the page has nothing better to do; this is what is there before.
 */
import { shortName } from "../state/models.js";
import { byId, h, setAttribute, setText } from "./dom.js";
import { extras, whenIdle } from "./later.js";

/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").AppState} AppState */
/** `onLook`: the list is looked at, and is to be as it is now.
 *  @typedef {{ onChoose: (model: Model) => void, onTend: (verb: import("../types").ModelVerb, id: string) => void, onLook: () => void }} Hooks */

const LOOK_MS = 2_000;
/** @type {Partial<Record<import("../types").ModelState, string>>} */
const WORDS = {
  recovering: "restarting", draining: "being unloaded", absent: "not on this machine", unloaded: "not loaded", paused: "download paused",
  failed: "could not be loaded", unknown: "waiting for the server",
};

/** @param {Hooks} hooks */
export function createPicker(hooks) {
  const button = byId("picker-button");
  const panel = byId("picker");
  /** @type {ReturnType<typeof import("./modellist.js").createModelList> | null} */
  let list = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let looking;
  /** @type {[AppState, Model | null] | null} */
  let shown = null;

  const isOpen = () => panel.matches(":popover-open");

  /** The list itself, once. @param {import("./later.js").Extras} extras */
  function complete({ createModelList }) {
    if (list) return;
    list = createModelList(panel, { ...hooks, onChoose: (model) => (panel.hidePopover(), hooks.onChoose(model)) });
    if (shown) list.update(...shown);
    if (isOpen()) list.open();
  }
  whenIdle(complete);
  const lost = () => panel.replaceChildren(h("p", { class: "picker-none" }, "The list could not be fetched. Open it again, or reload the page."));

  // The button opens the panel by its popovertarget; here it is filled before and focused after.
  panel.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open") return;
    panel.style.setProperty("--x", `${button.getBoundingClientRect().left}px`);
    extras().then(complete, lost);
    list?.fill();
  });
  panel.addEventListener("toggle", () => {
    clearInterval(looking);
    button.setAttribute("aria-expanded", String(isOpen()));
    if (!isOpen()) return;
    list?.open();
    hooks.onLook();
    looking = setInterval(() => document.hidden || hooks.onLook(), LOOK_MS);
  });

  return {
    /** @param {AppState} state @param {Model | null} chosen */
    update(state, chosen) {
      shown = [state, chosen];
      const info = chosen?.tokenwire;
      const busy = info?.state === "loading" || info?.state === "downloading";
      setText(byId("model-name"), chosen ? shortName(chosen.id) : "Tokenwire");
      setText(byId("model-share"), busy && typeof info.progress === "number" ? `${Math.round(info.progress * 100)} %` : "");
      setAttribute(byId("model-dot"), "data-state", info?.state);
      // Without the share: a name that changes is read aloud to whoever is on the button.
      setAttribute(button, "aria-label", chosen && info ? `Model: ${chosen.id}, ${WORDS[info.state] ?? info.state}` : "Choose a model");
      list?.update(state, chosen);
    },
  };
}
