/**
 * Chats of hundreds of messages, and answers of hundreds of blocks: what is to be seen is there at once, the
 * rest comes without anything moving, none of it is out of reach, and the view follows what is written. Against
 * the scripted server, which gives what came before when it is let.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startFake } from "../frontend/fake_server.mjs";
import { accessible, answers, launch, open, say } from "./browser.mjs";

const MANY = 260;
/** The first page of a chat. */
const FIRST = 20;
const REFUSED = /Failed to load resource/;

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

/** Of different heights, as exchanges are. */
const answerOf = (i) => [`Answer ${i}.`, ...Array.from({ length: (i * 7) % 5 }, (_, n) => `Paragraph ${n} of answer ${i}, ${"with more words ".repeat(12)}.`), i % 6 ? "" : "```js\nlet a = 1;\n```"].join("\n\n");

function longChat(fake) {
  const row = fake.conversation("Long");
  const made = [];
  for (let i = 1; i <= MANY; i++) made.push(fake.exchange(row, `Question ${i}?`, answerOf(i), made.at(-1)));
  return { row, made };
}

/** A page on a long chat, whose older exchanges wait for `release`. */
async function visit(t, { path = ({ row }) => `/#/c/${row.id}`, ...options } = {}) {
  const fake = await startFake();
  const { promise, resolve: release } = Promise.withResolvers?.() ?? withResolvers();
  fake.older = promise;
  const chat = longChat(fake);
  const at = await open(browser, fake.url + path(chat), options);
  t.after(async () => {
    release();
    await at.close();
    await fake.stop();
  });
  return { fake, release, ...chat, ...at };
}

/** An answer that is being written. */
async function begun(t) {
  const fake = await startFake();
  const at = await open(browser, fake.url);
  t.after(async () => {
    await at.close();
    await fake.stop();
  });
  await say(at.page, "All of it");
  return { ...at, answer: await fake.asked() };
}

function withResolvers() {
  let resolve;
  const promise = new Promise((done) => { resolve = done; });
  return { promise, resolve };
}

const turns = (page) => page.locator(".turn");
const all = (page, n) => page.waitForFunction((count) => document.querySelectorAll(".turn").length === count, n);
/** Two frames: what was to be drawn is. */
const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const atEnd = (page) => page.waitForFunction(() => { const s = document.getElementById("scroller"); return s.scrollHeight - s.clientHeight - s.scrollTop <= 2; });
const fromEnd = (page) => page.locator("#scroller").evaluate((s) => s.scrollHeight - s.clientHeight - s.scrollTop);
/** What stands at the top of the view, and where. */
const eye = (page) => page.evaluate(() => {
  const top = document.getElementById("scroller").getBoundingClientRect().top;
  const turn = [...document.querySelectorAll(".turn")].find((n) => n.getBoundingClientRect().bottom > top + 8);
  return { question: turn.querySelector(".said")?.textContent ?? null, at: turn.getBoundingClientRect().top - top };
});
/** The questions in view, "" for what isn't drawn. */
const inView = (page) => page.evaluate(() => {
  const { top, bottom } = document.getElementById("scroller").getBoundingClientRect();
  return [...document.querySelectorAll(".turn")].filter((n) => n.getBoundingClientRect().bottom > top && n.getBoundingClientRect().top < bottom).map((n) => (n.querySelector(".md:not(:empty)") ? n.querySelector(".said").textContent : ""));
});

test("a long chat opens at its end from its newest page, and the rest comes without it moving", async (t) => {
  const { fake, page, release, made } = await visit(t);
  await page.getByText(`Answer ${MANY}.`, { exact: true }).waitFor();
  assert.equal(await turns(page).count(), FIRST);
  await accessible(page, "the newest page of a long chat");
  await atEnd(page);
  const place = () => answers(page).last().evaluate((n) => n.getBoundingClientRect().bottom);
  const before = await place();
  release();
  await all(page, MANY);
  await drawn(page);
  assert.ok(await fromEnd(page) <= 2, `${await fromEnd(page)} px from the end`);
  assert.equal(await place(), before);
  assert.equal(await page.locator("#jump").isVisible(), false);
  // Each page once, from where the one before ended; the newest first.
  const at = [FIRST, FIRST + 100, FIRST + 200];
  assert.deepEqual(fake.pages, [null, ...at.map((n) => made[MANY - n].response.id)]);
  // In time all of it is drawn, in order.
  await page.waitForFunction(() => [...document.querySelectorAll(".turn")].every((n) => n.querySelector(".said")));
  assert.deepEqual(await page.locator(".turn .said").allTextContents(), Array.from({ length: MANY }, (_, i) => `Question ${i + 1}?`));
  assert.equal(await page.getByText("Paragraph 1 of answer 22,").count(), 1);
});

