/**
 * The list of chats at the side: grouped by local day, renamed in place, deleted with a way back. Rows are
 * kept and moved, never drawn anew, so that focus and a half-typed name survive the server's news.
 */
import { grouped, untilMidnight } from "../state/dates.js";
import { UNDO_MS } from "../state/conversations.js";
import { arrange, byId, composing, h, icon, iconButton, setAttribute, walk } from "./dom.js";
import { createMore } from "./more.js";

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {import("../types").AppState} AppState */
/** @typedef {{ node: HTMLElement, update: (row: Conversation, current: boolean) => void, rename: () => void, menu: HTMLElement }} Row */
/** @typedef {{
 *   onOlder: () => void, onRetry: () => void,
 *   onRename: (row: Conversation, title: string) => Promise<void>, onDelete: (row: Conversation) => () => void,
 * }} Hooks */

export const UNTITLED = "New chat";

/** @param {Hooks} hooks */
export function createHistory(hooks) {
  const nav = byId("history");
  const undo = byId("undo");
  const menu = byId("row-menu");
  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @type {Map<string, HTMLElement>} */
  const headings = new Map();
  const more = createMore(nav, "Older chats", hooks.onOlder);
  const note = h("p", { class: "history-note" });
  /** @type {AppState | null} */
  let state = null;
  /** Whose menu is open. @type {Conversation | null} */
  let chosen = null;
  let undoTimer = setTimeout(() => {}, 0);

  menu.append(
    item("Rename", "pencil", () => chosen && rows.get(chosen.id)?.rename()),
    item("Delete", "trash-2", () => chosen && remove(chosen), { "data-danger": true }));
  menu.addEventListener("keydown", (event) => walk(event, /** @type {HTMLElement[]} */ ([...menu.children])));
  menu.addEventListener("toggle", () => {
    const open = menu.matches(":popover-open");
    if (chosen) rows.get(chosen.id)?.menu.setAttribute("aria-expanded", String(open));
    if (open) /** @type {HTMLElement} */ (menu.firstElementChild).focus();
  });
  nav.addEventListener("keydown", (event) => {
    if (!(event.target instanceof HTMLInputElement)) walk(event, /** @type {HTMLElement[]} */ ([...nav.querySelectorAll(".row-title")]));
  });
  // The headings are made from today; tomorrow they are others.
  const atMidnight = () => setTimeout(() => (draw(), atMidnight()), untilMidnight(new Date()) + 1_000);
  atMidnight();

  /** @param {string} label @param {string} glyph @param {() => void} act @param {import("./dom.js").Props} [props] */
  function item(label, glyph, act, props = {}) {
    return h("button", { type: "button", role: "menuitem", class: "menu-item", onclick: () => (menu.hidePopover(), act()), ...props }, icon(glyph), label);
  }

  /** Just before the button's popovertarget opens it. @param {Conversation} row @param {HTMLElement} button */
  function aim(row, button) {
    chosen = row;
    const at = button.getBoundingClientRect();
    menu.style.setProperty("--x", `${Math.min(at.left, innerWidth - 176)}px`);
    menu.style.setProperty("--y", `${Math.min(at.bottom + 4, innerHeight - 100)}px`);
  }

  /** @param {Conversation} row */
  function remove(row) {
    const back = hooks.onDelete(row);
    const end = () => undo.replaceChildren();
    clearTimeout(undoTimer);
    undoTimer = setTimeout(end, UNDO_MS);
    undo.replaceChildren(
      h("span", { class: "undo-text" }, `Deleted “${row.title ?? UNTITLED}”`),
      h("button", { type: "button", class: "link-button", onclick: () => (back(), end()) }, "Undo"));
  }

  function draw() {
    if (!state) return;
    const { conversations, open, older, listed, listError } = state;
    for (const id of rows.keys()) if (!conversations.some((c) => c.id === id)) rows.delete(id);
    const nodes = grouped(conversations, new Date()).flatMap((group) => [heading(group.name), ...group.rows.map((c) => rowOf(c, c.id === open))]);
    note.textContent = listError ? `${listError} ` : listed && !nodes.length ? "Your chats will be listed here." : "";
    if (listError) note.append(h("button", { type: "button", class: "link-button", onclick: hooks.onRetry }, "Retry"));
    arrange(nav, [...nodes, ...(older ? [more.node] : []), ...(note.textContent ? [note] : [])]);
    more.watch(older);
  }

  /** @param {string} name */
  function heading(name) {
    const node = headings.get(name) ?? h("h2", { class: "day" }, name);
    headings.set(name, node);
    return node;
  }

  /** @param {Conversation} conversation @param {boolean} current */
  function rowOf(conversation, current) {
    let row = rows.get(conversation.id);
    if (!row) rows.set(conversation.id, (row = createRow(conversation, aim, hooks.onRename)));
    row.update(conversation, current);
    return row.node;
  }

  return {
    /** @param {AppState} next */
    update(next) {
      state = next;
      draw();
    },
  };
}

/**
 * @param {Conversation} conversation
 * @param {(row: Conversation, button: HTMLElement) => void} onMenu
 * @param {Hooks["onRename"]} onRename
 * @returns {Row}
 */
function createRow(conversation, onMenu, onRename) {
  let row = conversation;
  const name = h("span", { class: "row-name", dir: "auto" });
  const running = h("span", { class: "row-running", role: "img", "aria-label": "an answer is being written", hidden: true });
  const link = h("a", { class: "row-title", href: `#/c/${row.id}` }, name, running);
  const menu = iconButton("Options", "ellipsis", { class: "icon-button row-menu", "aria-haspopup": "menu", "aria-expanded": "false", popovertarget: "row-menu" });
  const node = h("div", { class: "row" }, link, menu);

  function rename() {
    const input = h("input", { class: "row-input", "aria-label": "Title of the chat", maxlength: "200" });
    input.value = row.title ?? "";
    let open = true;
    /** @param {boolean} keep */
    const end = (keep) => {
      if (!open) return;
      open = false;
      const title = input.value.trim();
      const focused = document.activeElement === input;
      input.replaceWith(link);
      menu.hidden = false;
      if (focused) link.focus();
      if (keep && title && title !== row.title) onRename(row, title).catch(() => {});
    };
    input.addEventListener("keydown", (event) => {
      if (composing(event)) return;
      if (event.key === "Enter" || event.key === "Escape") (event.stopPropagation(), end(event.key === "Enter"));
    });
    input.addEventListener("blur", () => end(true));
    link.replaceWith(input);
    menu.hidden = true;
    input.select();
    input.focus();
  }

  link.addEventListener("dblclick", rename);
  menu.addEventListener("click", () => onMenu(row, menu));
  return {
    node, rename, menu,
    update(next, current) {
      row = next;
      const title = row.title ?? UNTITLED;
      name.textContent = title;
      link.title = title;
      menu.setAttribute("aria-label", `Options for ${title}`);
      running.hidden = !row.running;
      setAttribute(node, "data-current", current);
      setAttribute(link, "aria-current", current ? "page" : null);
    },
  };
}
