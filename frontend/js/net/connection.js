/**
 * One connection that comes back: reconnects with backoff, notices dead links, follows the page's life, and
 * goes over a WebSocket or, where none gets through, over an event stream. It speaks JSON frames and refuses to
 * know what is in them, except `tokenwire:hello` (the link is usable) and `tokenwire:ping`/`pong` (it is alive).
 * No DOM: the page's events are handed in by name.
 */
import { recall, remember } from "../state/memory.js";
import { STEADY_MS, delay, dictated, isFinal } from "./backoff.js";
import { createChoice } from "./choice.js";
import { openSocket } from "./socket.js";

/** The server speaks at least every 15 s. */
const SILENCE_MS = 35_000;
const LOOK_MS = 5_000;
/** How long a page that just woke up waits for an answer before it opens a new link. */
const WAKE_MS = 3_000;
/** From opening to the hello. */
const HELLO_MS = 15_000;
/** The same, before it is asked whether the server is there at all. */
const PATIENCE_MS = 4_000;
/** How long a page that nobody sees keeps a stream that it has no use for: browsers have six to a host. */
const REST_MS = 30_000;
const MEMORY = "carrier";

/** @typedef {import("../types").Event} Event */
/** @typedef {import("../types").LinkInfo} LinkInfo */
/** @typedef {import("./socket.js").Line} Line */
/** @typedef {import("./socket.js").Ears} Ears */
/** @typedef {{
 *   url: string, WebSocket?: any, now?: () => number, random?: () => number, memory?: import("./choice.js").Memory,
 *   reach?: () => Promise<boolean>, openStream?: (ears: Ears) => Line, busy?: () => boolean,
 *   onStatus: (info: LinkInfo) => void, onHello: (event: Event) => void, onEvent: (event: Event) => void,
 * }} Options `reach`: whether a plain request is answered; `busy`: whether something is waited for */

