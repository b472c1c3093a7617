/**
 * The conversations that the page knows, against a server that is a list and a clock: read page by page,
 * read again, kept by news, changed at once and taken back.
 */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { NOTHING_LISTED, createConversations } from "../../frontend/js/state/conversations.js";
import { createChanges } from "../../frontend/js/state/changes.js";
import { groupsOf } from "../../frontend/js/state/dates.js";
import { createStore } from "../../frontend/js/state/store.js";

const row = (id, updated_at = 1, info = {}) => ({ id, updated_at, title: id, title_source: "auto", pinned: false, archived: false, running: false, ...info });
const real = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = real;
});

/** A server with these rows. `gate` holds what it is asked; `refuses` what is changed. */
class Server {
  asked = [];
  gate = null;
  refuses = null;
  constructor(...rows) {
    this.rows = new Map(rows.map((r) => [r.id, r]));
    globalThis.fetch = async (path, { method, body }) => {
      this.asked.push(`${method} ${path}`);
      const answer = this.answer(new URL(path, "http://x"), method, body && JSON.parse(body));
      if (this.gate) await this.gate;
      return answer;
    };
  }
  answer({ pathname, searchParams: query }, method, body) {
    const id = pathname.split("/")[3];
    if (this.refuses && method === "POST") return Response.json({ error: { code: "not_saved", message: this.refuses } }, { status: 500 });
    if (id && method === "POST") this.set(id, pathname.endsWith("/cancel") ? { running: false } : body);
    if (id) return Response.json(this.rows.get(id));
    const is = (flag, asked) => asked === "all" || String(flag) === asked;
    const all = [...this.rows.values()]
      .filter((r) => is(r.archived, query.get("archived") ?? "false") && is(r.pinned, query.get("pinned") ?? "all"))
      .sort((a, b) => b.updated_at - a.updated_at || (b.id > a.id ? 1 : -1));
    const from = query.get("after") ? all.findIndex((r) => r.id === query.get("after")) + 1 : 0;
    const data = all.slice(from, from + Number(query.get("limit")));
    const has_more = from + data.length < all.length;
    return Response.json({ data, has_more, last_cursor: has_more ? data.at(-1).id : null });
  }
  set(id, info) {
    this.rows.set(id, { ...this.rows.get(id), ...info });
  }
  /** What the next answers wait for. */
  hold() {
    let open;
    this.gate = new Promise((done) => (open = done));
    return () => {
      this.gate = null;
      open();
    };
  }
}

function page() {
  const store = createStore({ ...NOTHING_LISTED });
  const conversations = createConversations(store);
  const ids = (shelf = "chats") => store.get().conversations.filter((c) => c.archived === (shelf === "archived")).map((c) => c.id);
  return { store, conversations, changes: createChanges(conversations), ids, find: (id) => store.get().conversations.find((c) => c.id === id) };
}

const many = (count, info = {}) => Array.from({ length: count }, (_, i) => row(`c${String(i).padStart(3, "0")}`, 10_000 - i, info));

test("the list is read page by page, with what is pinned farther on and the knowledge of an archive", async () => {
  const server = new Server(...many(100), row("old", 1, { pinned: true }), row("away", 5, { archived: true }), row("away2", 4, { archived: true }));
  const { store, conversations, ids } = page();
  await conversations.refresh();
  assert.deepEqual(ids(), [...many(40).map((r) => r.id), "old"]);
  assert.deepEqual(ids("archived"), ["away"]);
  assert.deepEqual(store.get().lists.chats, { older: "c039", listed: true, error: null });
  await conversations.older();
  await conversations.older();
  assert.deepEqual(ids(), [...many(100).map((r) => r.id), "old"]);
  assert.equal(store.get().lists.chats.older, null);
  const asked = server.asked.length;
  await conversations.older();
  assert.equal(server.asked.length, asked);
});

test("the archive is read when it is looked at, and once", async () => {
  const server = new Server(row("here"), ...many(50, { archived: true }));
  const { store, conversations, ids } = page();
  await conversations.refresh();
  conversations.show("archived");
  assert.equal(store.get().shelf, "archived");
  while (!store.get().lists.archived.listed) await new Promise(setImmediate);
  assert.equal(ids("archived").length, 40);
  await conversations.older();
  assert.equal(ids("archived").length, 50);
  const asked = server.asked.length;
  conversations.show("chats");
  conversations.show("archived");
  assert.equal(server.asked.length, asked);
  assert.deepEqual(ids(), ["here"]);
});

test("what went away while nobody told is gone when the list is read again, as far as it was read", async () => {
  const server = new Server(...many(90), row("pin", 1, { pinned: true }));
  const { store, conversations, ids, find } = page();
  await conversations.refresh();
  await conversations.older();
  conversations.put([row("linked", 2)]);
  for (const id of ["c000", "c050", "pin"]) server.rows.delete(id);
  server.set("c001", { archived: true });
  server.set("c060", { title: "Renamed" });
  server.rows.set("linked", row("linked", 2));
  await conversations.refresh();
  assert.equal(find("c000") ?? find("c050") ?? find("pin"), undefined);
  assert.equal(find("c060").title, "Renamed");
  assert.deepEqual([ids("archived"), find("linked").id], [["c001"], "linked"]);
  // As much as was known, in the fewest pages; the rest is still to come.
  assert.deepEqual([ids().length, store.get().lists.chats.older], [88, null]);
});

