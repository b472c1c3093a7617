/**
 * A chat against a link and an API that the test plays: what is sent after what, what a stop does before
 * and after the send, and how news from elsewhere joins what is on screen.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chat } from "../../frontend/js/state/chat.js";

const response = (id, fields = {}) => ({
  id, created_at: 1, status: "completed", model: "m", previous_response_id: null, output: [], error: null, incomplete_details: null, usage: null, ...fields,
});
const created = (id) => ({ type: "response.created", response: response(id, { status: "in_progress" }) });
const completed = (id, fields) => ({ type: "response.completed", response: response(id, fields) });
const settled = () => new Promise((done) => setImmediate(done));

function world(id = "conv_1") {
  const sent = [];
  const attached = [];
  const cancelled = [];
  const made = [];
  const stored = { entries: [], leaf: null };
  const needs = {
    link: {
      create: (request, reader) => (sent.push({ request, reader }), { cancel: () => (cancelled.push(request), true) }),
      attach: (response_id, seq, reader) => (attached.push({ response_id, seq, reader }), { cancel: () => true }),
    },
    fetchChat: async () => stored,
    createChat: async () => "conv_new",
    fields: (id) => ({ temperature: id === "conv_new" ? 1.5 : 0.5 }),
    onCreated: (chat) => made.push(chat.id),
  };
  return { chat: new Chat(id, needs), needs, sent, attached, cancelled, made, stored };
}

test("a message continues the exchange before it", async () => {
  const { chat, sent } = world();
  chat.send("one", "m");
  await settled();
  assert.equal(sent[0].request.previous_response_id, null);
  assert.equal(sent[0].request.conversation, "conv_1");
  sent[0].reader.onEvent(created("resp_1"));
  sent[0].reader.onEvent(completed("resp_1"));
  chat.send("two", "m");
  await settled();
  assert.equal(sent[1].request.previous_response_id, "resp_1");
  assert.notEqual(sent[0].request.tokenwire.idempotency_key, sent[1].request.tokenwire.idempotency_key);
});

test("a new chat is made on the server before its first message", async () => {
  const { chat, sent, made } = world(null);
  chat.send("one", "m");
  assert.equal(chat.turns[0].prompt, "one");
  await settled();
  assert.deepEqual(made, ["conv_new"]);
  assert.equal(sent[0].request.conversation, "conv_new");
  assert.equal(sent[0].request.temperature, 1.5);
});

test("the settings of a chat are said with what is asked, asked again and asked in another way", async () => {
  const { chat, sent } = world();
  const turn = chat.send("one", "m");
  await settled();
  sent[0].reader.onEvent(created("resp_1"));
  sent[0].reader.onEvent(completed("resp_1"));
  chat.retry(turn, "m");
  await settled();
  chat.edit(chat.turns[0], "uno", "m");
  await settled();
  assert.deepEqual(sent.map(({ request }) => request.temperature), [0.5, 0.5, 0.5]);
});

test("a stop before the chat exists sends nothing", async () => {
  const { chat, sent } = world(null);
  chat.send("one", "m");
  chat.stop();
  await settled();
  assert.equal(sent.length, 0);
  assert.equal(chat.turns[0].phase, "stopped");
});

test("a stop keeps the text and waits for the server's end", async () => {
  const { chat, sent, cancelled } = world();
  chat.send("one", "m");
  await settled();
  sent[0].reader.onEvent(created("resp_1"));
  chat.stop();
  chat.stop();
  assert.equal(cancelled.length, 1);
  assert.equal(chat.live?.stopping, true);
  sent[0].reader.onEvent({ type: "response.incomplete", response: response("resp_1", { status: "cancelled" }) });
  assert.equal(chat.live, undefined);
  assert.equal(chat.turns[0].phase, "stopped");
});

test("a retry asks the same again in the same place, under a new key", async () => {
  const { chat, sent } = world();
  chat.send("one", "m");
  await settled();
  sent[0].reader.onError({ code: "rate_limit_exceeded", message: "" });
  assert.equal(chat.turns[0].phase, "failed");
  chat.retry(chat.turns[0], "m2");
  await settled();
  assert.equal(chat.turns.length, 1);
  assert.deepEqual([sent[1].request.model, sent[1].request.input], ["m2", sent[0].request.input]);
  assert.notEqual(sent[0].request.tokenwire.idempotency_key, sent[1].request.tokenwire.idempotency_key);
});

test("an answer that was not saved is not continued from", async () => {
  const { chat, sent } = world();
  for (const [i, fields] of [{}, { store: false }].entries()) {
    chat.send(`n${i}`, "m");
    await settled();
    sent[i].reader.onEvent(created(`resp_${i}`));
    sent[i].reader.onEvent(completed(`resp_${i}`, fields));
  }
  chat.send("next", "m");
  await settled();
  assert.equal(sent[2].request.previous_response_id, "resp_0");
});

test("an answer that was not saved at its end is, once the list has it", async () => {
  const { chat, sent, stored } = world();
  chat.send("one", "m");
  await settled();
  sent[0].reader.onEvent(created("resp_1"));
  sent[0].reader.onEvent(completed("resp_1", { store: false }));
  assert.equal(chat.turns[0].saved, false);
  stored.entries = [{ response: response("resp_1", { status: "in_progress" }), input: [] }];
  await chat.refresh();
  assert.equal(chat.turns[0].saved, false);
  stored.entries = [{ response: response("resp_1", { store: false }), input: [] }];
  const told = [];
  chat.watch((turn) => told.push(turn));
  await chat.refresh();
  assert.equal(chat.turns[0].saved, true);
  assert.ok(told.includes(chat.turns[0]));
});

test("an answer of which the server lost the newest events is read again from its start", async () => {
  const { chat, sent, attached } = world();
  chat.send("one", "m");
  await settled();
  sent[0].reader.onEvent(created("resp_1"));
  sent[0].reader.onEvent({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "seen, not saved" });
  sent[0].reader.onError({ code: "invalid_starting_after", message: "" });
  assert.deepEqual(attached.map((a) => [a.response_id, a.seq]), [["resp_1", -1]]);
  attached[0].reader.onEvent({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "seen" });
  assert.deepEqual([chat.turns[0].text, chat.turns[0].phase], ["seen", "running"]);
});

test("opening a chat shows what is stored and follows what still runs from its first event", async () => {
  const { chat, stored, attached } = world();
  stored.entries = [
    { response: response("resp_1", { output: [{ type: "message", content: [{ text: "done" }] }] }), input: [] },
    { response: response("resp_2", { previous_response_id: "resp_1", status: "in_progress" }), input: [] },
  ];
  stored.leaf = "resp_2";
  await chat.load();
  assert.deepEqual(chat.turns.map((t) => [t.id, t.text]), [["resp_1", "done"], ["resp_2", ""]]);
  assert.deepEqual(attached.map((a) => [a.response_id, a.seq]), [["resp_2", -1]]);
  await chat.refresh();
  assert.equal(attached.length, 1);
  attached[0].reader.onEvent({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "live" });
  assert.equal(chat.turns[1].text, "live");
});

test("news from another tab joins, but never takes away what is being sent", async () => {
  const { chat, stored, attached, sent } = world();
  chat.send("mine", "m");
  await settled();
  stored.entries = [{ response: response("resp_9", { status: "in_progress" }), input: [] }];
  await chat.refresh();
  assert.deepEqual(chat.turns.map((t) => t.prompt), ["mine"]);
  sent[0].reader.onEvent(created("resp_1"));
  sent[0].reader.onEvent(completed("resp_1"));
  stored.entries = [{ response: response("resp_1"), input: [] }, { response: response("resp_2", { previous_response_id: "resp_1", status: "queued", created_at: 2 }), input: [] }];
  await chat.refresh();
  assert.deepEqual(chat.turns.map((t) => t.id), ["resp_1", "resp_2"]);
  assert.deepEqual(attached.map((a) => a.response_id), ["resp_2"]);
});

test("what was deleted elsewhere goes from here too, and what is being written stays", async () => {
  const { chat, stored, attached } = world();
  const said = (text) => [{ type: "message", role: "user", content: text }];
  const answer = { type: "message", role: "assistant", content: [{ text: "kept" }] };
  stored.entries = [
    { response: response("resp_1", { output: [answer] }), input: said("one") },
    { response: response("resp_2", { previous_response_id: "resp_1", status: "in_progress" }), input: said("two") },
  ];
  await chat.load();
  attached[0].reader.onEvent({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "live" });
  stored.entries[0].input = [];
  const shown = () => chat.turns.map((t) => [t.prompt, t.text]);
  await chat.refresh();
  assert.deepEqual(shown(), [["one", "kept"], ["two", "live"]]);
  await chat.refresh({ edited: true });
  assert.deepEqual(shown(), [["", "kept"], ["two", "live"]]);
  assert.equal(attached.length, 1);
});

test("a response in another branch is shown, and its branch stays until something is said", async () => {
  const { chat, sent, stored, attached } = world();
  const branch = (id, fields) => ({ response: response(id, { previous_response_id: "resp_1", ...fields }), input: [] });
  stored.entries = [
    { response: response("resp_1"), input: [] }, branch("resp_2"), branch("resp_3", { created_at: 2, status: "in_progress" }),
  ];
  stored.leaf = "resp_3";
  const shown = () => chat.turns.map((t) => t.id);
  await chat.load();
  await chat.hold("resp_1");
  assert.deepEqual(shown(), ["resp_1", "resp_3"]);
  const live = chat.turns[1];
  await chat.hold("resp_2");
  await chat.refresh();
  assert.deepEqual(shown(), ["resp_1", "resp_2"]);
  attached[0].reader.onEvent({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "live" });
  await chat.hold("resp_3");
  assert.deepEqual([chat.turns[1] === live, live.text, attached.length], [true, "live", 1], "it was followed all the time");
  await chat.hold("resp_2");
  chat.send("on from here", "m");
  await settled();
  assert.equal(sent[0].request.previous_response_id, "resp_2");
  sent[0].reader.onEvent(created("resp_4"));
  stored.entries.push(branch("resp_4", { previous_response_id: "resp_2", created_at: 3 }));
  stored.leaf = "resp_3";
  await chat.refresh();
  assert.deepEqual(shown(), ["resp_1", "resp_3"]);
});

/** A chat of five, of which the newest two come first and the rest when it is let. */
function parted() {
  const at = world();
  const entry = (n) => ({ response: response(`resp_${n}`, { created_at: n, previous_response_id: n > 1 ? `resp_${n - 1}` : null }), input: [] });
  const all = { entries: [5, 4, 3, 2, 1].map(entry), leaf: "resp_5" };
  const asked = [];
  at.needs.fetchChat = async (_, how = {}) => {
    asked.push(how);
    how.onPart?.({ ...all, entries: all.entries.slice(0, 2) });
    await new Promise((done) => { at.release = done; });
    return all;
  };
  return { ...at, all, asked, entry, shown: () => at.chat.turns.map((t) => t.id), let: async () => (at.release(), settled()) };
}

