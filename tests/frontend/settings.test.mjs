/**
 * How a chat is to be answered: what is typed becomes a setting or a sentence, where settings are kept and
 * when they come back, what a create says of them, and settings with a name.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { NOTHING_LISTED, createConversations } from "../../frontend/js/state/conversations.js";
import { MAIN, MORE, alike, checked, isPlain, placeholder, tooLong } from "../../frontend/js/state/fields.js";
import { named, presetOf, presets, removePreset, renamePreset, savePreset } from "../../frontend/js/state/presets.js";
import { fieldsOf, remembered, settingsOf } from "../../frontend/js/state/settings.js";
import { createStore } from "../../frontend/js/state/store.js";
import { createTuning } from "../../frontend/js/state/tuning.js";

const { fetch } = globalThis;
let kept;
let onStorage;
beforeEach(() => {
  kept = new Map();
  globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  globalThis.addEventListener = (type, listener) => {
    assert.equal(type, "storage");
    onStorage = listener;
  };
});
afterEach(() => {
  delete globalThis.localStorage;
  delete globalThis.addEventListener;
  globalThis.fetch = fetch;
});

const field = (name) => [...MAIN, ...MORE].find((f) => f.name === name);
const read = (name, text) => checked(field(name), text);

test("a number is read with a point or a comma, and what is no number says what is wanted", () => {
  assert.deepEqual(read("temperature", " 0.7 "), { value: 0.7, problem: null });
  assert.equal(read("temperature", "0,7").value, 0.7);
  assert.equal(read("temperature", ".5").value, 0.5);
  assert.deepEqual(read("temperature", "  "), { value: undefined, problem: null });
  for (const text of ["hot", "NaN", "Infinity", "0x1", "1.2.3", "2.01", "-0.1", "1e400"]) {
    assert.deepEqual(read("temperature", text), { value: undefined, problem: "Must be a number from 0 to 2." }, text);
  }
  assert.equal(read("top_p", "0").problem, "Must be a number above 0 and up to 1.");
  assert.equal(read("top_p", "1").problem, null);
  assert.equal(read("max_output_tokens", "0").problem, "Must be a whole number from 1 up.");
  assert.equal(read("max_output_tokens", "2147483648").problem, "Must be a whole number from 1 up.");
  assert.equal(read("presence_penalty", "-2").value, -2);
  assert.equal(read("presence_penalty", "-3").problem, "Must be a number from -2 to 2.");
});

test("a seed is taken only where it reaches the server as it is typed", () => {
  assert.equal(read("seed", "-5").value, -5);
  assert.equal(read("seed", "1.5").problem, "Must be a whole number.");
  assert.equal(read("seed", "9007199254740993").problem, "Must be a whole number.");
});

test("instructions are counted as the server counts them", () => {
  assert.equal(tooLong("x".repeat(32_768)), null);
  assert.equal(tooLong("😀".repeat(32_768)), null);
  assert.equal(tooLong("x".repeat(32_769)), "At most 32,768 characters; these are 32,769.");
});

test("an empty field shows what the model does by itself, as far as that is known", () => {
  const model = (info) => ({ id: "m", tokenwire: info });
  const loaded = model({ sampling: { temperature: 0.3, top_k: -1 }, max_output_tokens: 100 });
  assert.equal(placeholder(field("temperature"), loaded), "0.3");
  assert.equal(placeholder(field("top_p"), loaded), "1");
  assert.equal(placeholder(field("top_k"), loaded), "all");
  assert.equal(placeholder(field("max_output_tokens"), loaded), "100");
  assert.equal(placeholder(field("max_output_tokens"), model({ sampling: { max_output_tokens: 50 }, max_output_tokens: 100 })), "50");
  assert.equal(placeholder(field("seed"), loaded), "random");
  assert.equal(placeholder(field("temperature"), model({ sampling: null })), "the model's own");
  assert.equal(placeholder(field("max_output_tokens"), null), "to the context");
});

test("the model and the order of what is set make no difference", () => {
  assert.ok(alike({ temperature: 1, seed: 2, model: "a" }, { seed: 2, temperature: 1 }));
  assert.ok(!alike({ temperature: 1 }, null));
  assert.ok(alike({ model: "a", instructions: "" }, null));
  assert.ok(isPlain({ model: "a" }) && !isPlain({ seed: 0 }));
});

test("a create says what is set by its own names, and nothing of the model", () => {
  assert.deepEqual(fieldsOf({ model: "m", instructions: "Be brief.", seed: 0 }), { instructions: "Be brief.", seed: 0 });
  assert.deepEqual(fieldsOf({ reasoning_effort: "low", top_k: 5 }), { top_k: 5, reasoning: { effort: "low" } });
  assert.deepEqual(fieldsOf({}), {});
});

/** A page whose chat on screen is `open`, on a server that has these settings of "conv_1". */
function page(open, { settings = {}, fresh = null, defaults = null } = {}) {
  const row = { id: "conv_1", updated_at: 1, archived: false, pinned: false, settings };
  const asked = [];
  const server = { refusal: null };
  globalThis.fetch = async (path, { method, body }) => {
    asked.push([method, path, JSON.parse(body)]);
    if (server.refusal) return Response.json({ error: server.refusal }, { status: 400 });
    Object.assign(row, JSON.parse(body));
    return Response.json(row);
  };
  const store = createStore({ ...NOTHING_LISTED, open, fresh, defaults });
  const conversations = createConversations(store);
  conversations.put([{ ...row }]);
  return { store, conversations, asked, server, tuning: createTuning(store, conversations), now: () => settingsOf(store.get()) };
}

