// The official JavaScript SDK against the real server: HTTP, SSE and ResponsesWS with lanes. Run by
// test_openai_js.py, which starts the server and sets TOKENWIRE_URL and TOKENWIRE_RECITED, what the
// model "reciter" says and calls.

import assert from "node:assert/strict";
import test from "node:test";

import OpenAI from "openai";
import { ResponsesWebSocketSession } from "openai/lib/responses/responses-websocket-session";
import { ResponsesWS } from "openai/resources/responses/ws";

const baseURL = `${process.env.TOKENWIRE_URL}/v1`;
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const model = "tokenwire-demo";
const count = "Count to 20.";

const recited = JSON.parse(process.env.TOKENWIRE_RECITED);
const schema = {
  type: "object",
  properties: { city: { type: "string", enum: ["Paris", "Rome"] } },
  required: ["city"],
  additionalProperties: false,
};
const about = { name: "get_weather", description: "The weather in a city.", parameters: schema };
const tools = [{ type: "function", strict: true, ...about }];
const chatTools = [{ type: "function", function: about }];
const question = { role: "user", content: "Weather?" };
const ask = { model: "reciter", input: "Weather?", temperature: 0 };
const chat = { model: "reciter", messages: [question], temperature: 0 };

const kinds = (answer) => answer.output.map((item) => item.type);
const ofKind = (answer, kind) => answer.output.filter((item) => item.type === kind);
const thoughts = (answer) =>
  ofKind(answer, "reasoning").flatMap((item) => item.content.map((part) => part.text)).join("");
const calls = (answer) => ofKind(answer, "function_call").map((item) => [item.name, JSON.parse(item.arguments)]);
const outputs = (answer) =>
  ofKind(answer, "function_call").map(({ call_id }) => ({ type: "function_call_output", call_id, output: "sunny" }));

function assertRecited(answer) {
  assert.deepEqual(kinds(answer), ["reasoning", "message", "function_call", "function_call"]);
  assert.deepEqual(
    [thoughts(answer), answer.output_text, calls(answer)],
    [recited.thought, recited.spoken, recited.calls],
  );
}

// One that is left open would keep node from ending.
function open(t) {
  const socket = new ResponsesWS(client);
  t.after(() => socket.close());
  return socket;
}

async function all(iterable) {
  const found = [];
  for await (const each of iterable) found.push(each);
  return found;
}

test("responses.create answers", async () => {
  const answer = await client.responses.create({ model, input: "Hello!" });
  assert.equal(answer.status, "completed");
  assert.ok(answer.output_text.length > 0);
});

test("responses.create streams, and a stream is taken up after a number", async () => {
  const events = [];
  for await (const event of await client.responses.create({ model, input: count, temperature: 0, stream: true }))
    events.push(event);
  assert.equal(events.at(-1).type, "response.completed");
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
  const id = events[0].response.id;
  const rest = [];
  for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: 3 })) rest.push(event);
  assert.deepEqual(rest, events.slice(4));
});

test("ResponsesWS answers on two lanes", async (t) => {
  const socket = open(t);
  const ended = new Map();
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("event", (event) => {
      if (event.type === "response.completed") ended.set(event.stream_id, event.response);
      if (event.type === "response.failed") reject(new Error("failed"));
      if (ended.size === 2) resolve(undefined);
    });
    for (const lane of ["a", "b"])
      socket.send({ type: "response.create", model, input: "Hello!", stream_id: lane });
  });
  assert.deepEqual([...ended.keys()].sort(), ["a", "b"]);
  for (const response of ended.values()) assert.ok(response.output[0].content[0].text);
});

test("chat.completions.create streams", async () => {
  let text = "";
  const messages = [{ role: "user", content: "Hello!" }];
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true }))
    text += chunk.choices[0]?.delta?.content ?? "";
  assert.ok(text.length > 0);
});

test("a streamed answer thinks, speaks and calls, and goes on with what came of it", async () => {
  const stream = client.responses.stream({ ...ask, tools });
  const events = await all(stream);
  const answer = await stream.finalResponse();
  assertRecited(answer);
  const joined = (type) => events.filter((event) => event.type === type).map((event) => event.delta).join("");
  assert.equal(joined("response.reasoning_text.delta"), recited.thought);
  assert.equal(joined("response.output_text.delta"), recited.spoken);
  const said = events.filter((event) => event.type === "response.function_call_arguments.done");
  assert.deepEqual(
    said.map((event) => JSON.parse(event.arguments)),
    recited.calls.map(([, given]) => given),
  );
  const after = await client.responses.create({
    ...ask,
    input: outputs(answer),
    previous_response_id: answer.id,
    tools,
  });
  assert.equal(after.output_text, recited.after);
  // Stored, it is the same.
  assertRecited(await client.responses.retrieve(answer.id));
});

