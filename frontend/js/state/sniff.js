/**
 * Which files may go with a message: text in an encoding that can be told, not too long, not too many. It
 * reads bytes, never a name's ending, and says in a sentence why one can't come along.
 */
import { sizeOf } from "./sentences.js";

/** @typedef {import("../types").TextFile} TextFile */

const MOST_BYTES = 512_000;
export const MOST_FILES = 8;
const NAME_LENGTH = 120;
/** As often as this, no text has them. */
const CONTROLS = 0.01;
const MARKS = /** @type {const} */ ([["utf-16le", [0xff, 0xfe]], ["utf-16be", [0xfe, 0xff]]]);

/** @param {Uint8Array} bytes @returns {string | null} null: it is no text */
export function textOf(bytes) {
  const marked = MARKS.find(([, mark]) => mark.every((byte, i) => bytes[i] === byte));
  for (const encoding of marked ? [marked[0]] : ["utf-8", "windows-1252"]) {
    const text = decoded(bytes, encoding);
    if (text !== null && looksWritten(text)) return text.replaceAll("\r\n", "\n");
  }
  return null;
}

/** @param {Uint8Array} bytes @param {string} encoding */
function decoded(bytes, encoding) {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** @param {string} text */
function looksWritten(text) {
  if (text.includes("\0")) return false;
  // eslint-disable-next-line no-control-regex
  const controls = text.match(/[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]/g)?.length ?? 0;
  return controls <= CONTROLS * text.length;
}

/** One line, without what would end the line that it stands in. @param {string} name */
const nameOf = (name) => name.replace(/[\p{Cc}`]+/gu, " ").trim().slice(-NAME_LENGTH) || "file.txt";

/**
 * @param {Blob & { name: string }} file @param {number} many how many there are already
 * @returns {Promise<TextFile | string>} a string: why it can't come along
 */
export async function taken(file, many) {
  const name = nameOf(file.name);
  if (many >= MOST_FILES) return `${name} was left out: ${MOST_FILES} files can go with a message.`;
  if (file.size > MOST_BYTES) return `${name} is larger than ${sizeOf(MOST_BYTES)}, the most that a file can have.`;
  const bytes = await file.arrayBuffer().catch(() => null);
  if (!bytes) return `${name} could not be read.`;
  const text = textOf(new Uint8Array(bytes));
  return text === null ? `${name} isn't text; only text files can go with a message.` : { name, text };
}
