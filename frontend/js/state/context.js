/**
 * How full a chat is: the tokens of its next prompt beside what its model can read, and how many of them
 * the engine has already. What the server counted counts; the rest is an estimate, and said to be one.
 * Pure.
 */
import { NEARLY_FULL } from "./sentences.js";

/** @typedef {import("../types").Turn} Turn */
/** @typedef {import("../types").Fill} Fill */

/** English text in most vocabularies. */
const CHARACTERS = 4;
const [FEWEST, MOST] = [1, 8];

/** The newest exchange that the server has counted: a prompt that was all that was said so far. @param {Turn[]} turns */
const countedAt = (turns) => turns.findLastIndex((t) => t.usage && t.phase !== "failed");

/** @param {Turn[]} turns */
const lengthOf = (turns) => turns.reduce((sum, t) => sum + t.prompt.length + t.text.length, 0);

/** What was said so far, in tokens, and how many characters a token of this chat has. @param {Turn[]} turns */
function counted(turns) {
  const at = countedAt(turns);
  const usage = turns[at]?.usage;
  const said = usage ? usage.input_tokens + usage.output_tokens : 0;
  const characters = said ? Math.min(MOST, Math.max(FEWEST, lengthOf(turns.slice(0, at + 1)) / said)) : CHARACTERS;
  return { said, characters, since: lengthOf(turns.slice(at + 1)) };
}

/** The tokens of the next prompt, as far as that is known. @param {Turn[]} turns @param {number} length of what nobody has counted, in characters */
export function promptTokens(turns, length) {
  const { said, characters, since } = counted(turns);
  return said + Math.ceil((since + length) / characters);
}

/**
 * @param {Turn[]} turns
 * @param {number | null} max what the model can read
 * @param {import("./warmth.js").Warmth | null} warmth of all that comes before the text
 * @param {{ before: number, text: number }} lengths in characters: what comes before the text and stands in no exchange yet, and the text
 * @returns {Fill | null}
 */
export function fillOf(turns, max, warmth, lengths) {
  if (!max) return null;
  if (!warmth) {
    const { said, since } = counted(turns);
    const used = promptTokens(turns, lengths.before + lengths.text);
    return { used, cached: null, max, exact: used === said && since === 0 };
  }
  const text = Math.ceil(lengths.text / counted(turns).characters);
  return { used: warmth.tokens + text, cached: warmth.cached, max, exact: text === 0 };
}

/** @param {Fill} fill */
export const levelOf = ({ used, max }) => (used >= max ? "over" : used >= NEARLY_FULL * max ? "near" : null);

const number = new Intl.NumberFormat("en");

/** For whoever looks closer. @param {Fill} fill */
export function fillWords({ used, cached, max, exact }) {
  const of = `${exact ? "" : "About "}${number.format(used)} of ${number.format(max)} tokens`;
  if (used >= max) return `${of}: more than the model can read.`;
  const read = cached === null ? "" : ` ${number.format(Math.min(cached, used))} are read already.`;
  return `${of}, ${Math.round((100 * used) / max)} %.${read}`;
}
