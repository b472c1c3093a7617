/**
 * What an exchange is made of and what can be done with it, without a page: pieces, versions, and the
 * verbs edit, retry, go on, say more, turn to, against a link and an API that the test plays.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { forksOf } from "../../frontend/js/state/branches.js";
import { Chat } from "../../frontend/js/state/chat.js";
import { detailsOf } from "../../frontend/js/state/details.js";
import { growPiece, outputs, piecesOf, settlePiece, spoken } from "../../frontend/js/state/pieces.js";
import { applyEvent, newTurn, turnOf } from "../../frontend/js/state/turn.js";

const response = (id, fields = {}) => ({
  id, created_at: 1, status: "completed", model: "m", previous_response_id: null, output: [], error: null, incomplete_details: null, usage: null, ...fields,
});
const created = (id, fields) => ({ type: "response.created", response: response(id, { status: "in_progress", ...fields }) });
const completed = (id, fields) => ({ type: "response.completed", response: response(id, fields) });
const delta = (text, output_index = 0) => ({ type: "response.output_text.delta", output_index, content_index: 0, delta: text });
const entry = (id, after, prompt, fields) => ({
  response: response(id, { previous_response_id: after, ...fields }), input: [{ type: "message", role: "user", content: prompt }],
});
const settled = () => new Promise((done) => setImmediate(done));

function world() {
  const at = { sent: [], steered: [], unsaid: [], leaves: [], hears: true, stored: { entries: [], leaf: null } };
  const handle = { cancel: () => true, steer: (text) => (at.steered.push(text), at.hears) };
  const needs = {
    link: { create: (request, reader) => (at.sent.push({ request, reader }), handle), attach: (id, seq, reader) => (at.sent.push({ id, reader }), handle) },
    fetchChat: async () => at.stored,
    createChat: async () => "conv_new",
    fields: () => ({ seed: 7 }),
    setLeaf: async (id, leaf) => void at.leaves.push(leaf),
    onCreated: () => {},
    onUnsaid: (_chat, text) => at.unsaid.push(text),
  };
  return Object.assign(at, { handle, chat: new Chat("conv_1", needs) });
}

async function answered(at, id, fields) {
  await settled();
  const { reader } = at.sent.at(-1);
  reader.onEvent(created(id, fields));
  reader.onEvent(completed(id, fields));
}

test("pieces are thoughts, texts and calls in the order of the output", () => {
  let now = 0;
  const pieces = [];
  const grow = (event) => growPiece(pieces, event, () => now);
  const settle = (event) => settlePiece(pieces, event, () => now);
  assert.equal(grow({ type: "response.reasoning_text.delta", output_index: 0, content_index: 0, delta: "Hm" }), "begun");
  now = 3000;
  assert.equal(grow({ type: "response.reasoning_text.delta", output_index: 0, content_index: 0, delta: "m" }), "grew");
  assert.equal(settle({ type: "response.reasoning_text.done", output_index: 0, content_index: 0, text: "Hmm" }), "state");
  assert.equal(grow(delta("Hello", 1)), "begun");
  assert.equal(settle({ type: "response.output_text.done", output_index: 1, content_index: 0, text: "Hello!" }), "reset");
  assert.equal(grow({ type: "response.output_item.added", output_index: 2, item: { type: "function_call", name: "f", call_id: "c" } }), "begun");
  assert.equal(grow({ type: "response.function_call_arguments.delta", output_index: 2, delta: "{" }), "grew");
  assert.equal(settle({ type: "response.function_call_arguments.done", output_index: 2, arguments: "{}" }), "reset");
  assert.equal(grow({ type: "response.output_item.added", output_index: 3, item: { type: "message" } }), null);
  assert.deepEqual(pieces.map((p) => [p.kind, p.text, p.done, p.ms]), [["thought", "Hmm", true, 3000], ["text", "Hello!", true, 0], ["call", "{}", true, null]]);
  assert.equal(spoken(pieces), "Hello!");
});

test("a thought ends where something else begins, if nobody says so", () => {
  const pieces = [];
  growPiece(pieces, { type: "response.reasoning_text.delta", output_index: 0, content_index: 0, delta: "Hm" }, () => 1000);
  growPiece(pieces, delta("So", 1), () => 2500);
  assert.deepEqual([pieces[0].done, pieces[0].ms], [true, 1500]);
});

test("a stored answer has the same pieces, and its thought the server's time", () => {
  const output = [
    { type: "reasoning", content: [{ type: "reasoning_text", text: "Hmm" }] },
    { type: "message", content: [{ type: "output_text", text: "a" }, { type: "output_text", text: "b" }] },
    { type: "custom_tool_call", name: "sh", call_id: "c1", input: "ls" },
    { type: "local_shell_call", call_id: "c2", action: { command: ["ls"] } },
    { type: "compaction" },
  ];
  const pieces = piecesOf(output, { reasoning_ms: 8000 });
  assert.deepEqual(pieces.map((p) => [p.kind, p.name, p.text, p.ms]), [
    ["thought", "", "Hmm", 8000], ["text", "", "a", null], ["text", "", "b", null], ["call", "sh", "ls", null], ["call", "local_shell_call", '{"command":["ls"]}', null],
  ]);
  assert.equal(spoken(pieces), "a\n\nb");
  assert.deepEqual(outputs([{ type: "function_call_output", call_id: "c1", output: "x" }, { type: "message", role: "user", content: "no" }]), [{ call: "c1", text: "x" }]);
});

test("versions are counted by what was asked, and under it by how it was answered", () => {
  const node = (id, parent, prompt, at = 1) => ({ id, parent, prompt, at });
  const nodes = [node("d", null, "other", 4), node("b", null, "same", 2), node("a", null, "same", 1), node("x", "a", "next"), node(null, null, "same", Infinity)];
  const forks = forksOf(nodes);
  const of = (id) => forks.get(nodes.find((n) => n.id === id));
  assert.equal(of("x"), undefined);
  assert.deepEqual([of("a").answered.at, of("b").answered.at, of(null).answered.at, of("a").answered.of], [1, 2, 3, 3]);
  assert.deepEqual(of("b").asked, { at: 1, of: 2, others: ["b", "d"] });
  assert.deepEqual(of("d").asked, { at: 2, of: 2, others: [null, "d"] });
  assert.deepEqual(of("d").answered.of, 1);
});

test("another try and another wording are versions of the same exchange", async () => {
  const at = world();
  at.chat.send("one", "m");
  await answered(at, "r1");
  at.chat.send("two", "m");
  await answered(at, "r2", { previous_response_id: "r1" });
  at.chat.retry(at.chat.turns[1], "m2");
  await answered(at, "r3", { previous_response_id: "r1" });
  assert.deepEqual([at.sent[2].request.previous_response_id, at.sent[2].request.model, at.sent[2].request.input[0].content], ["r1", "m2", "two"]);
  assert.deepEqual([...at.chat.forks()].map(([turn, { answered }]) => [turn.id, answered.at, answered.of]), [["r3", 2, 2]]);
  at.chat.edit(at.chat.turns[0], "uno", "m");
  await answered(at, "r4");
  assert.deepEqual(at.chat.turns.map((t) => t.id), ["r4"]);
  assert.deepEqual([...at.chat.forks().values()].map(({ asked }) => [asked.at, asked.of]), [[2, 2]]);
});

test("turning to a version shows what was last shown after it, and the server is told", async () => {
  const at = world();
  at.stored = { entries: [entry("r1", null, "one"), entry("r2", "r1", "two"), entry("r3", "r1", "two!"), entry("r4", null, "uno")], leaf: "r2" };
  await at.chat.load();
  assert.deepEqual(at.chat.turns.map((t) => t.id), ["r1", "r2"]);
  await at.chat.turnTo("r4");
  assert.deepEqual(at.chat.turns.map((t) => t.id), ["r4"]);
  await at.chat.turnTo("r1");
  assert.deepEqual(at.chat.turns.map((t) => t.id), ["r1", "r2"]);
  assert.deepEqual(at.leaves, ["r4", "r2"]);
});

test("a page follows another that turned to another branch, but for what it was asked to show", async () => {
  const at = world();
  at.stored = { entries: [entry("r1", null, "one"), entry("r2", null, "uno")], leaf: "r2" };
  await at.chat.load();
  at.stored = { ...at.stored, leaf: "r1" };
  await at.chat.lead("r1");
  assert.deepEqual(at.chat.turns.map((t) => t.id), ["r1"]);
  await at.chat.hold("r2");
  await at.chat.lead("r1");
  assert.deepEqual(at.chat.turns.map((t) => t.id), ["r2"]);
});

test("going on shows what was cut until it comes again", async () => {
  const at = world();
  at.chat.send("one", "m");
  await settled();
  at.sent[0].reader.onEvent(created("r1"));
  at.sent[0].reader.onEvent(delta("The beg"));
  at.sent[0].reader.onEvent({ type: "response.incomplete", response: response("r1", { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }) });
  const more = at.chat.goOn(at.chat.turns[0]);
  await settled();
  assert.deepEqual([at.sent[1].request.tokenwire.continues, at.sent[1].request.input, at.chat.turns.length], ["r1", undefined, 1]);
  // What was cut was begun with other settings, maybe.
  assert.deepEqual([at.sent[0].request.seed, at.sent[1].request.seed], [7, undefined]);
  assert.equal(more.text, "The beg");
  at.sent[1].reader.onEvent(created("r2"));
  assert.equal(more.text, "The beg");
  at.sent[1].reader.onEvent(delta("The beg"));
  at.sent[1].reader.onEvent(delta("inning"));
  assert.equal(more.text, "The beginning");
});

test("what is said to a running answer is asked in the one that follows it", async () => {
  const at = world();
  at.chat.send("one", "m");
  await settled();
  const { reader } = at.sent[0];
  reader.onEvent(created("r1"));
  assert.equal(at.chat.steer("shorter"), true);
  assert.deepEqual([at.steered, at.chat.turns[0].steers], [["shorter"], ["shorter"]]);
  reader.onEvent({ type: "response.incomplete", response: response("r1", { status: "incomplete", incomplete_details: { reason: "steered" } }) });
  const next = reader.onFollowed(at.handle);
  next.onEvent(created("r2", { previous_response_id: "r1" }));
  next.onEvent(delta("ok"));
  assert.deepEqual(at.chat.turns.map((t) => [t.id, t.prompt, t.phase, t.text]), [["r1", "one", "steered", ""], ["r2", "shorter", "running", "ok"]]);
  at.hears = false;
  assert.equal(at.chat.steer("no"), false);
  assert.deepEqual(at.chat.turns[1].steers, []);
});

test("what came too late for an answer is asked after it; anything else is given back", async () => {
  const at = world();
  at.chat.send("one", "m");
  await settled();
  const { reader } = at.sent[0];
  reader.onEvent(created("r1"));
  at.chat.steer("back");
  reader.onUnsaid({ code: "steering_not_supported", message: "" }, "back");
  assert.deepEqual([at.unsaid, at.chat.turns[0].steers], [["back"], []]);
  at.chat.steer("late");
  reader.onEvent(completed("r1"));
  reader.onUnsaid({ code: "response_already_completed", message: "" }, "late");
  await settled();
  assert.deepEqual([at.sent[1].request.input[0].content, at.sent[1].request.previous_response_id], ["late", "r1"]);
});

test("an answer that goes on elsewhere while the link was away is read from the list", async () => {
  const at = world();
  at.chat.send("one", "m");
  await settled();
  const { reader } = at.sent[0];
  reader.onEvent(created("r1"));
  at.chat.steer("shorter");
  reader.onEvent({ type: "response.incomplete", response: response("r1", { status: "incomplete", incomplete_details: { reason: "steered" } }) });
  const next = reader.onFollowed(at.handle);
  at.stored = { entries: [entry("r1", null, "one", { status: "incomplete", incomplete_details: { reason: "steered" } }), entry("r2", "r1", "shorter")], leaf: "r2" };
  next.onError({ code: "tokenwire_stream_expired", message: "" });
  await settled();
  assert.deepEqual(at.chat.turns.map((t) => [t.id, t.phase]), [["r1", "steered"], ["r2", "completed"]]);
});

test("the details of an answer name what is known and nothing else", () => {
  const turn = turnOf({
    response: response("resp_1", {
      temperature: 0.7,
      usage: { input_tokens: 1100, output_tokens: 212, input_tokens_details: { cached_tokens: 1024 } },
      tokenwire: { seed: 7, timing: { queue_ms: 1500, ttft_ms: 310, tok_per_s: 42, reasoning_ms: 8000 } },
    }),
    input: [],
  });
  const facts = Object.fromEntries(detailsOf(turn));
  assert.deepEqual([facts["In line"], facts["Thought for"], facts.Prompt, facts.Ended, facts.Seed, facts.Temperature, facts["Top p"], facts.Id],
    ["1.50 s", "8 s", "1,100 tokens, 1,024 from cache", "by itself", "7", "0.7", undefined, "resp_1"]);
  const waiting = newTurn("hi", "m", null);
  applyEvent(waiting, { type: "response.queued", response: response("r", { status: "queued", tokenwire: { queue: { position: 3 } } }) });
  assert.deepEqual(Object.keys(Object.fromEntries(detailsOf(waiting))), ["Model", "Asked"]);
});
