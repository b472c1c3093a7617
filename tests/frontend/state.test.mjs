/**
 * The pure rooms of the page's state: turns, the path in a tree, day groups, the list of conversations,
 * the choice of a model, and the sentences.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { merged } from "../../frontend/js/state/conversations.js";
import { groupOf, grouped, untilMidnight } from "../../frontend/js/state/dates.js";
import { grouped as modelGroups, matching, offered } from "../../frontend/js/state/catalogue.js";
import { choose, keepModel, modelOf, offers, relisted, speakers, withModel } from "../../frontend/js/state/models.js";
import { actionQuestion, actionsOf, choiceQuestion, contextOf, factsOf, hintOf, isBarred, newsOf, noteOf, nowOf, ownerOf } from "../../frontend/js/state/modelwords.js";
import { endNote, failure, meta, ordinal, partOf, sizeOf, stateLine, transferOf } from "../../frontend/js/state/sentences.js";
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
  assert.equal(applyEvent(turn, done), "state");
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
  assert.equal(withModel(state.models, model("a", { state: "failed" }))[0].tokenwire.state, "failed");
});

/** A model as the server tells it. */
const told = (id, info = {}) => ({
  id, created: 1, owned_by: "local",
  tokenwire: {
    state: "ready", stage: null, progress: null, detail: null, reason: null, note: null, download: null, engine: null, context_length: 40_960, size_bytes: 8_100_000_000,
    needs_bytes: null, fits: null, source: "hub", base: null, aliases: [], pinned: false, licence: null, modalities: ["text"],
    capabilities: { tools: null, reasoning: null, structured_output: null }, default: false, description: null, ...info,
  },
});
const names = (models) => models.map((m) => m.id);

test("models are in groups; what can be fetched is by size, what doesn't fit last", () => {
  const states = ["ready", "recovering", "draining", "loading", "unloaded", "failed"].map((state) => told(state, { state }));
  const hub = [["huge", 9, false], ["large", 8, true], ["unsized", null, null], ["small", 1, true], ["tight", 2, false]].map(([id, size_bytes, fits], i) =>
    told(id, { size_bytes, fits, state: ["absent", "downloading", "paused"][i % 3] }));
  assert.deepEqual(modelGroups([...hub, ...states]).map((g) => [g.name, ...names(g.models)]), [
    ["Loaded", "ready", "recovering", "draining", "loading"], ["On this machine", "unloaded"],
    ["Can be downloaded", "small", "large", "unsized", "tight", "huge"], ["Can't be used", "failed"],
  ]);
  assert.deepEqual(modelGroups([]), []);
});

test("a search looks at ids, aliases and descriptions, and offers what only the hub may have", () => {
  const models = [told("Qwen/Qwen3-4B", { aliases: ["thinker"], description: "Writes code" }), told("google/gemma")];
  const find = (query) => names(matching(models, query));
  assert.deepEqual([find(""), find(" QWEN  4b "), find("thinker"), find("code qwen"), find("code gemma")].map((l) => l.length), [2, 1, 1, 1, 0]);
  assert.deepEqual(find("https://huggingface.co/google/gemma"), ["google/gemma"]);
  assert.equal(offered(models, "new/model-1.5"), "new/model-1.5");
  assert.equal(offered(models, " https://huggingface.co/new/model/blob/main/config.json?x=1 "), "new/model");
  for (const query of ["", "model", "a/b/c", "-a/b", "a b/c", "google/Gemma", "https://huggingface.co/new"]) assert.equal(offered(models, query), null, query);
  assert.equal(offered([told("x", { aliases: ["new/model"] })], "new/model"), null);
});

test("a new list is the truth, but for what was said since it was asked for", () => {
  const [old, fresh, added] = [told("a", { state: "loading" }), told("a"), told("b")];
  const newer = (...ids) => (id) => ids.includes(id);
  assert.deepEqual(relisted([old, told("gone")], [fresh], newer()), [fresh]);
  assert.deepEqual(relisted([old, added], [fresh], newer("a", "b")), [old, added]);
});

