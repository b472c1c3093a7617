/**
 * The page's composition root: makes the parts, wires them, follows the address. It holds no rules of its
 * own; state moves from the link through the store to the views.
 */
import { api } from "./net/api.js";
import { createLink } from "./net/link.js";
import { createChats } from "./state/chats.js";
import { NOTHING_LISTED, createConversations } from "./state/conversations.js";
import { taken, writeDraft } from "./state/drafts.js";
import { headline, joined } from "./state/files.js";
import { remember } from "./state/memory.js";
import { STARTS, choose, keepModel, modelOf, offers, relisted, withModel } from "./state/models.js";
import { stateLine } from "./state/sentences.js";
import { fieldsOf, remembered, settingsOf } from "./state/settings.js";
import { createStore } from "./state/store.js";
import { createChatView } from "./ui/chatview.js";
import { createComposer } from "./ui/composer.js";
import { byId } from "./ui/dom.js";
import { createDrawer } from "./ui/drawer.js";
import { UNTITLED, createHistory } from "./ui/history.js";
import { createKeys } from "./ui/keys.js";
import { extras, whenIdle } from "./ui/later.js";
import { createPicker } from "./ui/picker.js";
import { createStateLine } from "./ui/stateline.js";
import { createTheme } from "./ui/theme.js";
import { welcome } from "./ui/welcome.js";

/** @typedef {import("./types").AppState} AppState */
/** @typedef {import("./types").Event} Event */
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").ModelVerb} ModelVerb */

/** A short loss of the link is not worth a word. */
const AWAY_MS = 2_500;
const BUILD = document.querySelector('meta[name="tokenwire-build"]')?.getAttribute("content");

const store = createStore(/** @type {AppState} */ ({
  link: { status: "connecting", since: Date.now(), code: 0 }, away: false, draining: false, saving: true, outdated: false,
  models: [], refusals: {}, ...NOTHING_LISTED, search: { query: "", found: null, error: null }, open: null, fill: null,
  fresh: remembered("fresh"), defaults: remembered("defaults"),
}));
const conversations = createConversations(store);

/* The link. */

/** @type {Set<(nothing: void) => void>} */
const onceOpen = new Set();
let greetings = 0;
let awayTimer = setTimeout(() => {}, 0);

const link = createLink({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/responses`,
  onStatus(info) {
    clearTimeout(awayTimer);
    if (info.status === "open" || info.status === "closed") store.set({ link: info, away: false });
    else {
      store.set({ link: info });
      awayTimer = setTimeout(() => store.set({ away: true }), Math.max(0, info.since + AWAY_MS - Date.now()));
    }
  },
  onHello(event) {
    store.set({ draining: false, saving: event.saving !== false, outdated: Boolean(event.build && BUILD && event.build !== BUILD) });
    for (const go of onceOpen) go();
    onceOpen.clear();
    list();
    conversations.refresh();
    if (store.get().search.error) search?.retry();
    // A page that opened without the server could not read its chat.
    if (greetings++ > 0 || chat.status === "failed") chat.refresh();
  },
  onPageEvent: hear,
});

/* Models: they come one by one over the link; those that are gone don't say so. */

/** How often the link has said something of a model, and when it last did of each. */
let told = 0;
/** @type {Map<string, number>} */
const toldOf = new Map();

async function list() {
  const asked = told;
  const listed = await api.models().catch(() => null);
  if (listed) store.set({ models: relisted(store.get().models, listed.data, (id) => (toldOf.get(id) ?? 0) > asked) });
}

/** @param {Model} model as the link tells it */
function tell(model) {
  toldOf.set(model.id, (told += 1));
  know(model);
}

/** @param {Model} model */
function know(model) {
  const { models } = store.get();
  const before = models.find((m) => m.id === model.id)?.tokenwire.state;
  if (before !== model.tokenwire.state) excuse(model.id);
  store.set({ models: withModel(models, model) });
  // Whoever waits for a download waits for its model.
  if (before === "downloading" && model.tokenwire.state === "unloaded" && modelOf(store.get()).model === model) tend("load", model.id);
}

/** What the server said against a model has had its time. @param {string} id */
function excuse(id) {
  const { [id]: refused, ...refusals } = store.get().refusals;
  if (refused) store.set({ refusals });
}

/** @param {ModelVerb} verb @param {string} id also of the hub */
async function tend(verb, id) {
  const asked = told;
  excuse(id);
  try {
    const model = await api.tend(verb, id);
    // The answer may be older than what the link has said meanwhile.
    if ((toldOf.get(model.id) ?? 0) <= asked) know(model);
  } catch (error) {
    store.set({ refusals: { ...store.get().refusals, [id]: /** @type {Error} */ (error).message } });
  }
  // What was only begun may be gone with its download.
  if (verb === "cancel") list();
}

/** What the server says of itself. @param {Event} event */
function hear(event) {
  switch (event.type) {
    case "tokenwire:model.state":
      if (event.model) tell(event.model);
      break;
    case "tokenwire:conversation.changed":
      conversations.changed(event);
      if (event.op === "items") chats.get(event.conversation_id ?? "")?.refresh({ edited: true });
      if (event.op === "updated") chats.get(event.conversation_id ?? "")?.lead(event.conversation?.active_response_id ?? null);
      if (event.op !== "deleted" || !event.conversation_id) break;
      search?.forget(event.conversation_id);
      if (event.conversation_id === store.get().open) location.hash = "#/";
      break;
    case "tokenwire:response.started":
      chats.get(event.conversation_id ?? "")?.refresh({ added: true });
      break;
    case "tokenwire:saving.changed":
      store.set({ saving: event.saving !== false });
      // What could not be saved may be now, and only the list says so.
      if (event.saving) chat.refresh();
      break;
    case "tokenwire:server.draining":
      store.set({ draining: true });
  }
}

/* Chats: the one on screen, and those that still write. */

const chats = createChats({
  link, conversations,
  isOpen: () => store.get().link.status === "open",
  whenOpen: () => new Promise((done) => onceOpen.add(done)),
  settings: (id) => settingsOf(store.get(), id),
  onMade(settings) {
    if (store.get().fresh !== settings) return;
    remember("fresh", null);
    store.set({ fresh: null });
  },
  onCreated(created, id) {
    const model = created.turns.at(-1)?.model;
    if (model) choose(id, model);
    if (created !== chat) return;
    history.replaceState(null, "", `#/c/${id}`);
    composer.named(id);
    store.set({ open: id });
  },
  onUnsaid: (of, text) => of === chat && composer.giveBack(text),
});
let chat = chats.open(null);

