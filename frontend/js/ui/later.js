/**
 * The extras, fetched once: when the page has nothing better to do, or when they are wanted before. What
 * could not be fetched is fetched again when it is wanted again.
 */

/** Once the first screen is there: what is fetched when it is wanted may be wanted when the server is away. */
const IDLE_MS = 1_000;

/** @typedef {typeof import("./extras.js")} Extras */

/** @type {Promise<Extras> | null} */
let coming = null;
/** @type {Extras | null} */
let there = null;

/** @returns {Promise<Extras>} */
export function extras() {
  coming ??= import("./extras.js").then((extras) => (there = extras), (error) => {
    coming = null;
    throw error;
  });
  return coming;
}

/** What is fair, and not needed: without them it is left undone; once they are there it is done at once. @param {(extras: Extras) => unknown} use */
export function withExtras(use) {
  if (there) use(there);
  else extras().then(use, () => {});
}

/** @template T @param {(extras: Extras) => T} use what to do with them once they are there */
export function whenIdle(use) {
  setTimeout(() => withExtras(use), IDLE_MS);
}
