/**
 * The link: what this page wants from the server, kept true over any number of connections. A want is one
 * response: first a request in the outbox, then a position (response id, last number) to resume from.
 * Events reach their want in order and exactly once. It refuses to know what a response says, and the DOM.
 */
import { createConnection } from "./connection.js";

const TERMINAL = new Set(["response.completed", "response.incomplete", "response.failed"]);
const DEFAULT_LANES = 16;
const DEFAULT_BYTES = 8 * 1024 * 1024;
/** For what the link adds to a request. */
const MARGIN = 256;
const TOO_LARGE = { code: "message_too_large", message: "This message is longer than the server takes." };
/** Nobody can say whether it came to the server. */
const UNHEARD = { code: "unreachable", message: "" };
/** It went on while this page was away; what it is now can be read. */
const AWAY = { code: "tokenwire_stream_expired", message: "" };
/** The connection is about to go; the request is not at fault. */
const RETRIED = new Set(["websocket_connection_limit_reached", "server_draining"]);

/** @typedef {import("../types").Event} Event */
/** @typedef {import("../types").ErrorBody} ErrorBody */
/** `onUnsaid`: what was said to a running answer is given back. `onFollowed`: it was taken, and another answer goes on, whose reader is asked for.
 *  @typedef {{ onEvent: (event: Event) => void, onError: (error: ErrorBody) => void,
 *   onUnsaid?: (error: ErrorBody, text: string) => void, onFollowed?: (handle: Handle) => Reader }} Reader */
/** `leap`: up to this number leaps are no holes, because what was told so far comes as one event for each part. -1: none. `said`: what was said to it and not yet heard; `taken`: some was.
 *  @typedef {{ id: string | null, seq: number, leap: number, lane: string | null, request: object | null, sent: boolean,
 *   cancelled: boolean, said: string[], taken: boolean, reader: Reader }} Want */
/** @typedef {{ cancel: () => boolean, steer: (text: string) => boolean }} Handle */

/**
 * @param {Omit<import("./connection.js").Options, "onHello" | "onEvent" | "busy"> & {
 *   onHello?: (event: Event) => void, onPageEvent: (event: Event) => void }} options
 */
