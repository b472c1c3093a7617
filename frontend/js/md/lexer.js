/**
 * marked's lexer, taught formulas: the one reader of Markdown in the page. A formula is a token of type
 * "formula" with its `raw` text and `display`; `block` where it has lines of its own.
 */
import { Lexer, Tokenizer } from "marked";
import { MAYBE, blockAt, blockIn, formulaAt, mask } from "./formula.js";

/** @typedef {import("marked").Token} Token */
/** @typedef {Record<string, any>} Links link definitions, by label */

/** Deeper quotes, lists and marks are text: neither the lexer nor the browser's layout is endless. */
const DEEPEST = 24;
/** A run of text longer than this has no marks, nor has one with so many of them in so much text: marked
 *  looks for the end of each as far as the text goes, and would hold up the page. */
const LONGEST = 20_000;
const DENSEST = 1_500_000;
const MOST_COLUMNS = 50;

class Blocks extends Tokenizer {
  /** A lone `=` in a formula underlines nothing. @param {string} text */
  lheading(text) {
    const heading = super.lheading(text);
    const at = heading && MAYBE.test(heading.raw) ? blockIn(text) : -1;
    return at >= 0 && at < (heading?.raw.length ?? 0) ? undefined : heading;
  }

  /** @param {string} text */
  blockquote(text) {
    if (this.#deep) return undefined;
    // A list that goes on below a quote is read here, and has nothing to do with the text before the quote.
    const { state } = this.lexer;
    const before = state.lastToken;
    state.lastToken = undefined;
    const quote = super.blockquote(text);
    state.lastToken = before;
    return quote;
  }

  /** @param {string} text */
  list(text) {
    return this.#deep ? undefined : super.list(text);
  }

  /** @param {string} text */
  table(text) {
    const table = super.table(text);
    return table && table.header.length > MOST_COLUMNS ? undefined : table;
  }

  get #deep() {
    return /** @type {BoundLexer} */ (this.lexer).depth > DEEPEST;
  }
}

class BoundLexer extends Lexer {
  depth = 0;
  /** The runs of text that are being read, the innermost last: marked's mask no longer shows it. @type {string[]} */
  reading = [];

  /** @param {string} text @param {any} [tokens] @param {boolean} [clipped] @returns {any} */
  blockTokens(text, tokens, clipped) {
    this.depth++;
    const found = super.blockTokens(text, tokens, clipped);
    this.depth--;
    return found;
  }

  /** @param {string} text @param {Token[]} [tokens] */
  inlineTokens(text, tokens = []) {
    if (this.reading.length > DEEPEST || endless(text)) {
      tokens.push({ type: "text", raw: text, text, escaped: false });
      return tokens;
    }
    // An `<a>` left open would keep every later block from having links.
    if (!this.reading.length) this.state.inLink = false;
    this.reading.push(text);
    super.inlineTokens(text, tokens);
    this.reading.pop();
    return tokens;
  }
}

/** @param {string} text */
const endless = (text) => text.length > LONGEST || text.length * (text.match(/\*+|_+|~+/g)?.length ?? 0) > DENSEST;

/** @param {boolean} open formulas that aren't closed yet count @returns {any} marked's options */
const formulas = (open) => ({
  hooks: {
    /** @this {{ lexer: BoundLexer }} @param {string} masked */
    emStrongMask(masked) {
      return mask(masked, this.lexer.reading.at(-1) ?? "");
    },
  },
  extensions: {
    block: [(/** @type {string} */ text) => token(blockAt(text, open), true)],
    inline: [(/** @type {string} */ text) => token(formulaAt(text, open), false)],
    startBlock: [(/** @type {string} */ text) => blockIn(text, open)],
    // A backslash ends a run of text by itself.
    startInline: [(/** @type {string} */ text) => (/^[^\\<![`*_$]*\$/.exec(text)?.[0].length ?? 0) - 1],
  },
});

/** @param {ReturnType<typeof formulaAt>} found @param {boolean} block */
const token = (found, block) => (found ? { type: "formula", ...found, block } : undefined);

/**
 * @param {string} text
 * @param {Links} [links] known from before; what the text defines is added
 * @param {boolean} [open] formulas that aren't closed yet count
 * @returns {Token[]}
 */
export function lex(text, links = {}, open = false) {
  const lexer = new BoundLexer({ gfm: true, tokenizer: new Blocks(), ...(MAYBE.test(text) && formulas(open)) });
  Object.assign(lexer.tokens.links, links);
  try {
    const tokens = [...lexer.lex(text)];
    Object.assign(links, lexer.tokens.links);
    return tokens;
  } catch {
    // A fault of the lexer costs the marks of a text, not the text.
    return [{ type: "paragraph", raw: text, text, tokens: [{ type: "text", raw: text, text, escaped: false }] }];
  }
}
