/**
 * Temml, which makes MathML of TeX: a chunk of its own, fetched with the first formula. What it makes is
 * looked through before it becomes nodes: a formula reaches nothing outside its own box.
 */
import temml from "temml";

/** @typedef {{ attributes?: Record<string, string>, style?: Record<string, string>, classes?: string[], children?: Tree[], href?: string, toNode: () => Node }} Tree */

const OPTIONS = { trust: false, throwOnError: false, maxExpand: 1_000, errorColor: "var(--wrong)" };
/** em, points. Temml holds sizes to it, but not negative ones. @type {[number, number]} */
const LARGEST = [10, 100];
/** Deeper ones are laid out for too long. */
const DEEPEST = 100;
const LENGTH = /(-?[\d.]+)(em|ex|pt|px|pc|in|cm|mm|vw|vh)\b/g;

/** @param {string} source @param {boolean} display @returns {Node | null} null: it is no formula that TeX would take */
export function typeset(source, display) {
  const tree = temml.__renderToMathMLTree(source, { ...OPTIONS, displayMode: display, wrap: display ? "none" : "tex", maxSize: LARGEST });
  return tame(tree) ? tree.toNode() : null;
}

/** @param {Tree} tree @param {number} [depth] @returns {boolean} */
function tame(tree, depth = 0) {
  if (tree.classes?.includes("temml-error") || tree.href || depth > DEEPEST) return false;
  const { attributes = {}, style = {}, children = [] } = tree;
  if (attributes.style && tree.style) {
    // As an attribute it would be refused by the page's policy.
    for (const [, name, value] of attributes.style.matchAll(/([\w-]+):\s*([^;]+)/g)) style[name] = value;
    delete attributes.style;
  }
  delete attributes.id;
  return [...Object.values(attributes), ...Object.values(style)].every(small) && children.every((child) => tame(child, depth + 1));
}

/** @param {unknown} value */
const small = (value) =>
  [...String(value).matchAll(LENGTH)].every(([, number, unit]) => Math.abs(Number(number)) <= (/e[mx]/.test(unit) ? LARGEST[0] : LARGEST[1]));