/** @param {string | null} id */
function open(id) {
  chat = chats.open(id);
  store.set({ open: id });
  view.show(chat);
  composer.open(id);
  drawer.close();
  refresh();
}

/** The conversation that the address names, and the response in it that is to be seen. */
function named() {
  const [, id = null, response = null] = /^#\/c\/([\w.-]+)(?:\/([\w.-]+))?$/.exec(location.hash) ?? [];
  return { id, response };
}

function route() {
  const { id, response } = named();
  if (id === null || id !== chat.id) open(id);
  if (response) reveal(response);
  else composer.invite();
}

/** @param {string} response of the chat on screen */
function reveal(response) {
  // Asked for once: the same hit can be opened again, and a reload is of the chat.
  history.replaceState(null, "", `#/c/${chat.id}`);
  drawer.close();
  chat.hold(response);
  view.reveal(response);
}

/** A new chat, also where the address says so already. */
function begin() {
  if (named().id === null) route();
  else location.hash = "#/";
}

/* What a person does. */

/** @param {string} text @param {import("./types").TextFile[]} [files] */
function send(text, files = []) {
  const { model } = modelOf(store.get());
  const prompt = joined(files, text);
  if (chat.live) return chat.steer(prompt) ? taken(chat.id, text, files) : composer.giveBack(prompt);
  if (!model) return;
  const [mine, key] = [chat, chat.id];
  writeDraft(key, text);
  mine.send(prompt, model.id);
  const unwatch = mine.watch((changed) => {
    if (changed?.prompt !== prompt || !changed.id) return;
    unwatch();
    taken(key, text, files);
  });
  view.sent();
}

/** For this chat, and made ready for it. @param {Model} model */
function pick(model) {
  choose(store.get().open, model.id);
  refresh();
  composer.invite();
  const verb = STARTS[model.tokenwire.state];
  if (verb) tend(verb, model.id);
}

/** @param {(model: string) => void} how */
function ask(how) {
  const { model } = modelOf(store.get());
  if (!model || chat.live) return;
  how(model.id);
  view.sent();
}

