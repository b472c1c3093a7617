/**
 * A value that can be watched. It knows neither the DOM nor what it holds.
 */

/**
 * @template {object} T
 * @param {T} initial
 */
export function createStore(initial) {
  let state = initial;
  /** @type {Set<(state: T, before: T) => void>} */
  const listeners = new Set();
  return {
    get: () => state,
    /** @param {Partial<T>} patch */
    set(patch) {
      const before = state;
      state = { ...state, ...patch };
      for (const listener of [...listeners]) listener(state, before);
    },
    /** Calls back after each change of any of the named fields. @param {(keyof T)[]} keys @param {(state: T) => void} listener */
    watch(keys, listener) {
      /** @param {T} after @param {T} before */
      const filtered = (after, before) => {
        if (keys.some((key) => after[key] !== before[key])) listener(after);
      };
      listeners.add(filtered);
      return () => listeners.delete(filtered);
    },
  };
}

/** @typedef {ReturnType<typeof createStore<import("../types").AppState>>} Store */
