/**
 * What was typed and not yet taken by the server, per chat. It survives a reload and a failed send; only
 * the server's acknowledgement clears it.
 */
import { createNotes } from "./memory.js";

const notes = createNotes("drafts");
const PAUSE_MS = 300;

/** @type {Map<string, ReturnType<typeof setTimeout>>} */
const timers = new Map();

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