const view = createChatView({
  onRetry: (turn) => ask((model) => chat.retry(turn, model)),
  onEdit: (turn, prompt) => ask((model) => chat.edit(turn, prompt, model)),
  onGoOn: (turn) => ask(() => chat.goOn(turn)),
  onVersion: (id) => chat.turnTo(id),
  onChange: refresh,
  onEnded() {
    unseen = document.hidden;
    refresh();
  },
  welcome: () => welcome(modelOf(store.get()).model, offers(store.get().models), { onPrompt: send, onPick: pick }),
});
const composer = createComposer({ onSend: send, onStop: () => chat.stop(), onType: () => ahead?.typed(sight()) });
/** @type {ReturnType<import("./ui/later.js").Extras["createAhead"]> | null} */
let ahead = null;
const picker = createPicker({ onChoose: pick, onTend: tend, onLook: list });
const drawer = createDrawer();
const setLine = createStateLine((action) => (action === "reload" ? location.reload() : link.now()));
const sidebar = createHistory({
  conversations,
  onStop: (id) => chats.get(id)?.stop(),
  onDelete: (id) => {
    if (id === store.get().open) location.hash = "#/";
  },
});
/** @type {ReturnType<import("./ui/later.js").Extras["createSearch"]> | null} */
let search = null;
/** @type {ReturnType<import("./ui/later.js").Extras["createFinder"]> | null} */
let finder = null;
/** @type {ReturnType<import("./ui/later.js").Extras["createSheets"]> | null} */
let sheets = null;
/** @param {import("./ui/later.js").Extras} extras */
function complete({ createAhead, createFinder, createSearch, createSheets, keepPage, watchDrags }) {
  if (ahead) return;
  keepPage();
  watchDrags();
  ahead = createAhead({ create: link.create, onFill: (fill) => store.set({ fill }) });
  search = createSearch(store, api.search);
  finder = createFinder({ onLook: search.look, onMore: search.more, onRetry: search.retry });
  finder.update(store.get());
  sheets = createSheets({ store, conversations, keys, editLast: view.editLast });
  refresh();
}
whenIdle(complete);
byId("query").addEventListener("input", () => extras().then(complete, () => {}));
for (const id of /** @type {const} */ (["settings", "keys"])) {
  byId(id).addEventListener("click", () => extras().then((all) => (complete(all), sheets?.[id]()), () => {}));
}
byId("search").addEventListener("submit", (event) => event.preventDefault());
createTheme();
const keys = createKeys({
  stop: () => {
    if (drawer.close()) return true;
    if (!chat.live) return false;
    chat.stop();
    return true;
  },
  newChat: () => {
    begin();
    composer.focus();
  },
  search: () => {
    /** @type {HTMLElement | null} */ (document.querySelector(":popover-open"))?.hidePopover();
    drawer.show();
    /** @type {HTMLInputElement} */ (byId("query")).select();
  },
  newest: () => view.focusNewest(),
});
byId("skip").addEventListener("click", () => composer.focus());
document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest('a[href="#/"]') || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  begin();
});

/* State to views. */

/** An answer ended while nobody looked. */
let unseen = false;
/** What the first-use screen says of the model. */
let greeting = "";

/** What the message box may do ahead of a send. */
function sight() {
  const state = store.get();
  return { chat, model: modelOf(state).model, online: state.link.status === "open", fields: fieldsOf(settingsOf(state)), files: composer.files, text: composer.text };
}

function refresh() {
  const state = store.get();
  const choice = modelOf(state);
  const { live } = chat;
  keepModel(choice.model);
  ahead?.look(sight());
  sheets?.update(state, choice.model);
  picker.update(state, choice.model);
  const greets = `${choice.model?.id} ${choice.model?.tokenwire.description} ${offers(state.models).map((m) => m.id)}`;
  // Not at each tick of a download: someone may be about to press a button on it.
  if (greets !== greeting) view.refreshWelcome();
  greeting = greets;
  setLine(stateLine(state, live, choice));
  composer.setMode(live ? (live.stopping ? "stopping" : "writing") : choice.model ? "ready" : "closed");
  const title = state.conversations.find((c) => c.id === state.open)?.title ?? (headline(chat.turns[0]?.prompt ?? "").slice(0, 60) || UNTITLED);
  byId("title").textContent = title;
  document.title = `${unseen ? "● " : ""}${state.open || chat.turns.length ? `${title} · ` : ""}Tokenwire`;
}

store.watch(["link", "away", "draining", "saving", "outdated", "models", "refusals", "conversations", "open", "fill", "fresh", "defaults"], refresh);
store.watch(["conversations", "open", "shelf", "lists"], (state) => sidebar.update(state));
store.watch(["search", "open"], (state) => finder?.update(state));

addEventListener("hashchange", route);
addEventListener("online", () => link.now());
addEventListener("pagehide", () => {
  link.stop();
});
addEventListener("pageshow", (event) => event.persisted && link.start());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return link.hide();
  unseen = false;
  link.awake();
  refresh();
});
link.start();
route();
