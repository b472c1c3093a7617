/**
 * Makes half-written Markdown look calm: what would flicker for a moment (a dangling `**`, half a link,
 * half a table) is closed or hidden. For display only, never stored; the final text is never repaired.
 */

/** @param {string} tail the block that is being written @returns {string} */
export function repair(tail) {
  if (/(^|\n) {0,3}(`{3,}|~{3,})/.test(tail)) return tail;
  return closeMarks(hideLink(hideTable(hideRule(tail))));
}

/** "Text\n-" is a list about to begin, not a heading; a lone list marker is nothing yet. @param {string} text */
const hideRule = (text) => text.replace(/\n {0,3}(-+|=+|[*+]|\d{1,9}[.)]) *$/, "\n");

/** A table's first line means nothing before its second is there. @param {string} text */
const hideTable = (text) => text.replace(/(^|\n) {0,3}\|[^\n]*(\n[ |:-]*)?$/, (match, before, _delimiter, at) => {
  const previous = text.slice(0, at).split("\n").at(-1) ?? "";
  return previous.includes("|") && before ? match : before;
});

/** `[words](htt` shows its words. @param {string} text */
const hideLink = (text) => text.replace(/!?\[([^\][\n]*)\]\([^()\s]*$/, "$1");

/** @param {string} text */
function closeMarks(text) {
  const open = text.replace(/(^|[\s([{])(\*{1,3}|_{1,3}|~~)$/, "$1");
  const plain = open.replace(/\\./g, "").replace(/`[^`\n]*`/g, "");
  if (/`[^`\n]+$/.test(plain)) return `${open}\``;
  if (count(plain, /\*\*/g) % 2 === 0) return open;
  return /\*\*$/.test(open) ? open.slice(0, -2) : `${open.replace(/\*$/, "").trimEnd()}**`;
}

/** @param {string} text @param {RegExp} what */
const count = (text, what) => (text.match(what) ?? []).length;
