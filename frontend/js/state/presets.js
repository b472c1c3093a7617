/**
 * Settings that have a name, and those that new chats begin with: kept by this browser, as the server has no
 * place for what is a person's and no chat's. Other tabs read them again when they change.
 */
import { alike, isPlain, trimmed } from "./fields.js";
import { recall, remember } from "./memory.js";

/** @typedef {import("../types").ChatSettings} ChatSettings */
/** @typedef {{ name: string, settings: ChatSettings }} Preset */

const KEY = "presets";

/** By their names. @returns {Preset[]} */
export function presets() {
  try {
    const kept = JSON.parse(recall(KEY) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** @param {Preset[]} all @returns {boolean} whether they are kept */
const keep = (all) => remember(KEY, all.length ? JSON.stringify([...all].sort((a, b) => a.name.localeCompare(b.name))) : null);

/** Capitals make no other name. @param {string} name */
const same = (name) => (/** @type {Preset} */ preset) => preset.name.toLowerCase() === name.toLowerCase();

/** The preset of this name, as it is typed. @param {string} name */
export const named = (name) => presets().find(same(name.trim()));

/** The preset that says just this. @param {ChatSettings} settings */
export const presetOf = (settings) => (isPlain(settings) ? undefined : presets().find((p) => alike(p.settings, settings)));

/** In the place of one that has the name. The model is no part of it. @param {string} name @param {ChatSettings} settings */
export function savePreset(name, { model, ...settings }) {
  const wanted = name.trim();
  return keep([...presets().filter((p) => !same(wanted)(p)), { name: wanted, settings: trimmed(settings) }]);
}

/** @param {string} from @param {string} to another that has this name goes */
export function renamePreset(from, to) {
  const preset = named(from);
  return preset ? keep([...presets().filter((p) => !same(from)(p) && !same(to.trim())(p)), { ...preset, name: to.trim() }]) : false;
}

/** @param {string} name */
export const removePreset = (name) => keep(presets().filter((p) => !same(name)(p)));
