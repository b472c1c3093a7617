/**
 * What the list of models says of each: its facts, what happens to it now, what can be done with it and
 * what is asked before. Pure: a model in, words out.
 */
import { isLoaded, shortName } from "./models.js";
import { partOf, sentence, sizeOf, stageOf, transferOf } from "./sentences.js";

/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").ModelInfo} ModelInfo */
/** @typedef {import("../types").ModelVerb} Verb */
/** `barred`: it is shown, and why it can't be done. @typedef {{verb: Verb, label: string, barred?: boolean}} Action */
/** @typedef {{text: string, yes: string, no: string}} Question */

/** So much isn't thrown away without a question. */
const DEAR_BYTES = 1e9;

/** @type {Partial<Record<import("../types").ModelState, string>>} */
const STATES = { recovering: "Restarting", paused: "Download paused" };

/** @param {Model} model */
export const ownerOf = ({ id }) => id.slice(0, Math.max(0, id.lastIndexOf("/")));

/** The facts that help to choose. @param {Model} model */
export function factsOf({ tokenwire: info }) {
  const { tools, reasoning } = info.capabilities;
  return [
    STATES[info.state], sizeOf(info.size_bytes), contextOf(info.context_length), info.licence, ...info.modalities.filter((m) => m !== "text"),
    tools && "tools", reasoning && "reasoning", info.base && `adapter of ${info.base.slice(info.base.lastIndexOf("/") + 1)}`, info.pinned && "kept loaded",
  ].filter(Boolean).join(" · ");
}

/**
 * The one line under the facts. `wrong`: it can't be used because of that.
 * @param {Model} model @returns {{text: string, wrong?: boolean}}
 */
export function nowOf({ tokenwire: info }) {
  switch (info.state) {
    case "downloading":
      return { text: info.download ? transferOf(info.download).join(" · ") : stageOf(info) };
    case "loading":
      return { text: loadingOf(info) };
    case "ready":
      return { text: info.engine ? engineOf(info.engine) : "" };
    case "recovering":
      return { text: info.detail ?? "" };
    case "draining":
      return { text: leavingOf(info) };
    case "paused":
      return { text: [pausedAt(info), info.reason ?? info.detail].filter(Boolean).join(". ") };
    case "failed":
      return { text: info.reason ?? info.detail ?? "It could not be loaded.", wrong: true };
    default:
      return { text: info.fits === false ? info.reason ?? "It doesn't fit this machine." : "" };
  }
}

/** What to know before it is asked anything, unless it can't be. @param {Model} model */
export const noteOf = (model) => (isBarred(model) ? "" : model.tokenwire.note ?? "");

/** @param {ModelInfo} info */
function loadingOf(info) {
  const what = (info.detail ?? (info.stage ? sentence(info.stage) : "Loading")).replace(/\.$/, "");
  // The server's own sentence may say how far it is.
  return info.progress === null || /\d/.test(what) ? what : `${what} · ${Math.round(info.progress * 100)} %`;
}

/** @param {NonNullable<ModelInfo["engine"]>} engine */
function engineOf({ running, waiting, tokens_per_second, kv_cache_usage }) {
  const busy = running > 0 || waiting > 0;
  return [
    busy ? `${running} running` : "Idle", waiting > 0 && `${waiting} waiting`, busy && `${Math.round(tokens_per_second)} tok/s`,
    `KV cache ${Math.round(kv_cache_usage * 100)} %`,
  ].filter(Boolean).join(" · ");
}

/** @param {ModelInfo} info */
function leavingOf(info) {
  const running = answersOn(info);
  if (running > 0) return `Unloaded when its ${running === 1 ? "answer has" : `${running} answers have`} ended`;
  return info.detail ?? "Being unloaded";
}

/** @param {ModelInfo} info */
const answersOn = ({ engine }) => (engine ? engine.running + engine.waiting : 0);

/** @param {ModelInfo} info */
const pausedAt = ({ download }) => (download ? `${partOf(download.done, download.total)} here` : "");

