/**
 * The search field above the list of chats, and what was found in the place of that list. A hit is a link
 * to the response that holds it; it refuses to know when to ask, and what opening a hit takes. It is fetched
 * apart from the page.
 */
import { momentOf } from "../state/dates.js";
import { foundLine } from "../state/search.js";
import { announce } from "./announce.js";
import { arrange, byId, composing, h, setAttribute, walk } from "./dom.js";
import { UNTITLED } from "./history.js";
import { APPLE } from "./keysheet.js";
import { createMore } from "./more.js";

/** @typedef {import("../types").AppState} AppState */
/** @typedef {import("../types").Hit} Hit */
/** @typedef {{ onLook: (text: string) => void, onMore: () => void, onRetry: () => void }} Hooks */

/** @type {Record<string, string>} */
const SPEAKERS = { user: "You", assistant: "The model" };

/** @param {Hooks} hooks */
export function createFinder(hooks) {
  const form = byId("search");
  const field = /** @type {HTMLInputElement} */ (byId("query"));
  const clear = byId("clear-search");
  const keys = byId("search-keys");
  const chats = byId("history");
  const panel = byId("results");
  const heading = h("h2", { class: "day" });
  const list = h("ul", { class: "hits" });
  const note = h("p", { class: "history-note" });
  const more = createMore(panel, "More results", hooks.onMore);
  /** @type {Map<Hit, HTMLElement>} */
  const rows = new Map();
  /** @type {AppState | null} */
  let state = null;
  /** The hit that was opened last. @type {Hit | null} */
  let opened = null;
  /** Which query the rows answer. */
  let answered = "";
  let told = "";

  if (APPLE) [keys.textContent, field.title] = ["⌘K", "Search (⌘K)"];

  field.addEventListener("input", look);
  clear.addEventListener("click", empty);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { query, found } = state?.search ?? {};
    if (found?.query === query) stops()[1]?.focus();
  });
  for (const place of [form, panel]) place.addEventListener("keydown", press);

  const stops = () => [field, .../** @type {NodeListOf<HTMLElement>} */ (panel.querySelectorAll("a, button"))];

  function look() {
    clear.hidden = field.value === "";
    keys.hidden = !clear.hidden;
    hooks.onLook(field.value);
  }

  function empty() {
    field.value = "";
    field.focus();
    look();
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (composing(event)) return;
    if (event.key !== "Escape") return walk(event, stops());
    // In an empty field it means what it means everywhere.
    if (field.value === "") return;
    event.preventDefault();
    event.stopPropagation();
    empty();
  }

  function draw() {
    if (!state) return;
    const { search: { query, found, error }, open } = state;
    panel.hidden = query === "";
    chats.hidden = !panel.hidden;
    if (panel.hidden) {
      answered = told = "";
      return more.watch(null);
    }
    const hits = found?.hits ?? [];
    const next = (!error && found?.next) || null;
    for (const hit of rows.keys()) if (!hits.includes(hit)) rows.delete(hit);
    arrange(list, hits.map((hit) => rowOf(hit, hit === opened && hit.conversation_id === open)));
    heading.textContent = found ? foundLine(found) : "";
    write(error ?? (!found ? "Searching." : hits.length ? "" : `Nothing found for “${found.query}”.`), error !== null);
    setAttribute(note, "data-late", !found);
    arrange(panel, [...(hits.length ? [heading, list] : []), ...(note.textContent ? [note] : []), ...(next ? [more.node] : [])]);
    more.watch(next);
    if (found && found.query !== answered) {
      answered = found.query;
      panel.scrollTop = 0;
    }
    if (error) tell(error);
    else if (found?.query === query) tell(hits.length ? `${heading.textContent} for “${query}”` : note.textContent ?? "");
  }

  /** @param {string} words @param {boolean} wrong */
  function write(words, wrong) {
    note.textContent = wrong ? `${words} ` : words;
    if (wrong) note.append(h("button", { type: "button", class: "link-button", onclick: () => (field.focus(), hooks.onRetry()) }, "Retry"));
  }

  /** @param {string} sentence */
  function tell(sentence) {
    if (sentence !== told) announce(sentence);
    told = sentence;
  }

  /** @param {Hit} hit @param {boolean} current */
  function rowOf(hit, current) {
    let row = rows.get(hit);
    if (!row) rows.set(hit, (row = createRow(hit, () => ((opened = hit), draw()))));
    setAttribute(row, "data-current", current);
    setAttribute(row.firstElementChild ?? row, "aria-current", current ? "true" : null);
    return row;
  }

  // It may have been typed into before this was here.
  if (field.value) look();

  return {
    /** @param {AppState} next */
    update(next) {
      state = next;
      draw();
    },
  };
}

/** @param {Hit} hit @param {() => void} onOpen */
function createRow(hit, onOpen) {
  const { title, role, snippet, created_at, archived } = hit;
  const then = new Date(created_at * 1000);
  return h("li", { class: "hit" },
    h("a", { class: "hit-link", href: `#/c/${hit.conversation_id}/${hit.response_id}`, onclick: onOpen },
      h("span", { class: "hit-title", dir: "auto" }, title ?? UNTITLED),
      h("span", { class: "hit-about" },
        h("span", {}, SPEAKERS[role ?? ""] ?? ""),
        h("time", { datetime: then.toISOString(), title: then.toLocaleString("en") }, momentOf(created_at, new Date())),
        h("span", { class: "hit-shelf" }, archived ? "Archived" : "")),
      h("span", { class: "hit-text", dir: "auto" }, ...snippet.map(({ text, match }) => (match ? h("mark", {}, text) : text)))));
}
