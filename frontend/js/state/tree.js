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
  const known = entries.some((entry) => entry.response.id === leaf);
  return wayTo(entries, known ? leaf : newest(entries)?.response.id ?? null);
}

/** @param {Entry[]} entries in any order @param {string | null} id @returns {Entry[]} from the root to there, or nothing: oldest first */
export function wayTo(entries, id) {
  const byId = new Map(entries.map((entry) => [entry.response.id, entry]));
  /** @type {Set<Entry>} */
  const way = new Set();
  for (let at = byId.get(id ?? ""); at && !way.has(at); at = byId.get(at.response.previous_response_id ?? "")) way.add(at);
  return [...way].reverse();
}

/**
 * The leaf of a path that goes through a response: `leaf` where its path does, else the newest that does.
 * @param {Entry[]} entries in any order
 * @param {string} response
 * @param {string | null} leaf
 * @returns {string | null} `leaf` also where there is no such response
 */
export function leafThrough(entries, response, leaf) {
  /** @type {Map<string | null, Entry[]>} */
  const below = new Map();
  for (const entry of entries) {
    const parent = entry.response.previous_response_id;
    below.set(parent, [...(below.get(parent) ?? []), entry]);
  }
  const reached = new Set(entries.filter((entry) => entry.response.id === response));
  // It grows while it is gone through.
  for (const entry of reached) for (const child of below.get(entry.response.id) ?? []) reached.add(child);
  const through = [...reached];
  if (through.some((entry) => entry.response.id === leaf)) return leaf;
  return newest(through)?.response.id ?? leaf;
}

/** @param {Entry[]} entries */
const newest = (entries) => [...entries].sort(later).at(-1);

/** Ids grow with time, so they decide within one second. @param {Entry} a @param {Entry} b */
function later(a, b) {
  return a.response.created_at - b.response.created_at || (a.response.id > b.response.id ? 1 : -1);
}
