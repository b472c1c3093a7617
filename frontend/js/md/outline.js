/**
 * The outline of a text on its page: no heading is more than one level below the one before it, however
 * deep the model says that it is. How large a heading looks is its class's matter.
 */

/** What stands above a text: its own headings begin below. */
export const ABOVE = 2;

/**
 * @param {Node[]} nodes blocks in their order; a heading that is too deep is replaced
 * @param {number} last the level of the heading before them
 * @returns {number} the level of the last one of them
 */
export function outline(nodes, last) {
  nodes.forEach((node, i) => {
    const heading = /** @type {HTMLElement} */ (node);
    if (!/^H\d$/i.test(heading.tagName ?? "")) return;
    last = Math.min(Number(heading.tagName[1]), last + 1);
    if (heading.tagName[1] === String(last)) return;
    const nearer = document.createElement(`h${last}`);
    nearer.className = heading.className;
    nearer.append(...heading.childNodes);
    nodes[i] = nearer;
  });
  return last;
}
