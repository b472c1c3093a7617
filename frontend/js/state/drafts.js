/**
 * What was typed or attached and not yet taken by the server, per chat. It survives a reload and a failed
 * send; only the server's acknowledgement clears it.
 */
import { createNotes } from "./memory.js";

/** @typedef {import("../types").TextFile} TextFile */

const PAUSE_MS = 300;
/** What a browser keeps for a page is 5 million characters, of all that it keeps. */
const FILES_LENGTH = 2_000_000;

const notes = createNotes("drafts");
const boxes = createNotes("files", FILES_LENGTH);

/** @type {Map<string, ReturnType<typeof setTimeout>>} */
const timers = new Map();
/** The files of chats that were seen on this page, whether or not the browser keeps them. @type {Map<string, TextFile[]>} */
const held = new Map();

/** @param {string | null} chat */
const nameOf = (chat) => chat ?? "new";

/** @param {string | null} chat @returns {string} */
export const readDraft = (chat) => notes.get(nameOf(chat)) ?? "";

/** Written after a pause in typing. @param {string | null} chat @param {string} text */
export function keepDraft(chat, text) {
  const name = nameOf(chat);
  clearTimeout(timers.get(name));
  timers.set(name, setTimeout(() => notes.set(name, text), PAUSE_MS));
}

/** @param {string | null} chat @param {string} text */
export function writeDraft(chat, text) {
  const name = nameOf(chat);
  clearTimeout(timers.get(name));
  notes.set(name, text);
}

/** @param {string | null} chat @returns {TextFile[]} */
export function readFiles(chat) {
  const name = nameOf(chat);
  let files = held.get(name);
  if (!files) held.set(name, (files = JSON.parse(boxes.get(name) ?? "[]")));
  return files ?? [];
}

/** @param {string | null} chat @param {TextFile[]} files @returns {boolean} false: they are gone with this page */
export function writeFiles(chat, files) {
  held.set(nameOf(chat), files);
  return boxes.set(nameOf(chat), files.length ? JSON.stringify(files) : null);
}

/** The server has it; what was typed or attached since then is another draft. @param {string | null} chat @param {string} text @param {TextFile[]} files */
export function taken(chat, text, files) {
  if (readDraft(chat) === text) writeDraft(chat, "");
  if (readFiles(chat) === files) writeFiles(chat, []);
}
