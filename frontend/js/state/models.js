/**
 * Which models there are and which one a chat uses: what was chosen for it, else what it used last, else
 * what was chosen last anywhere, else the server's default; and before the server has named any, the one that
 * answered last. Pure except for what the browser remembers.
 */
import { createNotes, recall, remember } from "./memory.js";

/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").ModelInfo} ModelInfo */
/** @typedef {import("../types").AppState} AppState */

const notes = createNotes("models");

/** @param {Model[]} models @param {Model} model */
export function withModel(models, model) {
  const at = models.findIndex((m) => m.id === model.id);
  return at < 0 ? [...models, model] : models.with(at, model);
}

/**
 * The list as the server has just given it, except for what it has said of a model since it was asked.
 * @param {Model[]} known @param {Model[]} listed @param {(id: string) => boolean} newer
 */
export function relisted(known, listed, newer) {
  const kept = known.filter((m) => newer(m.id));
  const own = listed.map((m) => kept.find((k) => k.id === m.id) ?? m);
  return [...own, ...kept.filter((k) => !listed.some((m) => m.id === k.id))];
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
  if (!models.length) return { model: unheard(wanted), missing: null };
  const found = models.find((m) => m.id === wanted) ?? models.find((m) => wanted && m.tokenwire.aliases?.includes(wanted));
  if (found) return { model: found, missing: null };
  const fallback = models.find((m) => m.tokenwire.default) ?? models.find((m) => isHere(m.tokenwire)) ?? models[0] ?? null;
  return { model: fallback, missing: fallback && wanted ? wanted : null };
}

let noted = "";

/** The one that answers now. @param {Model | null} model */
export function keepModel(model) {
  if (!model || model.tokenwire.state === "unknown") return;
  const still = { state: "unknown", stage: null, progress: null, detail: null, reason: null, download: null, engine: null };
  const note = JSON.stringify({ ...model, tokenwire: { ...model.tokenwire, ...still } });
  if (note !== noted) remember("last", (noted = note));
}

/** What a message can be written to before the server has been heard. @param {string | null | undefined} wanted @returns {Model | null} */
function unheard(wanted) {
  try {
    const last = JSON.parse(recall("last") ?? "");
    return wanted && wanted !== last.id ? { ...last, id: wanted, tokenwire: { ...last.tokenwire, description: null } } : last;
  } catch {
    return null;
  }
}

/** What it is asked waits for it, at most. @param {Partial<ModelInfo>} info */
export const isLoaded = ({ state }) => state === "ready" || state === "recovering" || state === "loading" || state === "draining";
/** @param {ModelInfo} info */
const isHere = (info) => isLoaded(info) || info.state === "unloaded";

const OFFERS = 2;

/** Below this a model is a toy. */
const USEFUL_BYTES = 1e9;

/** The smallest models of use that can be fetched and fit, for who has only the one that ships. @param {Model[]} models */
export function offers(models) {
  const owned = models.some(({ tokenwire: m }) => m.source !== "demo" && m.source !== "adapter" && m.state !== "absent" && m.servable !== false);
  if (owned) return [];
  return models
    .filter(({ tokenwire: m }) => m.state === "absent" && m.fits !== false && m.servable !== false && (m.size_bytes ?? 0) >= USEFUL_BYTES)
    .sort((a, b) => (a.tokenwire.size_bytes ?? 0) - (b.tokenwire.size_bytes ?? 0))
    .slice(0, OFFERS);
}

/** What brings a chosen model to answer, where it doesn't come by itself. @type {Partial<Record<import("../types").ModelState, import("../types").ModelVerb>>} */
export const STARTS = { unloaded: "load", draining: "load", failed: "load", absent: "download", paused: "download" };

/**
 * Which model said each answer of a chat, where that isn't the one before; nothing while it is always one.
 * @param {import("../types").Turn[]} turns @returns {(string | null)[]}
 */
export function speakers(turns) {
  const changes = turns.some((turn) => turn.model !== turns[0]?.model);
  return turns.map((turn, i) => (changes && turn.model !== turns[i - 1]?.model ? turn.model : null));
}

/** The part of an id that a person reads first: "Qwen/Qwen3-0.6B" -> "Qwen3-0.6B". @param {string} id */
export const shortName = (id) => id.slice(id.lastIndexOf("/") + 1);
