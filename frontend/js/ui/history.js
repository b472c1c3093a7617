/**
 * The list of chats at the side: what is pinned, then the days; at its end the way to those that were put
 * away, which are listed in its place. Rows are kept and moved, never drawn anew, so that focus and a
 * half-typed name survive the server's news.
 */
import { isOn } from "../state/conversations.js";
import { grouped, groupsOf, untilMidnight } from "../state/dates.js";
import { arrange, byId, h, icon, iconButton, setAttribute, walk } from "./dom.js";
import { UNTITLED, createRow } from "./historyrow.js";
import { extras, whenIdle } from "./later.js";
import { createMore } from "./more.js";

export { UNTITLED };

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {import("../types").AppState} AppState */
/** @typedef {import("../types").Shelf} Shelf */
/** `onStop` and `onDelete` hear of a chat, by its id, before the server does.
 *  @typedef {{
 *   conversations: ReturnType<typeof import("../state/conversations.js").createConversations>,
 *   onStop: (id: string) => void, onDelete: (id: string) => void,
 * }} Hooks */

/** @param {Hooks} hooks */
export function createHistory(hooks) {
  const { conversations } = hooks;
  const nav = byId("history");
  /** @type {Map<string, import("./historyrow.js").Row>} */
  const rows = new Map();
  /** @type {Map<string, HTMLElement>} */
  const headings = new Map();
  const more = createMore(nav, "Older chats", conversations.older);
  const note = h("p", { class: "history-note" });
  const away = h("button", { type: "button", class: "shelf-link", onclick: () => turn("archived") }, icon("archive"), "Archived");
  const back = iconButton("Back to the list of chats", "chevron-left", { onclick: () => turn("chats") });
  const head = h("div", { class: "shelf-head" }, back, h("h2", {}, "Archived"));
  /** Where the list was left. */
  let left = 0;
  /** @type {AppState | null} */
  let state = null;

  /** What is done with a row, once that is there. @type {ReturnType<import("./later.js").Extras["createRowActs"]> | null} */
  let acts = null;
  /** @param {import("./later.js").Extras} extras */
  const ready = ({ createRowActs }) => (acts ??= createRowActs(hooks, { rowOf: (id) => rows.get(id), titles }));
  whenIdle(ready);
  /** @type {import("./historyrow.js").Hooks} */
  const rowHooks = {
    onMenu(row, event) {
      const button = /** @type {HTMLElement} */ (event.currentTarget);
      if (acts) return acts.aim(row, button);
      // Its button opens it where there is something in it.
      event.preventDefault();
      extras().then((all) => (ready(all).aim(row, button), byId("row-menu").showPopover()), () => {});
    },
    onRename: (row) => extras().then((all) => ready(all).edit(row), () => {}),
    onStop: (row) => extras().then((all) => ready(all).stop(row), () => {}),
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
    conversations.show(shelf);
    nav.scrollTop = shelf === "archived" ? 0 : left;
    if (shelf === "archived") back.focus();
    else (away.isConnected ? away : titles()[0])?.focus({ preventScroll: true });
  }

  function draw() {
    if (!state) return;
    const { conversations: known, open, shelf } = state;
    const { older, listed, error } = state.lists[shelf];
    const archived = shelf === "archived";
    const listing = known.filter((c) => isOn(c, shelf));
    for (const id of rows.keys()) if (!known.some((c) => c.id === id)) rows.delete(id);
    const groups = archived ? grouped(listing, new Date()) : groupsOf(listing, new Date());
    const nodes = groups.flatMap((group) => [heading(group.name), ...group.rows.map((c) => rowOf(c, c.id === open))]);
    note.textContent = error ? `${error} ` : listed && !nodes.length ? (archived ? "Nothing is archived." : "Your chats will be listed here.") : "";
    if (error) note.append(h("button", { type: "button", class: "link-button", onclick: conversations.refresh }, "Retry"));
    arrange(nav, [
      ...(archived ? [head] : []), ...nodes, ...(older ? [more.node] : []), ...(note.textContent ? [note] : []),
      ...(!archived && known.some((c) => c.archived) ? [away] : []),
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