test("a row says its facts, what happens now and what can be done", () => {
  const about = told("Qwen/Qwen3-4B", { licence: "apache-2.0", modalities: ["text", "image"], capabilities: { tools: true, reasoning: false, structured_output: true }, pinned: true });
  assert.deepEqual([factsOf(about), ownerOf(about), ownerOf(told("demo"))], ["8.1 GB · 40k context · apache-2.0 · image · tools · kept loaded", "Qwen", ""]);
  assert.equal(factsOf(told("a:b", { state: "paused", base: "x/a", size_bytes: null })), "Download paused · 40k context · adapter of a");
  const engine = { running: 2, waiting: 1, kv_cache_usage: 0.314, prefix_cache_hit_rate: null, tokens_per_second: 83.7 };
  const download = { done: 3_100_000_000, total: 8_100_000_000, bytes_per_s: 41_200_000, left_s: 121 };
  /** State, fields, the line, what can be done. */
  const rows = [
    ["ready", { engine }, "2 running · 1 waiting · 84 tok/s · KV cache 31 %", "Unload"],
    ["ready", { engine: { ...engine, running: 0, waiting: 0 } }, "Idle · KV cache 31 %", "Unload"],
    ["recovering", { detail: "The engine ended" }, "The engine ended", "Unload"],
    ["draining", { engine }, "Unloaded when its 3 answers have ended", "Keep"],
    ["draining", {}, "Being unloaded", ""],
    ["loading", { stage: "loading_weights", progress: 0.4 }, "Loading weights · 40 %", "Cancel"],
    ["loading", { detail: "Loading weights, 3.1 of 8.2 GB.", progress: 0.4 }, "Loading weights, 3.1 of 8.2 GB", "Cancel"],
    ["unloaded", {}, "", "Load"],
    ["unloaded", { fits: false, reason: "Too large." }, "Too large.", "(Load)"],
    ["absent", { fits: true }, "", "Download"],
    ["absent", { fits: false, reason: "Too large." }, "Too large.", "(Download)"],
    ["downloading", { download }, "3.1 of 8.1 GB · 41 MB/s · 2 min left", "Cancel"],
    ["downloading", { detail: "Asking the hub" }, "Asking the hub.", "Cancel"],
    ["paused", { download, reason: "The disk is full." }, "3.1 of 8.1 GB here. The disk is full.", "Resume, Discard"],
    ["failed", { reason: "Not enough memory." }, "Not enough memory.", "Try again"],
    ["failed", { reason: "It has no weights.", servable: false }, "It has no weights.", ""],
  ];
  for (const [state, info, text, actions] of rows) {
    const model = told("m", { state, ...info });
    assert.equal(nowOf(model).text, text);
    assert.equal(actionsOf(model).map((a) => (a.barred ? `(${a.label})` : a.label)).join(", "), actions, text);
  }
  assert.deepEqual([{ fits: false }, { fits: false, state: "absent" }, { state: "failed", servable: false }, { state: "failed" }].map((info) => isBarred(told("m", info))), [false, true, true, false]);
  assert.equal(hintOf(told("m", { engine }), { verb: "unload", label: "Unload" }), "It is unloaded when its answers have ended");
  assert.equal(hintOf(told("m"), { verb: "unload", label: "Unload" }), null);
});

test("what is to be known of a model is said, unless it can't be used", () => {
  const note = "It has no chat template.";
  const noted = [{}, { state: "unloaded" }, { fits: false }, { fits: false, state: "unloaded" }, { state: "failed", servable: false }];
  assert.deepEqual(noted.map((info) => noteOf(told("m", { ...info, note }))), [note, note, note, "", ""]);
  assert.equal(noteOf(told("m")), "");
});

test("what is fetched without being in the list has its place by its size too", () => {
  const fetched = { state: "paused", size_bytes: null, download: { done: 0, total: 5e8, bytes_per_s: null, left_s: null } };
  const models = [told("unknown", { state: "absent", size_bytes: null }), told("large", { state: "absent" }), told("half", fetched)];
  assert.deepEqual(modelGroups(models).map((group) => group.models.map((m) => m.id)), [["half", "large", "unknown"]]);
});

test("what would be fetched, and much that would be lost, is asked about first", () => {
  const download = { done: 3_100_000_000, total: 8_100_000_000, bytes_per_s: null, left_s: null };
  assert.equal(choiceQuestion(told("m", { state: "absent" })).yes, "Download 8.1 GB");
  assert.equal(choiceQuestion(told("m", { state: "absent", size_bytes: null })).text, "Download it to use it in this chat?");
  assert.equal(choiceQuestion(told("m", { state: "paused", download })).yes, "Resume, 5.0 GB left");
  assert.equal(choiceQuestion(told("m", { state: "unloaded" })), null);
  assert.equal(actionQuestion(told("m", { state: "downloading", download }), "cancel").text, "This throws away the 3.1 GB that are here.");
  assert.equal(actionQuestion(told("m", { state: "downloading", download: { ...download, done: 9e8 } }), "cancel"), null);
  assert.equal(actionQuestion(told("m", { state: "loading" }), "cancel"), null);
  assert.equal(actionQuestion(told("m", { state: "paused", download }), "download"), null);
});

