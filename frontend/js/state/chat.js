/**
 * One chat: its exchanges on the shown path, and the verbs send, stop, retry. It asks the link for streams
 * and the API for what is stored; views watch it. No DOM.
 */
import { adopt, applyEvent, isLive, newTurn, refuse, rewind, turnOf } from "./turn.js";
import { leafThrough, pathTo } from "./tree.js";

/** @typedef {import("../types").Turn} Turn */
/** @typedef {import("./turn.js").Change} Change */
/** @typedef {{ create: ReturnType<typeof import("../net/link.js").createLink>["create"],
 *   attach: ReturnType<typeof import("../net/link.js").createLink>["attach"] }} Link */
/** Called with a turn when that turn changed, without one when the list or the loading state did.
 *  @typedef {(turn: Turn | null, change: Change) => void} Watcher */
/** @typedef {{
 *   link: Link,
 *   fetchChat: (id: string) => Promise<{entries: import("../types").Entry[], leaf: string | null}>,
 *   createChat: () => Promise<string>,
 *   onCreated: (chat: Chat) => void,
 * }} Needs */

/** The server keeps the answer, but not its events. */
const EXPIRED = "tokenwire_stream_expired";
/** The server lost the newest events: they were seen here while it couldn't save them, and then it ended. */
const LOST = "invalid_starting_after";

export class Chat {
  /** @type {Turn[]} */
  turns = [];
  /** @type {"ready" | "loading" | "failed"} */
  status = "ready";
  /** @type {(Error & {code?: string | null}) | null} */
  error = null;

  /** @type {Needs} */
  #needs;
  /** @type {Map<Turn, import("../net/link.js").Handle>} */
  #streams = new Map();
  /** @type {Set<Watcher>} */
  #watchers = new Set();
  /** @type {Promise<string> | null} */
  #creating = null;
  /** What was opened in a branch that isn't the newest: that branch stays. @type {string | null} */
  #held = null;

  /** @param {string | null} id null: a chat that the server hasn't heard of @param {Needs} needs */
  constructor(id, needs) {
    this.id = id;
    this.#needs = needs;
  }

  /** @param {Watcher} watcher */
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** @returns {Turn | undefined} the exchange being written */
  get live() {
    return this.turns.find(isLive);
  }

  /** Reads what is stored and follows what still runs. */
  async load() {
    if (!this.id) return;
    this.status = "loading";
    this.#tell();
    try {
      this.#show(await this.#needs.fetchChat(this.id));
      this.status = "ready";
    } catch (error) {
      this.status = "failed";
      this.error = /** @type {Error} */ (error);
    }
    this.#tell();
  }

  /**
   * Takes in what happened elsewhere, unless this page is ahead of the answer.
   * @param {boolean} [edited] what had been said may have changed, too
   */
  async refresh(edited = false) {
    if (this.status === "failed" && !this.turns.length) return this.load();
    if (!this.id || this.status === "loading") return;
    const fetched = await this.#needs.fetchChat(this.id).catch(() => null);
    if (!fetched) return;
    this.#keep(fetched.entries);
    const known = new Set(fetched.entries.map((e) => e.response.id));
    if (this.turns.some((t) => !t.id || !known.has(t.id))) return;
    this.#show(fetched, edited);
    this.status = "ready";
    this.#tell();
  }

  /** Shows the branch that a response is in. @param {string} response */
  async hold(response) {
    if (this.turns.some((t) => t.id === response)) return;
    this.#held = response;
    if (this.status !== "loading") await this.load();
  }

