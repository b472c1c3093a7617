/**
 * Text files that go with a message. In it they stand before what was typed, each a fenced block that says
 * its name, and are known again by that, wherever the message comes from:
 *
 *     ```md file: notes.md
 *     # Notes
 *     ```
 *
 * The fence is longer than any in the file, so that it ends where it ends. Pure.
 */

/** @typedef {import("../types").TextFile} TextFile */

const HEAD = /^(`{3,})[\w+#-]* file: ([^\n`]+)\n/;

/** @param {string} name */
const languageOf = (name) => /\.([\w+#-]{1,12})$/.exec(name)?.[1].toLowerCase() ?? "text";

/** @param {TextFile} file */
function fenced({ name, text }) {
  const runs = text.match(/`{3,}/g) ?? [];
  const fence = "`".repeat(Math.max(2, ...runs.map((run) => run.length)) + 1);
  return `${fence}${languageOf(name)} file: ${name}\n${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${fence}`;
}

/** The message that is made of files and a text. @param {TextFile[]} files @param {string} text */
export const joined = (files, text) => [...files.map(fenced), ...(text ? [text] : [])].join("\n\n");

/** What a message is made of. @param {string} message @returns {{ files: TextFile[], text: string }} */
export function parted(message) {
  /** @type {TextFile[]} */
  const files = [];
  for (let rest = message; ; ) {
    const [head, fence, name] = HEAD.exec(rest) ?? [""];
    const end = head ? endOf(rest, head.length, fence) : -1;
    if (end < 0) return { files, text: rest };
    files.push({ name, text: rest.slice(head.length, end) });
    rest = rest.slice(end + fence.length).replace(/^\n{1,2}/, "");
  }
}

/** Where the fence stands that closes a block. @param {string} text @param {number} from where its first line begins @param {string} fence */
function endOf(text, from, fence) {
  for (let at = from; at >= 0 && at < text.length; at = text.indexOf("\n", at) + 1 || -1) {
    const after = at + fence.length;
    if (text.startsWith(fence, at) && (after === text.length || text[after] === "\n")) return at;
  }
  return -1;
}

/** What a message is called where it has only a line. @param {string} message */
export function headline(message) {
  const { files, text } = parted(message);
  return text || files.map((file) => file.name).join(", ");
}

/** @param {TextFile} file */
export const bytesOf = ({ text }) => new Blob([text]).size;
