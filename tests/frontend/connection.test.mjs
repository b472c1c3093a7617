/**
 * The reconnecting connection on a stopped clock: backoff, silence, waking up, and what it goes over. The
 * carriers are stand-ins at the edge of the page, as the browser's own are.
 */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { delay, dictated, isFinal } from "../../frontend/js/net/backoff.js";
import { createConnection } from "../../frontend/js/net/connection.js";

class Wire {
  static all = [];
  readyState = 1;
  sent = [];
  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    Wire.all.push(this);
  }
  send(data) {
    this.sent.push(JSON.parse(data));
  }
  close(code) {
    this.closed = code;
    this.readyState = 3;
  }
  say(...events) {
    this.onmessage({ data: JSON.stringify(events.length === 1 ? events[0] : events) });
  }
  die(code = 1006, reason = "") {
    this.onclose({ code, reason });
  }
}

/** An event stream, as the connection sees it. */
class Stream {
  static all = [];
  sent = [];
  constructor(ears) {
    this.ears = ears;
    Stream.all.push(this);
  }
  send(message) {
    this.sent.push(message);
    return true;
  }
  close() {
    this.closed = true;
  }
  say(...events) {
    for (const event of events) this.ears.onFrame(JSON.stringify(event));
  }
  die(code = 1006) {
    this.ears.onClose(code, "");
  }
}

const HELLO = { type: "tokenwire:hello" };

/** `reached`: whether plain requests are answered. */
function start(t, { reached = false, remembered = false } = {}) {
  Wire.all = [];
  Stream.all = [];
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  t.after(() => mock.timers.reset());
  const seen = { statuses: [], events: [], memory: remembered, reached, busy: false };
  const connection = createConnection({
    url: "ws://x", WebSocket: Wire, random: () => 0.5, openStream: (ears) => new Stream(ears), busy: () => seen.busy,
    memory: { get: () => seen.memory, set: (stream) => { seen.memory = stream; } },
    reach: async () => seen.reached,
    onStatus: (info) => {
      seen.statuses.push(info.status);
      seen.info = info;
    },
    onHello: () => {}, onEvent: (e) => seen.events.push(e.type),
  });
  connection.start();
  return {
    socket: connection, seen, wire: () => Wire.all.at(-1), stream: () => Stream.all.at(-1), tick: (ms) => mock.timers.tick(ms),
    /** What was asked has been answered. */
    settled: async () => { for (let i = 0; i < 5; i++) await null; },
    counts: () => [Wire.all.length, Stream.all.length],
  };
}

test("the delay doubles to a cap, half of it drawn", () => {
  assert.deepEqual([0, 1, 2].map((n) => delay(n, () => 0)), [150, 300, 600]);
  assert.deepEqual([0, 1, 2].map((n) => delay(n, () => 1)), [300, 600, 1200]);
  assert.equal(delay(50, () => 1), 20_000);
  assert.equal(dictated(1012, "1500"), 1500);
  assert.equal(dictated(1006, "1500"), null);
  assert.equal(dictated(1013, "soon"), null);
  assert.deepEqual([1006, 1012, 3999, 4000, 4999].map(isFinal), [false, false, false, true, true]);
});

test("each failed try waits longer, and a short-lived link doesn't start the count again", (t) => {
  const { wire, tick } = start(t);
  wire().die();
  tick(224);
  assert.equal(Wire.all.length, 1);
  tick(1);
  assert.equal(Wire.all.length, 2);
  wire().say(HELLO);
  tick(4_000);
  wire().die();
  tick(449);
  assert.equal(Wire.all.length, 2);
  tick(1);
  assert.equal(Wire.all.length, 3);
  wire().say(HELLO);
  tick(6_000);
  wire().die();
  tick(225);
  assert.equal(Wire.all.length, 4);
});

test("a link without a frame for 35 s is dropped, one that speaks is kept", (t) => {
  const { wire, tick, seen } = start(t);
  wire().say(HELLO);
  for (let i = 0; i < 5; i++) {
    tick(15_000);
    wire().say({ type: "tokenwire:ping", t: i });
  }
  assert.equal(Wire.all.length, 1);
  tick(40_000);
  assert.equal(Wire.all[0].closed, 1000);
  tick(300);
  assert.equal(Wire.all.length, 2);
  assert.deepEqual(seen.events, []);
});

test("a page that wakes up asks, and opens a new link when nothing comes within 3 s", (t) => {
  const { socket, wire, tick } = start(t);
  wire().say(HELLO);
  socket.awake();
  assert.equal(wire().sent[0].type, "tokenwire:ping");
  wire().say({ type: "tokenwire:pong" });
  tick(5_000);
  assert.equal(Wire.all.length, 1);
  socket.awake();
  tick(3_000);
  assert.equal(Wire.all.length, 2);
});

test("what a replaced link still says is not heard", (t) => {
  const { socket, wire, seen } = start(t);
  const old = wire();
  old.say(HELLO);
  socket.now();
  old.say({ type: "response.created" });
  old.die();
  assert.deepEqual(seen.events, []);
  wire().say(HELLO, { type: "a" }, { type: "b" });
  assert.deepEqual(seen.events, ["a", "b"]);
  assert.equal(Wire.all.length, 2);
});

test("a close that is final is not answered with another try", (t) => {
  const { wire, tick, seen } = start(t);
  wire().say(HELLO);
  wire().die(4401);
  tick(120_000);
  assert.equal(Wire.all.length, 1);
  assert.equal(seen.statuses.at(-1), "refused");
});

