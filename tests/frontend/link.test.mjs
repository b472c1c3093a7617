/**
 * The link over real sockets and over real event streams against the scripted server: whatever breaks in
 * between, each response is asked for once and each of its events is seen once, in order.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { createLink } from "../../frontend/js/net/link.js";
import { openStream } from "../../frontend/js/net/stream.js";
import { startFake } from "./fake_server.mjs";

/** A condition that a test can wait for: `check()` after each thing that happens. */
function bell() {
  const waiting = new Set();
  return {
    ring: () => waiting.forEach((look) => look()),
    until: (condition) => new Promise((done) => {
      const look = () => condition() && (waiting.delete(look), done());
      waiting.add(look);
      look();
    }),
  };
}

/** A WebSocket that hears nothing. */
class Deaf {
  close() {}
}

const overBoth = (name, run) => {
  for (const over of ["socket", "stream"]) test(`${over}: ${name}`, (t) => run(t, { over }));
};

async function visit(t, { over = "socket", patient = false } = {}) {
  const fake = await startFake();
  const happened = bell();
  const seen = { statuses: [], page: [] };
  const link = createLink({
    url: fake.url.replace("http", "ws"),
    WebSocket: over === "socket" ? WebSocket : Deaf,
    openStream: (ears) => openStream(ears, (path, init) => fetch(fake.url + path, init)),
    memory: { get: () => over === "stream", set: () => {} },
    onStatus: (info) => {
      seen.statuses.push(info.status);
      seen.info = info;
      if (info.status === "lost" && !patient) link.now();
      happened.ring();
    },
    onPageEvent: (event) => {
      seen.page.push(event);
      happened.ring();
    },
  });
  t.after(async () => {
    link.stop();
    await fake.stop();
  });
  link.start();
  const reader = () => {
    const read = {
      events: [], errors: [], unsaid: [], next: null,
      onEvent: (e) => (read.events.push(e), happened.ring()), onError: (e) => (read.errors.push(e), happened.ring()),
      onUnsaid: (error, text) => (read.unsaid.push([error.code, text]), happened.ring()),
      onFollowed: () => (read.next = reader()),
    };
    return read;
  };
  return { fake, link, seen, reader, until: happened.until };
}

const request = (key, content = "hello") => ({ model: "m", input: [{ type: "message", role: "user", content }], tokenwire: { idempotency_key: key } });
const ended = (read) => read.events.some((e) => /completed|incomplete|failed/.test(e.type));
const text = (read) => read.events.filter((e) => e.type === "response.output_text.delta").map((e) => e.delta).join("");
const numbers = (read) => read.events.map((e) => e.sequence_number);

overBoth("a link that breaks at every event shows each event once and in order", async (t, how) => {
  const { fake, link, reader, until } = await visit(t, how);
  const read = reader();
  link.create(request("k1"), read);
  const answer = await fake.asked();
  await until(() => read.events.length > 0);
  const words = Array.from({ length: 40 }, (_, i) => `wörd ${i} 👩‍🚀 `);
  for (const word of words) {
    answer.write(word);
    fake.drop();
    await until(() => text(read).endsWith(word));
  }
  answer.complete();
  await until(() => ended(read));
  assert.equal(text(read), words.join(""));
  assert.deepEqual(numbers(read), answer.events.map((e) => e.sequence_number));
  assert.equal(fake.creates.length, 1);
});

overBoth("a create whose acknowledgement is lost is sent again under the same key and made once", async (t, how) => {
  const { fake, link, reader, until } = await visit(t, how);
  fake.loseAcknowledgement = true;
  const read = reader();
  link.create(request("k1"), read);
  const answer = await fake.asked();
  fake.loseAcknowledgement = false;
  fake.drop();
  await until(() => read.events.length > 0);
  answer.write("once").complete();
  await until(() => ended(read));
  assert.equal(fake.creates.length, 2);
  assert.equal(fake.answers.size, 1);
  assert.equal(text(read), "once");
});

overBoth("a request made without a link is sent when there is one", async (t, how) => {
  const { fake, link, reader, until } = await visit(t, how);
  link.stop();
  const read = reader();
  link.create(request("k1"), read);
  assert.equal(fake.creates.length, 0);
  link.start();
  (await fake.asked()).write("late").complete();
  await until(() => ended(read));
  assert.equal(text(read), "late");
});

