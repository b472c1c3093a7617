/**
 * What the keyboard can do, in words, and the keys that nobody misses before the page has its extras: the one
 * that opens this, and the one that takes up what was said last.
 */
import { byId, h } from "./dom.js";
import { createSheet } from "./sheet.js";

export const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);
const MAIN = APPLE ? "⌘" : "Ctrl";

/** Keys of one press are joined; other ways to the same stand beside them. @type {[group: string, [does: string, ...ways: string[]][]][]} */
const TABLE = [
  ["Writing", [
    ["Send the message", "Enter"],
    ["New line", "Shift Enter"],
    ["Edit your last message, from an empty box", "↑"],
    ["Stop the answer", "Esc"],
  ]],
  ["Chats", [
    ["New chat", `${MAIN} Shift O`],
    ["Search", `${MAIN} K`],
    ["Go to the newest answer", `${MAIN} Shift ↑`],
    ["Move through a list", "↑", "↓"],
  ]],
  ["Here", [
    ["These shortcuts", `${MAIN} /`, "?"],
    ["Close what is open", "Esc"],
  ]],
];

/** @param {import("./keys.js").Key[]} keys @param {() => boolean} editLast */
export function createKeySheet(keys, editLast) {
  const sheet = createSheet({ kind: "keysheet", title: "Keyboard shortcuts", keys },
    h("div", { class: "sheet-body" }, ...TABLE.map(([name, rows]) =>
      h("section", {}, h("h3", {}, name), h("dl", { class: "keys" }, ...rows.map(([does, ...ways]) =>
        h("div", {}, h("dt", {}, does), h("dd", {}, ...ways.flatMap((way, i) => [i ? " or " : "", ...pressed(way)])))))))));
  if (APPLE) byId("keys").title = "Keyboard shortcuts (⌘/)";
  keys.push(
    [(e) => ((e.ctrlKey || e.metaKey) && e.key === "/") || (e.key === "?" && !isTyping(e.target)), sheet.open],
    [(e) => e.key === "ArrowUp" && e.target instanceof HTMLTextAreaElement && e.target.id === "prompt" && !e.target.value, editLast],
  );
  return sheet;
}

/** @param {EventTarget | null} at */
const isTyping = (at) => at instanceof Element && at.matches("input, textarea, select");

/** @param {string} way */
const pressed = (way) => way.split(" ").flatMap((key, i) => [i ? " " : "", h("kbd", {}, key)]);