test("what is read aloud of a model is its changes and each quarter of a download", () => {
  const news = (before, after) => newsOf(told("q/m", before), told("q/m", after));
  const at = (progress) => ({ state: "downloading", progress });
  assert.deepEqual([news(at(0.1), at(0.2)), news(at(0.2), at(0.26)), news(at(0.26), at(0.8)), news(at(0.9), at(1)), news(at(null), at(0.1))],
    [null, "m: 25 % downloaded", "m: 75 % downloaded", null, null]);
  assert.equal(news(at(1), { state: "unloaded" }), "m is downloaded");
  assert.equal(news({ state: "loading" }, { state: "ready" }), "m is loaded");
  assert.deepEqual(["draining", "loading", "absent", "failed"].map((state) => news({ state }, { state: "unloaded" })),
    ["m is not loaded any more", "m is not being loaded any more", "m is downloaded", null]);
  assert.equal(news(at(0.5), { state: "paused", reason: "The disk is full." }), "The download of m has stopped. The disk is full.");
  assert.equal(news({ state: "ready" }, { state: "recovering" }), null);
});

test("a download says bytes in one unit, its rate, and a time that doesn't twitch", () => {
  const at = (fields) => transferOf({ done: 400_000_000, total: 8_200_000_000, bytes_per_s: 1_200_000, left_s: 12.2, ...fields }).join(", ");
  assert.equal(at(), "0.4 of 8.2 GB, 1.2 MB/s, 15 s left");
  assert.deepEqual([at({ left_s: 0 }), at({ left_s: 56 }), at({ left_s: 5_600 }), at({ left_s: 9_000 })].map((s) => s.split(", ")[2]), ["5 s left", "1 min left", "93 min left", "3 h left"]);
  assert.equal(at({ total: null, bytes_per_s: null, left_s: null }), "400 MB");
  assert.deepEqual([partOf(0, null), partOf(0, 500), partOf(12_000_000, 470_000_000), partOf(4e8, 4.7e11)], ["0 B", "0 of 500 B", "12 of 470 MB", "0.4 of 470 GB"]);
});

test("each chat keeps the model that was chosen for it, and its answers say whose they are where that changes", () => {
  const kept = new Map();
  globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  try {
    const models = [told("a", { default: true }), told("b", { aliases: ["old-b"] }), told("c", { state: "absent" })];
    const of = (open, model = "a") => modelOf({ models, open, conversations: [{ id: "one", model }, { id: "two", model }] }).model.id;
    choose("one", "b");
    choose(null, "c");
    assert.deepEqual([of("one"), of("two"), of(null), of("two", "old-b")], ["b", "a", "c", "b"]);
    assert.deepEqual(modelOf({ models: models.slice(0, 1), open: "one", conversations: [] }).missing, "b");
    assert.equal(modelOf({ models: [told("x", { state: "absent" }), told("y", { state: "unloaded" })], open: null, conversations: [] }).model.id, "y");
    // Before the server has been heard: what was chosen, or answered last, and nothing more is said of it.
    const before = (open) => modelOf({ models: [], open, conversations: [] }).model;
    assert.equal(before("one"), null);
    keepModel(told("a", { description: "Small.", progress: 0.5 }));
    assert.deepEqual([before("one").id, before(null).id, before(null).tokenwire.state], ["b", "c", "unknown"]);
    assert.equal(before(null).tokenwire.description, null);
    kept.delete("tokenwire.model");
    keepModel(before("one"));
    keepModel(null);
    const { id, tokenwire } = before(null);
    assert.deepEqual([id, tokenwire.description, tokenwire.progress], ["a", "Small.", null]);
  } finally {
    delete globalThis.localStorage;
  }
  const said = (...models) => speakers(models.map((model) => newTurn("hi", model, null)));
  assert.deepEqual([said(), said("a", "a"), said("a", "b", "b", "a")], [[], [null, null], ["a", "b", null, "a"]]);
});

