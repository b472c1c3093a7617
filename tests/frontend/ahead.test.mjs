/**
 * What is done ahead of a send: the warm-up that is asked for once, after a pause, and given up when the
 * chat is left; and how full a chat is, counted and guessed.
 */
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { fillOf, fillWords, levelOf, promptTokens } from "../../frontend/js/state/context.js";
import { stateLine } from "../../frontend/js/state/sentences.js";
import { createWarmth } from "../../frontend/js/state/warmth.js";

const SUBJECT = { model: "m", parent: "resp_1", fields: {}, files: "" };
const PAUSE_MS = 600;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});

function world() {
  const sent = [];
  let news = 0;
  const create = (request, reader) => {
    const one = { request, reader, cancelled: false };
    sent.push(one);
    return { cancel: () => (one.cancelled = true) };
  };
  const warmth = createWarmth({ create, onWarm: () => (news += 1) });
  return { warmth, sent, news: () => news, pause: (ms = PAUSE_MS) => mock.timers.tick(ms) };
}

const read = (tokens, warm_tokens = tokens) => ({ type: "response.completed", response: { usage: { input_tokens: tokens, output_tokens: 0 }, tokenwire: { warm_tokens } } });

test("a prompt is read once, after a pause, unstored and without a word of an answer", () => {
  const { warmth, sent, news, pause } = world();
  warmth.want(SUBJECT);
  assert.equal(sent.length, 0);
  pause();
  assert.deepEqual(sent[0].request, { model: "m", previous_response_id: "resp_1", generate: false, store: false });
  sent[0].reader.onEvent({ type: "response.created", response: { usage: null } });
  assert.equal(warmth.of(SUBJECT), null);
  sent[0].reader.onEvent(read(900));
  assert.deepEqual([news(), warmth.of(SUBJECT)], [1, { tokens: 900, cached: 900 }]);
  warmth.want({ ...SUBJECT });
  pause(60_000);
  assert.equal(sent.length, 1);
});

test("what changes while someone types is read in its last form only", () => {
  const { warmth, sent, pause } = world();
  for (const files of ["a", "ab", "abc"]) {
    warmth.want({ ...SUBJECT, files });
    pause(PAUSE_MS - 1);
  }
  pause();
  assert.deepEqual(sent.map((s) => s.request.input), [[{ type: "message", role: "user", content: "abc" }]]);
});

test("instructions are part of what is read", () => {
  const { warmth, sent, pause } = world();
  warmth.want({ ...SUBJECT, fields: { instructions: "Be brief." } });
  pause();
  sent[0].reader.onEvent(read(10));
  assert.equal(sent[0].request.instructions, "Be brief.");
  assert.equal(warmth.of(SUBJECT), null);
});

test("there is one at a time, and what is left is given up", () => {
  const { warmth, sent, pause } = world();
  warmth.want(SUBJECT);
  pause();
  warmth.want({ ...SUBJECT, parent: "resp_2" });
  assert.equal(sent[0].cancelled, true);
  sent[0].reader.onEvent(read(900));
  assert.equal(warmth.of(SUBJECT), null);
  pause();
  assert.equal(sent.length, 2);
  warmth.want(null);
  assert.equal(sent[1].cancelled, true);
});

test("a chat that is left before the pause is over asks for nothing", () => {
  const { warmth, sent, pause } = world();
  warmth.want(SUBJECT);
  warmth.want(null);
  pause();
  assert.equal(sent.length, 0);
});

test("one that the server gave up is asked for again, later", () => {
  const { warmth, sent, pause } = world();
  warmth.want(SUBJECT);
  pause();
  sent[0].reader.onEvent(read(900, 0));
  assert.deepEqual(warmth.of(SUBJECT), { tokens: 900, cached: 0 });
  warmth.want(SUBJECT);
  pause();
  assert.equal(sent.length, 1);
  pause(20_000);
  warmth.want(SUBJECT);
  pause();
  assert.equal(sent.length, 2);
});

