/**
 * The reconnecting socket on a stopped clock: backoff, silence, waking up. The WebSocket is a stand-in at
 * the edge of the page, as the browser's own is.
 */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { delay, dictated, isFinal } from "../../frontend/js/net/backoff.js";
import { createSocket } from "../../frontend/js/net/socket.js";

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

const HELLO = { type: "tokenwire:hello" };

function start(t) {
  Wire.all = [];
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  t.after(() => mock.timers.reset());
  const seen = { statuses: [], events: [] };
  const socket = createSocket({
    url: "ws://x", WebSocket: Wire, random: () => 0.5,
    onStatus: (info) => seen.statuses.push(info.status), onHello: () => {}, onEvent: (e) => seen.events.push(e.type),
  });
  socket.start();
  return { socket, seen, wire: () => Wire.all.at(-1), tick: (ms) => mock.timers.tick(ms) };
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