test("a chat's settings are kept whole with its conversation, show at once and keep its model", async () => {
  const { tuning, asked, now } = page("conv_1", { settings: { model: "m", seed: 1 } });
  const changing = tuning.change({ temperature: 0.5, instructions: "", top_p: undefined });
  assert.deepEqual(now(), { temperature: 0.5, model: "m" });
  await changing;
  assert.deepEqual(asked, [["POST", "/v1/conversations/conv_1", { settings: { temperature: 0.5, model: "m" } }]]);
  assert.equal(kept.size, 0);
});

test("what the server refuses comes back, and the field that it is about is named", async () => {
  const { tuning, server, now } = page("conv_1", { settings: { seed: 1 } });
  server.refusal = { code: "invalid_request", message: "`settings.seed`: too large", param: "settings.seed" };
  await assert.rejects(tuning.change({ seed: 5 }), (error) => error.param === "settings.seed" && error.status === 400);
  assert.deepEqual(now(), { seed: 1 });
});

test("a chat that is still being opened is given nothing, and says so", async () => {
  const { tuning, asked } = page("conv_2");
  await assert.rejects(tuning.change({ seed: 5 }), /still being opened/);
  assert.deepEqual([asked, kept.size], [[], 0]);
});

test("a new chat has the defaults until it is given others, which this browser keeps", async () => {
  const { store, tuning, asked, now } = page(null, { defaults: { temperature: 0.2 } });
  assert.deepEqual(now(), { temperature: 0.2 });
  await tuning.change({ temperature: 0.2, seed: 3 });
  assert.deepEqual(now(), { temperature: 0.2, seed: 3 });
  assert.deepEqual(remembered("fresh"), { temperature: 0.2, seed: 3 });
  assert.deepEqual(settingsOf(store.get(), "conv_1"), {});
  // Set back to the defaults, it follows them.
  await tuning.change({ temperature: 0.2 });
  assert.equal(remembered("fresh"), null);
  assert.deepEqual(asked, []);
});

test("what new chats begin with is taken from a chat, without its model, and reaches other tabs", async () => {
  const { store, tuning } = page("conv_1", { settings: { model: "m", top_k: 5 } });
  tuning.adopt();
  assert.deepEqual(remembered("defaults"), { top_k: 5 });
  assert.deepEqual(settingsOf(store.get(), null), { top_k: 5 });
  kept.set("tokenwire.defaults", '{"top_k":6}');
  onStorage({ key: "tokenwire.drafts" });
  assert.deepEqual(tuning.defaults, { top_k: 5 });
  onStorage({ key: "tokenwire.defaults" });
  assert.deepEqual(tuning.defaults, { top_k: 6 });
  kept.set("tokenwire.defaults", "broken");
  onStorage({ key: null });
  assert.deepEqual(tuning.defaults, {});
});

test("a new chat's settings become what new chats begin with, and are its own no more", async () => {
  const { store, tuning, now } = page(null);
  await tuning.change({ seed: 1 });
  tuning.adopt();
  assert.deepEqual([store.get().fresh, store.get().defaults, now()], [null, { seed: 1 }, { seed: 1 }]);
});

test("settings with a name are kept in order, replaced by their name in any capitals, named anew, deleted", () => {
  assert.deepEqual(presets(), []);
  savePreset(" Short ", { max_output_tokens: 5, model: "m", seed: undefined });
  savePreset("French", { instructions: "En français." });
  assert.deepEqual(presets(), [{ name: "French", settings: { instructions: "En français." } }, { name: "Short", settings: { max_output_tokens: 5 } }]);
  savePreset("short", { max_output_tokens: 6 });
  assert.deepEqual(presets().map((p) => p.name), ["French", "short"]);
  assert.equal(presetOf({ max_output_tokens: 6, model: "other" }).name, "short");
  assert.equal(presetOf({}), undefined);
  renamePreset("short", "Tiny");
  assert.equal(named("TINY").settings.max_output_tokens, 6);
  renamePreset("Tiny", "FRENCH");
  assert.deepEqual(presets(), [{ name: "FRENCH", settings: { max_output_tokens: 6 } }]);
  removePreset("french");
  assert.deepEqual([presets(), kept.size], [[], 0]);
});

test("a browser that keeps nothing has no presets, and says so", () => {
  globalThis.localStorage = { getItem: () => null, setItem: () => { throw new Error("full"); }, removeItem: () => {} };
  assert.equal(savePreset("Short", { seed: 1 }), false);
  assert.deepEqual(presets(), []);
});
