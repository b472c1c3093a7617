/**
 * How the answers of a chat are to be made: its own settings, kept with its conversation, and, of a chat that
 * isn't on the server yet, those that were given to it or that new chats begin with. What is not set is left
 * to the model. Pure except for what the browser remembers.
 */
import { recall } from "./memory.js";

/** @typedef {import("../types").ChatSettings} ChatSettings */

/** @param {"fresh" | "defaults"} name @returns {ChatSettings | null} */
export function remembered(name) {
  try {
    return JSON.parse(recall(name) ?? "null");
  } catch {
    return null;
  }
}

/** @param {import("../types").AppState} state @param {string | null} [id] null: of a new chat @returns {ChatSettings} */
export const settingsOf = ({ conversations, open, fresh, defaults }, id = open) =>
  (id ? conversations.find((c) => c.id === id)?.settings : fresh ?? defaults) ?? {};

/** They as a create says them; which model is asked is said elsewhere. @param {ChatSettings} settings @returns {Record<string, unknown>} */
export const fieldsOf = ({ model, reasoning_effort: effort, ...fields }) => (effort ? { ...fields, reasoning: { effort } } : fields);
