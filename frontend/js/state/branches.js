/**
 * Where a chat forks: the versions of what was asked and, under each, the versions of its answer. Pure: it
 * is handed all exchanges of a chat and knows neither which of them is shown nor how.
 */

/** An exchange as far as forks go. @typedef {{ id: string | null, parent: string | null, prompt: string, at: number }} Node */
/** `at` counts from 1; `others` are the ids in order, this one's among them. @typedef {{ at: number, of: number, others: (string | null)[] }} Versions */

/**
 * @template {Node} N
 * @param {N[]} nodes all of a chat, in any order
 * @returns {Map<N, { asked: Versions, answered: Versions }>} of each that has siblings: how it was asked, and how the same was answered
 */
export function forksOf(nodes) {
  /** @type {Map<string | null, N[]>} */
  const children = new Map();
  for (const node of nodes) {
    const siblings = children.get(node.parent);
    if (siblings) siblings.push(node);
    else children.set(node.parent, [node]);
  }
  const forks = new Map();
  for (const siblings of children.values()) {
    if (siblings.length < 2) continue;
    siblings.sort(older);
    for (const node of siblings) forks.set(node, versionsOf(siblings, node));
  }
  return forks;
}

/** @param {Node[]} siblings oldest first @param {Node} of */
function versionsOf(siblings, of) {
  const prompts = [...new Set(siblings.map((n) => n.prompt))];
  // The newest answer stands for how it was asked.
  const asked = prompts.map((prompt) => (prompt === of.prompt ? of : siblings.findLast((n) => n.prompt === prompt)) ?? of);
  return { asked: among(asked, of), answered: among(siblings.filter((n) => n.prompt === of.prompt), of) };
}

/** @param {Node[]} nodes @param {Node} of @returns {Versions} */
const among = (nodes, of) => ({ at: nodes.indexOf(of) + 1, of: nodes.length, others: nodes.map((n) => n.id) });

/** Ids grow with time, so they decide within one second; what the server hasn't named is the newest. @param {Node} a @param {Node} b */
function older(a, b) {
  if (a.id === null || b.id === null) return Number(a.id === null) - Number(b.id === null);
  return a.at - b.at || (a.id > b.id ? 1 : -1);
}
