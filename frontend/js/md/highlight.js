/**
 * Colours for finished code blocks, when the page has time for it. The highlighter answers with markup of
 * one known shape (text, entities, spans with a class); it is read here and built as nodes.
 */
import { decode } from "./entities.js";

/** Longer code, and code with a longer line, stays plain. */
const LIMIT = 50_000;
const LINE = 500;
/** So much at once: the highlighter's patterns take the square of a text that is made to tire them. */
const PIECE = 6_000;

/** @type {Promise<typeof import("./grammars.js")> | null} */
let grammars = null;

/** @returns {Promise<unknown>} when the page has time */
const idle = () => new Promise((done) => {
  if ("requestIdleCallback" in globalThis) requestIdleCallback(done, { timeout: 500 });
  else setTimeout(done, 50);
});

/** @param {HTMLElement} figure a finished code block */
export async function colour(figure) {
  const lang = figure.dataset.lang?.toLowerCase();
  const body = figure.querySelector("code");
  const source = body?.textContent ?? "";
  if (!lang || !body || source.length > LIMIT || source.split("\n").some((line) => line.length > LINE)) return;
  try {
    grammars ??= import("./grammars.js");
    const { highlight } = await grammars;
    const nodes = [];
    for (const piece of pieces(source)) {
      await idle();
      const markup = highlight(piece, lang);
      if (markup === null) return;
      nodes.push(...nodesOf(markup));
    }
    body.replaceChildren(...nodes);
  } catch {
    grammars = null;
  }
}

/** Cut where something at the top of the code begins, if it does, else at a line. @param {string} source @returns {string[]} */
export function pieces(source) {
  const found = [];
  let rest = source;
  while (rest.length > PIECE) {
    const most = rest.slice(0, PIECE);
    const tops = [...most.matchAll(/\n\n(?=\S)/g)].map((match) => match.index + 2).filter((at) => at > PIECE / 2);
    const at = tops.at(-1) ?? most.lastIndexOf("\n") + 1;
    found.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...found, rest];
}

/** @param {string} markup @returns {Node[]} */
export function nodesOf(markup) {
  const root = document.createElement("span");
  /** @type {HTMLElement[]} */
  const stack = [root];
  for (const [, name, close, text] of markup.matchAll(/<span class="([^"]*)">|(<\/span>)|([^<]+)/g)) {
    const top = stack[stack.length - 1];
    if (close) stack.pop();
    else if (text !== undefined) top.append(decode(text));
    else {
      const span = document.createElement("span");
      span.className = name;
      top.append(span);
      stack.push(span);
    }
  }
  return [...root.childNodes];
}
