/**
 * One chat: its exchanges on the shown path, and the verbs send, edit, retry, go on, say more, stop, show
 * another version. It asks the link for streams and the API for what is stored; views watch it. No DOM.
 */
import { forksOf } from "./branches.js";
import { textOf } from "./pieces.js";
import { adopt, applyEvent, isLive, newTurn, refuse, rewind, turnOf } from "./turn.js";
import { leafThrough, pathTo, wayTo } from "./tree.js";

/** @typedef {import("../types").Turn} Turn */
/** @typedef {import("./turn.js").Change} Change */
/** @typedef {import("./branches.js").Versions} Versions */
/** @typedef {{ create: ReturnType<typeof import("../net/link.js").createLink>["create"],
 *   attach: ReturnType<typeof import("../net/link.js").createLink>["attach"] }} Link */
/** @typedef {import("./chats.js").Part} Part */
/** Called with a turn when that turn changed, without one when the list or the loading state did.
 *  @typedef {(turn: Turn | null, change: Change) => void} Watcher */
/** `fields`: what the settings of a chat have each create say.
 *  @typedef {{
 *   link: Link,
 *   fetchChat: (id: string, how?: { known?: import("../types").Entry[], onPart?: (part: Part) => void }) => Promise<Part>,
 *   createChat: () => Promise<string>,
 *   fields: (id: string | null) => Record<string, unknown>,
 *   setLeaf: (id: string, leaf: string) => Promise<unknown>,
 *   onCreated: (chat: Chat) => void,
 *   onUnsaid: (chat: Chat, text: string) => void,
 * }} Needs */

/** The server keeps the answer, but not its events. */
const EXPIRED = "tokenwire_stream_expired";
/** The server lost the newest events: they were seen here while it couldn't save them, and then it ended. */
const LOST = "invalid_starting_after";
/** What was said to an answer that had just ended. */
const ENDED = "response_already_completed";

