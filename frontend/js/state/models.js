/**
 * Which models there are and which one a chat uses: what was chosen for it, else what it used last, else
 * what was chosen last anywhere, else the server's default. Pure except for what the browser remembers.
 */
import { createNotes, recall, remember } from "./memory.js";

/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").AppState} AppState */

const notes = createNotes("models");

/** @param {Model[]} models @param {Model} model */
export function withModel(models, model) {
  const at = models.findIndex((m) => m.id === model.id);
  return at < 0 ? [...models, model] : models.with(at, model);
}

/** @param {string | null} chat @param {string} model */
export function choose(chat, model) {
  remember("model", model);
  if (chat) notes.set(chat, model);
}

/**
 * @param {AppState} state
 * @returns {{model: Model | null, missing: string | null}} missing: the wanted model, where it is no longer there
 */
export function modelOf(state) {
  const { models, open } = state;
  const conversation = state.conversations.find((c) => c.id === open);
  const wanted = (open && notes.get(open)) ?? conversation?.model ?? recall("model");
  const found = models.find((m) => m.id === wanted);
  if (found) return { model: found, missing: null };
  const fallback = models.find((m) => m.tokenwire.default) ?? models[0] ?? null;
  return { model: fallback, missing: fallback && wanted ? wanted : null };
}

/** A model that recovers keeps its place: what it is asked waits for it. */
const LOADED = new Set(["ready", "recovering", "draining"]);

/** @param {Model[]} models @returns {{name: string, models: Model[]}[]} */
export function grouped(models) {
  const loaded = models.filter((m) => LOADED.has(m.tokenwire.state));
  const rest = models.filter((m) => !loaded.includes(m));
  return [
    { name: "Loaded", models: loaded },
    { name: "On this machine", models: rest },
  ].filter((g) => g.models.length > 0);
}

/** The part of an id that a person reads first: "Qwen/Qwen3-0.6B" -> "Qwen3-0.6B". @param {string} id */
export const shortName = (id) => id.slice(id.lastIndexOf("/") + 1);