test("the newest of a chat is shown first, and what came before it is put above what was said meanwhile", async () => {
  const { chat, sent, shown, let: release } = parted();
  chat.load();
  assert.deepEqual([chat.status, shown()], ["ready", ["resp_4", "resp_5"]]);
  const [fourth] = chat.turns;
  chat.send("six", "m");
  await settled();
  sent[0].reader.onEvent(created("resp_6"));
  await release();
  assert.deepEqual(shown(), ["resp_1", "resp_2", "resp_3", "resp_4", "resp_5", "resp_6"]);
  assert.equal(chat.turns[3], fourth);
  assert.equal(sent[0].request.previous_response_id, "resp_5");
});

test("a response that was looked for is waited for, with the branch that it is in", async () => {
  const { chat, shown, let: release } = parted();
  chat.hold("resp_2");
  assert.deepEqual([chat.status, shown()], ["loading", []]);
  await release();
  assert.deepEqual([chat.status, shown()], ["ready", ["resp_1", "resp_2", "resp_3", "resp_4", "resp_5"]]);
});

test("the head of a chat is waited for, where it is not among the newest", async () => {
  const { chat, all, shown, let: release } = parted();
  all.leaf = "resp_3";
  chat.load();
  assert.deepEqual([chat.status, shown()], ["loading", []]);
  await release();
  assert.deepEqual([chat.status, shown()], ["ready", ["resp_1", "resp_2", "resp_3"]]);
});

