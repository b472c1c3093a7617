/**
 * One chat in the list at the side: a link to it, whether it is being answered and the way to stop that, and
 * the button of its menu.
 */
import { h, iconButton, setAttribute, setText } from "./dom.js";

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {{
 *   onMenu: (row: Conversation, event: Event) => void,
 *   onRename: (row: Conversation) => unknown,
 *   onStop: (row: Conversation) => Promise<unknown>,
 * }} Hooks */
/** @typedef {ReturnType<typeof createRow>} Row */

export const UNTITLED = "New chat";

/** @param {Conversation} row */
export const nameOf = (row) => row.title ?? UNTITLED;

/** @param {Conversation} conversation @param {Hooks} hooks */
export function createRow(conversation, hooks) {
  let row = conversation;
  let stopping = false;
  const name = h("span", { class: "row-name", dir: "auto" });
  const running = h("span", { class: "row-running", role: "img", "aria-label": "an answer is being written", hidden: true });
  const link = h("a", { class: "row-title", href: `#/c/${row.id}` }, name, running);
  const stop = iconButton("Stop", "square", { class: "icon-button row-tool row-stop", hidden: true, onclick: end });
  const menu = iconButton("Options", "ellipsis", { class: "icon-button row-tool row-menu", "aria-haspopup": "menu", "aria-expanded": "false", popovertarget: "row-menu" });
  const node = h("div", { class: "row" }, link, stop, menu);

  function end() {
    if (stopping) return;
    mark(true);
    hooks.onStop(row).finally(() => mark(false));
  }

  /** @param {boolean} now */
  function mark(now) {
    stopping = now;
    setAttribute(stop, "aria-disabled", stopping || null);
  }

  link.addEventListener("dblclick", () => hooks.onRename(row));
  menu.addEventListener("click", (event) => hooks.onMenu(row, event));
  return {
    node, link,
    /** @param {Conversation} next @param {boolean} current */
    update(next, current) {
      row = next;
      const title = nameOf(row);
      setText(name, title);
      link.title = title;
      menu.setAttribute("aria-label", `Options for ${title}`);
      stop.setAttribute("aria-label", `Stop the answer in ${title}`);
      running.hidden = !row.running;
      if (!row.running && document.activeElement === stop) link.focus();
      stop.hidden = !row.running;
      setAttribute(node, "data-current", current);
      setAttribute(link, "aria-current", current ? "page" : null);
    },
  };
}
