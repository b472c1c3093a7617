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
  return upFrom((leaf !== null && byId.get(leaf)) || newest(entries), byId).reverse();
}

/**
 * The leaf of a path that goes through a response: `leaf` where its path does, else the newest that does.
 * @param {Entry[]} entries in any order
 * @param {string} response
 * @param {string | null} leaf
 * @returns {string | null} `leaf` also where there is no such response
 */
export function leafThrough(entries, response, leaf) {
  /** @type {Map<string, Entry>} */
  const byId = new Map(entries.map((entry) => [entry.response.id, entry]));
  const through = entries.filter((entry) => upFrom(entry, byId).some((e) => e.response.id === response));
  if (through.some((entry) => entry.response.id === leaf)) return leaf;
  return newest(through)?.response.id ?? leaf;
}

/** @param {Entry | undefined} at @param {Map<string, Entry>} byId @returns {Entry[]} from there to the root */
function upFrom(at, byId) {
  /** @type {Set<Entry>} */
  const path = new Set();
  while (at && !path.has(at)) {
    path.add(at);
    at = byId.get(at.response.previous_response_id ?? "");
  }
  return [...path];
}

/** @param {Entry[]} entries */
const newest = (entries) => [...entries].sort(later).at(-1);

/** Ids grow with time, so they decide within one second. @param {Entry} a @param {Entry} b */
function later(a, b) {
  return a.response.created_at - b.response.created_at || (a.response.id > b.response.id ? 1 : -1);
}
