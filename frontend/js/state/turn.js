/**
 * One exchange, from what was typed to how it ended: a reducer over the events of a response. Pure; it
 * knows nothing of sockets, so a live stream, a replay and a stored answer end in the same turn.
 */
import { newKey } from "../net/ids.js";
import { growPiece, outputs, piecesOf, settlePiece, spoken, textOf } from "./pieces.js";

/** @typedef {import("../types").Event} Event */
/** @typedef {import("../types").Response} Response */
/** What a change means to whoever draws it: text grew, text was replaced, or anything else. @typedef {"grew" | "reset" | "state" | null} Change */

/** What a person asked and what came of it: one exchange of a chat. */
export class Turn {
  /** Null until the server has named the response. @type {string | null} */
  id = null;
  /** @type {import("../types").Phase} */
  phase = "sending";
  /** What was thought, said and called, in order. @type {import("../types").Piece[]} */
  pieces = [];
  /** What tools gave back, where that is what was asked with. @type {import("../types").Result[]} */
  results = [];
  /** @type {import("../types").ErrorBody | null} */
  error = null;
  /** Why it ended early, in the server's word. @type {string | null} */
  reason = null;
  /** @type {import("../types").Queue | null} */
  queue = null;
  /** @type {Partial<import("../types").ModelInfo> | null} */
  loading = null;
  /** @type {import("../types").Timing | null} */
  timing = null;
  /** @type {import("../types").Usage | null} */
  usage = null;
  /** How it was made, as the server says it. @type {import("../types").Made} */
  made = {};
  /** Whether it is on the server's disk, or on its way there while it is written. */
  saved = true;
  takenUp = 0;
  /** How long the server took to be free for others after a stop (ms). @type {number | null} */
  freed = null;
  stopping = false;
  /** The cut answer that this one begins as and goes on with: its pieces, until they come anew. @type {string | null} */
  continues = null;
  /** What was said to it while it answered and isn't an exchange yet. @type {string[]} */
  steers = [];

  /** @param {string} prompt @param {string} model @param {string | null} parent */
  constructor(prompt, model, parent) {
    this.key = newKey();
    this.prompt = prompt;
    this.model = model;
    this.parent = parent;
  }

  /** All that was said, without what was thought or called. */
  get text() {
    return spoken(this.pieces);
  }

  /** Whether anything came, be it a thought. */
  get begun() {
    return this.pieces.length > 0;
  }
}

/** @param {string} prompt @param {string} model @param {string | null} parent */
export const newTurn = (prompt, model, parent) => new Turn(prompt, model, parent);

/** A stored exchange. A response that still runs keeps its text empty: the attach replays it. @param {import("../types").Entry} entry @returns {Turn} */
export function turnOf(entry) {
  const { response, input } = entry;
  const turn = newTurn(textOf(input.filter((i) => i.role === "user")), response.model, response.previous_response_id);
  turn.id = response.id;
  turn.results = outputs(input);
  absorb(turn, response);
  if (isLive(turn)) turn.phase = "running";
  else {
    turn.pieces = piecesOf(response.output, turn.timing);
    // An end that was saved late still says that it wasn't; that it is listed says that it was.
    turn.saved = true;
  }
  return turn;
}

/** @param {Turn} turn */
export const isLive = (turn) => turn.phase === "sending" || turn.phase === "queued" || turn.phase === "running";

/** @param {Turn} turn @param {Event} event @returns {Change} */
export function applyEvent(turn, event) {
  if (turn.continues && GROWTH.test(event.type)) return anew(turn, event);
  const grown = growPiece(turn.pieces, event);
  if (grown) {
    turn.queue = turn.loading = null;
    turn.phase = "running";
    return grown === "begun" ? "state" : "grew";
  }
  const settled = settlePiece(turn.pieces, event);
  if (settled) return settled;
  if (!event.response) return null;
  if (event.type === "response.created") turn.id = event.response.id;
  absorb(turn, event.response);
  return "state";
}

const GROWTH = /\.(delta|added)$/;

/** What was shown of a cut answer comes again, and goes on. @param {Turn} turn @param {Event} event @returns {Change} */
function anew(turn, event) {
  turn.continues = null;
  rewind(turn);
  applyEvent(turn, event);
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
  turn.made = { at: response.created_at, seed: extras.seed ?? null, temperature: response.temperature ?? null, top_p: response.top_p ?? null };
  const queue = turn.phase === "queued" ? extras.queue ?? null : null;
  if (queue) turn.made.place = queue.position;
  turn.queue = queue;
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
const INCOMPLETE = { cancelled: "stopped", interrupted: "failed", steered: "steered" };

/** What the server keeps of it, where its events are gone; what is on screen beyond that stays. @param {Turn} turn @param {Turn} stored */
export function adopt(turn, stored) {
  const pieces = turn.text.startsWith(stored.text) ? turn.pieces : stored.pieces;
  Object.assign(turn, stored, { key: turn.key, prompt: turn.prompt, pieces });
}

/** Its events are to come again from the first. @param {Turn} turn */
export function rewind(turn) {
  turn.pieces = [];
}

/** It never became a response, or its response is gone. @param {Turn} turn @param {import("../types").ErrorBody} error */
export function refuse(turn, error) {
  turn.phase = "failed";
  turn.error = error;
  turn.stopping = false;
}
