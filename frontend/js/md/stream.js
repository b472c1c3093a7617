/**
 * A Markdown text that grows inside one element: the splitter's Sink, drawn. Final blocks are appended
 * once; only the blocks still being written are replaced. Nested text is never parsed twice by the page.
 */
import { ABOVE, outline } from "./outline.js";
import { SEGMENT, blocks, children, codeShell, container, inside } from "./render.js";
import { Splitter } from "./split.js";

/** So many lines of code never scroll. */
const SHORT = 15;

/** @param {HTMLElement} _ */
const nothing = (_) => {};

/**
 * @param {HTMLElement} root
 * @param {(figure: HTMLElement) => void} [onCode] called with each finished code block
 * @param {(formula: HTMLElement) => void} [onFormula] called with each closed formula, also in a text that goes on
 */
export function createStream(root, onCode = nothing, onFormula = nothing) {
  /** Drawn, but not final. @type {ChildNode[]} */
  let live = [];
  /** @type {HTMLElement | null} */
  let box = null;
  /** @type {{figure: HTMLElement, pre: HTMLElement, body: HTMLElement, node: Text | null, lines: number, all: number} | null} */
  let fence = null;

  /** Of the last heading that is final. */
  let level = ABOVE;

  function clearLive() {
    for (const node of live) node.remove();
    live = [];
  }

  /** @param {import("marked").Token[]} tokens */
  function commit(tokens) {
    clearLive();
    append(tokens);
  }

  /** @param {import("marked").Token[]} tokens */
  function append(tokens) {
    const nodes = blocks(tokens);
    level = outline(nodes, level);
    for (const node of nodes) {
      root.append(node);
      if (node instanceof HTMLElement) announce(node);
    }
  }

  /** @param {HTMLElement} node */
  function announce(node) {
    for (const figure of all(node, "figure.code")) onCode(figure);
    announceFormulas(node);
  }

  /** @param {HTMLElement} node */
  function announceFormulas(node) {
    for (const formula of all(node, ".math:not(.open)")) onFormula(formula);
  }

  /** @type {import("./split.js").Sink} */
  const sink = {
    commit,
    live(tokens, open) {
      clearLive();
      const [first, ...rest] = tokens;
      const continues = open && box && (first?.type === "list" || first?.type === "table");
      if (continues && box) {
        live = children(first);
        inside(box, first).append(...live);
      }
      const nodes = /** @type {ChildNode[]} */ (blocks(continues ? rest : tokens));
      outline(nodes, level);
      root.append(...nodes);
      live.push(...nodes);
      for (const node of live) if (node instanceof HTMLElement) announceFormulas(node);
    },
    openFence(lang) {
      clearLive();
      fence = { ...codeShell(lang), node: null, lines: 0, all: 0 };
      root.append(fence.figure);
    },
    text(delta) {
      const followed = fence && fence.all > SHORT && atEnd(fence.pre) ? fence.pre : null;
      const lines = delta.match(/[^\n]*\n|[^\n]+$/g) ?? [];
      for (const line of lines) writeLine(line);
      if (followed) followed.scrollTop = followed.scrollHeight;
    },
    closeFence(token) {
      const whole = /** @type {HTMLElement} */ (blocks([token])[0]);
      const scrolled = fence && fence.all > SHORT ? fence.pre.scrollTop : 0;
      fence?.figure.replaceWith(whole);
      if (scrolled) /** @type {HTMLElement} */ (whole.querySelector("pre")).scrollTop = scrolled;
      fence = null;
      onCode(whole);
    },
    grow(token) {
      clearLive();
      if (!box) root.append((box = container(token)));
      const added = children(token);
      inside(box, token).append(...added);
      for (const child of added) announce(child);
    },
    close(whole) {
      if (!box) return;
      const final = whole ? /** @type {HTMLElement} */ (blocks([whole])[0]) : box;
      if (whole) box.replaceWith(final);
      announce(final);
      box = null;
    },
    reset(tokens) {
      root.replaceChildren();
      live = [];
      level = ABOVE;
      append(tokens);
    },
  };

  /** @param {string} line */
  function writeLine(line) {
    if (!fence) return;
    if (!fence.node || fence.lines >= SEGMENT) {
      const span = document.createElement("span");
      span.className = "seg";
      fence.node = document.createTextNode("");
      span.append(fence.node);
      fence.body.append(span);
      fence.lines = 0;
    }
    fence.node.appendData(line);
    if (!line.endsWith("\n")) return;
    fence.lines++;
    fence.all++;
  }

  const splitter = new Splitter(sink);
  return {
    push: (/** @type {string} */ text) => splitter.push(text),
    flush: () => splitter.flush(),
    end: () => splitter.end(),
  };
}

/** @param {HTMLElement} pre */
const atEnd = (pre) => pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 2;

/** @param {HTMLElement} node @param {string} selector @returns {HTMLElement[]} */
function all(node, selector) {
  const found = /** @type {HTMLElement[]} */ ([...node.querySelectorAll(selector)]);
  return node.matches(selector) ? [node, ...found] : found;
}