test("the line of state says the most urgent thing", () => {
  const info = { state: "ready", progress: null, stage: null, detail: null };
  const choice = (fields = {}) => ({ model: { id: "q/m", tokenwire: { ...info, ...fields } }, missing: null });
  const state = { link: { status: "open", since: 0, code: 0 }, away: false, draining: false, saving: true, outdated: false, refusals: {} };
  const made = (fields) => Object.assign(newTurn("hi", "q/m", null), { phase: "queued", queue: { position: 3 } }, fields);
  const turn = made();
  const line = (s = {}, live = undefined, c = choice()) => stateLine({ ...state, ...s }, live, c)?.text ?? null;
  assert.equal(line(), null);
  assert.equal(line({}, turn), "Third in line.");
  assert.equal(line({}, made({ queue: { position: 3, eta_s: 11.2 } })), "Third in line, about 15 s.");
  assert.equal(line({}, made({ phase: "running", queue: null, loading: { state: "loading", stage: "loading_weights", progress: 0.42 } })), "m: Loading weights, 42 %.");
  assert.equal(line({}, undefined, choice({ state: "loading", detail: "Loading weights, 3.1 of 8.2 GB." })), "m: Loading weights, 3.1 of 8.2 GB.");
  assert.match(line({}, undefined, choice({ state: "failed", detail: "Not enough memory." })), /could not be loaded: Not enough memory\./);
  assert.match(line({ away: true }), /^No connection/);
  assert.match(line({ away: true }, made({ id: "resp_1" })), /the answer goes on from here/);
  assert.match(line({ away: true }, made({ id: null })), /message is sent when/);
  assert.match(line({ away: true, link: { ...state.link, status: "lost", blocked: true } }), /^The server is there, but something on the way/);
  assert.match(line({ draining: true }), /about to restart\. This page comes back/);
  assert.match(line({ draining: true }, made({ id: "resp_1" })), /about to restart\. The answer goes on when/);
  assert.match(line({ draining: true, link: { status: "lost", since: 1, code: 1012 } }, made({ id: null })), /is restarting\. Your message is sent when/);
  assert.match(line({ link: { status: "refused", since: 1, code: 4401 } }), /signed out/);
  assert.match(line({ outdated: true }), /newer version/);
  assert.match(line({}, undefined, { ...choice(), missing: "x/old" }), /^old isn't here any more/);
  assert.equal(line({ refusals: { "q/m": "At most 2 are loaded at once" } }), "m: At most 2 are loaded at once.");
  assert.equal(line({}, undefined, choice({ state: "downloading", detail: "x", download: { done: 1e9, total: 2e9, bytes_per_s: 5e7, left_s: 20 } })), "m: Downloading, 1.0 of 2.0 GB, 50 MB/s, 20 s left.");
  assert.match(line({}, undefined, choice({ state: "paused", reason: "The disk is full" })), /has stopped\. The disk is full\. Pick it again/);
  assert.match(line({}, undefined, choice({ state: "absent" })), /^m isn't on this machine/);
  assert.equal(line({}, made({ stopping: true })), "Stopping.");
  assert.deepEqual([1, 2, 9, 12].map(ordinal), ["Next", "Second", "Ninth", "Number 12"]);
});

test("an engine that stopped, and a disk that is full, are one sentence while they last", () => {
  const choice = (state, fields = {}) => ({ model: { id: "q/m", tokenwire: { state, progress: null, stage: null, detail: null, ...fields } }, missing: null });
  const state = { link: { status: "open", since: 0, code: 0 }, away: false, draining: false, saving: true, outdated: false, refusals: {} };
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
  assert.equal(line(Object.assign(turn, { phase: "queued", queue: { position: 3 } }), choice("ready"), { saving: false }), "Third in line.");
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

test("who has only the model that ships is offered the two smallest that fit", () => {
  const m = (id, info) => ({ id, tokenwire: { state: "absent", source: "hub", fits: true, servable: true, size_bytes: 1e9, ...info } });
  const demo = m("demo", { state: "ready", source: "demo" });
  const hub = [m("c", { size_bytes: 3e9 }), m("a", { size_bytes: 2e9 }), m("b", { fits: null, size_bytes: 2.5e9 }), m("x", { fits: false }), m("y", { servable: false }), m("z", { size_bytes: null }), m("toy", { size_bytes: 2e8 })];
  assert.deepEqual(offers([demo, ...hub]).map(({ id }) => id), ["a", "b"]);
  assert.deepEqual(offers([demo, ...hub, m("mine", { state: "unloaded", source: "folder" })]), []);
  assert.deepEqual(offers([demo, ...hub, m("broken", { state: "failed", source: "folder", servable: false })]).length, 2);
});