test("what is read stays in its place when older exchanges come above it, also at the top", async (t) => {
  for (const key of ["PageUp", "Home"]) {
    const { page, release } = await visit(t);
    await page.getByText(`Answer ${MANY}.`, { exact: true }).waitFor();
    await page.locator("#scroller").focus();
    for (let i = 0; i < (key === "Home" ? 1 : 3); i++) await page.keyboard.press(key);
    await page.waitForFunction(async (top) => {
      // Until it has come to rest: the browser may scroll smoothly.
      const s = document.getElementById("scroller");
      const from = s.scrollTop;
      await new Promise((done) => setTimeout(done, 150));
      return s.scrollTop === from && (!top || from === 0);
    }, key === "Home");
    const before = await eye(page);
    assert.ok(before.question);
    release();
    await all(page, MANY);
    await drawn(page);
    const now = await eye(page);
    assert.equal(now.question, before.question);
    assert.ok(Math.abs(now.at - before.at) <= 1, `${key}: it moved by ${now.at - before.at} px`);
  }
});

test("scrolled up to its top, nothing in view is ever blank", async (t) => {
  const { page, release } = await visit(t);
  release();
  await all(page, MANY);
  await page.locator("#scroller").hover();
  const seen = new Set();
  while (await page.locator("#scroller").evaluate((s) => s.scrollTop > 0)) {
    await page.mouse.wheel(0, -1500);
    await drawn(page);
    for (const question of await inView(page)) seen.add(question);
  }
  assert.ok(!seen.has(""), "an exchange in view had no text");
  assert.ok(seen.has("Question 1?"));
});

test("one key leads to the top of a chat that isn't drawn yet, and it is drawn there", async (t) => {
  const { page, release } = await visit(t);
  await page.getByText(`Answer ${MANY}.`, { exact: true }).waitFor();
  release();
  await all(page, MANY);
  await page.locator("#scroller").focus();
  await page.keyboard.press("Home");
  await page.waitForFunction(() => document.getElementById("scroller").scrollTop === 0);
  await page.waitForFunction(() => document.querySelector(".turn .said")?.textContent === "Question 1?");
  await drawn(page);
  assert.equal((await inView(page))[0], "Question 1?");
});

test("a link to an old message lands on it and stays there while the rest is drawn", async (t) => {
  const { page, release } = await visit(t, { path: ({ row, made }) => `/#/c/${row.id}/${made[11].response.id}` });
  release();
  await page.locator(".turn[data-found] .said", { hasText: "Question 12?" }).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".turn")].every((n) => n.querySelector(".said")));
  await drawn(page);
  assert.equal((await eye(page)).question, "Question 12?");
  assert.ok(Math.abs((await eye(page)).at) <= 24, `${(await eye(page)).at} px from the top of the view`);
  assert.equal(await turns(page).count(), MANY);
  assert.equal(await page.locator("#jump").isVisible(), true);
});

test("a message that is sent before the older ones are there is answered, and stands behind them", async (t) => {
  const { fake, page, release, made } = await visit(t);
  await page.getByText(`Answer ${MANY}.`, { exact: true }).waitFor();
  await say(page, "And now?");
  const answer = await fake.asked();
  assert.equal(answer.request.previous_response_id, made.at(-1).response.id);
  answer.write("It goes");
  await answers(page).last().getByText("It goes").waitFor();
  release();
  await all(page, MANY + 1);
  answer.write(" on.").complete();
  await page.locator(".turn").last().locator(".md", { hasText: "It goes on." }).waitFor();
  await page.locator(".turn:last-child[data-phase=completed]").waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".turn")].every((n) => n.querySelector(".said")));
  assert.deepEqual((await page.locator(".turn .said").allTextContents()).slice(-2), [`Question ${MANY}?`, "And now?"]);
  assert.ok(await fromEnd(page) <= 2);
});

test("older messages that could not be read say so where they would stand, and are read when asked again", async (t) => {
  const { fake, page, release } = await visit(t, { expected: REFUSED });
  fake.losesOlder = true;
  release();
  await page.getByText(`Answer ${MANY}.`, { exact: true }).waitFor();
  const trouble = page.locator("#chat > .trouble:first-child");
  await trouble.getByText("The history could not be read.").waitFor();
  assert.equal(await turns(page).count(), FIRST);
  fake.losesOlder = false;
  await trouble.getByRole("button", { name: "Try again" }).click();
  await all(page, MANY);
  await trouble.waitFor({ state: "detached" });
});

test("news of another page reads no more of a long chat than its newest page", async (t) => {
  const { fake, page, release, row, made } = await visit(t);
  release();
  await all(page, MANY);
  await page.waitForFunction(() => [...document.querySelectorAll(".turn")].every((n) => n.querySelector(".said")));
  fake.pages.length = 0;
  const added = fake.exchange(row, "From elsewhere?", "Yes.", made.at(-1));
  fake.say({ type: "tokenwire:response.started", sequence_number: 0, conversation_id: row.id, response_id: added.response.id, origin_connection_id: "other" });
  await page.getByText("From elsewhere?").waitFor();
  await all(page, MANY + 1);
  assert.ok(fake.pages.length && fake.pages.every((after) => after === null), JSON.stringify(fake.pages));
});

