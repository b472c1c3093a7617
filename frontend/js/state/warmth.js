/**
 * Reading ahead: while a chat is looked at or typed into, the server reads what its next prompt begins with
 * into the engine's cache. One at a time, after a pause, never again for what was read, and given up when
 * the chat is left. It refuses to know when a model may be asked; it is told what to read, or nothing.
 */
/** What the next prompt begins with: the exchange that it goes on from, and what a create would say before the text.
 *  @typedef {{ model: string, parent: string | null, fields: Record<string, unknown>, files: string }} Subject */
/** What the server said of it: the tokens of the whole, and how many of them the engine has in its cache.
 *  @typedef {{ tokens: number, cached: number }} Warmth */

const PAUSE_MS = 600;
/** Where everybody asks, the server gives up a warm-up after a while. */
const AGAIN_MS = 20_000;

/** Files are long: they are compared as they are. @param {Subject} a @param {Subject} b */
const same = (a, b) =>
  a.model === b.model && a.parent === b.parent && a.files === b.files && JSON.stringify(a.fields) === JSON.stringify(b.fields);

/** @param {{ create: import("./chat.js").Link["create"], onWarm: () => void, now?: () => number }} parts */
export function createWarmth({ create, onWarm, now = Date.now }) {
  /** The one that is waited for or read. @type {{ subject: Subject, timer?: ReturnType<typeof setTimeout>, handle?: import("../net/link.js").Handle } | null} */
  let current = null;
  /** What came of the last one. @type {{ subject: Subject, warmth: Warmth | null, again: number } | null} */
  let done = null;

  function leave() {
    const left = current;
    current = null;
    clearTimeout(left?.timer);
    left?.handle?.cancel();
  }

  /** @param {Subject} subject */
  function begin(subject) {
    const { model, parent, fields, files } = subject;
    const input = files ? { input: [{ type: "message", role: "user", content: files }] } : {};
    const request = { ...fields, ...input, model, previous_response_id: parent, generate: false, store: false };
    const mine = current;
    if (!mine) return;
    /** @param {Warmth | null} warmth @param {number} again */
    const end = (warmth, again) => {
      if (current !== mine) return;
      current = null;
      done = { subject, warmth, again };
      onWarm();
    };
    mine.handle = create(request, {
      onEvent(event) {
        const { response } = event;
        if (event.type !== "response.completed" || !response?.usage) {
          if (/\.(completed|incomplete|failed)$/.test(event.type)) end(null, now() + AGAIN_MS);
          return;
        }
        const { input_tokens } = response.usage;
        const cached = Math.min(input_tokens, response.tokenwire?.warm_tokens ?? 0);
        end({ tokens: input_tokens, cached }, cached < input_tokens ? now() + AGAIN_MS : Infinity);
      },
      // What was refused once would be again.
      onError: () => end(null, Infinity),
    });
  }

  return {
    /** @param {Subject | null} subject what should be read now; null: nothing */
    want(subject) {
      if (subject && current && same(current.subject, subject)) return;
      leave();
      if (!subject || (done && same(done.subject, subject) && now() < done.again)) return;
      current = { subject, timer: setTimeout(() => begin(subject), PAUSE_MS) };
    },
    /** What is known of it. @param {Subject | null} subject @returns {Warmth | null} */
    of: (subject) => (subject && done && same(done.subject, subject) ? done.warmth : null),
    /** The cache is gone with its engine. */
    forget() {
      leave();
      done = null;
    },
  };
}
