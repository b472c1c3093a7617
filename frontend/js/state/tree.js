/**
 * The exchanges of a conversation form a tree by previous_response_id; what is shown is one path in it.
 * Pure, and robust against lists out of order, missing parents and cycles.
 */

/** @typedef {import("../types").Entry} Entry */

/**
 * The path from the root to a leaf: to `leaf` where it is known, else to the newest exchange.
 * @param {Entry[]} entries in any order
 * @param {string | null} leaf
 * @returns {Entry[]} oldest first
 */
export function pathTo(entries, leaf) {
  /** @type {Map<string, Entry>} */
  const byId = new Map(entries.map((entry) => [entry.response.id, entry]));
  let at = (leaf !== null && byId.get(leaf)) || newest(entries);
  /** @type {Set<Entry>} */
  const path = new Set();
  while (at && !path.has(at)) {
    path.add(at);
    at = byId.get(at.response.previous_response_id ?? "");
  }
  return [...path].reverse();
}

/** @param {Entry[]} entries */
const newest = (entries) => [...entries].sort(later).at(-1);

/** Ids grow with time, so they decide within one second. @param {Entry} a @param {Entry} b */
function later(a, b) {
  return a.response.created_at - b.response.created_at || (a.response.id > b.response.id ? 1 : -1);
}
