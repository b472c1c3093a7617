/**
 * The dialogs of the page: how the chat on screen is to be answered, and what the keyboard can do. Fetched
 * apart from the page.
 */
import { wake } from "../styles.js";
import { createKeySheet } from "./keysheet.js";
import { createSettings } from "./settings.js";

/** @param {import("./settings.js").Parts & { editLast: () => boolean }} parts */
export function createSheets({ editLast, ...parts }) {
  const settings = createSettings(parts);
  const keysheet = createKeySheet(parts.keys, editLast);
  wake("extra-styles");
  return { settings: settings.open, keys: keysheet.open, update: settings.update };
}