test("far above its end a long answer rests at its own height; its caret is where it grows, and it counts its equations", async (t) => {
  const { page, answer } = await begun(t);
  const heights = () => page.evaluate(() => [...document.querySelector(".answer .md").children].map((n) => n.getBoundingClientRect().height));
  const block = (i) => [`Paragraph ${i}: ${"some words ".repeat(i % 40)}`, `- one of ${i}\n- two`, `## Heading ${i}`, `$$x = ${i}$$`][i % 4];
  for (let i = 0; i < 20; i++) answer.write(`${block(i)}\n\n`);
  await page.waitForFunction(() => document.querySelectorAll(".math.display[data-set]").length === 5);
  await page.evaluate(() => document.fonts.ready);
  await drawn(page);
  const before = await heights();
  for (let i = 20; i < 90; i++) answer.write(`${block(i)}\n\n`);
  answer.write("and now the last of");
  await page.getByText("and now the last of").waitFor();
  await drawn(page);
  // The last of them was still being written.
  assert.deepEqual((await heights()).slice(0, 19), before.slice(0, 19));
  assert.ok(await page.locator(".md > [data-rest]").count() > 30);
  assert.deepEqual(await page.locator(".md [data-end]").allTextContents(), ["and now the last of"]);
  assert.equal(await page.locator(".md > .display[data-rest]").count(), 0);
  // An equation has its height when it is set, which may be a moment later.
  await atEnd(page);
  answer.complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  await page.waitForFunction(() => !document.querySelector("[data-end]"));
});

test("the view follows the text, lets go when the person scrolls up, and comes back by the button", async (t) => {
  const { page, answer } = await begun(t);
  const write = async (from, to) => {
    for (let i = from; i < to; i++) answer.write(`Paragraph ${i}.\n\n`);
    await answers(page).getByText(`Paragraph ${to - 1}.`).waitFor();
    await drawn(page);
  };
  await write(0, 60);
  assert.ok((await fromEnd(page)) <= 2);
  await page.locator("#scroller").hover();
  await page.mouse.wheel(0, -400);
  await page.getByRole("button", { name: "Latest" }).waitFor();
  // What is looked at stays where it is, however high what rests above it turns out to be.
  const looked = await page.evaluate(() => {
    const above = document.getElementById("scroller").getBoundingClientRect().top;
    return [...document.querySelectorAll(".answer p")].find((p) => p.getBoundingClientRect().top > above + 40).textContent;
  });
  const top = () => answers(page).getByText(looked, { exact: true }).evaluate((p) => p.getBoundingClientRect().top);
  const before = await top();
  await write(60, 90);
  assert.ok(Math.abs((await top()) - before) < 2, `from ${before} to ${await top()}`);
  await page.getByRole("button", { name: "Latest" }).click();
  assert.ok((await fromEnd(page)) <= 2);
  await write(90, 120);
  assert.ok((await fromEnd(page)) <= 2);
  // News of our own scrolling comes after the key that left the end.
  await page.locator("#scroller").evaluate((s) => {
    s.dispatchEvent(new KeyboardEvent("keydown", { key: "Home" }));
    s.dispatchEvent(new Event("scroll"));
  });
  await page.getByRole("button", { name: "Latest" }).waitFor();
  answer.complete();
});

test("the view follows when what rests above it turns out lower and the end grows in the same moment", async (t) => {
  const { page, answer } = await begun(t);
  for (let i = 0; i < 60; i++) answer.write(`Paragraph ${i}.\n\n`);
  await answers(page).getByText("Paragraph 59.").waitFor();
  await drawn(page);
  // Each shrinking takes the view along; the end grows before the event of that is told.
  await page.evaluate(async () => {
    const blocks = document.querySelector(".answer .md").children;
    const frame = () => new Promise(requestAnimationFrame);
    for (let i = 0; i < 5; i++) {
      await frame();
      blocks[i].style.cssText = "height: 0; overflow: hidden; content-visibility: visible";
      await new Promise((done) => {
        const sizes = new ResizeObserver(() => {
          sizes.disconnect();
          blocks[58].style.paddingBottom = `${20 * (i + 1)}px`;
          document.getElementById("scroller").scrollHeight;
          done();
        });
        sizes.observe(blocks[i]);
      });
      await frame();
      await frame();
    }
  });
  assert.ok((await fromEnd(page)) <= 2);
  assert.equal(await page.getByRole("button", { name: "Latest" }).isVisible(), false);
  answer.complete();
});

test("a long answer costs the same script per token at its end as at its start", async (t) => {
  const { page, context, answer } = await begun(t);
  const client = await context.newCDPSession(page);
  await client.send("Performance.enable");
  const script = async () => (await client.send("Performance.getMetrics")).metrics.find((m) => m.name === "ScriptDuration").value;
  const costs = [];
  for (let third = 0; third < 3; third++) {
    const before = await script();
    for (let step = 0; step < 150; step++) {
      for (let i = 0; i < 12; i++) answer.write(["- a **list** of ", "some words\n", "and `code`", "\n\n"][i % 4]);
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    costs.push((await script()) - before);
  }
  answer.complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  assert.ok(costs[2] < 1.5 * costs[0], `seconds of script per third: ${costs.map((c) => c.toFixed(2)).join(", ")}`);
});
