/**
 * The carrier where no WebSocket gets through: what the server says is one event stream, what the page says
 * are POSTs, one after the other. The events are the same, all answers of the page on one stream, as a browser
 * has six connections to a host over HTTP/1.1. It refuses to know what is in them, but for the connection's id.
 */

/** @typedef {import("./socket.js").Line} Line */
/** @typedef {import("./socket.js").Ears} Ears */

const FEED = "/v1/events";
const DATA = "data: ";
const POST_MS = 20_000;
/** What is put into one POST together, as long as it is short. */
const TOGETHER = 64;
const SHORT = 65_536;
const LOST = 1006;
const SIGNED_OUT = 4401;
/** A POST that fails with these may pass on another feed, or later. */
const PASSING = new Set([401, 404, 408, 429]);
const TOO_LONG = { code: "message_too_large", message: "This message is longer than what stands between this page and the server lets through." };

/** @param {Ears} ears @param {(path: string, init: RequestInit) => Promise<Response>} [fetch] @returns {Line} */
export function openStream({ onFrame, onClose }, fetch = (path, init) => globalThis.fetch(path, init)) {
  const ending = new AbortController();
  let path = "";
  /** @type {object[]} */
  let waiting = [];
  let posting = false;

  /** @param {number} [code] */
  function end(code = LOST) {
    if (ending.signal.aborted) return;
    ending.abort();
    onClose(code, "");
  }

  async function listen() {
    const response = await fetch(FEED, { headers: { accept: "text/event-stream" }, cache: "no-store", signal: ending.signal });
    if (!response.ok || !response.body) return end(response.status === 401 ? SIGNED_OUT : LOST);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done || ending.signal.aborted) return end();
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith(DATA)) hear(line.slice(DATA.length));
    }
  }

  /** @param {string} data */
  function hear(data) {
    // The first is the hello.
    path ||= `${FEED}/${JSON.parse(data).connection_id}`;
    if (!ending.signal.aborted) onFrame(data);
  }

  async function post() {
    if (posting) return;
    posting = true;
    while (waiting.length && !ending.signal.aborted) {
      const [body, batch] = together();
      const response = await fetch(path, {
        method: "POST", headers: { "content-type": "application/json" }, body, signal: AbortSignal.timeout(POST_MS),
      }).catch(() => null);
      if (!response || response.status >= 500 || PASSING.has(response.status)) return end();
      if (!response.ok) refuse(batch, await errorOf(response));
    }
    posting = false;
  }

  /** The next body, and what is in it. @returns {[string, object[]]} */
  function together() {
    let [body, count] = [JSON.stringify(waiting[0]), 1];
    for (; count < Math.min(waiting.length, TOGETHER); count++) {
      const next = JSON.stringify(waiting[count]);
      if (body.length + next.length > SHORT) break;
      body += `,${next}`;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return [`{"events":[${body}]}`, batch];
  }

  /** As the server would have said it. @param {object[]} batch @param {object} error */
  function refuse(batch, error) {
    for (const message of batch) {
      const { stream_id } = /** @type {{stream_id?: string}} */ (message);
      if (stream_id && !ending.signal.aborted) onFrame(JSON.stringify({ type: "error", stream_id, error }));
    }
  }

  listen().catch(() => end());
  return {
    send(message) {
      if (!path || ending.signal.aborted) return false;
      waiting.push(message);
      post();
      return true;
    },
    close: () => ending.abort(),
  };
}

/** @param {Response} response */
async function errorOf(response) {
  const json = await response.json().catch(() => null);
  if (json?.error?.message) return json.error;
  return response.status === 413 ? TOO_LONG : { code: null, message: `Something between this page and the server refused this message (${response.status}).` };
}
