/**
 * Where the exchanges of a chat stand. Each has its place at once; what stands there is drawn when it is
 * called for, when it comes near the view, or when the page has time, the newest first. So a long chat opens
 * as fast as a short one. It refuses to know how an exchange is drawn.
 */
import { h } from "./dom.js";
import { TurnView } from "./turnview.js";

/** @typedef {import("../types").Turn} Turn */
/** @typedef {import("./turnview.js").Forks} Forks */

/** Left of an idle moment, so much is for whatever comes next. */
const SPARE_MS = 4;
/** Where the browser doesn't say that it is idle. */
const PAUSE_MS = 20;

/** @type {(work: (idle: { timeRemaining: () => number }) => void) => void} */
const whenIdle = globalThis.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 0 }), PAUSE_MS));

export class Place {
  node = h("section", { class: "turn" });
  #make;
  /** @type {TurnView | null} */
  #view = null;
  /** @type {string | null} */
  #model = null;
  /** @type {Forks | undefined} */
  #forks;

  /** @param {Turn} turn @param {import("./turnview.js").Hooks} hooks */
  constructor(turn, hooks) {
    this.#make = () => new TurnView(turn, this.node, hooks);
  }

  get drawn() {
    return this.#view !== null;
  }

  /** What stands here. */
  get view() {
    if (!this.#view) {
      this.#view = this.#make();
      this.#view.say(this.#model, this.#forks);
    }
    return this.#view;
  }

  /** @param {import("../state/turn.js").Change} change */
  update(change) {
    this.#view?.update(change);
  }

  /** As the view's own; nothing is done where nothing is new. @param {string | null} model @param {Forks | undefined} forks */
  say(model, forks) {
    if (model === this.#model && !forks && !this.#forks) return;
    this.#model = model;
    this.#forks = forks;
    this.#view?.say(model, forks);
  }
}

/** @param {HTMLElement} column that holds them */
export function createPlaces(column) {
  /** @type {Map<Turn, Place>} */
  const places = new Map();
  /** @type {WeakMap<EventTarget, Place>} */
  const byNode = new WeakMap();
  /** Those that may not be drawn yet, the newest last. @type {Place[]} */
  let blank = [];
  let booked = false;

  column.addEventListener("contentvisibilityautostatechange", (event) => {
    // Drawn by being asked for.
    if (!(/** @type {any} */ (event).skipped)) byNode.get(/** @type {EventTarget} */ (event.target))?.view;
  }, { capture: true });

  function book() {
    if (booked || !blank.length) return;
    booked = true;
    whenIdle((idle) => {
      booked = false;
      do blank.pop()?.view;
      while (blank.length && idle.timeRemaining() > SPARE_MS);
      book();
    });
  }

  return {
    /** @param {Turn} turn */
    of: (turn) => places.get(turn),
    /** Exactly these, in this order. @param {Turn[]} turns @param {import("./turnview.js").Hooks} hooks @param {(i: number) => boolean} now whether it is to be seen at once @returns {HTMLElement[]} */
    arrange(turns, hooks, now) {
      const wanted = new Set(turns);
      for (const turn of places.keys()) if (!wanted.has(turn)) places.delete(turn);
      const nodes = turns.map((turn, i) => {
        const place = places.get(turn) ?? new Place(turn, hooks);
        places.set(turn, place);
        byNode.set(place.node, place);
        if (now(i)) place.view;
        return place.node;
      });
      blank = turns.map((turn) => /** @type {Place} */ (places.get(turn))).filter((place) => !place.drawn);
      book();
      return nodes;
    },
    clear() {
      places.clear();
      blank = [];
    },
  };
}
