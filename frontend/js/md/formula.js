/**
 * Finds formulas in Markdown text: `\(..\)`, `\[..\]`, `$$..$$`, and `$..$` by Pandoc's rule. Pure text
 * work; it refuses to know what a formula says or looks like.
 */

/** @typedef {{ raw: string, display: boolean }} Formula */

/** What isn't closed by then is text. */
const LONGEST = 4_000;
/** The delimiters that may stand at the start of a line and hold lines of their own. */
const BLOCK = /^ {0,3}(\\\[|\$\$)/;
const BLANK = /^\n[ \t]*\n/;
/** @type {Record<string, string>} */
const CLOSING = { "\\(": "\\)", "\\[": "\\]", $$: "$$" };

/** Text with none of these has no formula. */
export const MAYBE = /\$|\\[([]/;

/**
 * Where the closing delimiter is. A formula ends at a blank line at the latest, and holds neither code nor
 * the beginning of another one: so a text full of opening delimiters is read once, not once for each.
 * @param {string} text @param {number} from @param {string} delimiter
 * @returns {number | "open" | null} "open": it may still come; null: it is no formula
 */
function closingAt(text, from, delimiter) {
  const limit = Math.min(text.length, from + LONGEST);
  for (let at = from; at < limit; at++) {
    const char = text[at];
    if (char === delimiter[0] && text.startsWith(delimiter, at)) return text.slice(from, at).trim() ? at : null;
    if (char === "`" || (char === "\n" && BLANK.test(text.slice(at, at + 100)))) return null;
    if (char === "\\" && (text[++at] === "(" || text[at] === "[")) return null;
  }
  return limit === text.length ? "open" : null;
}

/** The formula that a text begins with. @param {string} text @param {boolean} [open] one that isn't closed yet counts @returns {(Formula & {open: boolean}) | null} */
export function formulaAt(text, open = false) {
  const opening = text.slice(0, 2);
  const delimiter = CLOSING[opening];
  if (!delimiter) return text[0] === "$" ? dollars(text) : null;
  const end = closingAt(text, 2, delimiter);
  if (end === "open") return open ? { raw: text, display: opening !== "\\(", open } : null;
  return end === null ? null : { raw: text.slice(0, end + 2), display: opening !== "\\(", open: false };
}

/** Pandoc's rule: no space inside either `$`, no digit after the second. @param {string} text */
function dollars(text) {
  if (/^\$(\s|$)/.test(text)) return null;
  const end = closingAt(text, 1, "$");
  if (typeof end !== "number" || /\s/.test(text[end - 1]) || /\d/.test(text[end + 1] ?? "")) return null;
  return { raw: text.slice(0, end + 1), display: false, open: false };
}

/** The formula that fills the next lines alone. @param {string} text @param {boolean} [open] @returns {(Formula & {open: boolean}) | null} */
export function blockAt(text, open = false) {
  const match = BLOCK.exec(text);
  if (!match) return null;
  const indent = match[0].length - 2;
  const found = formulaAt(text.slice(indent), open);
  if (!found) return null;
  const rest = found.open ? "" : /^[ \t]*(?:\n|$)/.exec(text.slice(indent + found.raw.length))?.[0];
  return rest === undefined ? null : { ...found, raw: text.slice(0, indent + found.raw.length) + rest };
}

/** So far, and at so many lines, a paragraph is searched for a formula that ends it. */
const REACH = 5_000;
const TRIES = 20;

/** Where in a paragraph a formula with lines of its own follows: -1 if none does. @param {string} text @param {boolean} [open] */
export function blockIn(text, open = false) {
  let tries = 0;
  for (const { index } of text.slice(0, REACH).matchAll(/\n(?= {0,3}(?:\\\[|\$\$))/g)) {
    if (blockAt(text.slice(index + 1), open)) return index + 1;
    if (++tries === TRIES) break;
  }
  return -1;
}

/**
 * Where a formula with lines of its own begins that may still be closed: -1 if none does. From there on
 * nothing is final.
 * @param {string} text
 */
export function openAt(text) {
  if (!MAYBE.test(text)) return -1;
  let at = 0;
  for (const blank of text.matchAll(/\n(?=[ \t]*\n)/g)) at = blank.index + 1;
  while (at < text.length) {
    const rest = text.slice(at);
    const whole = blockAt(rest);
    if (!whole && blockAt(rest, true)?.open) return at;
    at += whole ? whole.raw.length : rest.indexOf("\n") + 1 || rest.length;
  }
  return -1;
}

/** Hides formulas from whoever looks for emphasis; every length stays. @param {string} masked what is hidden already @param {string} text */
export function mask(masked, text) {
  const out = [];
  let done = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "`") at += skipCode(text.slice(at)) - 1;
    else if (char === "$" || char === "\\") {
      const length = formulaAt(text.slice(at))?.raw.length;
      if (length) out.push(masked.slice(done, at), "a".repeat(length));
      if (length) done = at + length;
      at += (length ?? (char === "$" ? 1 : 2)) - 1;
    }
  }
  return out.join("") + masked.slice(done);
}

/** @param {string} text that begins with a backtick */
const skipCode = (text) => /^(`+)(?:[^`]|[^`][\s\S]*?[^`])\1(?!`)|^`+/.exec(text)?.[0].length ?? 1;

/** What is between the delimiters. @param {string} raw */
export function sourceOf(raw) {
  const formula = raw.trim();
  const width = /^(?:\$\$|\\)/.test(formula) ? 2 : 1;
  return formula.slice(width, -width);
}
