/**
 * The list of chats at the side: what is pinned, then the days; at its end the way to those that were put
 * away, which are listed in its place. Rows are kept and moved, never drawn anew, so that focus and a
 * half-typed name survive the server's news.
 */
import { UNDO_MS, isOn } from "../state/conversations.js";
import { grouped, groupsOf, untilMidnight } from "../state/dates.js";
import { arrange, byId, h, icon, iconButton, setAttribute, walk } from "./dom.js";
import { UNTITLED, createRow, nameOf } from "./historyrow.js";
import { createMore } from "./more.js";

export { UNTITLED };

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {import("../types").AppState} AppState */
/** @typedef {import("../types").Shelf} Shelf */
/** @typedef {{
 *   onOlder: () => void, onRetry: () => void, onShelf: (shelf: Shelf) => void,
 *   onRename: (row: Conversation, title: string) => Promise<void>, onPin: (row: Conversation, pinned: boolean) => Promise<void>,
 *   onArchive: (row: Conversation, archived: boolean) => Promise<void>, onStop: (row: Conversation) => Promise<void>,
 *   onDelete: (row: Conversation) => () => void,
 * }} Hooks */

/** @param {Hooks} hooks */
export function createHistory(hooks) {
  const nav = byId("history");
  /** @type {Map<string, import("./historyrow.js").Row>} */
  const rows = new Map();
  /** @type {Map<string, HTMLElement>} */
  const headings = new Map();
  const more = createMore(nav, "Older chats", hooks.onOlder);
  const note = h("p", { class: "history-note" });
  const away = h("button", { type: "button", class: "shelf-link", onclick: () => turn("archived") }, icon("archive"), "Archived");
  const back = iconButton("Back to the list of chats", "chevron-left", { onclick: () => turn("chats") });
  const head = h("div", { class: "shelf-head" }, back, h("h2", {}, "Archived"));
  /** Where the list was left. */
  let left = 0;
  /** @type {AppState | null} */
  let state = null;

  /** @type {Promise<ReturnType<typeof import("./rowacts.js").createRowActs>> | null} */
  let coming = null;
  let here = false;
  const acts = () => (coming ??= import("./rowacts.js").then(({ createRowActs }) => {
    here = true;
    return createRowActs(hooks, { rowOf: (id) => rows.get(id), titles, nameOf, undoMs: UNDO_MS });
  }));
  for (const kind of ["pointerover", "focusin"]) nav.addEventListener(kind, acts, { once: true });
  /** @type {import("./historyrow.js").Hooks} */
  const rowHooks = {
    async onMenu(row, event) {
      const soon = !here;
      // Its button opens it when there is something in it.
      if (soon) event.preventDefault();
      const button = /** @type {HTMLElement} */ (event.currentTarget);
      (await acts()).aim(row, button);
      if (soon) byId("row-menu").showPopover();
    },
    onRename: async (row) => (await acts()).edit(row),
    onStop: async (row) => (await acts()).attempt(row, "stopped", hooks.onStop(row)),
  };
  nav.addEventListener("keydown", (event) => {
    if (!(event.target instanceof HTMLInputElement)) walk(event, titles());
  });
  // The headings are made from today; tomorrow they are others.
  const atMidnight = () => setTimeout(() => (draw(), atMidnight()), untilMidnight(new Date()) + 1_000);
  atMidnight();

  const titles = () => /** @type {HTMLElement[]} */ ([...nav.querySelectorAll(".row-title")]);

  /** @param {Shelf} shelf to list */
  function turn(shelf) {
    if (shelf === "archived") left = nav.scrollTop;
    hooks.onShelf(shelf);
    nav.scrollTop = shelf === "archived" ? 0 : left;
    if (shelf === "archived") back.focus();
    else (away.isConnected ? away : titles()[0])?.focus({ preventScroll: true });
  }

  function draw() {
    if (!state) return;
    const { conversations, open, shelf } = state;
    const { older, listed, error } = state.lists[shelf];
    const archived = shelf === "archived";
    const listing = conversations.filter((c) => isOn(c, shelf));
    for (const id of rows.keys()) if (!conversations.some((c) => c.id === id)) rows.delete(id);
    const groups = archived ? grouped(listing, new Date()) : groupsOf(listing, new Date());
    const nodes = groups.flatMap((group) => [heading(group.name), ...group.rows.map((c) => rowOf(c, c.id === open))]);
    note.textContent = error ? `${error} ` : listed && !nodes.length ? (archived ? "Nothing is archived." : "Your chats will be listed here.") : "";
    if (error) note.append(h("button", { type: "button", class: "link-button", onclick: hooks.onRetry }, "Retry"));
    arrange(nav, [
      ...(archived ? [head] : []), ...nodes, ...(older ? [more.node] : []), ...(note.textContent ? [note] : []),
      ...(!archived && conversations.some((c) => c.archived) ? [away] : []),
    ]);
    setAttribute(nav, "aria-label", archived ? "Archived chats" : "Chat history");
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
    if (!row) rows.set(conversation.id, (row = createRow(conversation, rowHooks)));
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