overBoth("a request that is cancelled before it was sent is never sent", async (t, how) => {
  const { fake, link, reader } = await visit(t, how);
  link.stop();
  const handle = link.create(request("k1"), reader());
  assert.equal(handle.cancel(), false);
  link.create(request("k2"), reader());
  link.start();
  await fake.asked();
  assert.deepEqual(fake.creates.map((c) => c.tokenwire.idempotency_key), ["k2"]);
});

overBoth("a cancel waits for the server's word and is repeated on the next link", async (t, how) => {
  const { fake, link, reader, until } = await visit(t, how);
  const read = reader();
  const handle = link.create(request("k1"), read);
  const answer = await fake.asked();
  answer.write("half");
  await until(() => text(read) === "half");
  assert.equal(handle.cancel(), true);
  assert.equal(await fake.cancelled(), answer);
  assert.equal(ended(read), false);
  fake.drop();
  assert.equal(await fake.cancelled(), answer);
  answer.cancel();
  await until(() => ended(read));
  assert.equal(read.events.at(-1).response.status, "cancelled");
});

overBoth("more wants than lanes wait for a lane", async (t, how) => {
  const { fake, link, reader, until } = await visit(t, how);
  const reads = Array.from({ length: 20 }, (_, i) => {
    const read = reader();
    link.create(request(`k${i}`, `n${i}`), read);
    return read;
  });
  const first = [];
  for (let i = 0; i < 16; i++) first.push(await fake.asked());
  assert.equal(fake.creates.length, 16);
  assert.equal(new Set(fake.creates.map((c) => c.stream_id)).size, 16);
  for (const answer of first) answer.write(answer.prompt).complete();
  for (let i = 16; i < 20; i++) {
    const answer = await fake.asked();
    answer.write(answer.prompt).complete();
  }
  await until(() => reads.every(ended));
  assert.deepEqual(reads.map(text), reads.map((_, i) => `n${i}`));
});

overBoth("a request larger than the server takes is refused here, and the link lives", async (t, how) => {
  const { fake, link, reader, seen, until } = await visit(t, how);
  await until(() => seen.info?.status === "open");
  const huge = reader();
  link.create(request("k1", "x".repeat(9_000_000)), huge);
  assert.equal(huge.errors[0].code, "message_too_large");
  const read = reader();
  link.create(request("k2"), read);
  (await fake.asked()).complete();
  await until(() => ended(read));
  assert.deepEqual(seen.statuses, ["connecting", "open"]);
});

overBoth("an attach to an answer that is gone is an error for its reader, and the link goes on", async (t, how) => {
  const { fake, link, reader, until } = await visit(t, how);
  const gone = reader();
  link.attach("resp_gone", -1, gone);
  await until(() => gone.errors.length === 1);
  assert.equal(gone.errors[0].code, "response_not_found");
  const read = reader();
  link.create(request("k1"), read);
  (await fake.asked()).write("fine").complete();
  await until(() => ended(read));
});

/** Its readers miss what is done here: a hole in the numbers. */
function unheard(answer, act) {
  const { readers } = answer;
  answer.readers = new Set();
  act();
  answer.readers = readers;
}

overBoth("who joins late has all text so far at once, then what follows", async (t, how) => {
  const { fake, link, reader, seen, until } = await visit(t, how);
  const first = reader();
  link.create(request("k1"), first);
  const answer = await fake.asked();
  answer.write("one ").write("two ").write("three ");
  const second = reader();
  link.attach(answer.response.id, -1, second);
  await until(() => text(second) === "one two three ");
  assert.equal(fake.attaches[0].mode, "snapshot");
  answer.write("four ");
  await until(() => text(second).endsWith("four "));
  fake.drop();
  answer.write("five").complete();
  await until(() => ended(first) && ended(second));
  assert.equal(text(second), text(first));
  assert.deepEqual(second.events.filter((e) => e.delta).map((e) => e.delta), ["one two three ", "four ", "five"]);
  const skipped = numbers(first).filter((n) => !numbers(second).includes(n));
  assert.deepEqual(skipped, first.events.filter((e) => e.delta).slice(0, 2).map((e) => e.sequence_number));
  assert.deepEqual(fake.attaches.slice(1).map((a) => a.mode), [undefined, undefined]);
  assert.equal(seen.statuses.filter((s) => s === "lost").length, 1);
});

