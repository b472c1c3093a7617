/**
 * What this browser remembers by itself: drafts, the model of each chat, the theme, the folded sidebar.
 * A browser that refuses storage forgets, and nothing else breaks.
 */

const PREFIX = "tokenwire.";
const KEPT = 200;

/** @param {string} key @returns {string | null} */
export function recall(key) {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string | null} value null forgets */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
  } catch {
    // Full or forbidden.
  }
}

/**
 * A small map from chats to words under one key, that forgets its oldest entries.
 * @param {string} key
 */
export function createNotes(key) {
  /** @returns {[string, string][]} */
  const read = () => {
    try {
      const rows = JSON.parse(recall(key) ?? "[]");
      return Array.isArray(rows) ? rows : [];
    } catch {
      return [];
    }
  };
  return {
    /** @param {string} name */
    get: (name) => read().find(([n]) => n === name)?.[1] ?? null,
    /** @param {string} name @param {string | null} value */
    set(name, value) {
      const rest = read().filter(([n]) => n !== name);
      remember(key, JSON.stringify((value ? [...rest, [name, value]] : rest).slice(-KEPT)));
    },
  };
}