export function createLink(options) {
  /** @type {Set<Want>} */
  const wants = new Set();
  /** @type {Map<string, Want>} */
  const lanes = new Map();
  /** Those that something was said to, by the response. @type {Map<string, Want>} */
  const steered = new Map();
  let laneCount = DEFAULT_LANES;
  let maxBytes = DEFAULT_BYTES;

  const connection = createConnection({ ...options, busy: () => wants.size > 0, onHello: greet, onEvent: route });

  /** @param {Event & {limits?: {max_in_flight?: number, max_message_bytes?: number}}} event */
  function greet(event) {
    laneCount = event.limits?.max_in_flight ?? DEFAULT_LANES;
    maxBytes = event.limits?.max_message_bytes ?? DEFAULT_BYTES;
    lanes.clear();
    for (const want of steered.values()) for (const text of want.said.splice(0)) want.reader.onUnsaid?.(UNHEARD, text);
    steered.clear();
    for (const want of wants) {
      want.lane = null;
      if (!want.id && !want.request) refuse(want, AWAY);
    }
    options.onHello?.(event);
    pump();
  }

  /** Gives each want without a lane a free one, oldest first. */
  function pump() {
    for (const want of wants) {
      if (want.lane) continue;
      const lane = freeLane();
      if (!lane) return;
      // The server would close the link over it, again and again.
      if (new Blob([JSON.stringify(want.request)]).size > maxBytes - MARGIN) refuse(want, TOO_LARGE);
      else if (!place(want, lane)) return;
    }
  }

  function freeLane() {
    for (let i = 1; i <= laneCount; i++) if (!lanes.has(`l${i}`)) return `l${i}`;
    return null;
  }

  /** @param {Want} want @param {string} lane */
  function place(want, lane) {
    if (!connection.send({ ...(want.id ? attachment(want) : { ...want.request, type: "response.create" }), stream_id: lane })) return false;
    want.lane = lane;
    want.leap = -1;
    want.sent = true;
    lanes.set(lane, want);
    if (want.id && want.cancelled) sendCancel(want);
    return true;
  }

  /** Who has nothing yet takes the text so far at once, who has something takes what follows it. @param {Want} want */
  const attachment = (want) => ({
    type: "tokenwire:response.attach", response_id: want.id, ...(want.seq < 0 ? { mode: "snapshot" } : { starting_after: want.seq }),
  });

  /** @param {Want} want */
  const sendCancel = (want) => connection.send({ type: "response.cancel", response_id: want.id });

  /** @param {Want} want */
  function release(want) {
    wants.delete(want);
    if (want.lane) lanes.delete(want.lane);
    pump();
  }

  /** @param {Event} event */
  function route(event) {
    const want = event.stream_id === undefined ? undefined : lanes.get(event.stream_id);
    if (event.type === "tokenwire:response.attached") {
      if (want && want.seq < 0) want.leap = event.last_sequence_number ?? -1;
      return;
    }
    if (event.steer) return heard(event, event.steer, want);
    if (!want || event.type.startsWith("tokenwire:")) return options.onPageEvent(event);
    if (event.type === "error") return refuse(want, event.error ?? { code: null, message: "" });
    apply(want, event);
  }

  /** @param {Want} want @param {ErrorBody} error */
  function refuse(want, error) {
    if (error.code && RETRIED.has(error.code)) return;
    release(want);
    want.reader.onError(error);
  }

  /** The fate of what was said to an answer. @param {Event} event @param {NonNullable<Event["steer"]>} steer @param {Want | undefined} want of its lane */
  function heard(event, steer, want) {
    const asked = steered.get(steer.previous_response_id);
    const text = typeof steer.input === "string" ? steer.input : "";
    if (!asked) return;
    if (event.type === "response.steer.accepted") {
      asked.taken = true;
      asked.said.shift();
    } else if (event.type === "response.steer.failed") {
      const error = event.error ?? { code: null, message: "" };
      asked.said = asked.said.filter((said) => said !== text);
      asked.reader.onUnsaid?.(error, text);
      // What was to go on with it never comes.
      if (want && !want.id && !want.request) refuse(want, error);
    }
  }

  /** The answer that goes on with what was said to this one comes on its lane. @param {Want} want */
  function follow(want) {
    const { lane } = want;
    wants.delete(want);
    /** @type {Want} */
    const next = blank(want.reader);
    next.lane = lane;
    next.sent = true;
    if (lane) lanes.set(lane, next);
    wants.add(next);
    next.reader = want.reader.onFollowed?.(handleOf(next)) ?? want.reader;
  }

  /** Exactly once: what was seen is dropped, and a hole means that this connection can't be trusted. @param {Want} want @param {Event} event */
  function apply(want, event) {
    const number = event.sequence_number ?? -1;
    if (number <= want.seq) return;
    if (number !== want.seq + 1) {
      if (!event.type.endsWith(".delta") || number > want.leap) return connection.distrust();
    }
    want.seq = number;
    if (!want.id && event.response) {
      want.id = event.response.id;
      if (want.cancelled) sendCancel(want);
    }
    if (!TERMINAL.has(event.type)) return want.reader.onEvent(event);
    const followed = want.taken && event.response?.incomplete_details?.reason === "steered";
    if (!followed) release(want);
    want.reader.onEvent(event);
    if (followed) follow(want);
  }

  /** @param {Reader} reader @returns {Want} */
  const blank = (reader) => ({
    id: null, seq: -1, leap: -1, lane: null, request: null, sent: false, cancelled: false, said: [], taken: false, reader,
  });

  /** @param {Partial<Want>} fields @param {Reader} reader @returns {Handle} */
  function add(fields, reader) {
    const want = { ...blank(reader), ...fields };
    wants.add(want);
    pump();
    return handleOf(want);
  }

  /** @param {Want} want @returns {Handle} */
  const handleOf = (want) => ({ cancel: () => cancel(want), steer: (text) => steer(want, text) });

  /** @param {Want} want @param {string} text @returns {boolean} false: not now */
  function steer(want, text) {
    if (!want.id || !want.lane || !connection.send({ type: "response.steer", previous_response_id: want.id, input: text })) return false;
    want.said.push(text);
    steered.set(want.id, want);
    return true;
  }

  /** @param {Want} want @returns {boolean} false: it was never sent, and never will be */
  function cancel(want) {
    want.cancelled = true;
    if (want.id) sendCancel(want);
    else if (!want.sent) release(want);
    return want.sent || want.id !== null;
  }

  return {
    start: connection.start,
    stop: connection.stop,
    awake: () => connection.awake(),
    hide: connection.hide,
    now: () => connection.now(),
    /** Sends a response.create, now or when connected; its idempotency key makes a second send harmless. @param {object} request @param {Reader} reader */
    create: (request, reader) => add({ request }, reader),
    /** Follows a response from after event `seq`; -1: from its start, all text so far in one event. @param {string} id @param {number} seq @param {Reader} reader */
    attach: (id, seq, reader) => add({ id, seq }, reader),
  };
}