test("a whole answer has the same, and is sent back as it came", async () => {
  const answer = await client.responses.create({ ...ask, tools, store: false });
  assertRecited(answer);
  const { reasoning_tokens } = answer.usage.output_tokens_details;
  assert.ok(0 < reasoning_tokens && reasoning_tokens < answer.usage.output_tokens);
  const after = await client.responses.create({
    ...ask,
    input: [question, ...answer.output, ...outputs(answer)],
    tools,
    store: false,
  });
  assert.equal(after.output_text, recited.after);
});

test("calls can be one at a time, asked for, or not wanted", async () => {
  const one = await client.responses.create({ ...ask, tools, parallel_tool_calls: false });
  assert.deepEqual(calls(one), recited.calls.slice(0, 1));
  const asked = await client.responses.create({
    ...ask,
    tools,
    tool_choice: { type: "function", name: "get_weather" },
    parallel_tool_calls: false,
    max_output_tokens: 100,
  });
  assert.deepEqual(kinds(asked), ["reasoning", "function_call"]);
  assert.ok(["Paris", "Rome"].includes(calls(asked)[0][1].city));
  const none = await client.responses.create({ ...ask, tools, tool_choice: "none" });
  assert.deepEqual(kinds(none), ["reasoning", "message"]);
});

test("thinking is switched off", async () => {
  const answer = await client.responses.create({ ...ask, reasoning: { effort: "none" }, max_output_tokens: 6 });
  assert.deepEqual([kinds(answer), answer.output_text], [["message"], recited.spoken]);
});

test("a text follows a schema after the thoughts, whole and streamed", async () => {
  const text = { format: { type: "json_schema", name: "city", schema, strict: true } };
  const body = { ...ask, text, max_output_tokens: 100 };
  const whole = await client.responses.create(body);
  assert.equal(thoughts(whole), recited.thought);
  assert.ok(["Paris", "Rome"].includes(JSON.parse(whole.output_text).city));
  const streamed = await client.responses.stream(body).finalResponse();
  assert.deepEqual(JSON.parse(streamed.output_text), JSON.parse(whole.output_text));
});

test("a call that nobody made, and tools for a model that has none, are refused", async () => {
  const input = [{ type: "function_call_output", call_id: "call_x", output: "sunny" }];
  await assert.rejects(client.responses.create({ ...ask, input }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    return error.param === "input[0].call_id";
  });
  // Beside them the list has what could be fetched.
  const models = (await all(client.models.list())).filter(({ tokenwire }) => tokenwire.state !== "absent");
  assert.deepEqual(
    models.map(({ id, tokenwire }) => [id, tokenwire.capabilities.tools, tokenwire.capabilities.reasoning]).sort(),
    [["reciter", true, true], [model, false, false]],
  );
  await assert.rejects(client.responses.create({ model, input: "Weather?", tools }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    return error.code === "unsupported_parameter" && error.param === "tools";
  });
});

test("what an answer was made from is listed in pages, and its tokens are counted", async () => {
  const first = await client.responses.create({ ...ask, tools });
  const next = { ...ask, input: outputs(first), previous_response_id: first.id, tools };
  const { input_tokens } = await client.responses.inputTokens.count({
    model: next.model,
    input: next.input,
    previous_response_id: first.id,
    tools,
  });
  const second = await client.responses.create(next);
  assert.equal(input_tokens, second.usage.input_tokens);
  const items = await all(client.responses.inputItems.list(second.id, { order: "asc", limit: 2 }));
  assert.deepEqual(
    items.map((item) => item.type),
    ["message", ...kinds(first), "function_call_output", "function_call_output"],
  );
  assert.deepEqual(items.slice(-2).map((item) => item.output), ["sunny", "sunny"]);
});

test("a conversation is made short and gone on with", async () => {
  const short = await client.responses.compact({ model, input: "Count to 5." });
  assert.deepEqual(short.output.map((item) => item.type), ["compaction"]);
  const going = await client.responses.create({ model, input: [...short.output, { role: "user", content: "Hello!" }] });
  assert.ok(going.output_text.length > 0);
});

