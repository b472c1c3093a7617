/**
 * Markdown tokens to DOM nodes. Model text only ever becomes text nodes and attributes set here: raw HTML
 * is shown as text, links pass through URL, pictures become links. It imports nothing of the page.
 */
import { decode } from "./entities.js";
import { langOf } from "./split.js";

/** @typedef {any} Token marked's union is open; each case below reads only its own fields. */

const SCHEMES = new Set(["http:", "https:", "mailto:"]);
/** Lines in one node: a huge text node is laid out in full at each change. */
export const SEGMENT = 40;

/** @param {string} tag @param {string} [className] @param {(Node | string)[]} [children] */
export function el(tag, className, children = []) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** @param {Token[]} tokens @returns {Node[]} */
export const blocks = (tokens) => tokens.flatMap(block);

/** @param {Token} token @returns {Node[]} */
function block(token) {
  switch (token.type) {
    case "space": case "def": return [];
    case "heading": return [el(`h${Math.min(6, token.depth + 2)}`, `md-h${token.depth}`, inline(token.tokens))];
    case "paragraph": return [el("p", "", inline(token.tokens))];
    case "text": return token.tokens ? inline(token.tokens) : [text(token)];
    case "blockquote": return [el("blockquote", "", blocks(token.tokens))];
    case "code": return [code(token)];
    case "hr": return [el("hr")];
    case "list": return [fill(container(token), token)];
    case "table": return [fill(container(token), token)];
    case "html": return [el("p", "raw", [token.text.trimEnd()])];
    case "checkbox": return [checkbox(token)];
    case "formula": return [formula(token)];
    default: return token.tokens ? inline([token]) : [text(token)];
  }
}

/** The shell of a list or table, without items or rows. @param {Token} token @returns {HTMLElement} */
export function container(token) {
  if (token.type === "table") {
    const head = el("tr", "", token.header.map((/** @type {Token} */ c) => cell("th", c)));
    const table = el("table", "", [el("thead", "", [head]), el("tbody")]);
    const frame = el("div", "table", [table]);
    frame.tabIndex = 0;
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", "Table");
    return frame;
  }
  const list = el(token.ordered ? "ol" : "ul");
  if (token.ordered && token.start !== 1) list.setAttribute("start", String(token.start));
  return list;
}

/** Adds the items or rows of a token to its shell. @param {HTMLElement} shell @param {Token} token */
export function fill(shell, token) {
  inside(shell, token).append(...children(token));
  return shell;
}

/** @param {HTMLElement} shell @param {Token} token @returns {HTMLElement} */
export const inside = (shell, token) =>
  /** @type {HTMLElement} */ (token.type === "table" ? shell.firstChild?.lastChild : shell);

/** @param {Token} token @returns {HTMLElement[]} */
export function children(token) {
  if (token.type === "table") {
    return token.rows.map(row);
  }
  return token.items.map((/** @type {Token} */ item) => el("li", item.task ? "task" : "", blocks(item.tokens)));
}

/** What a short row lacks is one cell: a line of one letter is not a hundred nodes. @param {Token[]} cells */
function row(cells) {
  const said = cells.findLastIndex((c) => c.text !== "") + 1;
  const nodes = cells.slice(0, said + 1).map((c) => cell("td", c));
  if (cells.length > said + 1) /** @type {HTMLTableCellElement} */ (nodes[said]).colSpan = cells.length - said;
  return el("tr", "", nodes);
}

/** @param {string} tag @param {Token} token */
const cell = (tag, token) => el(tag, token.align ? `to-${token.align}` : "", inline(token.tokens));

/** @param {Token} token */
function checkbox(token) {
  const box = /** @type {HTMLInputElement} */ (el("input"));
  box.type = "checkbox";
  box.disabled = true;
  if (token.checked) box.setAttribute("checked", "");
  box.setAttribute("aria-label", token.checked ? "done" : "to do");
  return box;
}

/** @param {Token} token */
function code(token) {
  const { figure, body } = codeShell(token.codeBlockStyle === "indented" ? "" : langOf(token.lang));
  body.append(...segments(token.text));
  return figure;
}

/** @param {string} lang @returns {{figure: HTMLElement, pre: HTMLElement, body: HTMLElement}} */
export function codeShell(lang) {
  const body = el("code");
  const pre = el("pre", "", [body]);
  pre.tabIndex = 0;
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", lang ? `Code, ${lang}` : "Code");
  const figure = el("figure", "code", [el("figcaption", "", [el("span", "lang", [lang || "text"])]), pre]);
  if (lang) figure.dataset.lang = lang;
  return { figure, pre, body };
}

/** @param {string} source @returns {HTMLElement[]} */
function segments(source) {
  const lines = source.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const nodes = [];
  for (let i = 0; i < lines.length; i += SEGMENT) nodes.push(el("span", "seg", [lines.slice(i, i + SEGMENT).join("")]));
  return nodes;
}

/** @param {Token[]} tokens @returns {Node[]} */
const inline = (tokens) => (tokens ?? []).flatMap(span);

/** @param {Token} token @returns {Node[]} */
function span(token) {
  switch (token.type) {
    case "strong": case "em": case "del": return [el(token.type, "", inline(token.tokens))];
    case "codespan": return [el("code", "", [token.text])];
    case "br": return [el("br")];
    case "link": return link(token);
    case "image": return image(token);
    case "html": return [/^<br *\/?>$/i.test(token.raw) ? el("br") : document.createTextNode(token.raw)];
    case "escape": return [document.createTextNode(token.text)];
    case "checkbox": return [checkbox(token)];
    case "formula": return [formula(token)];
    default: return token.tokens ? inline(token.tokens) : [text(token)];
  }
}

/** Its source, for whoever typesets it. @param {Token} token */
function formula(token) {
  const kind = token.display ? "math display" : "math";
  return el(token.block ? "p" : "span", token.open ? `${kind} open` : kind, [el("span", "tex", [token.raw.trim()])]);
}

/** @param {Token} token */
const text = (token) => document.createTextNode(decode(token.text ?? token.raw));

/** @param {string} href @returns {URL | null} null: not a place that a click may lead to */
export function safeUrl(href) {
  try {
    const url = new URL(decode(href));
    return SCHEMES.has(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** @param {Token} token @returns {Node[]} */
function link(token) {
  const inner = inline(token.tokens);
  const url = safeUrl(token.href);
  return url ? [anchor(url, inner)] : inner;
}

/** A picture from elsewhere would tell its server what is read here. @param {Token} token @returns {Node[]} */
function image(token) {
  const url = safeUrl(token.href);
  const name = decode(token.text || "");
  if (!url) return name ? [document.createTextNode(name)] : [];
  return [anchor(url, [`image: ${name ? `${name}, ` : ""}${url.host || url.pathname}`])];
}

/** @param {URL} url @param {(Node | string)[]} inner */
function anchor(url, inner) {
  const a = /** @type {HTMLAnchorElement} */ (el("a", "", inner));
  a.href = url.href;
  a.target = "_blank";
  a.rel = "noopener noreferrer nofollow";
  a.title = url.host || url.pathname;
  return a;
}
