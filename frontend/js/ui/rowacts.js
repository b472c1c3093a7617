/**
 * What is done with a chat in the list: the menu of its row, one for all in the words that fit, and the line
 * that tells what was done, for a while with the way back.
 */
import { UNDO_MS, createChanges } from "../state/changes.js";
import { byId, composing, h, icon, setAttribute, setIcon, setText, walk } from "./dom.js";
import { nameOf } from "./historyrow.js";

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {import("./historyrow.js").Row} Row */
/** @typedef {import("./history.js").Hooks} Hooks */

const WIDE = 176;
const EDGE = 12;

/** What it needs of the list; `titles` are those of all rows, as they stand.
 *  @typedef {{ rowOf: (id: string) => Row | undefined, titles: () => HTMLElement[] }} List */

/** @param {Hooks} hooks @param {List} list */
export function createRowActs({ conversations, onStop, onDelete }, { rowOf, titles }) {
  const changes = createChanges(conversations);
  const menu = byId("row-menu");
  const say = createNotice();
  /** Whose menu it is, and the button that opened it. @type {{ row: Conversation, button: HTMLElement } | null} */
  let at = null;
  const rename = item("Rename", "pencil", edit);
  const pin = item("Pin", "pin", (row) => attempt(row, row.pinned ? "unpinned" : "pinned", changes.pin(row, !row.pinned)));
  const archive = item("Archive", "archive", (row) => leaving(row, () => move(row, !row.archived)));
  const remove = item("Delete", "trash-2", (row) => leaving(row, () => (onDelete(row.id), say(`Deleted ${named(row)}`, changes.remove(row)))));
  remove.setAttribute("data-danger", "");
  menu.append(rename, pin, archive, remove);
  // Focused as the menu opens, before another key is pressed; not as it is inserted, which is why it comes after.
  rename.setAttribute("autofocus", "");
  menu.addEventListener("keydown", (event) => walk(event, shown()));
  menu.addEventListener("toggle", () => at?.button.setAttribute("aria-expanded", String(menu.matches(":popover-open"))));

  const shown = () => [rename, pin, archive, remove].filter((button) => !button.hidden);

  /** @param {string} words @param {string} glyph @param {(row: Conversation) => void} act */
  function item(words, glyph, act) {
    return h("button", { type: "button", role: "menuitem", class: "menu-item", onclick: () => (menu.hidePopover(), at && act(at.row)) }, icon(glyph), h("span", {}, words));
  }

  /** @param {HTMLElement} button @param {string} words @param {string} glyph */
  function write(button, words, glyph) {
    setText(/** @type {Element} */ (button.lastElementChild), words);
    setIcon(button, glyph);
  }

  /** In place; what is typed is never taken away by news. @param {Conversation} row */
  function edit(row) {
    const { node, link } = rowOf(row.id) ?? {};
    if (!node || !link?.isConnected) return;
    const before = row.title ?? "";
    const input = h("input", { class: "row-input", "aria-label": "Title of the chat", maxlength: "200" });
    input.value = before;
    let open = true;
    /** @param {boolean} keep */
    const close = (keep) => {
      if (!open) return;
      open = false;
      const title = input.value.trim();
      const focused = document.activeElement === input;
      input.replaceWith(link);
      setAttribute(node, "data-renamed", null);
      if (focused) link.focus();
      // Left as it was, it is no title of the user's, whatever came meanwhile.
      if (keep && title && title !== before) attempt(row, "renamed", changes.rename(row, title));
    };
    input.addEventListener("keydown", (event) => {
      if (composing(event)) return;
      if (event.key === "Enter" || event.key === "Escape") (event.stopPropagation(), close(event.key === "Enter"));
    });
    input.addEventListener("blur", () => close(true));
    link.replaceWith(input);
    setAttribute(node, "data-renamed", true);
    input.select();
    input.focus();
  }

  /** @param {Conversation} row @param {boolean} archived */
  function move(row, archived) {
    const [done, undone] = archived ? ["archived", "unarchived"] : ["unarchived", "archived"];
    say(`${archived ? "Archived" : "Unarchived"} ${named(row)}`, () => attempt(row, undone, changes.archive(row, !archived)));
    attempt(row, done, changes.archive(row, archived));
  }

  /** @param {Conversation} row */
  const named = (row) => `“${nameOf(row)}”`;
  /** What a refusal is told as. @param {Conversation} row @param {string} done @param {Promise<void>} doing */
  const attempt = (row, done, doing) => doing.catch((error) => say(`${named(row)} was not ${done}. ${error.message}`));

  /** A row goes: who was there stands at its neighbour. @param {Conversation} row @param {() => void} act */
  function leaving(row, act) {
    const all = titles();
    const place = all.indexOf(/** @type {HTMLElement} */ (rowOf(row.id)?.link));
    act();
    (all[place + 1] ?? all[place - 1])?.focus({ preventScroll: true });
  }

  // What was deleted is deleted.
  addEventListener("pagehide", changes.flush);
  return {
    edit,
    /** @param {Conversation} row */
    stop(row) {
      onStop(row.id);
      return attempt(row, "stopped", changes.stop(row));
    },
    /** Just before the button's popovertarget opens it. @param {Conversation} row @param {HTMLElement} button */
    aim(row, button) {
      at = { row, button };
      pin.hidden = row.archived;
      write(pin, row.pinned ? "Unpin" : "Pin", row.pinned ? "pin-off" : "pin");
      write(archive, row.archived ? "Unarchive" : "Archive", row.archived ? "archive-restore" : "archive");
      const { left, bottom } = button.getBoundingClientRect();
      const tall = shown().length * parseFloat(getComputedStyle(menu).getPropertyValue("--target")) + EDGE;
      menu.style.setProperty("--x", `${Math.min(left, innerWidth - WIDE)}px`);
      menu.style.setProperty("--y", `${Math.min(bottom + 4, innerHeight - tall)}px`);
    },
  };
}

/** The line under the list. */
function createNotice() {
  const place = byId("undo");
  let timer = setTimeout(() => {}, 0);
  const clear = () => place.replaceChildren();
  /** @param {string} sentence @param {() => void} [back] */
  return (sentence, back) => {
    clearTimeout(timer);
    timer = setTimeout(clear, UNDO_MS);
    const undo = back && h("button", { type: "button", class: "link-button", onclick: () => (clear(), back()) }, "Undo");
    place.replaceChildren(h("span", { class: "undo-text" }, sentence), ...(undo ? [undo] : []));
  };
}