test("a conversation holds calls and what came of them", async () => {
  const conversation = await client.conversations.create({ items: [{ type: "message", ...question }] });
  const answer = await client.responses.create({
    ...ask,
    input: "In Paris and Rome.",
    conversation: conversation.id,
    tools,
  });
  assertRecited(answer);
  const after = await client.responses.create({ ...ask, input: outputs(answer), conversation: conversation.id, tools });
  assert.equal(after.output_text, recited.after);
  await client.conversations.items.create(conversation.id, { items: [{ role: "user", content: "Thank you." }] });
  const items = await all(client.conversations.items.list(conversation.id, { order: "asc", limit: 3 }));
  assert.deepEqual(
    items.map((item) => item.type),
    [
      "message",
      "message",
      ...kinds(answer),
      "function_call_output",
      "function_call_output",
      ...kinds(after),
      "message",
    ],
  );
  const last = items.at(-1);
  assert.equal((await client.conversations.items.retrieve(last.id, { conversation_id: conversation.id })).id, last.id);
  await client.conversations.items.delete(last.id, { conversation_id: conversation.id });
  await client.conversations.update(conversation.id, { metadata: { of: "js" } });
  assert.deepEqual((await client.conversations.retrieve(conversation.id)).metadata, { of: "js" });
  await client.conversations.delete(conversation.id);
  await assert.rejects(client.conversations.retrieve(conversation.id), OpenAI.NotFoundError);
});

test("chat completions call, and the SDK's own loop goes on with what came of it", async () => {
  const [choice] = (await client.chat.completions.create({ ...chat, tools: chatTools })).choices;
  assert.equal(choice.finish_reason, "tool_calls");
  assert.deepEqual([choice.message.content, choice.message.reasoning_content], [recited.spoken, recited.thought]);
  assert.deepEqual(
    choice.message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    recited.calls,
  );
  for (const stream of [false, true]) {
    const asked = [];
    const runner = client.chat.completions.runTools({
      ...chat,
      stream,
      tools: [
        {
          type: "function",
          function: { ...about, parse: JSON.parse, function: ({ city }) => (asked.push(city), "sunny") },
        },
      ],
    });
    assert.equal(await runner.finalContent(), recited.after);
    assert.deepEqual(asked, ["Paris", "Rome"]);
  }
});

test("chat completions have choices, schemas and likelihoods, whole and streamed", async () => {
  const body = {
    ...chat,
    n: 2,
    logprobs: true,
    top_logprobs: 2,
    max_completion_tokens: 100,
    response_format: { type: "json_schema", json_schema: { name: "city", schema, strict: true } },
  };
  const whole = await client.chat.completions.create(body);
  const streamed = await client.chat.completions.stream(body).finalChatCompletion();
  for (const { choices } of [whole, streamed]) {
    assert.deepEqual(choices.map((choice) => choice.index), [0, 1]);
    for (const { message, logprobs, finish_reason } of choices) {
      assert.equal(finish_reason, "stop");
      assert.ok(["Paris", "Rome"].includes(JSON.parse(message.content).city));
      const told = logprobs.content.map((each) => each.token).join("");
      assert.ok(told.includes(message.content), told);
      for (const each of logprobs.content) assert.equal(each.top_logprobs.length, 2);
    }
  }
});

test("ResponsesWS calls, and goes on with what came of it on its connection", async (t) => {
  const socket = open(t);
  const turn = (body) =>
    new Promise((resolve, reject) => {
      const seen = [];
      const hear = (event) => {
        seen.push(event);
        if (!["response.completed", "response.incomplete", "response.failed"].includes(event.type)) return;
        socket.off("event", hear);
        resolve([event.response, seen]);
      };
      socket.on("event", hear);
      socket.on("error", reject);
      socket.send({ type: "response.create", store: false, tools, ...ask, ...body });
    });
  const [answer, events] = await turn({});
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
  assert.deepEqual([kinds(answer).length, thoughts(answer), calls(answer)], [4, recited.thought, recited.calls]);
  const [after] = await turn({ input: outputs(answer), previous_response_id: answer.id });
  assert.equal(after.output[0].content[0].text, recited.after);
});

test("the SDK's session has tools on two lanes, and a refusal on one of them alone", async (t) => {
  const socket = open(t);
  socket.on("error", () => {});
  await new Promise((resolve) => socket.socket.once("open", resolve));
  const limits = { maxLanes: 4, maxBufferedEvents: 1000, maxBufferedBytes: 1 << 20 };
  const session = new ResponsesWebSocketSession(socket, limits);
  const [first, second, third] = ["a", "b", "c"].map((name) => session.lane(name));
  first.create({ ...ask, tools });
  second.create({ ...ask, tools, parallel_tool_calls: false });
  third.create({ model, input: "Weather?", tools });
  const [both, one] = await Promise.all([first.finalResponse(), second.finalResponse()]);
  assertRecited(both);
  assert.deepEqual(calls(one), recited.calls.slice(0, 1));
  const refusal = await third.receive();
  assert.deepEqual([refusal.type, refusal.status, refusal.error.param], ["error", 400, "tools"]);
  first.create({ ...ask, input: outputs(both), previous_response_id: both.id, tools });
  assert.equal((await first.finalResponse()).output_text, recited.after);
  session.close();
});