test("nothing is sent before the hello, and nothing after stop", (t) => {
  const { socket, wire, tick, seen } = start(t);
  assert.equal(socket.send({ type: "x" }), false);
  wire().say(HELLO);
  assert.equal(socket.send({ type: "x" }), true);
  socket.stop();
  assert.equal(socket.send({ type: "x" }), false);
  assert.equal(Wire.all[0].closed, 1000);
  tick(60_000);
  assert.equal(Wire.all.length, 1);
  assert.equal(seen.statuses.at(-1), "closed");
});

/** A page whose WebSockets are refused, on its event stream. */
async function onStream(t) {
  const at = start(t, { reached: true });
  at.wire().die();
  await at.settled();
  at.tick(225);
  at.wire().die();
  await at.settled();
  at.stream().say(HELLO);
  return at;
}

test("WebSockets that are refused twice while plain requests pass are given up for a stream at once", async (t) => {
  const { counts, seen, socket, stream } = await onStream(t);
  assert.deepEqual(counts(), [2, 1]);
  assert.equal(seen.statuses.at(-1), "open");
  assert.equal(seen.memory, true);
  assert.equal(socket.send({ type: "x" }), true);
  assert.deepEqual(stream().sent, [{ type: "x" }]);
  stream().say({ type: "a" }, { type: "tokenwire:ping" });
  assert.deepEqual(seen.events, ["a"]);
});

test("a WebSocket that hangs while plain requests pass is given up after 4 s", async (t) => {
  const { wire, stream, counts, tick, settled } = start(t, { reached: true });
  tick(3_999);
  await settled();
  assert.deepEqual(counts(), [1, 0]);
  tick(1);
  await settled();
  assert.deepEqual(counts(), [1, 1]);
  assert.equal(wire().closed, 1000);
  stream().say(HELLO);
  wire().say(HELLO);
  assert.deepEqual(counts(), [1, 1]);
});

test("a server that is away says nothing against WebSockets", async (t) => {
  const { wire, counts, seen, tick, settled } = start(t);
  for (let i = 0; i < 6; i++) {
    wire().die();
    await settled();
    tick(20_000);
    await settled();
  }
  assert.deepEqual(counts(), [7, 0]);
  seen.reached = true;
  wire().die();
  await settled();
  tick(20_000);
  wire().say(HELLO);
  assert.deepEqual(counts(), [8, 0]);
  assert.equal(seen.memory, false);
});

test("a stream that is lost comes back as a stream", async (t) => {
  const { stream, counts, seen, tick } = await onStream(t);
  stream().die();
  assert.equal(seen.info.status, "lost");
  tick(1_000);
  assert.deepEqual(counts(), [2, 2]);
  stream().say(HELLO);
  tick(40_000);
  assert.equal(Stream.all[1].closed, true);
});

test("beside a stream a WebSocket is tried each ten minutes, and takes over when the server is heard on it", async (t) => {
  const { wire, stream, counts, seen, tick } = await onStream(t);
  const alive = (ms) => {
    for (let past = 0; past < ms; past += 5_000) {
      stream().say({ type: "tokenwire:ping" });
      tick(5_000);
    }
  };
  alive(595_000);
  assert.deepEqual(counts(), [2, 1]);
  alive(10_000);
  assert.deepEqual(counts(), [3, 1]);
  wire().die();
  assert.equal(seen.info.status, "open");
  alive(610_000);
  assert.deepEqual(counts(), [4, 1]);
  seen.events.length = 0;
  wire().say(HELLO, { type: "a" });
  assert.equal(stream().closed, true);
  stream().say({ type: "b" });
  assert.deepEqual(seen.events, ["a"]);
  assert.equal(seen.memory, false);
  assert.deepEqual(seen.statuses.slice(-2), ["open", "open"]);
});

test("a reload begins with the stream and tries a WebSocket beside it", (t) => {
  const { wire, stream, counts, seen } = start(t, { remembered: true });
  assert.deepEqual(counts(), [0, 1]);
  stream().say(HELLO);
  assert.deepEqual(counts(), [1, 1]);
  wire().say(HELLO);
  assert.equal(stream().closed, true);
  assert.equal(seen.memory, false);
});

test("a stream that holds back the hello is told apart from a server that is away", async (t) => {
  const { wire, counts, seen, tick, settled } = start(t, { reached: true });
  tick(4_000);
  await settled();
  assert.equal(seen.info.blocked, false);
  tick(4_000);
  await settled();
  assert.deepEqual([seen.info.status, seen.info.blocked], ["lost", true]);
  tick(1_000);
  assert.deepEqual(counts(), [2, 1]);
  wire().say(HELLO);
  assert.deepEqual([seen.info.status, seen.info.blocked], ["open", false]);
});

test("a stream that says who is signed out is not asked again", async (t) => {
  const { stream, counts, seen, tick } = await onStream(t);
  stream().die(4401);
  tick(120_000);
  assert.deepEqual([seen.info.status, seen.info.code], ["refused", 4401]);
  assert.deepEqual(counts(), [2, 1]);
});

test("a page out of sight gives its stream back, unless it waits for something", async (t) => {
  const { socket, stream, counts, seen, tick } = await onStream(t);
  const pass = (times) => {
    for (let i = 0; i < times; i++) {
      stream().say({ type: "tokenwire:ping" });
      tick(10_000);
    }
  };
  seen.busy = true;
  socket.hide();
  pass(6);
  assert.equal(seen.info.status, "open");
  seen.busy = false;
  pass(1);
  assert.equal(seen.info.status, "closed");
  assert.equal(stream().closed, true);
  tick(60_000);
  assert.deepEqual(counts(), [2, 1]);
  seen.busy = true;
  tick(5_000);
  assert.deepEqual(counts(), [2, 2]);
  stream().say(HELLO);
  seen.busy = false;
  pass(1);
  assert.equal(seen.info.status, "closed");
  socket.awake();
  assert.equal(Stream.all.length, 3);
});
