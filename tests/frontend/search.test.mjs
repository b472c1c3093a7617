/**
 * What is looked for and what is found, with a server whose answers the test holds back: the pause in
 * typing, answers that come late, paging, clearing, and a server that can't be reached.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { momentOf } from "../../frontend/js/state/dates.js";
import { NO_SEARCH, createSearch, foundLine } from "../../frontend/js/state/search.js";
import { createStore } from "../../frontend/js/state/store.js";

const settled = () => new Promise((done) => setImmediate(done));
const hit = (item_id, conversation_id = "conv_1") => ({ item_id, conversation_id });

function world(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const store = createStore({ search: NO_SEARCH });
  /** What was asked, and how the test answers it. */
  const asked = [];
  const search = createSearch(store, (query, after) => new Promise((answer, fail) => {
    asked.push({
      query, after,
      answer: (ids, last_cursor = null) => (answer({ data: ids.map((id) => hit(id)), has_more: last_cursor !== null, last_cursor }), settled()),
      fail: (message) => (fail(new Error(message)), settled()),
    });
  }));
  const look = (text) => (search.look(text), t.mock.timers.tick(200));
  const found = () => store.get().search.found?.hits.map((h) => h.item_id) ?? null;
  return { ...search, type: search.look, look, store, asked, found, state: () => store.get().search, tick: (ms) => t.mock.timers.tick(ms) };
}

test("a pause in typing asks once, for what was typed last", async (t) => {
  const { type, tick, asked, found, state } = world(t);
  for (const text of ["p", "pe", "pen"]) (type(text), tick(199));
  type("pen ");
  assert.deepEqual([asked.length, state().query], [0, "pen"]);
  tick(1);
  assert.deepEqual(asked.map((a) => [a.query, a.after]), [["pen", null]]);
  await asked[0].answer(["a"]);
  assert.deepEqual(found(), ["a"]);
});

test("an answer that comes late never overwrites a newer one", async (t) => {
  const { look, asked, found, state } = world(t);
  look("pen");
  look("penguin");
  await asked[1].answer(["new"]);
  await asked[0].answer(["old"]);
  assert.deepEqual([found(), state().found.query], [["new"], "penguin"]);
  look("pen");
  look("penguins");
  await asked[2].fail("The server could not be reached.");
  assert.equal(state().error, null);
  assert.deepEqual(found(), ["new"], "what was found stays until there is something newer");
  await asked[3].answer([]);
  assert.deepEqual(found(), []);
});

test("clearing forgets what was found and what is on its way", async (t) => {
  const { look, type, tick, asked, state } = world(t);
  look("pen");
  look("");
  await asked[0].answer(["a"]);
  assert.equal(state(), NO_SEARCH);
  type("pen");
  type("  ");
  tick(1_000);
  assert.deepEqual([asked.length, state()], [1, NO_SEARCH]);
});

test("pages follow one another, and belong to what is looked for", async (t) => {
  const { look, type, tick, more, asked, found } = world(t);
  await more();
  look("pen");
  await asked[0].answer(["a", "b"], "cursor_1");
  more();
  more();
  assert.deepEqual(asked.slice(1).map((a) => a.after), ["cursor_1", "cursor_1"]);
  await asked[1].answer(["c"], "cursor_2");
  await asked[2].answer(["c"], "cursor_2");
  assert.deepEqual(found(), ["a", "b", "c"], "asked for twice, it is there once");
  more();
  type("penguin");
  await more();
  assert.equal(asked.length, 4, "the next page of another query is nobody's");
  await asked[3].answer(["d"]);
  assert.deepEqual(found(), ["a", "b", "c"]);
  tick(200);
  await asked[4].answer(["e"]);
  assert.deepEqual(found(), ["e"]);
  await more();
  assert.equal(asked.length, 5);
});

test("what could not be answered is asked again: the first page or the next", async (t) => {
  const { look, more, retry, asked, found, state } = world(t);
  look("pen");
  await asked[0].fail("The server could not be reached.");
  assert.deepEqual([state().error, found()], ["The server could not be reached.", null]);
  retry();
  assert.equal(state().error, null);
  await asked[1].answer(["a"], "cursor_1");
  more();
  await asked[2].fail("The server could not be reached.");
  assert.deepEqual([state().error, found()], ["The server could not be reached.", ["a"]]);
  retry();
  assert.equal(asked[3].after, "cursor_1");
  await asked[3].answer(["b"]);
  assert.deepEqual([state().error, found()], [null, ["a", "b"]]);
});

test("what was said in a chat that is gone is found no more", async (t) => {
  const { look, forget, asked, store, found } = world(t);
  forget("conv_1");
  look("pen");
  await asked[0].answer(["a", "b"]);
  store.get().search.found.hits[1].conversation_id = "conv_2";
  forget("conv_1");
  assert.deepEqual(found(), ["b"]);
});

test("how much was found, and when it was said, in words", () => {
  assert.equal(foundLine({ hits: [1], next: null }), "1 result");
  assert.equal(foundLine({ hits: [1, 2], next: null }), "2 results");
  assert.equal(foundLine({ hits: [1, 2], next: "x" }), "More than 2 results");
  const now = new Date(2026, 10, 23, 15);
  const told = (...parts) => momentOf(new Date(...parts).getTime() / 1000, now);
  assert.equal(told(2026, 10, 23, 0, 5), "00:05");
  assert.equal(told(2026, 10, 22, 23), "Yesterday");
  assert.equal(told(2026, 0, 4), "Jan 4");
  assert.equal(told(2025, 11, 31), "Dec 31, 2025");
});
