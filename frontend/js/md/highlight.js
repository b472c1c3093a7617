/**
 * Colours for finished code blocks, when the page has time for it. The highlighter answers with markup of
 * one known shape (text, entities, spans with a class); it is read here and built as nodes.
 */
import { decode } from "./entities.js";

const LIMIT = 50_000;

/** @type {Promise<typeof import("./grammars.js")> | null} */
let grammars = null;

/** @param {() => void} work */
const whenIdle = (work) =>
  "requestIdleCallback" in globalThis ? requestIdleCallback(work, { timeout: 500 }) : setTimeout(work, 50);

/** @param {HTMLElement} figure a finished code block */
export function colour(figure) {
  const lang = figure.dataset.lang?.toLowerCase();
  const body = figure.querySelector("code");
  if (!lang || !body || (body.textContent?.length ?? 0) > LIMIT) return;
  grammars ??= import("./grammars.js");
  grammars.then(({ highlight }) => whenIdle(() => {
    const markup = highlight(body.textContent ?? "", lang);
    if (markup !== null) body.replaceChildren(...nodesOf(markup));
  }), () => {
    grammars = null;
  });
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