test("who looks for what is new hands over what is known, once that is all", async () => {
  const { chat, asked, shown, all, entry, let: release } = parted();
  chat.load();
  chat.refresh({ added: true });
  assert.deepEqual(asked[1].known, []);
  await release();
  assert.deepEqual(shown(), ["resp_1", "resp_2", "resp_3", "resp_4", "resp_5"]);
  all.entries = [entry(6), ...all.entries];
  all.leaf = "resp_6";
  chat.refresh({ added: true });
  assert.equal(asked[2].known.length, 5);
  await release();
  assert.deepEqual(shown(), ["resp_1", "resp_2", "resp_3", "resp_4", "resp_5", "resp_6"]);
});

test("a branch that can't be read is shown when it can, and keeps what is sent meanwhile", async () => {
  const { chat, needs, sent, stored } = world();
  stored.entries = [{ response: response("resp_1"), input: [] }, { response: response("resp_2", { created_at: 2 }), input: [] }];
  await chat.load();
  const { fetchChat } = needs;
  needs.fetchChat = async () => {
    throw new Error("The server could not be reached.");
  };
  await chat.hold("resp_1");
  assert.deepEqual([chat.status, chat.turns.map((t) => t.id)], ["failed", ["resp_2"]]);
  needs.fetchChat = fetchChat;
  await chat.refresh();
  assert.deepEqual([chat.status, chat.turns.map((t) => t.id)], ["ready", ["resp_1"]]);
  needs.fetchChat = async () => {
    throw new Error("The server could not be reached.");
  };
  await chat.hold("resp_2");
  chat.send("one", "m");
  needs.fetchChat = fetchChat;
  await chat.refresh();
  await settled();
  assert.deepEqual([chat.turns.at(-1).prompt, sent.length], ["one", 1]);
});

