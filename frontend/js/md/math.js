/**
 * Typesets formulas when the page has time for it, a few milliseconds at once. What was set is kept, so that
 * a formula in a text that is still being written is set once. It refuses to know TeX.
 */
import { wake } from "../styles.js";
import { sourceOf } from "./formula.js";

/** A longer one stays as it was typed. */
const LONGEST = 2_000;
const KEPT = 400;
const SLICE_MS = 8;

/** @type {Promise<typeof import("./temml.js")> | null} */
let loading = null;
/** Set formulas by their text; null: not to be set. @type {Map<string, Node | null>} */
const kept = new Map();
/** @type {Map<string, Set<HTMLElement>>} */
const waiting = new Map();

/** @param {HTMLElement} node as the renderer made it; filled now or later */
export function setFormula(node) {
  const text = textOf(node);
  if (text.length > LONGEST || node.dataset.set !== undefined) return;
  if (kept.has(text)) return fill(node, kept.get(text) ?? null);
  const nodes = waiting.get(text) ?? new Set();
  if (!waiting.size) later();
  waiting.set(text, nodes.add(node));
}

/** With its delimiters, which say how it is set. @param {HTMLElement} node */
const textOf = (node) => node.textContent ?? "";

/** @param {HTMLElement} node @param {Node | null} formula */
function fill(node, formula) {
  if (!formula) return;
  node.append(formula.cloneNode(true));
  node.dataset.set = "";
}

function later() {
  loading ??= Promise.all([import("./temml.js"), styles()]).then(([module]) => module);
  loading.then((module) => whenIdle(() => work(module.typeset)), () => {
    loading = null;
    waiting.clear();
  });
}

/** @param {() => void} task */
const whenIdle = (task) => ("requestIdleCallback" in globalThis ? requestIdleCallback(task, { timeout: 200 }) : setTimeout(task, 20));

/** Without its font a formula is less fair, no more. */
async function styles() {
  await wake("math-styles");
  await document.fonts.load("1em 'Page Math'").catch(() => {});
}

/** @param {(source: string, display: boolean) => Node | null} typeset */
function work(typeset) {
  const end = performance.now() + SLICE_MS;
  for (const [text, nodes] of waiting) {
    waiting.delete(text);
    const formula = attempt(typeset, text);
    keep(text, formula);
    for (const node of nodes) fill(node, formula);
    if (performance.now() > end) break;
  }
  if (waiting.size) later();
}

/** @param {(source: string, display: boolean) => Node | null} typeset @param {string} text */
function attempt(typeset, text) {
  try {
    return typeset(sourceOf(text), !/^(\\\(|\$(?!\$))/.test(text));
  } catch {
    return null;
  }
}

/** @param {string} text @param {Node | null} formula */
function keep(text, formula) {
  kept.set(text, formula);
  const [oldest] = kept.keys();
  if (kept.size > KEPT) kept.delete(oldest);
}