/** What is to be seen of it. @param {Turn} turn */
const look = ({ prompt, results, pieces }) => JSON.stringify([prompt, results, pieces.map((p) => [p.kind, p.name, p.text])]);

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
  /** All exchanges, as the server last listed them. @type {import("../types").Entry[]} */
  #entries = [];
  /** Whether these are all. */
  #whole = false;
  /** Exchanges of this page that may not be listed yet. @type {Set<Turn>} */
  #made = new Set();
  /** The leaf that was last shown through an exchange. @type {Map<string, string>} */
  #leaves = new Map();

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

  /** @returns {string | null} the response that the next message goes on from */
  get head() {
    return this.turns.findLast((t) => t.id && t.saved)?.id ?? null;
  }

  /** Reads what is stored and follows what still runs. */
  async load() {
    if (!this.id) return;
    this.status = "loading";
    this.#whole = false;
    this.#tell();
    try {
      const part = await this.#needs.fetchChat(this.id, { onPart: (some) => this.#take(some, false) });
      this.#take(part, true);
    } catch (error) {
      this.status = "failed";
      this.error = /** @type {Error} */ (error);
      this.#tell();
    }
  }

  /** The newest of what is stored, and then what came before it. @param {Part} part @param {boolean} whole */
  #take({ entries, leaf }, whole) {
    if (this.status === "loading") {
      // What is to be seen, with all that goes on from it: it tells the branch.
      const sought = this.#held ?? leaf;
      if (!whole && sought && !entries.some((e) => e.response.id === sought)) return;
      this.#show({ entries, leaf });
      this.status = "ready";
    } else if (!this.#whole) {
      this.#entries = entries;
      const parent = this.turns[0]?.parent;
      if (parent) this.turns = [...this.#turnsOf(wayTo(entries, parent)), ...this.turns];
    }
    this.#whole ||= whole;
    this.#tell();
  }

  /**
   * Takes in what happened elsewhere, unless this page is ahead of the answer.
   * @param {{ edited?: boolean, added?: boolean }} [how] `edited`: what had been said may have changed, too; `added`: there may
   *   be more, and the rest is as it was
   */
  async refresh({ edited = false, added = false } = {}) {
    if (this.status === "failed" && !this.turns.length) return this.load();
    if (!this.id || this.status === "loading") return;
    const known = added && this.#whole ? this.#entries : [];
    const fetched = await this.#needs.fetchChat(this.id, { known }).catch(() => null);
    if (!fetched) return;
    this.#keep(fetched.entries);
    const there = new Set(fetched.entries.map((e) => e.response.id));
    if (this.turns.some((t) => !t.id || !there.has(t.id))) return;
    this.#show(fetched, edited);
    this.#whole = true;
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
    this.#entries = entries;
    this.#made.clear();
    const shown = this.#held ? leafThrough(entries, this.#held, leaf) : leaf;
    const fresh = edited ? new Map(entries.map((e) => [e.response.id, turnOf(e)])) : null;
    // One that is written in another branch is still followed.
    const kept = this.turns.filter((t) => !fresh || isLive(t) || !t.saved || look(t) === look(fresh.get(t.id ?? "") ?? t));
    this.turns = this.#turnsOf(pathTo(entries, shown), kept);
  }

  /** @param {import("../types").Entry[]} path @param {Turn[]} [kept] those of them that stay as they are @returns {Turn[]} */
  #turnsOf(path, kept = []) {
    const mine = new Map([...this.#streams.keys(), ...kept].map((t) => [t.id, t]));
    const turns = path.map((entry) => mine.get(entry.response.id) ?? turnOf(entry));
    for (const turn of turns) {
      if (turn.id && isLive(turn) && !this.#streams.has(turn)) this.#follow(turn);
    }
    return turns;
  }

  /** @param {string} prompt @param {string} model @returns {Turn} */
  send(prompt, model) {
    return this.#put(newTurn(prompt, model, this.head), this.turns.length);
  }

  /** Asks something else in place of what was asked; that stays as another version. @param {Turn} of @param {string} prompt @param {string} model */
  edit(of, prompt, model) {
    return this.#put(newTurn(prompt, model, of.parent), this.turns.indexOf(of));
  }

  /** Asks the same again. @param {Turn} of @param {string} model */
  retry(of, model) {
    return this.edit(of, of.prompt, model);
  }

  /** Goes on with an answer that was cut, as another version of it. @param {Turn} cut */
  goOn(cut) {
    const turn = newTurn(cut.prompt, cut.model, cut.parent);
    turn.pieces = cut.pieces.map((piece) => ({ ...piece }));
    turn.continues = cut.id;
    return this.#put(turn, this.turns.indexOf(cut));
  }

  /** Shows a turn at a place, with nothing after it, and asks it. @param {Turn} turn @param {number} at */
  #put(turn, at) {
    for (const t of this.turns) this.#made.add(t);
    this.turns = [...this.turns.slice(0, at), turn];
    this.#tell();
    this.#start(turn);
    return turn;
  }

  /**
   * Says more to the answer that is being written: it is cut, and another goes on with what was said.
   * @param {string} text
   * @returns {boolean} false: it can't be said now
   */
  steer(text) {
    const turn = this.live;
    if (!turn || turn.stopping || !this.#streams.get(turn)?.steer(text)) return false;
    turn.steers.push(text);
    this.#tell(turn, "state");
    return true;
  }

  /** Of each shown turn that has other versions: how it was asked, and how the same was answered. @returns {Map<Turn, { asked: Versions, answered: Versions }>} */
  forks() {
    const shown = new Map(this.turns.map((t) => [t.id ?? t, t]));
    const found = [...forksOf(this.#nodes())].map(([node, versions]) => [shown.get(node.id ?? /** @type {Turn} */ (node.turn)), versions]);
    return new Map(/** @type {[Turn, any][]} */ (found.filter(([turn]) => turn)));
  }

  /** @returns {(import("./branches.js").Node & { turn: Turn | null })[]} what is stored, and what is only here */
  #nodes() {
    /** @type {(import("./branches.js").Node & { turn: Turn | null })[]} */
    const stored = this.#entries.map(({ response, input }) => ({
      id: response.id, parent: response.previous_response_id, at: response.created_at, turn: null,
      prompt: textOf(input.filter((i) => i.role === "user")),
    }));
    const known = new Set(stored.map((n) => n.id));
    const own = [...new Set([...this.#made, ...this.turns])].filter((t) => (t.id ? !known.has(t.id) : this.turns.includes(t)));
    return [...stored, ...own.map((turn) => ({ id: turn.id, parent: turn.parent, prompt: turn.prompt, at: turn.made.at ?? Infinity, turn }))];
  }

  /** Shows another version, and what was last said after it. @param {string} id of its response */
  async turnTo(id) {
    if (!this.id) return;
    for (const turn of this.turns) {
      const leaf = this.turns.at(-1)?.id;
      if (turn.id && leaf) this.#leaves.set(turn.id, leaf);
    }
    const fetched = await this.#needs.fetchChat(this.id).catch(() => ({ entries: this.#entries }));
    const leaf = leafThrough(fetched.entries, id, this.#leaves.get(id) ?? null);
    this.#held = null;
    // A message that the server doesn't have yet is in the outbox; it comes back with its answer.
    this.#show({ entries: fetched.entries, leaf });
    this.#tell();
    // Where the server is away this page shows it all the same.
    if (leaf) await this.#needs.setLeaf(this.id, leaf).catch(() => { this.#held = id; });
  }

  /** Another page has turned to another branch. @param {string | null} leaf */
  async lead(leaf) {
    if (leaf && !this.#held && this.status === "ready" && this.turns.at(-1)?.id !== leaf) await this.refresh({ added: true });
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
    this.#streams.set(turn, this.#needs.link.create(this.#request(turn), this.#reader(turn)));
  }

  /** @param {Turn} turn */
  #request(turn) {
    const { model, key: idempotency_key, continues } = turn;
    if (continues) return { model, tokenwire: { idempotency_key, continues } };
    return {
      ...this.#needs.fields(this.id),
      model,
      conversation: this.id,
      // Named also where there is none: left out, a second send would be taken to continue the first.
      previous_response_id: turn.parent,
      input: [{ type: "message", role: "user", content: turn.prompt }],
      tokenwire: { idempotency_key },
    };
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
      onUnsaid: (error, text) => this.#unsaid(turn, error, text),
      onFollowed: (handle) => this.#followed(turn, handle),
    };
  }

  /** What was said to an answer wasn't taken. @param {Turn} turn @param {import("../types").ErrorBody} error @param {string} text */
  #unsaid(turn, error, text) {
    turn.steers = turn.steers.filter((s) => s !== text);
    this.#tell(turn, "state");
    if (error.code === ENDED && turn === this.turns.at(-1)) this.send(text, turn.model);
    else this.#needs.onUnsaid(this, text);
  }

  /** Another answer goes on with what was said to this one. @param {Turn} turn @param {import("../net/link.js").Handle} handle */
  #followed(turn, handle) {
    const next = newTurn(turn.steers.join("\n\n"), turn.model, turn.id);
    turn.steers = [];
    this.#streams.set(next, handle);
    if (turn === this.turns.at(-1)) this.turns = [...this.turns, next];
    this.#tell();
    return this.#reader(next);
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
    // It has no name here yet; it will be in the list.
    if (!turn.id) this.turns = this.turns.filter((t) => t !== turn);
    if (!turn.id) return this.refresh();
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
