/**
 * Splits Markdown that is still being written into blocks that are final and blocks that may change, so
 * that each flush costs the same at the end of a long answer as at its start. Pure: it speaks to a Sink
 * and has never heard of a document.
 *
 * Only whole lines decide that a block is final: a block is, once another block follows it. Three shapes
 * would stay "the last block" for too long and are handed over in pieces: an open fence, a list, a table.
 */
import { openAt } from "./formula.js";
import { lex } from "./lexer.js";
import { repair } from "./repair.js";

/** @typedef {import("marked").Token} Token */
/** @typedef {import("marked").Tokens.List} List */
/** @typedef {import("marked").Tokens.Table} Table */
/** @typedef {import("marked").Tokens.Code} Code */
/** `shown`: how much of the current line is out; -1 before its line break is.
 *  @typedef {{ raw: string, indent: string, closing: RegExp, lines: number, shown: number }} Fence */
/** A list or table that is handed over in pieces; `head`: what each piece is read under.
 *  @typedef {{ raw: string, head: string, count: number, loose: boolean }} Box */
/**
 * @typedef {object} Sink
 * @property {(tokens: Token[]) => void} commit blocks that will not change
 * @property {(tokens: Token[], open: boolean) => void} live blocks that may; `open`: the first goes on in the open container
 * @property {(lang: string) => void} openFence a code block begins; text() follows
 * @property {(delta: string) => void} text
 * @property {(token: Code) => void} closeFence
 * @property {(token: List | Table) => void} grow children for the open container, or for a new one
 * @property {(whole: List | Table | null) => void} close the container ends; `whole` where its pieces were drawn otherwise
 * @property {(tokens: Token[]) => void} reset all of it once more, from the start
 */

