/**
 * The first thing a person sees: which model this is, what it does, that nothing leaves the machine, and
 * four things to try that work with it.
 */
import { shortName } from "../state/models.js";
import { sizeOf } from "../state/sentences.js";
import { h } from "./dom.js";

const DEMO = "tokenwire-demo";
const PRIVACY = "Everything stays on this machine: the model, your chats, this page.";
const DEMO_PROMPTS = ["What can you do?", "Count from 1 to 200", "Tell me a story about Ada and a dragon", "How do I add a model?"];
const PROMPTS = [
  "Explain how a hash table works, with a small example",
  "Write a Python function that finds duplicate files",
  "Plan a three-day walk for two people who like quiet places",
  "Which questions should I ask before I sign a lease?",
];

/** @param {import("../types").Model | null} model */
function about(model) {
  if (!model) return "Waiting for the server.";
  if (model.tokenwire.description) return model.tokenwire.description;
  if (model.id === DEMO) return "A very small model that comes with Tokenwire. It shows how everything works; a larger one can be picked above.";
  return "It answers questions, writes, explains and codes.";
}

/** @typedef {import("../types").Model} Model */
/** @typedef {{ onPrompt: (prompt: string) => void, onPick: (model: Model) => void }} Hooks */

/** @param {Model | null} model @param {Model[]} offered models that could be fetched @param {Hooks} hooks */
export function welcome(model, offered, { onPrompt, onPick }) {
  const demo = model?.id === DEMO;
  return h("div", { class: "welcome" },
    h("h2", {}, model ? shortName(model.id) : "Tokenwire"),
    h("p", {}, about(model)),
    h("p", { class: "privacy" }, PRIVACY),
    h("div", { class: "starters" }, ...(model ? (demo ? DEMO_PROMPTS : PROMPTS) : []).map((prompt) =>
      h("button", { type: "button", class: "starter", onclick: () => onPrompt(prompt) }, prompt))),
    demo && offered.length > 0 && h("p", { class: "offers" }, "For real work, fetch a larger model:", ...offered.map((other) =>
      h("button", { type: "button", class: "link-button", onclick: () => onPick(other) }, `${shortName(other.id)}, ${sizeOf(other.tokenwire.size_bytes)}`))));
}
