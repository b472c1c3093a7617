/**
 * One WebSocket that comes back: reconnects with backoff, notices dead links, follows the page's life.
 * It speaks JSON frames and refuses to know what is in them, except `tokenwire:hello` (the link is usable)
 * and `tokenwire:ping`/`pong` (it is alive). No DOM: the page's events are handed in by name.
 */
import { STEADY_MS, delay, dictated, isFinal } from "./backoff.js";

const PROTOCOL = "tokenwire.v1";
/** The server speaks at least every 15 s. */
const SILENCE_MS = 35_000;
const LOOK_MS = 5_000;
/** How long a page that just woke up waits for an answer before it opens a new link. */
const WAKE_MS = 3_000;
/** From opening to the hello. */
const HELLO_MS = 15_000;

/** @typedef {import("../types").Event} Event */
/** @typedef {import("../types").LinkInfo} LinkInfo */
/** @typedef {{
 *   url: string, WebSocket?: any, now?: () => number, random?: () => number,
 *   onStatus: (info: LinkInfo) => void, onHello: (event: Event) => void, onEvent: (event: Event) => void,
 * }} Options */

/** @param {Options} options */
export function createSocket(options) {
  const { url, onStatus, onHello, onEvent } = options;
  const WebSocketClass = options.WebSocket ?? globalThis.WebSocket;
  const now = options.now ?? Date.now;
  const random = options.random ?? Math.random;

  /** @type {WebSocket | null} */
  let socket = null;
  let attempt = 0;
  let usable = false;
  let openedAt = 0;
  let heardAt = 0;
  let lostAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let wake;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let watch;

  /** @param {import("../types").LinkStatus} status */
  const say = (status, code = 0) => onStatus({ status, since: status === "open" ? 0 : lostAt, code });

  function connect() {
    clearTimeout(retry);
    forget();
    openedAt = heardAt = now();
    if (!lostAt) lostAt = now();
    say("connecting");
    // Handlers are set before the first frame can arrive; a socket that was replaced is ignored by identity.
    const mine = (socket = new WebSocketClass(url, PROTOCOL));
    mine.onmessage = (/** @type {{data: unknown}} */ message) => receive(mine, String(message.data));
    mine.onclose = (/** @type {{code: number, reason: string}} */ event) => mine === socket && lost(event.code, event.reason);
    mine.onerror = () => {};
    watch ??= setInterval(look, LOOK_MS);
  }

  /** Dropping is forgetting: close() on a dead TCP link can take minutes. */
  function forget() {
    clearTimeout(wake);
    wake = undefined;
    const old = socket;
    socket = null;
    usable = false;
    old?.close(1000);
  }

  /** @param {number} code @param {string} reason */
  function lost(code, reason) {
    if (usable && now() - openedAt >= STEADY_MS) attempt = 0;
    if (usable || !lostAt) lostAt = now();
    forget();
    if (isFinal(code)) return say("refused", code);
    say("lost", code);
    retry = setTimeout(connect, dictated(code, reason) ?? delay(attempt++, random));
  }

  /** @param {WebSocket} from @param {string} data */
  function receive(from, data) {
    if (from !== socket) return;
    heardAt = now();
    clearTimeout(wake);
    wake = undefined;
    const frame = JSON.parse(data);
    for (const event of Array.isArray(frame) ? frame : [frame]) {
      if (from !== socket) return;
      if (event.type === "tokenwire:hello") {
        usable = true;
        lostAt = 0;
        onHello(event);
        say("open");
      } else if (event.type !== "tokenwire:ping" && event.type !== "tokenwire:pong") {
        onEvent(event);
      }
    }
  }

  function look() {
    if (!socket) return;
    const limit = usable ? SILENCE_MS : HELLO_MS;
    if (now() - heardAt > limit) lost(1006, "");
  }

  /** @param {object} message */
  function send(message) {
    if (!usable || !socket || socket.readyState !== 1) return false;
    socket.send(JSON.stringify(message));
    return true;
  }

  return {
    send,
    start: connect,
    /** The page is back in view, or the network is: is the link still alive? */
    awake() {
      if (!usable) return socket ? undefined : this.now();
      if (now() - heardAt > SILENCE_MS) return connect();
      send({ type: "tokenwire:ping", t: now() });
      wake ??= setTimeout(connect, WAKE_MS);
    },
    /** Something is wrong with this link: a new one, after the usual delay. */
    distrust: () => lost(1006, ""),
    /** A person asked, or the network is back: a new link without waiting. */
    now() {
      attempt = 0;
      connect();
    },
    /** Leaves politely; `start` comes back. */
    stop() {
      clearTimeout(retry);
      clearInterval(watch);
      watch = undefined;
      forget();
      say("closed");
    },
  };
}
