/**
 * What this browser remembers by itself: drafts, the model of each chat, the theme, the folded sidebar, what
 * carries its connection.
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

/** @param {string} key @param {string | null} value null forgets @returns {boolean} whether it is kept */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
    return true;
  } catch {
    // Full or forbidden.
    return false;
  }
}

/**
 * A small map from chats to words under one key, that forgets its oldest entries.
 * @param {string} key @param {number} most characters of all of them
 */
export function createNotes(key, most = Infinity) {
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
    /** @param {string} name @param {string | null} value @returns {boolean} whether it is kept */
    set(name, value) {
      const rest = read().filter(([n]) => n !== name);
      const rows = (value ? [...rest, [name, value]] : rest).slice(-KEPT);
      const json = JSON.stringify(rows);
      if (json.length <= most && remember(key, json)) return true;
      // What does not fit is not there; what was there before it is not what is meant.
      remember(key, JSON.stringify(rest));
      return false;
    },
  };
}