/** @param {Model} model @returns {Action[]} the likeliest first */
export function actionsOf({ tokenwire: info }) {
  const barred = info.fits === false;
  switch (info.state) {
    case "ready":
    case "recovering":
      return [{ verb: "unload", label: "Unload" }];
    case "draining":
      return answersOn(info) > 0 ? [{ verb: "load", label: "Keep" }] : [];
    case "loading":
    case "downloading":
      return [{ verb: "cancel", label: "Cancel" }];
    case "unloaded":
      return [{ verb: "load", label: "Load", barred }];
    case "absent":
      return [{ verb: "download", label: "Download", barred }];
    case "paused":
      return [{ verb: "download", label: "Resume", barred }, { verb: "cancel", label: "Discard" }];
    case "failed":
      return info.servable === false ? [] : [{ verb: "load", label: "Try again", barred }];
    case "unknown":
      return [];
  }
}

/** Nothing can be asked of it as it stands. @param {Model} model */
export function isBarred({ tokenwire: info }) {
  return info.servable === false || (info.fits === false && !isLoaded(info));
}

/** What is asked before a model is chosen: what would then be fetched. @param {Model} model @returns {Question | null} */
export function choiceQuestion({ tokenwire: { state, size_bytes, download } }) {
  if (state !== "absent" && state !== "paused") return null;
  const left = download?.total ? download.total - download.done : size_bytes;
  const size = left ? ` ${sizeOf(left)}` : "";
  return state === "absent"
    ? { text: `Download${size || " it"} to use it in this chat?`, yes: `Download${size}`, no: "Not now" }
    : { text: "Go on with its download and use it in this chat?", yes: `Resume${size ? `,${size} left` : ""}`, no: "Not now" };
}

/** What is asked before something is done to a model. @param {Model} model @param {Verb} verb @returns {Question | null} */
export function actionQuestion({ tokenwire: { state, download } }, verb) {
  if (verb !== "cancel" || state === "loading" || (download?.done ?? 0) < DEAR_BYTES) return null;
  return { text: `This throws away the ${sizeOf(download?.done ?? 0)} that are here.`, yes: "Throw away", no: state === "paused" ? "Keep" : "Go on" };
}

/** What a button that says "Unload" would do. @param {Model} model @param {Action} action */
export function hintOf({ tokenwire: info }, { verb }) {
  return verb === "unload" && answersOn(info) > 0 ? "It is unloaded when its answers have ended" : null;
}

/** @param {string} name @param {ModelInfo} before */
function restNews(name, before) {
  if (isLoaded(before)) return `${name} is ${before.state === "loading" ? "not being loaded" : "not loaded"} any more`;
  return before.state === "failed" ? null : `${name} is downloaded`;
}

/**
 * What is worth a word to someone who doesn't see the list: an end, a beginning, a quarter of the way.
 * @param {Model} before @param {Model} after @returns {string | null}
 */
export function newsOf({ tokenwire: before }, { id, tokenwire: after }) {
  const name = shortName(id);
  if (before.state === after.state) {
    const quarter = (/** @type {ModelInfo} */ info) => Math.floor((info.progress ?? 0) * 4);
    const passed = after.state === "downloading" && quarter(after) > quarter(before) && quarter(after) < 4;
    return passed ? `${name}: ${quarter(after) * 25} % downloaded` : null;
  }
  switch (after.state) {
    case "ready": return before.state === "recovering" ? null : `${name} is loaded`;
    case "unloaded": return restNews(name, before);
    case "loading": return `Loading ${name}`;
    case "downloading": return `Downloading ${name}`;
    case "absent": return `${name} is not being downloaded any more`;
    case "paused": return `The download of ${name} has stopped. ${after.reason ?? ""}`.trim();
    case "failed": return `${name} could not be loaded. ${after.reason ?? ""}`.trim();
    default: return null;
  }
}

/** @param {number | null} tokens */
export function contextOf(tokens) {
  if (!tokens) return "";
  return tokens >= 1024 ? `${Math.round(tokens / 1024)}k context` : `${tokens} context`;
}