/** A list or table longer than this is handed over in pieces. */
const LONG = 1_500;
const FENCE = /^( {0,3})(`{3,}|~{3,})([^\n]*)\n/;

export class Splitter {
  #sink;
  #all = "";
  /** What isn't final yet. */
  #tail = "";
  /** How much of the tail was already looked at for final blocks. */
  #seen = 0;
  /** A carriage return at the end of a delta may be half a line end. */
  #held = "";
  /** Link definitions: known from now on, and a reason to draw all again at the end. @type {import("./lexer.js").Links} */
  #links = {};
  #again = false;
  /** @type {Fence | null} */
  #fence = null;
  /** @type {Box | null} */
  #box = null;

  /** @param {Sink} sink */
  constructor(sink) {
    this.#sink = sink;
  }

  /** @param {string} text */
  push(text) {
    const joined = this.#held + text;
    this.#held = joined.endsWith("\r") ? "\r" : "";
    const clean = (this.#held ? joined.slice(0, -1) : joined).replace(/\r\n?/g, "\n");
    this.#all += clean;
    this.#tail += clean;
  }

  /** Hands on what became final and how the rest looks now. */
  flush() {
    this.#settle();
    if (this.#fence) return;
    const head = this.#box?.head;
    const at = openAt(this.#tail);
    // An open formula is shown as it is written.
    const text = at < 0 ? repair(this.#tail) : repair(this.#tail.slice(0, at)) + this.#tail.slice(at);
    const tokens = this.#lex(head ? head + this.#tail : text, true);
    this.#sink.live(tokens, this.#box !== null);
  }

  end() {
    if (this.#held) this.push("\n");
    this.#settle();
    if (this.#fence) this.#closeFence(this.#fence.raw + this.#tail);
    else {
      const tokens = this.#lex((this.#box?.head ?? "") + this.#tail);
      if (this.#box) this.#leave(tokens.shift());
      this.#sink.commit(tokens);
    }
    this.#tail = "";
    if (this.#again) this.#sink.reset(lex(this.#all));
  }

  /** @param {string} text @param {boolean} [open] it is still being written @returns {Token[]} */
  #lex(text, open = false) {
    const tokens = lex(text, this.#links, open);
    this.#again ||= Object.keys(this.#links).length > 0;
    return tokens;
  }

  #settle() {
    while (this.#fence ? this.#readFence() : this.#readBlocks());
  }

  /** @returns {boolean} there may be more to read */
  #readBlocks() {
    const whole = this.#tail.lastIndexOf("\n") + 1;
    if (whole <= this.#seen) return false;
    this.#seen = whole;
    const head = this.#box?.head ?? "";
    const tokens = this.#lex(head + this.#tail.slice(0, whole));
    const end = tokens.findLastIndex((t) => t.type !== "space");
    const formula = openAt(this.#tail.slice(0, whole));
    const last = formula < 0 ? end : Math.min(end, firstBeyond(tokens, head.length + formula));
    if (last < 0) return false;
    if (last > 0) this.#commit(tokens.slice(0, last));
    return last === end && this.#shape(tokens[last]);
  }

  /** @param {Token[]} tokens */
  #commit(tokens) {
    let length = tokens.reduce((sum, t) => sum + t.raw.length, 0);
    if (this.#box) {
      length -= this.#box.head.length;
      this.#leave(tokens.shift());
    }
    this.#cut(length);
    this.#sink.commit(tokens);
  }

  /** @param {number} length */
  #cut(length) {
    const cut = this.#tail.slice(0, length);
    this.#tail = this.#tail.slice(length);
    this.#seen = Math.max(0, this.#seen - length);
    return cut;
  }

  /** Chooses how the last block is read from here on. @param {Token} token @returns {boolean} */
  #shape(token) {
    if (token.type === "code" && !this.#box) return this.#enterFence();
    if (token.type === "list" && token.raw.length > LONG) this.#growList(/** @type {List} */ (token));
    if (token.type === "table" && token.raw.length > LONG) this.#growTable(/** @type {Table} */ (token));
    return false;
  }

  #enterFence() {
    const start = this.#tail.length - this.#tail.trimStart().length;
    const begin = this.#tail.lastIndexOf("\n", start) + 1;
    const match = FENCE.exec(this.#tail.slice(begin));
    if (!match) return false;
    this.#cut(begin);
    const [raw, indent, run, info] = match;
    this.#fence = { raw, indent, closing: new RegExp(`^ {0,3}${run}[~\`]* *$`), lines: 0, shown: -1 };
    this.#cut(raw.length);
    this.#sink.openFence(langOf(info));
    return true;
  }

  /** Text goes straight to the sink, without the lexer. @returns {boolean} the fence was closed */
  #readFence() {
    const fence = /** @type {Fence} */ (this.#fence);
    let text = "";
    for (let at = this.#tail.indexOf("\n"); at >= 0; at = this.#tail.indexOf("\n")) {
      const line = this.#tail.slice(0, at);
      fence.raw += line + "\n";
      this.#tail = this.#tail.slice(at + 1);
      if (fence.closing.test(line)) {
        this.#closeFence(fence.raw);
        return true;
      }
      text += this.#more(line);
      fence.lines++;
      fence.shown = -1;
    }
    // What may become the closing line isn't shown yet.
    if (!/^\s*[`~]*\s*$/.test(this.#tail)) text += this.#more(this.#tail);
    if (text) this.#sink.text(text);
    return false;
  }

  /** What of a line isn't out yet, with the line break before it. @param {string} line */
  #more(line) {
    const fence = /** @type {Fence} */ (this.#fence);
    const code = line.startsWith(fence.indent) ? line.slice(fence.indent.length) : line.trimStart();
    const fresh = fence.shown < 0 && fence.lines > 0 ? "\n" : "";
    const text = fresh + code.slice(Math.max(0, fence.shown));
    fence.shown = code.length;
    return text;
  }

  /** @param {string} raw */
  #closeFence(raw) {
    const [code, ...rest] = this.#lex(raw);
    this.#fence = null;
    this.#seen = 0;
    this.#sink.closeFence(/** @type {Code} */ (code));
    this.#sink.commit(rest);
  }

  /** All items but the last are final. @param {List} list */
  #growList(list) {
    const last = list.items.at(-1);
    if (!last || list.items.length < 2) return;
    const items = list.items.slice(0, -1);
    const raw = this.#cut(items.reduce((sum, item) => sum + item.raw.length, 0));
    this.#box ??= { raw: "", head: "", count: 0, loose: list.loose };
    this.#remember(raw, items.length, list.loose);
    this.#sink.grow({ ...list, items });
  }

  /** Rows stand alone under their head. @param {Table} table */
  #growTable(table) {
    const head = this.#box?.head ?? /^[^\n]*\n[^\n]*\n/.exec(table.raw)?.[0] ?? "";
    const body = table.raw.slice(head.length);
    const at = body.lastIndexOf("\n", body.trimEnd().length - 1) + 1;
    const count = table.rows.length - 1;
    if (at <= 0 || count < 1) return;
    const raw = this.#cut(at + (this.#box ? 0 : head.length));
    this.#box ??= { raw: "", head, count: 0, loose: false };
    this.#remember(raw, count, false);
    this.#sink.grow({ ...table, rows: table.rows.slice(0, -1) });
  }

  /** @param {string} raw @param {number} count @param {boolean} loose */
  #remember(raw, count, loose) {
    const box = /** @type {Box} */ (this.#box);
    box.raw += raw;
    box.count += count;
    // One loose item makes every item loose: the pieces before were drawn otherwise.
    if (box.loose !== loose) box.count = NaN;
  }

  /** The container ends with these last children. @param {Token | undefined} token */
  #leave(token) {
    const box = /** @type {Box} */ (this.#box);
    this.#box = null;
    const last = /** @type {List | Table} */ (token);
    this.#sink.grow(last);
    // Rows stand alone; items may be loose together.
    if (last.type === "table") return this.#sink.close(null);
    const whole = this.#lex(box.raw + last.raw).filter((t) => t.type !== "space");
    const full = /** @type {List | Table} */ (whole[0]);
    if (whole.length > 1 || full.type !== last.type) this.#again = true;
    const same = size(full) === box.count + size(last) && loose(full) === box.loose && loose(last) === box.loose;
    this.#sink.close(same ? null : full);
  }
}

/** @param {List | Table} token */
const size = (token) => (token.type === "list" ? token.items : token.rows).length;
/** @param {List | Table} token */
const loose = (token) => token.type === "list" && token.loose;

/** The first token that ends after a place. @param {Token[]} tokens @param {number} place */
function firstBeyond(tokens, place) {
  let at = 0;
  return tokens.findIndex((token) => (at += token.raw.length) > place);
}

/** @param {string | undefined} info the words after the fence */
export const langOf = (info) => /^\S*/.exec((info ?? "").trim())?.[0] ?? "";
