/**
 * The pure rooms of the page's state: turns, the path in a tree, day groups, the list of conversations,
 * the choice of a model, and the sentences.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { merged } from "../../frontend/js/state/conversations.js";
import { groupOf, grouped, untilMidnight } from "../../frontend/js/state/dates.js";
import { grouped as modelGroups, modelOf, withModel } from "../../frontend/js/state/models.js";
import { contextOf, endNote, failure, meta, ordinal, sizeOf, stateLine } from "../../frontend/js/state/sentences.js";
import { createStore } from "../../frontend/js/state/store.js";
import { leafThrough, pathTo } from "../../frontend/js/state/tree.js";
import { applyEvent, isLive, newTurn, refuse, turnOf } from "../../frontend/js/state/turn.js";
import { decode } from "../../frontend/js/md/entities.js";

const response = (fields = {}) => ({
  id: "resp_1", created_at: 1, status: "in_progress", model: "m", previous_response_id: null, output: [], error: null,
  incomplete_details: null, usage: null, ...fields,
});
const entry = (id, parent, at = 1) => ({ response: response({ id, previous_response_id: parent, created_at: at, status: "completed" }), input: [] });
const ids = (path) => path.map((e) => e.response.id);

test("a turn reads its events from created to completed", () => {
  const turn = newTurn("hi", "m", null);
  assert.equal(turn.phase, "sending");
  assert.equal(applyEvent(turn, { type: "response.created", response: response() }), "state");
  applyEvent(turn, { type: "response.queued", response: response({ status: "queued", tokenwire: { queue: { position: 3 } } }) });
  assert.deepEqual([turn.id, turn.phase, turn.queue.position], ["resp_1", "queued", 3]);
  const delta = (text, at = 0) => applyEvent(turn, { type: "response.output_text.delta", output_index: at, content_index: 0, delta: text });
  assert.equal(delta("Hel"), "state");
  assert.equal(delta("lo"), "grew");
  assert.deepEqual([turn.phase, turn.queue], ["running", null]);
  delta("Second", 1);
  assert.equal(turn.text, "Hello\n\nSecond");
  const timing = { ttft_ms: 310, tok_per_s: 42.2 };
  applyEvent(turn, { type: "response.completed", response: response({ status: "completed", tokenwire: { timing } }) });
  assert.deepEqual([turn.phase, turn.timing, isLive(turn)], ["completed", timing, false]);
});

test("the server's whole text replaces a different one", () => {
  const turn = newTurn("hi", "m", null);
  applyEvent(turn, { type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "Hxllo" });
  const done = { type: "response.output_text.done", output_index: 0, content_index: 0, text: "Hello" };
  assert.equal(applyEvent(turn, done), "reset");
  assert.equal(turn.text, "Hello");
  assert.equal(applyEvent(turn, done), null);
});

test("a stored answer is whole, a running one is left to the replay", () => {
  const output = [{ type: "reasoning" }, { type: "message", content: [{ type: "output_text", text: "Hello" }] }];
  const input = [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }];
  const done = turnOf({ response: response({ status: "completed", output }), input });
  assert.deepEqual([done.prompt, done.text, done.phase], ["hi", "Hello", "completed"]);
  const running = turnOf({ response: response({ status: "queued", output }), input });
  assert.deepEqual([running.text, isLive(running)], ["", true]);
});

test("each ending has its phase", () => {
  const of = (fields) => turnOf({ response: response(fields), input: [] }).phase;
  assert.equal(of({ status: "cancelled", incomplete_details: { reason: "cancelled" } }), "stopped");
  assert.equal(of({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }), "cut");
  assert.equal(of({ status: "failed", error: { code: "x", message: "y" } }), "failed");
  const turn = newTurn("hi", "m", null);
  refuse(turn, { code: "rate_limit_exceeded", message: "" });
  assert.equal(turn.phase, "failed");
});

test("the path is found in any order, with orphans and cycles", () => {
  const all = [entry("c", "b", 3), entry("a", null, 1), entry("b", "a", 2), entry("b2", "a", 9)];
  assert.deepEqual(ids(pathTo(all, "c")), ["a", "b", "c"]);
  assert.deepEqual(ids(pathTo([...all].reverse(), "c")), ["a", "b", "c"]);
  assert.deepEqual(ids(pathTo(all, null)), ["a", "b2"]);
  assert.deepEqual(ids(pathTo(all, "gone")), ["a", "b2"]);
  assert.deepEqual(ids(pathTo([entry("x", "lost")], null)), ["x"]);
  assert.deepEqual(ids(pathTo([entry("a", "b", 1), entry("b", "a", 2)], "b")), ["a", "b"]);
  assert.deepEqual(pathTo([], null), []);
});

test("the leaf through a response is the active one where that goes through it, else the newest that does", () => {
  const all = [entry("c", "b", 3), entry("d", "b", 4), entry("a", null, 1), entry("b", "a", 2), entry("b2", "a", 9)];
  assert.equal(leafThrough(all, "a", "c"), "c");
  assert.equal(leafThrough(all, "b", "b2"), "d");
  assert.equal(leafThrough(all, "c", "b2"), "c");
  assert.equal(leafThrough(all, "a", null), "b2");
  assert.equal(leafThrough(all, "gone", "c"), "c");
  assert.equal(leafThrough([entry("a", "b", 1), entry("b", "a", 2)], "a", null), "b");
});

test("days are grouped by the local calendar", () => {
  const now = new Date(2026, 10, 23, 0, 30);
  const at = (...parts) => new Date(...parts).getTime() / 1000;
  assert.equal(groupOf(at(2026, 10, 23, 0, 1), now), "Today");
  assert.equal(groupOf(at(2026, 10, 22, 23, 59), now), "Yesterday");
  assert.equal(groupOf(at(2026, 10, 20, 12), now), "Previous 7 days");
  assert.equal(groupOf(at(2026, 9, 30, 12), now), "Previous 30 days");
  assert.equal(groupOf(at(2026, 7, 3), now), "August 2026");
  assert.equal(groupOf(at(2026, 10, 24), now), "Today");
  assert.equal(untilMidnight(now), 23.5 * 3_600_000);
  const rows = [at(2026, 10, 23), at(2026, 10, 22, 5), at(2026, 10, 22, 4)].map((updated_at) => ({ updated_at }));
  assert.deepEqual(grouped(rows, now).map((g) => [g.name, g.rows.length]), [["Today", 1], ["Yesterday", 2]]);
});

test("conversations are kept once each, newest first", () => {
  const row = (id, updated_at, title = id) => ({ id, updated_at, title });
  const list = merged([row("a", 1), row("b", 2)], [row("a", 3, "renamed"), row("c", 2)]);
  assert.deepEqual(list.map((c) => [c.id, c.title]), [["a", "renamed"], ["c", "c"], ["b", "b"]]);
});

test("the model of a chat is chosen, or falls back with a word about it", () => {
  const model = (id, info = {}) => ({ id, tokenwire: { state: "ready", default: false, ...info } });
  const state = { models: [model("a"), model("b", { default: true, state: "absent" })], conversations: [], open: null };
  assert.equal(modelOf(state).model.id, "b");
  const inChat = { ...state, open: "conv_1", conversations: [{ id: "conv_1", model: "a" }] };
  assert.deepEqual([modelOf(inChat).model.id, modelOf(inChat).missing], ["a", null]);
  const gone = { ...inChat, conversations: [{ id: "conv_1", model: "gone" }] };
  assert.deepEqual([modelOf(gone).model.id, modelOf(gone).missing], ["b", "gone"]);
  assert.equal(modelOf({ ...state, models: [] }).model, null);
  assert.deepEqual(modelGroups(state.models).map((g) => g.name), ["Loaded", "On this machine"]);
  assert.equal(withModel(state.models, model("a", { state: "failed" }))[0].tokenwire.state, "failed");
});

test("the line of state says the most urgent thing", () => {
  const info = { state: "ready", progress: null, stage: null, detail: null };
  const choice = (fields = {}) => ({ model: { id: "q/m", tokenwire: { ...info, ...fields } }, missing: null });
  const state = { link: { status: "open", since: 0, code: 0 }, away: false, draining: false, saving: true, outdated: false };
  const turn = { ...newTurn("hi", "q/m", null), phase: "queued", queue: { position: 3 } };
  const line = (s = {}, live = undefined, c = choice()) => stateLine({ ...state, ...s }, live, c)?.text ?? null;
  assert.equal(line(), null);
  assert.equal(line({}, turn), "Third in line.");
  assert.equal(line({}, { ...turn, phase: "running", queue: null, loading: { state: "loading", stage: "loading_weights", progress: 0.42 } }), "m: Loading weights, 42 %.");
  assert.equal(line({}, undefined, choice({ state: "loading", detail: "Loading weights, 3.1 of 8.2 GB." })), "m: Loading weights, 3.1 of 8.2 GB.");
  assert.match(line({}, undefined, choice({ state: "failed", detail: "Not enough memory." })), /could not be loaded: Not enough memory\./);
  assert.match(line({ away: true }), /^No connection/);
  assert.match(line({ away: true }, { ...turn, id: "resp_1" }), /the answer goes on from here/);
  assert.match(line({ away: true }, { ...turn, id: null }), /message is sent when/);
  assert.match(line({ draining: true }), /about to restart\. This page comes back/);
  assert.match(line({ draining: true }, { ...turn, id: "resp_1" }), /about to restart\. The answer goes on when/);
  assert.match(line({ draining: true, link: { status: "lost", since: 1, code: 1012 } }, { ...turn, id: null }), /is restarting\. Your message is sent when/);
  assert.match(line({ link: { status: "refused", since: 1, code: 4401 } }), /signed out/);
  assert.match(line({ outdated: true }), /newer version/);
  assert.match(line({}, undefined, { ...choice(), missing: "x/old" }), /^old isn't here any more/);
  assert.equal(line({}, { ...turn, stopping: true }), "Stopping.");
  assert.deepEqual([1, 2, 9, 12].map(ordinal), ["Next", "Second", "Ninth", "Number 12"]);
});

test("an engine that stopped, and a disk that is full, are one sentence while they last", () => {
  const choice = (state, fields = {}) => ({ model: { id: "q/m", tokenwire: { state, progress: null, stage: null, detail: null, ...fields } }, missing: null });
  const state = { link: { status: "open", since: 0, code: 0 }, away: false, draining: false, saving: true, outdated: false };
  const line = (live, c = choice("ready"), s = {}) => stateLine({ ...state, ...s }, live, c)?.text ?? null;
  const turn = newTurn("hi", "q/m", null);
  const hear = (type, fields = {}) => applyEvent(turn, { type, output_index: 0, content_index: 0, response: response({ model: "q/m", ...fields }) });
  const delta = (text) => applyEvent(turn, { type: "response.output_text.delta", output_index: 0, content_index: 0, delta: text });
  hear("response.created");
  const recovering = { state: "recovering", stage: "recovering", progress: null, detail: "The engine process ended; starting another" };
  hear("response.in_progress", { tokenwire: { model: recovering } });
  assert.equal(line(turn), "The engine stopped and is starting again. The answer will come.");
  delta("One, ");
  assert.equal(line(turn), null);
  hear("response.in_progress", { tokenwire: { model: recovering } });
  assert.equal(line(turn), "The engine stopped and is starting again. The answer will go on.");
  hear("response.in_progress");
  assert.deepEqual([line(turn), turn.text], [null, "One, "]);
  // After a restart the model loads under an answer that has begun; only the model says how far it is.
  hear("response.in_progress", { tokenwire: { model: { state: "loading", stage: "queued" } } });
  assert.equal(line(turn, choice("loading", { detail: "Loading weights" })), "m: Loading weights. The answer will go on.");
  assert.equal(line(undefined, choice("recovering")), "m stopped and is starting again. What you send waits for it.");
  assert.deepEqual(modelGroups([choice("recovering").model]).map((g) => g.name), ["Loaded"]);

  const unsaved = /^What is said now is not being saved/;
  hear("response.in_progress", { store: false });
  assert.match(line(turn), unsaved);
  hear("response.in_progress", { store: true });
  assert.equal(line(turn), null);
  assert.match(line(turn, choice("ready"), { saving: false }), unsaved);
  assert.match(line(undefined, choice("ready"), { saving: false }), unsaved);
  assert.equal(line({ ...turn, phase: "queued", queue: { position: 3 } }, choice("ready"), { saving: false }), "Third in line.");
});

test("failures are sentences and ends have notes", () => {
  assert.equal(failure({ code: "rate_limit_exceeded", message: "x" }, false), "The line is full right now.");
  assert.equal(failure({ code: "odd", message: "Disk is full" }, true), "Disk is full. What was written until then is kept above.");
  assert.equal(failure(null, false), "Something went wrong on the server.");
  assert.equal(failure({ code: "engine_error", message: "The engine ended too often" }, true), "The engine ended too often. What was written until then is kept above.");
  assert.match(failure({ code: "not_saved", message: "database or disk is full" }, false), /^Your message was not taken: .*Make room there/);
  assert.equal(endNote({ phase: "stopped" }), "Stopped");
  assert.equal(endNote({ phase: "cut", reason: "max_output_tokens" }), "Cut off at the length limit");
  assert.equal(endNote({ phase: "completed" }), null);
  const usage = { input_tokens: 1100, output_tokens: 212, input_tokens_details: { cached_tokens: 1024 } };
  assert.equal(meta({ phase: "completed", timing: { ttft_ms: 310, tok_per_s: 42.4 }, usage, takenUp: 0, freed: null }),
    "0.31 s to first token · 42 tok/s · 212 tokens · 1,024 of 1,100 prompt tokens from cache · stopped at end");
  const stopped = turnOf({ response: response({ status: "cancelled", tokenwire: { taken_up: 1, cancel: { freed_ms: 12 } } }), input: [] });
  assert.equal(meta(stopped), "went on after a restart · stopped by you in 12 ms");
  assert.deepEqual([sizeOf(1_503_000_000), sizeOf(13_000_000), sizeOf(null)], ["1.5 GB", "13 MB", ""]);
  assert.deepEqual([contextOf(40960), contextOf(512), contextOf(null)], ["40k context", "512 context", ""]);
});

test("a store tells only those who watch what changed", () => {
  const store = createStore({ a: 1, b: 1 });
  const seen = [];
  const stop = store.watch(["a"], (s) => seen.push(s.a));
  store.set({ b: 2 });
  store.set({ a: 2 });
  stop();
  store.set({ a: 3 });
  assert.deepEqual(seen, [2]);
  assert.deepEqual(store.get(), { a: 3, b: 2 });
});

test("character references are decoded, unknown ones stay", () => {
  assert.equal(decode("a &amp; b &copy; &#65;&#x1F600; &nosuch; &#0; &"), "a & b © A😀 &nosuch; \ufffd &");
});
