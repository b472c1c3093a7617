/**
 * How the chat on screen is to be answered: its instructions and its sampling, what the model does by itself
 * where a field is empty, presets, and what new chats begin with. What is typed is kept by itself.
 */
import { MAIN, MORE, alike, isPlain } from "../state/fields.js";
import { createTuning } from "../state/tuning.js";
import { announce } from "./announce.js";
import { byId, h, setAttribute, setText } from "./dom.js";
import { createPresetBar } from "./presetbar.js";
import { effortRow, instructionsRow, numberRow } from "./settingrow.js";
import { createSheet } from "./sheet.js";

/** @typedef {import("../types").ChatSettings} ChatSettings */
/** @typedef {import("../types").AppState} AppState */
/** @typedef {import("../types").Model} Model */
/** @typedef {{ store: import("../state/store.js").Store, conversations: ReturnType<typeof import("../state/conversations.js").createConversations>,
 *   keys: import("./keys.js").Key[] }} Parts */

const PAUSE_MS = 500;
const touch = matchMedia("(hover: none) and (pointer: coarse)");

/** @param {Parts} parts */
export function createSettings({ store, conversations, keys }) {
  const tuning = createTuning(store, conversations);
  const button = byId("settings");
  const hooks = { onType: wait, onLeave: flush };
  const first = [instructionsRow(hooks), effortRow(hooks), ...MAIN.map((field) => numberRow(field, hooks))];
  const rest = MORE.map((field) => numberRow(field, hooks));
  const rows = [...first, ...rest];
  const more = h("details", { class: "set-more" }, h("summary", {}, "More sampling"), ...rest.map((row) => row.node));
  const bar = createPresetBar({ now: () => tuning.now, onApply: give, onSay: say });
  const note = h("p", { class: "sheet-note" });
  const said = h("div", { class: "sheet-said", role: "status" });
  const reset = action("Reset", () => give(tuning.defaults, "Reset"));
  const adopt = action("Use for new chats", () => (tuning.adopt(), say("New chats begin like this now.")));
  const sheet = createSheet({ kind: "settings", title: "Settings of this chat", keys, onClose: leave },
    h("div", { class: "sheet-body" }, bar.node, h("section", { "aria-label": "Settings" }, ...first.map((row) => row.node), more)),
    h("div", { class: "sheet-foot" }, said, note, h("div", { class: "sheet-acts" }, reset, adopt)));
  let timer = setTimeout(() => {}, 0);
  /** What is on its way to the server, in words that two of the same share. */
  let sending = "";
  /** Something that was typed is not kept. */
  let unsaved = false;
  /** @type {{ open: string | null, model: Model | null }} */
  let shown = { open: null, model: null };

  /** @param {string} words @param {() => void} act */
  function action(words, act) {
    const node = h("button", { type: "button", class: "text-button" }, words);
    node.addEventListener("click", () => node.hasAttribute("aria-disabled") || act());
    return node;
  }

  /** @param {string} words @param {() => void} [undo] @param {string} [label] of it */
  function say(words, undo, label = "Undo") {
    const back = undo && h("button", { type: "button", class: "link-button", onclick: () => (said.replaceChildren(), reset.focus(), undo()) }, label);
    said.replaceChildren(...(words ? [h("span", {}, words), ...(back ? [back] : [])] : []));
  }

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(flush, PAUSE_MS);
  }

  /** Who has closed it must see, too, that something of it was not kept. @param {boolean} wrong */
  function mark(wrong) {
    unsaved = wrong;
    draw();
    if (wrong && !sheet.node.open) announce(button.getAttribute("aria-label") ?? "");
  }

  /** What was typed and can be kept. */
  async function flush() {
    clearTimeout(timer);
    for (const row of rows) row.judge();
    const typed = rows.flatMap((row) => (row.news ? [{ row, ...row.news }] : []));
    const words = JSON.stringify(typed.map(({ row, text }) => [row.name, text]));
    // A field is left before its sheet is closed.
    if (!typed.length || words === sending) return;
    sending = words;
    const next = { ...tuning.now, ...Object.fromEntries(typed.map(({ row, value }) => [row.name, value])) };
    try {
      await tuning.change(next);
      if (sending === words) sending = "";
      for (const { row, text } of typed) row.settled(text);
      say("");
      mark(false);
    } catch (error) {
      if (sending === words) sending = "";
      mark(true);
      const { param, message } = /** @type {import("../net/api.js").ApiError} */ (error);
      const refused = rows.find((row) => param === `settings.${row.name}`);
      if (!refused) return say(`Not saved. ${message}`, flush, "Try again");
      refused.refuse(message.replace(/^`[^`]*`: /, ""));
      // What was typed beside it is right.
      if (typed.length > 1) flush();
    }
  }

  /** All settings at once, and the way back. @param {ChatSettings} settings @param {string} words */
  async function give(settings, words) {
    const before = tuning.now;
    for (const row of rows) row.rest();
    unsaved = false;
    try {
      await tuning.change(settings);
      say(words, () => give(before, ""));
    } catch (error) {
      say(`Not changed. ${/** @type {Error} */ (error).message}`);
    }
    draw();
  }

  /** Closed: what was typed counts, what could not be kept is forgotten. */
  function leave() {
    flush();
    bar.close();
    say("");
    for (const row of rows) if (!row.news) row.rest();
    unsaved &&= rows.some((row) => row.news);
    draw();
  }

  function draw() {
    const { now, defaults } = tuning;
    const same = alike(now, defaults);
    setAttribute(button, "data-changed", !same || unsaved);
    setAttribute(button, "data-wrong", unsaved);
    const title = shown.open ? "Settings of this chat" : "Settings of the new chat";
    button.setAttribute("aria-label", unsaved ? `${title}, not saved` : same ? title : `${title}, changed`);
    button.title = unsaved ? `${title}: not saved` : title;
    if (!sheet.node.open) return;
    setText(sheet.heading, title);
    for (const row of rows) row.show(now[row.name], shown.model);
    bar.draw();
    setText(note, noteOf(now, defaults));
    setAttribute(reset, "aria-disabled", same ? "true" : null);
    setAttribute(adopt, "aria-disabled", same ? "true" : null);
  }

  return {
    async open() {
      more.open = MORE.some(({ name }) => tuning.now[name] !== undefined);
      await sheet.open();
      draw();
      // On a phone its keyboard would hide what was asked for.
      if (!touch.matches) first[0]?.input.focus();
    },
    /** @param {AppState} state @param {Model | null} model of the chat on screen */
    update(state, model) {
      // Another chat is on screen than the one whose settings are being changed; a new one only got its name.
      if (state.open !== shown.open && shown.open !== null) {
        for (const row of rows) row.rest();
        unsaved = false;
        sheet.node.close();
      }
      shown = { open: state.open, model };
      draw();
    },
  };
}

/** @param {ChatSettings} now @param {ChatSettings} defaults */
function noteOf(now, defaults) {
  if (alike(now, defaults)) return isPlain(now) ? "Nothing is set: the model decides." : "New chats begin with these settings.";
  return isPlain(defaults) ? "Set for this chat only." : "Other than what new chats begin with.";
}