overBoth("a hole behind the text so far is not trusted", async (t, how) => {
  const { fake, link, reader, seen, until } = await visit(t, how);
  link.create(request("k1"), reader());
  const answer = await fake.asked();
  answer.write("one ").write("two ");
  const late = reader();
  link.attach(answer.response.id, -1, late);
  await until(() => text(late) === "one two ");
  unheard(answer, () => answer.write("three "));
  answer.write("four");
  await until(() => text(late) === "one two three four");
  assert.ok(seen.statuses.includes("lost"));
});

overBoth("a hole behind a start without text is not trusted", async (t, how) => {
  const { fake, link, reader, seen, until } = await visit(t, how);
  link.create(request("k1"), reader());
  const answer = await fake.asked();
  const late = reader();
  link.attach(answer.response.id, -1, late);
  await until(() => late.events.length === 1);
  unheard(answer, () => answer.write("one "));
  answer.write("two").complete();
  await until(() => ended(late));
  assert.deepEqual(numbers(late), answer.events.map((e) => e.sequence_number));
  assert.ok(seen.statuses.includes("lost"));
});

overBoth("a request that a server on its way out refuses is sent to the next one", async (t, how) => {
  const { fake, link, reader, until } = await visit(t, how);
  fake.refusal = { code: "server_draining", message: "The server is stopping." };
  const read = reader();
  link.create(request("k1"), read);
  await fake.refused();
  fake.close(1012);
  (await fake.asked()).write("here").complete();
  await until(() => ended(read));
  assert.deepEqual([fake.creates.length, text(read), read.errors], [2, "here", []]);
});

test("a close that is final says why", async (t) => {
  const { fake, seen, until } = await visit(t);
  await until(() => seen.info?.status === "open");
  fake.close(4401, "signed out");
  await until(() => seen.info.status === "refused");
  assert.equal(seen.info.code, 4401);
  assert.deepEqual(seen.statuses, ["connecting", "open", "refused"]);
});

test("a server that restarts may say when to come back", async (t) => {
  const { fake, seen, until } = await visit(t, { patient: true });
  await until(() => seen.info?.status === "open");
  fake.close(1012, "5");
  await until(() => seen.info.status === "lost");
  await until(() => seen.info.status === "open");
  assert.deepEqual(seen.statuses, ["connecting", "open", "lost", "connecting", "open"]);
});

test("what is said to an answer is followed on the same lane, beside another that waits for one", async (t) => {
  const { fake, link, reader, until } = await visit(t);
  const read = reader();
  const handle = link.create(request("k1"), read);
  assert.equal(handle.steer("too early"), false);
  const first = await fake.asked();
  first.write("Once");
  await until(() => text(read) === "Once");
  assert.equal(handle.steer("shorter"), true);
  const second = await fake.asked();
  second.write("End").complete();
  await until(() => read.next && ended(read.next));
  assert.deepEqual([text(read), text(read.next), numbers(read.next)[0]], ["Once", "End", 0]);
  assert.equal(read.events.at(-1).response.incomplete_details.reason, "steered");
  const other = reader();
  link.create(request("k2"), other);
  (await fake.asked()).write("Two").complete();
  await until(() => ended(other));
  assert.deepEqual(read.unsaid, []);
});

test("what can't be said to an answer is given back, also where nobody knows", async (t) => {
  const { fake, link, reader, until } = await visit(t);
  const read = reader();
  const handle = link.create(request("k1"), read);
  const answer = await fake.asked();
  answer.write("Once");
  await until(() => text(read) === "Once");
  fake.refusesSteer = "steering_not_supported";
  handle.steer("one");
  await until(() => read.unsaid.length === 1);
  fake.refusesSteer = "unheard";
  handle.steer("two");
  await until(() => read.unsaid.length === 2);
  assert.deepEqual(read.unsaid, [["steering_not_supported", "one"], ["unreachable", "two"]]);
  answer.complete();
  await until(() => ended(read));
});

test("an answer that would follow one that was cut is lost with the link, and its reader told", async (t) => {
  const { fake, link, reader, until } = await visit(t);
  const read = reader();
  const handle = link.create(request("k1"), read);
  (await fake.asked()).write("Once");
  await until(() => text(read) === "Once");
  fake.followsNot = true;
  handle.steer("shorter");
  await until(() => read.next);
  fake.drop();
  await until(() => read.next.errors.length === 1);
  assert.equal(read.next.errors[0].code, "tokenwire_stream_expired");
});
