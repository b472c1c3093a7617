/** What carries the connection: a value that is told what became of each try. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createChoice } from "../../frontend/js/net/choice.js";

const MINUTE = 60_000;

function begin(remembered = false) {
  const at = { time: 0, kept: remembered };
  const memory = { get: () => at.kept, set: (stream) => { at.kept = stream; } };
  return { at, choice: createChoice({ now: () => at.time, memory }) };
}

/** @param {string} tries s: failed while plain requests passed, h: hung, a: failed with the server away, o: heard */
function after(tries, remembered) {
  const { at, choice } = begin(remembered);
  for (const one of tries) {
    if (one === "o") choice.opened();
    else choice.failed(choice.carrier, one !== "a", one === "h");
  }
  return [choice.carrier, choice.blocked, at.kept];
}

test("a carrier is given up after two failures in a row while plain requests pass, or one that hangs", () => {
  assert.deepEqual(after(""), ["socket", false, false]);
  assert.deepEqual(after("s"), ["socket", false, false]);
  assert.deepEqual(after("ss"), ["stream", false, false]);
  assert.deepEqual(after("h"), ["stream", false, false]);
  assert.deepEqual(after("sso"), ["stream", false, true]);
  assert.deepEqual(after("sos"), ["socket", false, false]);
});

test("a server that is away speaks against nothing", () => {
  assert.deepEqual(after("aaaaaa"), ["socket", false, false]);
  assert.deepEqual(after("sasasa"), ["socket", false, false]);
  assert.deepEqual(after("ssoaaaa"), ["stream", false, true]);
});

test("when neither gets through they take turns, and that is known until one does or the server is away", () => {
  assert.deepEqual(after("hh"), ["socket", true, false]);
  assert.deepEqual(after("ssss"), ["socket", true, false]);
  assert.deepEqual(after("hhh"), ["stream", true, false]);
  assert.deepEqual(after("hhho"), ["stream", false, true]);
  assert.deepEqual(after("hha"), ["socket", false, false]);
});

test("what is told late of a carrier that was given up meanwhile counts for nothing", () => {
  const { choice } = begin();
  choice.failed("socket", true, true);
  choice.failed("socket", true, true);
  choice.failed("socket", true, false);
  assert.deepEqual([choice.carrier, choice.blocked], ["stream", false]);
});

test("a WebSocket is due ten minutes after the last try, a minute after it where the stream is a new one", () => {
  const { at, choice } = begin();
  assert.equal(choice.isDue(true), false);
  choice.failed("socket", true, true);
  choice.opened();
  assert.deepEqual([choice.isDue(false), choice.isDue(true)], [false, false]);
  at.time += MINUTE;
  assert.deepEqual([choice.isDue(false), choice.isDue(true)], [false, true]);
  at.time += 9 * MINUTE;
  assert.equal(choice.isDue(false), true);
  choice.tried();
  assert.equal(choice.isDue(true), false);
  choice.back();
  choice.opened();
  assert.deepEqual([choice.carrier, at.kept], ["socket", false]);
});

test("what was remembered is where it begins, and a WebSocket is due at once", () => {
  const { choice } = begin(true);
  assert.deepEqual([choice.carrier, choice.isDue(true), choice.isDue(false)], ["stream", true, true]);
});