test("one that was refused is not asked for again until something changes", () => {
  const { warmth, sent, pause } = world();
  warmth.want(SUBJECT);
  pause();
  sent[0].reader.onError({ code: "context_length_exceeded", message: "" });
  pause(60_000);
  warmth.want(SUBJECT);
  pause();
  assert.equal(sent.length, 1);
  warmth.want({ ...SUBJECT, model: "other" });
  pause();
  assert.equal(sent.length, 2);
});

test("an engine that is gone takes its cache along", () => {
  const { warmth, sent, pause } = world();
  warmth.want(SUBJECT);
  pause();
  sent[0].reader.onEvent(read(900));
  warmth.forget();
  assert.equal(warmth.of(SUBJECT), null);
  warmth.want(SUBJECT);
  pause();
  assert.equal(sent.length, 2);
});

const turn = (prompt, text, usage, phase = "completed") => ({ prompt, text, usage, phase });
const NOTHING = { before: 0, text: 0 };

test("a chat is as full as its last exchange was counted, and what follows is guessed", () => {
  const turns = [turn("x".repeat(100), "y".repeat(300), { input_tokens: 60, output_tokens: 140 })];
  assert.deepEqual(fillOf(turns, 1000, null, NOTHING), { used: 200, cached: null, max: 1000, exact: true });
  assert.deepEqual(fillOf(turns, 1000, null, { before: 0, text: 20 }), { used: 210, cached: null, max: 1000, exact: false });
  assert.equal(fillOf([...turns, turn("z".repeat(40), "", null, "running")], 1000, null, NOTHING).used, 220);
  assert.equal(fillOf([...turns, turn("z", "", { input_tokens: 9, output_tokens: 9 }, "failed")], 1000, null, NOTHING).used, 201);
  assert.equal(fillOf(turns, null, null, NOTHING), null);
});

test("without a count four characters are a token", () => {
  assert.equal(promptTokens([], 4000), 1000);
  assert.deepEqual(fillOf([], 2048, null, { before: 0, text: 401 }), { used: 101, cached: null, max: 2048, exact: false });
});

test("what the server has read is exact, and what is typed comes on top", () => {
  const warmth = { tokens: 900, cached: 896 };
  assert.deepEqual(fillOf([], 1000, warmth, NOTHING), { used: 900, cached: 896, max: 1000, exact: true });
  assert.deepEqual(fillOf([], 1000, warmth, { before: 5000, text: 40 }), { used: 910, cached: 896, max: 1000, exact: false });
});

test("the numbers are said in words", () => {
  assert.equal(fillWords({ used: 1212, cached: 1200, max: 2048, exact: true }), "1,212 of 2,048 tokens, 59 %. 1,200 are read already.");
  assert.equal(fillWords({ used: 12, cached: null, max: 2048, exact: false }), "About 12 of 2,048 tokens, 1 %.");
  assert.equal(fillWords({ used: 3000, cached: null, max: 2048, exact: false }), "About 3,000 of 2,048 tokens: more than the model can read.");
  assert.deepEqual([899, 900, 1000].map((used) => levelOf({ used, max: 1000 })), [null, "near", "over"]);
});

test("a chat that is nearly full, and one that is too long, are a sentence where nothing is more urgent", () => {
  const state = (fill, link = {}) => ({ link: { status: "open", since: 0, code: 0, ...link }, away: false, saving: true, refusals: {}, fill });
  const said = (...of) => stateLine(state(...of), undefined, { model: null, missing: null })?.text;
  const fill = (used) => ({ used, cached: null, max: 1000, exact: true });
  assert.deepEqual([null, fill(899)].map((f) => said(f)), [undefined, undefined]);
  assert.equal(said(fill(939)), "This chat fills 93 % of what the model can read.");
  assert.match(said(fill(1000)), /longer than the model can read/);
  assert.match(said(fill(1000), { status: "refused" }), /refused the connection/);
});