test("news that comes while a list is read is newer than the list", async () => {
  const server = new Server(row("a", 3), row("b", 2), row("gone", 1));
  const { conversations, ids, find } = page();
  await conversations.refresh();
  const open = server.hold();
  const reading = conversations.refresh();
  await new Promise(setImmediate);
  conversations.changed({ op: "updated", conversation: row("a", 9, { title: "Newer" }) });
  conversations.changed({ op: "created", conversation: row("new", 10) });
  conversations.changed({ op: "deleted", conversation_id: "gone" });
  open();
  await reading;
  assert.deepEqual([ids(), find("a").title], [["new", "a", "b"], "Newer"]);
});

test("a list that can't be read says why, and is read again", async () => {
  const server = new Server(row("a"));
  const { store, conversations, ids } = page();
  const { fetch } = globalThis;
  globalThis.fetch = async () => Promise.reject(new TypeError("down"));
  await conversations.refresh();
  assert.deepEqual([store.get().lists.chats.error, store.get().lists.chats.listed], ["The server could not be reached.", false]);
  globalThis.fetch = fetch;
  await conversations.refresh();
  assert.deepEqual([ids(), store.get().lists.chats.error], [["a"], null]);
  assert.ok(server.asked.length);
});

test("a change shows at once, over news that is older, and stays as the server has it", async () => {
  const server = new Server(row("a"));
  const { conversations, changes, find } = page();
  await conversations.refresh();
  const open = server.hold();
  const renaming = changes.rename(find("a"), "Mine");
  const pinning = changes.pin(find("a"), true);
  assert.deepEqual([find("a").title, find("a").title_source, find("a").pinned], ["Mine", "user", true]);
  conversations.changed({ op: "updated", conversation: row("a", 2, { title: "A model's", running: true }) });
  assert.deepEqual([find("a").title, find("a").pinned, find("a").running], ["Mine", true, true]);
  open();
  await Promise.all([renaming, pinning]);
  assert.deepEqual([find("a").title, find("a").pinned], ["Mine", true]);
  conversations.changed({ op: "updated", conversation: row("a", 3, { title: "Elsewhere", pinned: false }) });
  assert.deepEqual([find("a").title, find("a").pinned], ["Elsewhere", false]);
});

test("an answer that the news has overtaken changes nothing but what was asked for", async () => {
  const server = new Server(row("a"), row("gone"));
  const { conversations, changes, find } = page();
  await conversations.refresh();
  const open = server.hold();
  const asking = [conversations.read("a"), conversations.read("gone"), changes.pin(find("a"), true)];
  conversations.changed({ op: "updated", conversation: row("a", 5, { title: "Newer", running: true }) });
  conversations.changed({ op: "deleted", conversation_id: "gone" });
  open();
  await Promise.all(asking);
  assert.deepEqual([find("a").title, find("a").running, find("a").pinned, find("gone")], ["Newer", true, true, undefined]);
  server.set("a", { title: "Now" });
  await conversations.read("a");
  assert.deepEqual([find("a").title, find("a").running], ["Now", false]);
});

test("a change that is refused comes back, and nothing else does", async () => {
  const server = new Server(row("a"));
  const { conversations, changes, find, ids } = page();
  await conversations.refresh();
  server.refuses = "The disk is full.";
  const open = server.hold();
  const archiving = changes.archive(find("a"), true);
  assert.deepEqual([ids(), ids("archived")], [[], ["a"]]);
  conversations.changed({ op: "updated", conversation: row("a", 2, { title: "Newer" }) });
  open();
  await assert.rejects(archiving, /The disk is full/);
  assert.deepEqual([ids(), find("a").title], [["a"], "Newer"]);
});

test("what was archived comes back as it is by then", async () => {
  const server = new Server(row("a"));
  const { conversations, changes, find, ids } = page();
  await conversations.refresh();
  const before = find("a");
  await changes.archive(before, true);
  server.set("a", { title: "A model's" });
  conversations.changed({ op: "updated", conversation: server.rows.get("a") });
  const back = changes.archive(before, false);
  assert.deepEqual([ids(), find("a").title], [["a"], "A model's"]);
  await back;
});

test("an answer is stopped by its chat, and a deletion can be taken back", async () => {
  const server = new Server(row("a", 1, { running: true }));
  const { conversations, changes, find, ids } = page();
  await conversations.refresh();
  await changes.stop(find("a"));
  assert.equal(find("a").running, false);
  assert.ok(server.asked.includes("POST /v1/conversations/a/cancel"));
  const undo = changes.remove(find("a"));
  conversations.changed({ op: "updated", conversation: row("a", 4) });
  assert.deepEqual(ids(), []);
  undo();
  assert.deepEqual(ids(), ["a"]);
});

test("what is pinned stands first, in the order of the list", () => {
  const now = new Date(2026, 10, 24, 12);
  const at = (day) => new Date(2026, 10, day, 10).getTime() / 1000;
  const rows = [row("new", at(24)), row("b", at(23), { pinned: true }), row("old", at(22)), row("a", at(1), { pinned: true })];
  const names = (groups) => groups.map((g) => [g.name, ...g.rows.map((r) => r.id)]);
  assert.deepEqual(names(groupsOf(rows, now)), [["Pinned", "b", "a"], ["Today", "new"], ["Previous 7 days", "old"]]);
  assert.deepEqual(names(groupsOf([rows[0]], now)), [["Today", "new"]]);
});
