// The official JavaScript SDK against the real server: HTTP, SSE and ResponsesWS with lanes. Run by
// test_openai_js.py, which starts the server and sets TOKENWIRE_URL.

import assert from "node:assert/strict";
import test from "node:test";

import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";

const baseURL = `${process.env.TOKENWIRE_URL}/v1`;
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const model = "tokenwire-demo";
const count = "Count to 20.";

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

test("ResponsesWS answers on two lanes", async () => {
  const socket = new ResponsesWS(client);
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
  socket.close();
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