test("an answer whose events are gone is read from what is stored, and keeps what is on screen", async () => {
  const { chat, sent, stored } = world();
  chat.send("one", "m");
  await settled();
  sent[0].reader.onEvent(created("resp_1"));
  sent[0].reader.onEvent({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "half an answer" });
  const gone = response("resp_1", { status: "incomplete", incomplete_details: { reason: "interrupted" }, output: [{ type: "message", content: [{ text: "half" }] }] });
  stored.entries = [{ response: gone, input: [] }];
  sent[0].reader.onError({ code: "tokenwire_stream_expired", message: "" });
  await settled();
  assert.deepEqual([chat.turns[0].phase, chat.turns[0].error?.code, chat.turns[0].text, chat.turns[0].prompt], ["failed", "interrupted", "half an answer", "one"]);
});

test("a chat that can't be opened says so and can be opened again", async () => {
  const { chat, needs, stored } = world();
  const fetchChat = needs.fetchChat;
  needs.fetchChat = async () => {
    throw new Error("The server could not be reached.");
  };
  await chat.load();
  assert.deepEqual([chat.status, chat.error?.message], ["failed", "The server could not be reached."]);
  needs.fetchChat = fetchChat;
  stored.entries = [{ response: response("resp_1"), input: [] }];
  await chat.refresh();
  assert.deepEqual([chat.status, chat.turns.length], ["ready", 1]);
});