  /** What could not be saved at its end may have been saved since. @param {import("../types").Entry[]} entries */
  #keep(entries) {
    for (const turn of this.turns) {
      const entry = turn.saved ? undefined : entries.find((e) => e.response.id === turn.id);
      if (!entry || isLive(turnOf(entry))) continue;
      turn.saved = true;
      this.#tell(turn, "state");
    }
  }

  /** @param {{entries: import("../types").Entry[], leaf: string | null}} stored @param {boolean} [edited] */
  #show({ entries, leaf }, edited = false) {
    const shown = this.#held ? leafThrough(entries, this.#held, leaf) : leaf;
    // One that is written in another branch is still followed.
    const kept = edited ? this.turns.filter((t) => isLive(t) || !t.saved) : this.turns;
    const mine = new Map([...this.#streams.keys(), ...kept].map((t) => [t.id, t]));
    this.turns = pathTo(entries, shown).map(turnOf).map((t) => mine.get(t.id) ?? t);
    for (const turn of this.turns) {
      if (turn.id && isLive(turn) && !this.#streams.has(turn)) this.#follow(turn);
    }
  }

  /** @param {string} prompt @param {string} model @returns {Turn} */
  send(prompt, model) {
    const parent = this.turns.findLast((t) => t.id && t.saved)?.id ?? null;
    const turn = newTurn(prompt, model, parent);
    this.turns = [...this.turns, turn];
    this.#tell();
    this.#start(turn);
    return turn;
  }

  /** Asks the same again in place of an exchange that went wrong. @param {Turn} failed @param {string} model */
  retry(failed, model) {
    const turn = newTurn(failed.prompt, model, failed.parent);
    this.turns = this.turns.map((t) => (t === failed ? turn : t));
    this.#tell();
    this.#start(turn);
  }

  /** The text stays; the end is the server's to tell. */
  stop() {
    const turn = this.live;
    if (!turn || turn.stopping) return;
    turn.stopping = true;
    if (this.#streams.get(turn)?.cancel() === false) this.#stopped(turn);
    this.#tell(turn, "state");
  }

  /** @param {Turn} turn */
  async #start(turn) {
    // What is said from here is the newest.
    this.#held = null;
    try {
      this.id ?? (await this.#create());
    } catch (error) {
      const { code, message } = /** @type {import("../net/api.js").ApiError} */ (error);
      return this.#fail(turn, { code, message });
    }
    if (turn.stopping) return this.#stopped(turn);
    const request = {
      model: turn.model,
      conversation: this.id,
      // Named also where there is none: left out, a second send would be taken to continue the first.
      previous_response_id: turn.parent,
      input: [{ type: "message", role: "user", content: turn.prompt }],
      tokenwire: { idempotency_key: turn.key },
    };
    this.#streams.set(turn, this.#needs.link.create(request, this.#reader(turn)));
  }

  async #create() {
    this.#creating ??= this.#needs.createChat();
    try {
      this.id = await this.#creating;
    } finally {
      this.#creating = null;
    }
    this.#needs.onCreated(this);
  }

  /** @param {Turn} turn */
  #follow(turn) {
    if (!turn.id) return;
    this.#streams.set(turn, this.#needs.link.attach(turn.id, -1, this.#reader(turn)));
  }

  /** @param {Turn} turn @returns {import("../net/link.js").Reader} */
  #reader(turn) {
    return {
      onEvent: (event) => {
        const change = applyEvent(turn, event);
        if (!isLive(turn)) this.#streams.delete(turn);
        if (change) this.#tell(turn, change);
      },
      onError: (error) => {
        if (error.code === EXPIRED) this.#reread(turn, error);
        else if (error.code === LOST) this.#again(turn);
        else this.#fail(turn, error);
      },
    };
  }

  /** What this page has is no longer what the server has: from the start. @param {Turn} turn */
  #again(turn) {
    rewind(turn);
    this.#tell(turn, "reset");
    this.#follow(turn);
    if (turn.stopping) this.#streams.get(turn)?.cancel();
  }

  /** Its events are gone; what is stored of it is not. @param {Turn} turn @param {import("../types").ErrorBody} error */
  async #reread(turn, error) {
    this.#streams.delete(turn);
    const fetched = this.id ? await this.#needs.fetchChat(this.id).catch(() => null) : null;
    const entry = fetched?.entries.find((e) => e.response.id === turn.id);
    const stored = entry && turnOf(entry);
    if (!stored || isLive(stored)) return this.#fail(turn, error);
    adopt(turn, stored);
    this.#tell(turn, "reset");
  }

  /** @param {Turn} turn @param {import("../types").ErrorBody} error */
  #fail(turn, error) {
    this.#streams.delete(turn);
    refuse(turn, error);
    this.#tell(turn, "state");
  }

  /** It never left this page. @param {Turn} turn */
  #stopped(turn) {
    this.#streams.delete(turn);
    turn.phase = "stopped";
    turn.stopping = false;
    this.#tell(turn, "state");
  }

  /** @param {Turn | null} turn @param {Change} change */
  #tell(turn = null, change = null) {
    for (const watcher of [...this.#watchers]) watcher(turn, change);
  }
}