/** @param {Options} options */
export function createConnection(options) {
  const { url, onStatus, onHello, onEvent, reach = answers, busy = () => false } = options;
  const now = options.now ?? Date.now;
  const random = options.random ?? Math.random;
  const choice = createChoice({ now, memory: options.memory ?? memory });
  const carriers = {
    socket: (/** @type {Ears} */ ears) => openSocket(url, options.WebSocket ?? globalThis.WebSocket, ears),
    stream: options.openStream ?? openLater,
  };

  /** @type {Line | null} */
  let line = null;
  /** A WebSocket that is tried beside a stream. @type {Line | null} */
  let beside = null;
  let attempt = 0;
  let usable = false;
  let openedAt = 0;
  let heardAt = 0;
  let lostAt = 0;
  /** Since when nobody sees the page; 0 while someone does. */
  let hiddenAt = 0;
  let resting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let wake;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let doubt;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let watch;

  /** @param {import("../types").LinkStatus} status */
  const say = (status, code = 0) => onStatus({ status, since: status === "open" ? 0 : lostAt, code, blocked: choice.blocked });

  function connect() {
    clearTimeout(retry);
    forget();
    resting = false;
    openedAt = heardAt = now();
    if (!lostAt) lostAt = now();
    say("connecting");
    line = open(choice.carrier);
    doubt = setTimeout(() => suspect(true), PATIENCE_MS);
    watch ??= setInterval(look, LOOK_MS);
  }

  /** A line that was replaced is ignored by identity. @param {import("./choice.js").Carrier} carrier */
  function open(carrier) {
    const mine = carriers[carrier]({
      onFrame: (data) => receive(mine, data),
      onClose(code, reason) {
        if (mine === beside) beside = null;
        else if (mine === line) lost(code, reason);
      },
    });
    return mine;
  }

  /** Dropping is forgetting: close() on a dead TCP link can take minutes. */
  function forget() {
    clearTimeout(wake);
    clearTimeout(doubt);
    wake = undefined;
    const old = [line, beside];
    line = beside = null;
    usable = false;
    for (const one of old) one?.close();
  }

  /** @param {number} code @param {string} reason */
  function lost(code, reason) {
    if (usable && now() - openedAt >= STEADY_MS) attempt = 0;
    if (usable || !lostAt) lostAt = now();
    if (!usable && !isFinal(code)) suspect(false);
    drop(code, reason);
  }

  /** @param {number} code @param {string} reason */
  function drop(code, reason) {
    forget();
    if (isFinal(code)) return say("refused", code);
    say("lost", code);
    retry = setTimeout(connect, dictated(code, reason) ?? delay(attempt++, random));
  }

  /** The server has not been heard: is it away, or is only this carrier not let through? @param {boolean} hung */
  async function suspect(hung) {
    const [mine, { carrier }] = [line, choice];
    const reached = await reach();
    if (!watch || usable || (hung && (mine !== line || !reached))) return;
    choice.failed(carrier, reached, hung);
    if (carrier === "socket" && choice.carrier === "stream") connect();
    else if (hung) drop(1006, "");
  }

  /** @param {Line} from @param {string} data */
  function receive(from, data) {
    if (from === beside) takeOver(from);
    if (from !== line) return;
    heardAt = now();
    clearTimeout(wake);
    wake = undefined;
    const frame = JSON.parse(data);
    for (const event of Array.isArray(frame) ? frame : [frame]) {
      if (from !== line) return;
      if (event.type === "tokenwire:hello") greet(event);
      else if (event.type !== "tokenwire:ping" && event.type !== "tokenwire:pong") onEvent(event);
    }
  }

  /** @param {Event} event */
  function greet(event) {
    clearTimeout(doubt);
    usable = true;
    lostAt = 0;
    choice.opened();
    onHello(event);
    say("open");
    if (choice.isDue(true)) tryBeside();
  }

  function tryBeside() {
    choice.tried();
    beside?.close();
    beside = open("socket");
  }

  /** @param {Line} socket the server was heard on it */
  function takeOver(socket) {
    beside = null;
    forget();
    choice.back();
    openedAt = now();
    line = socket;
  }

  function look() {
    if (!line) return resting && busy() ? connect() : undefined;
    if (now() - heardAt > (usable ? SILENCE_MS : HELLO_MS)) return lost(1006, "");
    if (!usable || choice.carrier !== "stream") return;
    if (hiddenAt && now() - hiddenAt > REST_MS && !busy()) return rest();
    if (choice.isDue(false)) tryBeside();
  }

  function rest() {
    resting = true;
    forget();
    say("closed");
  }

  /** @param {object} message */
  const send = (message) => usable && line !== null && line.send(message);

  return {
    send,
    start: connect,
    /** The page is back in view, or the network is: is the link still alive? */
    awake() {
      hiddenAt = 0;
      if (!usable) return line ? undefined : this.now();
      if (now() - heardAt > SILENCE_MS) return connect();
      send({ type: "tokenwire:ping", t: now() });
      wake ??= setTimeout(connect, WAKE_MS);
    },
    /** Nobody sees the page. */
    hide() {
      hiddenAt = now();
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
      resting = false;
      forget();
      say("closed");
    },
  };
}

/** Few pages need it. @param {Ears} ears @returns {Line} */
function openLater(ears) {
  /** @type {Line | null} */
  let line = null;
  let closed = false;
  import("./stream.js").then(
    ({ openStream }) => {
      if (!closed) line = openStream(ears);
    },
    () => ears.onClose(1006, ""),
  );
  return {
    send: (message) => line !== null && line.send(message),
    close() {
      closed = true;
      line?.close();
    },
  };
}

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) })).ok;
  } catch {
    return false;
  }
}

/** A new tab need not find out again. @type {import("./choice.js").Memory} */
const memory = { get: () => recall(MEMORY) !== null, set: (stream) => remember(MEMORY, stream ? "stream" : null) };
