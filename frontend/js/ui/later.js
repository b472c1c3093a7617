/**
 * The extras, fetched once: when the page has nothing better to do, or when they are wanted before. What
 * could not be fetched is fetched again when it is wanted again.
 */

/** Once the first screen is there: what is fetched when it is wanted may be wanted when the server is away. */
const IDLE_MS = 1_000;

/** @typedef {typeof import("./extras.js")} Extras */

/** @type {Promise<Extras> | null} */
let coming = null;

/** @returns {Promise<Extras>} */
export function extras() {
  coming ??= import("./extras.js").catch((error) => {
    coming = null;
    throw error;
  });
  return coming;
}

/** @template T @param {(extras: Extras) => T} use what to do with them once they are there */
export function whenIdle(use) {
  setTimeout(() => extras().then(use, () => {}), IDLE_MS);
}
