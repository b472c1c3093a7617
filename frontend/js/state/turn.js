/**
 * One exchange, from what was typed to how it ended: a reducer over the events of a response. Pure; it
 * knows nothing of sockets, so a live stream, a replay and a stored answer end in the same turn.
 */
import { newKey } from "../net/ids.js";

/** @typedef {import("../types").Turn} Turn */
/** @typedef {import("../types").Event} Event */
/** @typedef {import("../types").Response} Response */
/** @typedef {import("../types").Item} Item */
/** What a change means to whoever draws it: text grew, text was replaced, or anything else. @typedef {"grew" | "reset" | "state" | null} Change */

/** @param {string} prompt @param {string} model @param {string | null} parent @returns {Turn} */
export function newTurn(prompt, model, parent) {
  return {
    key: newKey(), parent, prompt, model, id: null, phase: "sending", text: "", part: { at: "", from: 0 },
    error: null, reason: null, queue: null, loading: null, timing: null, usage: null, saved: true,
    takenUp: 0, freed: null, stopping: false,
  };
}

/** A stored exchange. A response that still runs keeps its text empty: the attach replays it. @param {import("../types").Entry} entry @returns {Turn} */
export function turnOf(entry) {
  const { response, input } = entry;
  const turn = newTurn(textOf(input.filter((i) => i.role === "user")), response.model, response.previous_response_id);
  turn.id = response.id;
  absorb(turn, response);
  if (isLive(turn)) turn.phase = "running";
  else {
    turn.text = textOf(response.output);
    // An end that was saved late still says that it wasn't; that it is listed says that it was.
    turn.saved = true;
  }
  return turn;
}

/** @param {Item[]} items */
function textOf(items) {
  return items
    .filter((item) => item.type === "message")
    .map(({ content }) => (typeof content === "string" ? content : (content ?? []).map((p) => p.text ?? "").join("\n\n")))
    .join("\n\n");
}

/** @param {Turn} turn */
export const isLive = (turn) => turn.phase === "sending" || turn.phase === "queued" || turn.phase === "running";

/** @param {Turn} turn @param {Event} event @returns {Change} */
export function applyEvent(turn, event) {
  switch (event.type) {
    case "response.output_text.delta":
      return grow(turn, event);
    case "response.output_text.done":
      return settle(turn, event);
    default:
      if (!event.response) return null;
      if (event.type === "response.created") turn.id = event.response.id;
      absorb(turn, event.response);
      return "state";
  }
}

/** @param {Turn} turn @param {Event} event @returns {Change} */
function grow(turn, event) {
  const first = turn.text === "";
  const at = `${event.output_index}.${event.content_index}`;
  if (turn.part.at !== at) {
    if (!first) turn.text += "\n\n";
    turn.part = { at, from: turn.text.length };
  }
  turn.text += event.delta ?? "";
  turn.queue = turn.loading = null;
  turn.phase = "running";
  return first ? "state" : "grew";
}

/** The server's whole text is the truth, should ours ever differ. @param {Turn} turn @param {Event} event @returns {Change} */
function settle(turn, event) {
  const at = `${event.output_index}.${event.content_index}`;
  if (event.text === undefined || turn.part.at !== at || turn.text.slice(turn.part.from) === event.text) return null;
  turn.text = turn.text.slice(0, turn.part.from) + event.text;
  return "reset";
}

/** @param {Turn} turn @param {Response} response */
function absorb(turn, response) {
  const extras = response.tokenwire ?? {};
  turn.phase = phaseOf(response);
  turn.model = response.model;
  turn.reason = response.incomplete_details?.reason ?? null;
  turn.error = response.error ?? (turn.reason === "interrupted" ? { code: "interrupted", message: "" } : null);
  turn.usage = response.usage;
  turn.saved = response.store !== false;
  turn.timing = extras.timing ?? null;
  turn.takenUp = extras.taken_up ?? 0;
  turn.freed = extras.cancel?.freed_ms ?? null;
  turn.queue = turn.phase === "queued" ? extras.queue ?? null : null;
  turn.loading = isLive(turn) ? extras.model ?? null : null;
  if (!isLive(turn)) turn.stopping = false;
}

/** @param {Response} response @returns {import("../types").Phase} */
function phaseOf(response) {
  switch (response.status) {
    case "queued": return "queued";
    case "in_progress": return "running";
    case "completed": return "completed";
    case "cancelled": return "stopped";
    case "failed": return "failed";
    default: return INCOMPLETE[response.incomplete_details?.reason ?? ""] ?? "cut";
  }
}

/** Why an answer is incomplete, where that isn't a limit. @type {Record<string, import("../types").Phase>} */
const INCOMPLETE = { cancelled: "stopped", interrupted: "failed" };

/** What the server keeps of it, where its events are gone; what is on screen beyond that stays. @param {Turn} turn @param {Turn} stored */
export function adopt(turn, stored) {
  const text = turn.text.startsWith(stored.text) ? turn.text : stored.text;
  Object.assign(turn, stored, { key: turn.key, prompt: turn.prompt, text });
}

/** Its events are to come again from the first. @param {Turn} turn */
export function rewind(turn) {
  turn.text = "";
  turn.part = { at: "", from: 0 };
}

/** It never became a response, or its response is gone. @param {Turn} turn @param {import("../types").ErrorBody} error */
export function refuse(turn, error) {
  turn.phase = "failed";
  turn.error = error;
  turn.stopping = false;
}
