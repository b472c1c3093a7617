/**
 * The event stream as a carrier, over a real HTTP server that a test holds in its hand: pieces of any size,
 * POSTs one after the other, refusals, ends.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { openStream } from "../../frontend/js/net/stream.js";

const HELLO = '{"type":"tokenwire:hello","connection_id":"sock_1"}';

/** `answer` is what a POST gets: by default 204. */
async function visit(t, answer = (response) => response.writeHead(204).end()) {
  const seen = { frames: [], closed: [], posts: [], paths: [] };
  let changed = () => {};
  const note = (list, value) => {
    list.push(value);
    changed();
  };
  let feed;
  const server = createServer(async (request, response) => {
    seen.paths.push(`${request.method} ${request.url}`);
    if (request.method === "GET") {
      feed = response.writeHead(200, { "content-type": "text/event-stream" });
      feed.flushHeaders();
      return;
    }
    let body = "";
    for await (const piece of request) body += piece;
    answer(response, body);
    note(seen.posts, JSON.parse(body).events);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  const line = openStream(
    { onFrame: (data) => note(seen.frames, data), onClose: (code) => note(seen.closed, code) },
    (path, init) => fetch(url + path, init),
  );
  t.after(() => {
    line.close();
    server.closeAllConnections();
    server.close();
  });
  /** What came over it until a condition holds. */
  const until = async (holds) => {
    while (!holds()) await new Promise((done) => { changed = done; });
  };
  const said = async () => {
    while (!feed) await new Promise((done) => setTimeout(done, 5));
    return feed;
  };
  return { line, seen, until, server, feed: said };
}

/** A stream on which the hello was heard. */
async function greeted(t, answer) {
  const at = await visit(t, answer);
  (await at.feed()).write(`data: ${HELLO}\n\n`);
  await at.until(() => at.seen.frames.length === 1);
  return at;
}

test("each event is heard whole, in whatever pieces its bytes come", async (t) => {
  const { seen, until, feed } = await visit(t);
  const told = [HELLO, '{"a":"Grüße 👩‍🚀 — ends"}', '{"b":" data: no event\\n"}', `{"c":"${"x".repeat(200_000)}"}`];
  const bytes = Buffer.from(`: a comment\n\n${told.map((one) => `data: ${one}\n\n`).join("")}`);
  const response = await feed();
  for (let at = 0, size = 1; at < bytes.length; at += size, size = at < 300 ? 1 : 9_973) {
    response.write(bytes.subarray(at, at + size));
    if (at % 7 === 0) await new Promise(setImmediate);
  }
  await until(() => seen.frames.length === told.length);
  assert.deepEqual(seen.frames, told);
  response.end();
  await until(() => seen.closed.length);
  assert.deepEqual(seen.closed, [1006]);
});

test("nothing is said before the hello, and then in order, together where it waited", async (t) => {
  const answers = [];
  const { line, seen, until, feed } = await visit(t, (response) => answers.push(response));
  assert.equal(line.send({ type: "early" }), false);
  (await feed()).write(`data: ${HELLO}\n\n`);
  await until(() => seen.frames.length === 1);
  for (let n = 0; n < 100; n++) assert.equal(line.send({ n }), true);
  line.send({ long: "x".repeat(100_000) });
  line.send({ n: 100 });
  while (seen.posts.flat().length < 102) {
    await until(() => answers.length);
    answers.shift().writeHead(204).end();
    await new Promise((done) => setTimeout(done, 5));
  }
  assert.deepEqual(seen.posts.map((events) => events.length), [1, 64, 35, 1, 1]);
  assert.deepEqual(seen.posts.flat().filter((e) => !e.long).map((e) => e.n), Array.from({ length: 101 }, (_, n) => n));
  assert.ok(seen.paths.slice(1).every((path) => path === "POST /v1/events/sock_1"));
});

test("a POST that is refused is an error on its lane, and the stream lives", async (t) => {
  const refusals = [[413, "<html>too large"], [403, '{"error":{"code":"forbidden_origin","message":"No."}}'], [406, "?"]];
  const { line, seen, until } = await greeted(t, (response) => {
    const [status, body] = refusals.shift();
    response.writeHead(status).end(body);
  });
  for (const stream_id of ["a", "b", "c"]) {
    line.send({ stream_id });
    const before = seen.frames.length;
    await until(() => seen.frames.length > before);
  }
  const errors = seen.frames.slice(1).map((frame) => JSON.parse(frame));
  assert.deepEqual(errors.map((e) => [e.type, e.stream_id, e.error.code]), [["error", "a", "message_too_large"], ["error", "b", "forbidden_origin"], ["error", "c", null]]);
  assert.match(errors[2].error.message, /refused this message \(406\)/);
  assert.deepEqual(seen.closed, []);
});

for (const status of [404, 502]) {
  test(`a POST that fails with ${status} ends the stream, as it may pass on another`, async (t) => {
    const { line, seen, until } = await greeted(t, (response) => response.writeHead(status).end());
    line.send({ stream_id: "a" });
    await until(() => seen.closed.length);
    assert.deepEqual(seen.closed, [1006]);
    assert.equal(line.send({ stream_id: "b" }), false);
    assert.equal(seen.frames.length, 1);
  });
}

test("a stream that can't be had says why", async () => {
  for (const [status, code] of [[401, 4401], [404, 1006], [502, 1006]]) {
    const closed = await new Promise((done) => {
      openStream({ onFrame: () => {}, onClose: done }, async () => new Response("", { status }));
    });
    assert.equal(closed, code);
  }
  const closed = await new Promise((done) => {
    openStream({ onFrame: () => {}, onClose: done }, async () => { throw new TypeError("failed"); });
  });
  assert.equal(closed, 1006);
});

test("one that was closed says nothing more", async (t) => {
  const { line, seen, feed } = await greeted(t);
  const response = await feed();
  const gone = once(response, "close");
  line.close();
  await gone;
  assert.deepEqual([seen.frames.length, seen.closed], [1, []]);
});
