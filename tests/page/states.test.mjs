/**
 * The page in the states that a real server shows seldom: waiting in line, a model on its way, a broken
 * link, a failed answer, a server about to restart. The scripted server holds still where a test looks.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { model, startFake } from "../frontend/fake_server.mjs";
import { accessible, answers, composer, fits, launch, open, say } from "./browser.mjs";

/** The browser reports each failed connection to a server that is away; here that is the point. */
const OFFLINE = /WebSocket connection|Failed to load resource|ERR_/;
const MARKDOWN = [
  "Here is **bold** and [a link](https://example.org/x).\n\n## Steps\n\n1. One\n2. Two\n   - nested\n\n",
  "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint('hi')\n", "for i in range(3):\n    print(i)\n```\n\n<script>alert(1)</script>\n\n",
  "![p](https://evil.example/p.png?q=secret)\n\nThe end.",
].join("");

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A fake and a page on it; both are gone after the test. */
async function visit(t, options = {}) {
  const fake = await startFake();
  options.prepare?.(fake);
  const at = await open(browser, fake.url + (options.path?.(fake) ?? ""), options);
  t.after(async () => {
    await at.close();
    await fake.stop();
  });
  await at.page.locator(".starter, .turn, .trouble").first().waitFor();
  return { fake, ...at };
}

const line = (page) => page.locator("#state");
const seen = (locator) => locator.waitFor({ state: "visible" });
/** The line of state has nothing to say. */
const silent = (page) => page.waitForFunction(() => document.getElementById("state").textContent === "");
const says = (page, text) => seen(line(page).getByText(text));

test("the place in the line is a sentence that changes and goes", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "hello");
  const answer = await fake.asked();
  answer.queue(3);
  await says(page, "Third in line.");
  answer.queue(2, 33);
  await says(page, "Second in line, about 35 s.");
  answer.queue(1);
  await says(page, "Next in line.");
  answer.write("Hi");
  await seen(answers(page).getByText("Hi"));
  assert.equal(await line(page).textContent(), "");
  answer.complete();
});

test("a model that loads says its stage and progress in the line, under the header and in the picker", async (t) => {
  const { fake, page } = await visit(t, {
    prepare: (f) => f.models.push(model("Qwen/Qwen3-0.6B", { state: "unloaded", size_bytes: 1_503_000_000, context_length: 40960 })),
  });
  const button = page.getByRole("button", { name: /^Model:/ });
  await button.click();
  await seen(page.getByText("On this machine", { exact: true }));
  await accessible(page, "picker");
  await page.locator(".model", { hasText: "Qwen3-0.6B" }).click();
  assert.equal(await fake.tended.take(), "load Qwen/Qwen3-0.6B");
  fake.setModel(model("Qwen/Qwen3-0.6B", { state: "loading", detail: "Loading weights, 0.6 of 1.5 GB", progress: 0.4 }));
  await says(page, "Qwen3-0.6B: Loading weights, 0.6 of 1.5 GB.");
  assert.equal(await page.locator("#progress").isVisible(), true);
  await say(page, "hello");
  const answer = await fake.asked();
  assert.equal(answer.request.model, "Qwen/Qwen3-0.6B");
  answer.load({ detail: "Warming up", progress: 0.9 });
  await says(page, "Qwen3-0.6B: Warming up.");
  fake.setModel(model("Qwen/Qwen3-0.6B"));
  answer.write("Ready").complete();
  await seen(answers(page).getByText("Ready"));
  await page.locator("#progress").waitFor({ state: "hidden" });
});

test("a model that can't be loaded says why", async (t) => {
  const { fake, page } = await visit(t);
  fake.setModel(model("tokenwire-demo", { default: true, state: "failed", detail: "Not enough memory." }));
  await says(page, /could not be loaded: Not enough memory\./);
});

test("a link that drops in the middle of an answer goes on, with no letter lost or doubled", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  await say(page, "count");
  const answer = await fake.asked();
  const words = Array.from({ length: 12 }, (_, i) => `word-${i} 👩‍🚀 `);
  for (const [i, word] of words.entries()) {
    answer.write(word);
    if (i % 4 === 1) fake.drop();
    await seen(answers(page).getByText(`word-${i} `));
  }
  answer.complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  assert.equal((await answers(page).textContent()).trim(), words.join("").trim());
  assert.equal(fake.creates.length, 1);
});

test("a lost server is said after a moment, the message waits, and is sent once", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  fake.away = true;
  fake.drop();
  await says(page, "No connection to the server. Trying again.");
  await say(page, "are you there?");
  await says(page, "No connection. Your message is sent when it is back.");
  // Held before the server is back: the link's own next try may take the button away first.
  const button = await page.getByRole("button", { name: "Try now" }).elementHandle();
  fake.away = false;
  await button.evaluate((element) => element.click());
  const answer = await fake.asked();
  answer.write("Yes.").complete();
  await seen(answers(page).getByText("Yes."));
  assert.equal(fake.creates.length, 1);
  assert.equal(await line(page).textContent(), "");
});

test("a failed answer is a sentence with a Retry that asks again", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "hello");
  (await fake.asked()).write("It began").fail({ code: "server_error", message: "The model ran out of memory" });
  const trouble = page.getByRole("alert");
  await seen(trouble.getByText("The model ran out of memory. What was written until then is kept above."));
  await accessible(page, "error");
  await trouble.getByRole("button", { name: "Retry" }).click();
  const again = await fake.asked();
  assert.equal(again.prompt, "hello");
  again.write("Better.").complete();
  await seen(answers(page).getByText("Better."));
  assert.equal(await page.locator(".turn").count(), 1);
});

test("a refused message is a sentence, and its text is kept over a reload", async (t) => {
  const { fake, page } = await visit(t);
  fake.refusal = { type: "rate_limit_error", code: "rate_limit_exceeded", message: "Too many." };
  await say(page, "keep me");
  await seen(page.getByText("The line is full right now."));
  await page.goto(fake.url);
  await page.reload();
  assert.equal(await composer(page).inputValue(), "keep me");
  fake.refusal = { type: "rate_limit_error", code: "rate_limit_exceeded", message: "Too many." };
  await composer(page).press("Enter");
  await page.getByRole("button", { name: "Retry" }).click();
  (await fake.asked()).write("Kept").complete();
  await seen(answers(page).getByText("Kept"));
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await seen(page.locator(".starter").first());
  assert.equal(await composer(page).inputValue(), "");
});

test("an engine that stops is one line, and the text stays and goes on", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "count");
  const answer = await fake.asked();
  answer.write("One, two, ");
  await seen(answers(page).getByText("One, two,"));
  const box = () => answers(page).evaluate((n) => JSON.stringify(n.getBoundingClientRect()));
  const before = await box();
  answer.stall();
  fake.setModel(model("tokenwire-demo", { default: true, state: "recovering", stage: "recovering", detail: "The engine process ended; starting another" }));
  await says(page, "The engine stopped and is starting again. The answer will go on.");
  assert.equal(await box(), before);
  await page.getByRole("button", { name: "Model: tokenwire-demo, restarting" }).click();
  await seen(page.locator(".model", { hasText: "Restarting" }));
  assert.equal(await page.locator(".picker-group").first().textContent(), "Loaded");
  await accessible(page, "recovering");
  await page.keyboard.press("Escape");
  fake.setModel(model("tokenwire-demo", { default: true }));
  answer.goOn();
  await silent(page);
  assert.equal(await box(), before);
  answer.write("three.").complete();
  await seen(answers(page).getByText("One, two, three."));
  assert.equal(await page.locator(".trouble:visible").count(), 0);
});

test("a message to a model that restarts waits for it, and isn't a reason to load it", async (t) => {
  const { fake, page } = await visit(t);
  fake.setModel(model("tokenwire-demo", { default: true, state: "recovering" }));
  await says(page, "tokenwire-demo stopped and is starting again. What you send waits for it.");
  await page.getByRole("button", { name: "Model: tokenwire-demo, restarting" }).click();
  await page.locator(".model").click();
  await say(page, "hello");
  const answer = await fake.asked();
  answer.stall();
  await says(page, "The engine stopped and is starting again. The answer will come.");
  fake.setModel(model("tokenwire-demo", { default: true }));
  answer.write("Hi").complete();
  await seen(answers(page).getByText("Hi"));
  await silent(page);
  assert.equal(fake.tended.ready.length, 0);
});

test("an engine that can't be started again ends the answer with why, and a Retry", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "hello");
  (await fake.asked()).write("It began").fail({ code: "engine_error", message: "The engine process ended too often" });
  const trouble = page.getByRole("alert");
  await seen(trouble.getByText("The engine process ended too often. What was written until then is kept above."));
  await trouble.getByRole("button", { name: "Retry" }).click();
  (await fake.asked()).write("Better.").complete();
  await seen(answers(page).getByText("Better."));
});

test("a disk that fails is one line while it lasts: the text goes on, and what wasn't saved is in the end", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "one");
  const answer = await fake.asked();
  answer.write("Half, ");
  await seen(answers(page).getByText("Half,"));
  fake.disk(false);
  await says(page, "What is said now is not being saved: the server's disk is full or failing.");
  answer.write("whole.").complete();
  await seen(answers(page).getByText("Half, whole."));
  await seen(page.getByText("This answer could not be saved yet."));
  await accessible(page, "not saved");
  await page.reload();
  await says(page, /not being saved/);
  await seen(answers(page).getByText("Half, whole."));
  await seen(page.getByText("This answer could not be saved yet."));
  fake.disk(true);
  await silent(page);
  await page.getByText("This answer could not be saved yet.").waitFor({ state: "hidden" });
  await page.reload();
  await seen(answers(page).getByText("Half, whole."));
  assert.equal(await page.getByText("could not be saved").isVisible(), false);
  await say(page, "two");
  assert.equal((await fake.asked()).request.previous_response_id, answer.response.id);
});

for (const [where, first] of [["a new chat", false], ["a chat", true]]) {
  test(`a message that can't be saved in ${where} says what to do, keeps its text, and is sent by Retry`, async (t) => {
    const { fake, page } = await visit(t, { expected: OFFLINE });
    if (first) {
      await say(page, "hello");
      (await fake.asked()).write("Hi").complete();
      await page.locator(".turn[data-phase=completed]").waitFor();
    }
    fake.disk(false);
    await says(page, /not being saved/);
    await say(page, "keep me");
    const trouble = page.getByRole("alert");
    await seen(trouble.getByText("Your message was not taken: the server could not save it, as its disk is full or failing. Make room there and try again."));
    assert.match(await page.evaluate(() => localStorage.getItem("tokenwire.drafts")), /"keep me"/);
    fake.disk(true);
    await silent(page);
    await trouble.getByRole("button", { name: "Retry" }).click();
    (await fake.asked()).write("Kept.").complete();
    await seen(answers(page).getByText("Kept."));
    assert.equal(fake.answers.size, first ? 2 : 1);
  });
}

test("a server that dies is one line, and the answer goes on in place behind what was seen", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  await say(page, "count");
  const answer = await fake.asked();
  answer.write("One, two, ");
  await seen(answers(page).getByText("One, two,"));
  await answers(page).evaluate((n) => { n.kept = true; });
  const last = answer.events.at(-1).sequence_number;
  fake.away = true;
  fake.drop();
  await says(page, "Connection lost. Trying again; the answer goes on from here.");
  fake.setModel(model("tokenwire-demo", { default: true, state: "loading", detail: "Loading weights", progress: 0.4 }));
  answer.goOn();
  fake.away = false;
  await page.getByRole("button", { name: "Try now" }).click();
  await says(page, "tokenwire-demo: Loading weights. The answer will go on.");
  fake.setModel(model("tokenwire-demo", { default: true }));
  answer.response.tokenwire = { taken_up: 1 };
  answer.goOn();
  await silent(page);
  answer.write("three.").complete();
  await seen(answers(page).getByText("One, two, three."));
  assert.ok(await answers(page).evaluate((n) => n.kept));
  assert.deepEqual([fake.creates.length, fake.attaches.map((a) => a.starting_after)], [1, [last]]);
  await page.locator(".turn[data-phase=completed]").waitFor();
  assert.match(await page.locator(".meta").textContent(), /went on after a restart/);
});

test("an answer that isn't on screen goes on after the server died before it had acknowledged it", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  fake.loseAcknowledgement = true;
  await say(page, "first");
  const first = await fake.asked();
  await page.waitForURL(/#\/c\//);
  const address = page.url();
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await seen(page.locator(".starter").first());
  fake.loseAcknowledgement = false;
  fake.drop();
  first.write("Seen ").write("later.");
  await say(page, "second");
  (await fake.asked()).write("Meanwhile.").complete();
  await seen(answers(page).getByText("Meanwhile."));
  first.complete();
  const keys = fake.creates.map((c) => c.tokenwire.idempotency_key);
  assert.deepEqual([keys.length, new Set(keys).size, fake.answers.size], [3, 2, 2]);
  await page.goto(address);
  await seen(answers(page).getByText("Seen later."));
  assert.equal(await page.locator(".turn").count(), 1);
  assert.equal(fake.attaches.length, 0);
});

test("the first message of a chat is sent after a server that died before it could make the chat", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  fake.away = true;
  await say(page, "hello");
  assert.equal(await fake.missed(), "/v1/conversations");
  fake.drop();
  fake.away = false;
  (await fake.asked()).write("Hi").complete();
  await seen(answers(page).getByText("Hi"));
  assert.equal(await page.locator(".turn").count(), 1);
});

test("a server about to restart says so, and the answer goes on afterwards", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  await say(page, "hello");
  const answer = await fake.asked();
  answer.write("Before. ");
  await seen(answers(page).getByText("Before."));
  fake.say({ type: "tokenwire:server.draining", sequence_number: 0, grace_ms: 1000 });
  await says(page, "The server is about to restart. The answer goes on when it is back.");
  fake.close(1012, "200");
  answer.write("After.").complete();
  await seen(answers(page).getByText("Before. After."));
  await silent(page);
});

test("an answer cut at its limit says so", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "two");
  (await fake.asked()).write("Long").cut();
  await seen(page.getByText("Cut off at the length limit"));
});

test("a chat that is gone, and a page that is older than its server, say so", async (t) => {
  const { fake, page } = await visit(t, { path: () => "/#/c/conv_gone", expected: OFFLINE, prepare: (f) => { f.build = "another"; } });
  await seen(page.getByText("This chat isn't on the server."));
  await says(page, "This page has a newer version.");
  assert.equal(fake.creates.length, 0);
});

test("what was deleted elsewhere goes from the page, an exchange without a word leaves no gap", async (t) => {
  let row, first;
  const prepare = (f) => {
    row = f.conversation("Birds");
    first = f.exchange(row, "One", "The first answer");
    row.active_response_id = f.exchange(row, "Two", "The second answer", first).response.id;
  };
  const { fake, page } = await visit(t, { prepare, path: () => `/#/c/${row.id}` });
  await seen(answers(page).getByText("The second answer"));
  const edited = () => fake.say({ type: "tokenwire:conversation.changed", sequence_number: 0, op: "items", conversation_id: row.id, conversation: row });
  first.input = [];
  edited();
  const said = page.locator(".ask:visible");
  await page.waitForFunction(() => document.querySelector(".ask[hidden]"));
  assert.deepEqual([await said.count(), await page.locator(".turn:visible").count()], [1, 2]);
  await seen(answers(page).getByText("The first answer"));
  first.response.output = [];
  edited();
  await page.waitForFunction(() => document.querySelector(".turn[hidden]"));
  assert.equal(await page.locator(".turn:visible").count(), 1);
});

test("Markdown is drawn as nodes: no script, no picture from elsewhere, code with colours and copy", async (t) => {
  const { fake, page, context } = await visit(t, { permissions: ["clipboard-read", "clipboard-write"] });
  await say(page, "markdown");
  const answer = await fake.asked();
  for (let i = 0; i < MARKDOWN.length; i += 7) answer.write(MARKDOWN.slice(i, i + 7));
  answer.complete();
  const md = answers(page);
  await seen(md.getByText("The end."));
  await md.locator(".hljs-keyword").first().waitFor();
  assert.equal(await md.locator("script, img").count(), 0);
  assert.equal(await md.locator("td").count(), 2);
  assert.equal(await md.getByRole("link", { name: "image: p, evil.example" }).count(), 1);
  assert.equal(await md.getByRole("link", { name: "a link" }).getAttribute("rel"), "noopener noreferrer nofollow");
  await md.getByRole("button", { name: "Copy code" }).click();
  await seen(md.getByText("Copied"));
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "print('hi')\nfor i in range(3):\n    print(i)");
  await page.getByRole("button", { name: "Copy answer" }).click();
  await page.getByRole("button", { name: "Copied" }).first().waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), MARKDOWN);
  assert.equal(context.pages().length, 1);
});

test("copying works where there is no clipboard API", async (t) => {
  const { fake, page } = await visit(t);
  await page.evaluate(() => {
    Object.defineProperty(navigator, "clipboard", { value: undefined });
    document.addEventListener("copy", () => {
      globalThis.copied = document.activeElement.value;
    });
  });
  await say(page, "hello");
  (await fake.asked()).write("Take this").complete();
  await page.locator(".turn[data-phase=completed]").hover();
  await page.getByRole("button", { name: "Copy answer" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.copied), "Take this");
});

test("Enter during a composition doesn't send", async (t) => {
  const { fake, page, context } = await visit(t);
  await composer(page).focus();
  const client = await context.newCDPSession(page);
  await client.send("Input.imeSetComposition", { text: "にほ", selectionStart: 2, selectionEnd: 2 });
  await page.evaluate(() => {
    const box = document.getElementById("prompt");
    box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }));
    box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true }));
  });
  await client.send("Input.insertText", { text: "日本" });
  assert.equal(fake.creates.length, 0);
  await page.keyboard.press("Enter");
  assert.equal((await fake.asked()).prompt, "日本");
});

test("chats are renamed, deleted and brought back from the list", async (t) => {
  const { fake, page } = await visit(t, { prepare: (f) => f.conversation("Bread") });
  const link = page.getByRole("link", { name: "Bread" });
  await link.dblclick();
  await page.getByRole("textbox", { name: "Title of the chat" }).fill("Sourdough");
  await page.keyboard.press("Enter");
  const renamed = page.getByRole("link", { name: "Sourdough" });
  await seen(renamed);
  await page.waitForFunction(() => fetch("/v1/conversations").then((r) => r.json()).then((l) => l.data[0].title === "Sourdough"));
  await page.getByRole("button", { name: "Options for Sourdough" }).click();
  await seen(page.getByRole("menuitem", { name: "Delete" }));
  await accessible(page, "menu");
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await renamed.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await seen(renamed);
  await page.getByRole("button", { name: "Options for Sourdough" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  assert.equal(fake.conversations.size, 1);
  await page.reload();
  await seen(page.getByText("Your chats will be listed here."));
  assert.equal(fake.conversations.size, 0);
});

test("a long list of chats is read page by page", async (t) => {
  const { page } = await visit(t, { prepare: (f) => Array.from({ length: 95 }, (_, i) => f.conversation(`Chat ${i}`, 1_700_000_000 - i)) });
  await seen(page.getByRole("link", { name: "Chat 39", exact: true }));
  await page.getByRole("link", { name: "Chat 39", exact: true }).scrollIntoViewIfNeeded();
  await page.locator("#history").evaluate((n) => { n.scrollTop = n.scrollHeight; });
  await page.getByRole("link", { name: "Chat 79", exact: true }).waitFor();
  await page.locator("#history").evaluate((n) => { n.scrollTop = n.scrollHeight; });
  await page.getByRole("link", { name: "Chat 94", exact: true }).waitFor();
  assert.equal(await page.getByRole("link", { name: /^Chat \d+$/ }).count(), 95);
});

/** Two chats: one with a branch that isn't the active one, and a long one. */
function library(fake) {
  const birds = fake.conversation("Birds of the south");
  const first = fake.exchange(birds, "Tell me about birds", "Which ones?");
  fake.exchange(birds, "Where do penguins live?", "In the south, <b>mostly</b>.", first);
  fake.exchange(birds, "And owls?", "Everywhere.", first);
  const long = fake.conversation("A long talk");
  let last = null;
  for (let i = 0; i < 30; i++) last = fake.exchange(long, `Question ${i}`, i === 4 ? "The albatross sleeps in flight." : "Word. ".repeat(120), last);
  return { birds, long };
}

const searchField = (page) => page.getByRole("searchbox", { name: "Search chats" });
const hits = (page) => page.locator("#results a");
/** What is found for a text, once there are as many hits as expected. */
async function lookFor(page, text, count) {
  await searchField(page).fill(text);
  await page.waitForFunction(([t, n]) => document.getElementById("announce").textContent.includes(`“${t}”`) && document.querySelectorAll("#results a").length === n, [text, count]);
}
const prompts = (page) => page.locator(".said").allTextContents();

test("a search marks what was typed, is told politely, and gives the list back when it is emptied", async (t) => {
  const { fake, page } = await visit(t, { prepare: library });
  await page.keyboard.press("Control+K");
  await page.keyboard.type("penguins li", { delay: 20 });
  await seen(hits(page));
  assert.deepEqual(fake.searches, ["penguins li"]);
  assert.equal(await hits(page).textContent(), `Birds of the southYou${await page.locator("#results time").textContent()}Where do penguins live?`);
  assert.match(await page.locator("#results time").textContent(), /^\d\d:\d\d$/);
  assert.deepEqual(await page.locator("#results mark").allTextContents(), ["penguins", "live"]);
  assert.equal(await page.locator("#announce").textContent(), "1 result for “penguins li”");
  const list = page.getByRole("link", { name: "A long talk" });
  assert.equal(await list.isVisible(), false);
  await accessible(page, "results");
  await lookFor(page, "mostly", 1);
  assert.equal(await page.locator(".hit-text").textContent(), "In the south, <b>mostly</b>.");
  await page.getByRole("button", { name: "Clear the search" }).click();
  await seen(list);
  assert.equal(await searchField(page).inputValue(), "");
  assert.equal(await searchField(page).evaluate((n) => n === document.activeElement), true);
  await lookFor(page, "owls", 1);
  await page.keyboard.press("Escape");
  await seen(list);
  assert.equal(await page.locator("#results").isVisible(), false);
});

test("a hit opens the branch that holds it, scrolled to and shown for a moment", async (t) => {
  const { fake, page } = await visit(t, { prepare: library, expected: OFFLINE });
  await lookFor(page, "owls", 1);
  await hits(page).click();
  await page.waitForFunction(() => document.querySelectorAll(".said").length === 2);
  assert.deepEqual(await prompts(page), ["Tell me about birds", "And owls?"]);
  await lookFor(page, "penguins", 1);
  await hits(page).click();
  await page.locator(".turn[data-found]").getByText("Where do penguins live?").waitFor();
  assert.deepEqual(await prompts(page), ["Tell me about birds", "Where do penguins live?"]);
  assert.match(page.url(), /#\/c\/[^/]+$/);
  assert.equal(await hits(page).getAttribute("aria-current"), "true");
  await page.locator(".turn[data-found]").waitFor({ state: "detached" });
  // A link that comes back reads the chat again, whose active leaf is another.
  const read = page.waitForResponse(/\/responses\?/);
  fake.drop();
  await (await read).finished();
  assert.equal(await page.locator(".said").last().textContent(), "Where do penguins live?");
  await hits(page).click();
  await page.locator(".turn[data-found]").getByText("Where do penguins live?").waitFor();
  await say(page, "And in the north?");
  const answer = await fake.asked();
  answer.write("No.").complete();
  await seen(answers(page).getByText("No."));
  assert.deepEqual(await prompts(page), ["Tell me about birds", "Where do penguins live?", "And in the north?"]);

  await lookFor(page, "albatross", 1);
  await hits(page).click();
  const found = page.locator(".turn[data-found]");
  await seen(found.getByText("The albatross sleeps in flight."));
  // Held: what marks it for a moment may be gone before the view has settled.
  const turn = await found.elementHandle();
  await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
  const top = await turn.evaluate((n) => n.getBoundingClientRect().top - document.getElementById("scroller").getBoundingClientRect().top);
  assert.ok(top >= 0 && top < 40, `the hit is ${top} px below the top`);
  assert.equal(await turn.evaluate((n) => n.contains(document.activeElement)), true);
  await seen(page.getByRole("button", { name: "Latest" }));
});

test("a hit opened in a tab of its own is shown there, without motion where none is wanted", async (t) => {
  const { page, context } = await visit(t, { prepare: library, reducedMotion: "reduce" });
  await lookFor(page, "albatross", 1);
  const other = await context.newPage();
  await other.goto(await hits(page).evaluate((a) => a.href));
  const found = other.locator(".turn[data-found]");
  await seen(found.getByText("The albatross sleeps in flight."));
  assert.equal(await found.evaluate((n) => n.getAnimations().length), 0);
  assert.equal(await other.locator(".turn").count(), 30);
});

test("a search that finds nothing says so, and one that can't be answered can be tried again", async (t) => {
  const { fake, page } = await visit(t, { prepare: library, expected: OFFLINE });
  await lookFor(page, "zebra", 0);
  await seen(page.locator("#results").getByText("Nothing found for “zebra”."));
  await accessible(page, "nothing found");
  fake.away = true;
  await searchField(page).fill("penguins");
  await seen(page.locator("#results").getByText("The server could not be reached."));
  assert.equal(await hits(page).count(), 0);
  await accessible(page, "search failed");
  fake.away = false;
  await page.locator("#results").getByRole("button", { name: "Retry" }).click();
  await seen(hits(page));
  fake.away = true;
  await searchField(page).fill("owls");
  await seen(page.locator("#results").getByText("The server could not be reached."));
  fake.drop();
  fake.away = false;
  await seen(hits(page).getByText("owls"));
  await hits(page).click();
  await seen(page.locator(".turn[data-found]").getByText("And owls?"));
  await lookFor(page, "penguins", 1);
  fake.away = true;
  await hits(page).click();
  await seen(page.getByRole("alert").getByText("Your chats are safe on the server."));
  assert.deepEqual(await prompts(page), ["Tell me about birds", "And owls?"]);
  fake.away = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await seen(page.locator(".turn[data-found]").getByText("Where do penguins live?"));
  assert.equal(await page.getByRole("alert").filter({ visible: true }).count(), 0);
});

test("a search is walked through by keyboard, and reads on at its end", async (t) => {
  const { fake, page } = await visit(t, { prepare: library });
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  await page.evaluate(() => document.getElementById("query").dispatchEvent(new KeyboardEvent("keydown", { key: "k", code: "KeyK", ctrlKey: true, isComposing: true, bubbles: true })));
  assert.notEqual(await focused(), "query");
  await page.getByRole("button", { name: /^Model:/ }).click();
  await page.keyboard.press("Control+K");
  assert.equal(await focused(), "query");
  assert.equal(await page.locator("#picker").isVisible(), false);
  await lookFor(page, "word", 20);
  await seen(page.getByRole("heading", { name: "More than 20 results" }));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await hits(page).nth(1).evaluate((n) => n === document.activeElement), true);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  assert.equal(await focused(), "query");
  await page.locator("#results").evaluate((n) => { n.scrollTop = n.scrollHeight; });
  await seen(page.getByRole("heading", { name: "29 results" }));
  assert.equal(await hits(page).count(), 29);
  assert.equal(fake.searches.length, 2);
  await page.keyboard.press("Enter");
  assert.equal(await hits(page).first().evaluate((n) => n === document.activeElement), true);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await seen(page.locator(".turn[data-found]").getByText("Question 28"));
  await page.keyboard.press("Control+K");
  await page.keyboard.type("owls");
  await seen(hits(page).getByText("owls"));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "query");
  assert.equal(await searchField(page).inputValue(), "");
});

for (const colorScheme of ["light", "dark"]) {
  test(`a search on a phone opens the drawer and closes it with a hit: ${colorScheme}`, async (t) => {
    const { page } = await visit(t, { colorScheme, width: 360, height: 740, hasTouch: true, isMobile: true, prepare: library });
    await page.keyboard.press("Control+K");
    await page.locator("body[data-drawer=open]").waitFor();
    await lookFor(page, "penguins", 1);
    await accessible(page, `results, ${colorScheme}, 360`);
    await fits(page);
    assert.ok(await page.locator("#results").evaluate((n) => n.scrollWidth <= n.clientWidth));
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("body").getAttribute("data-drawer"), "open");
    await lookFor(page, "penguins", 1);
    await hits(page).tap();
    await page.locator("body[data-drawer=closed]").waitFor();
    await seen(page.locator(".turn[data-found]").getByText("Where do penguins live?"));
    await accessible(page, `hit, ${colorScheme}, 360`);
    await fits(page);
  });
}

test("a tab that opens late on an answer has it whole, and both tabs show the same as it is written", async (t) => {
  const { fake, page, context } = await visit(t);
  await say(page, "count");
  const answer = await fake.asked();
  const words = Array.from({ length: 30 }, (_, i) => `word-${i} 👩‍🚀 `);
  for (const word of words.slice(0, 20)) answer.write(word);
  await seen(answers(page).getByText("word-19"));
  const other = await context.newPage();
  await other.goto(page.url());
  await seen(answers(other).getByText("word-19"));
  assert.deepEqual(fake.attaches.map((a) => a.mode), ["snapshot"]);
  for (const [i, word] of words.slice(20).entries()) {
    answer.write(word);
    for (const p of [page, other]) await seen(answers(p).getByText(`word-${i + 20} `));
    assert.equal(await answers(other).textContent(), await answers(page).textContent());
  }
  answer.complete();
  for (const p of [page, other]) {
    await p.locator(".turn[data-phase=completed]").waitFor();
    assert.equal((await answers(p).textContent()).trim(), words.join("").trim());
  }
});

test("an answer begun in another tab is written here too, and a draft stays with its chat", async (t) => {
  const { fake, page, context } = await visit(t);
  await say(page, "hello");
  (await fake.asked()).write("Hi").complete();
  await seen(answers(page).getByText("Hi"));
  await composer(page).fill("unsent words");
  await page.waitForFunction(() => localStorage.getItem("tokenwire.drafts")?.includes("unsent words"));
  const other = await context.newPage();
  await other.goto(page.url());
  await seen(answers(other).getByText("Hi"));
  assert.equal(await composer(other).inputValue(), "unsent words");
  await say(other, "from the other tab");
  const answer = await fake.asked();
  fake.say({ type: "tokenwire:response.started", sequence_number: 0, conversation_id: answer.request.conversation, response_id: answer.response.id, origin_connection_id: "x" });
  answer.write("Seen by both");
  for (const p of [page, other]) await seen(answers(p).getByText("Seen by both"));
  answer.complete();
  for (const p of [page, other]) await p.locator(".turn[data-phase=completed]").nth(1).waitFor();
  assert.equal(await page.locator(".turn").count(), 2);
});

for (const [colorScheme, contrast] of [["light"], ["dark"], ["light", "more"], ["dark", "more"]]) {
  test(`nothing wrong for axe and nothing too wide: ${colorScheme}${contrast ? ", high contrast" : ""}, wide and on a phone`, async (t) => {
    for (const size of [{}, { width: 360, height: 740, hasTouch: true, isMobile: true }]) {
      const { fake, page } = await visit(t, { colorScheme, contrast: contrast ?? "no-preference", reducedMotion: "reduce", ...size, prepare: (f) => f.conversation("A chat with a very long title that doesn't fit in any list at all") });
      const check = async (state) => {
        await accessible(page, `${state}, ${colorScheme}, ${size.width ?? 1280}`);
        await fits(page);
      };
      await check("empty");
      if (size.width) {
        await page.getByRole("button", { name: "List of chats" }).click();
        await seen(page.getByRole("link", { name: /very long title/ }));
        await check("drawer");
        await page.keyboard.press("Escape");
        await page.waitForFunction(() => document.body.dataset.drawer === "closed");
      }
      await composer(page).fill(`wide ${"x".repeat(200)}`);
      await page.getByRole("button", { name: "Send" }).click();
      const answer = await fake.asked();
      answer.write(MARKDOWN.slice(0, 200));
      await seen(answers(page).getByText("nested"));
      await check("streaming");
      answer.write(`${MARKDOWN.slice(200)}\n\n${"y".repeat(300)}\n\n| ${"wide | ".repeat(20)}\n|${"---|".repeat(20)}\n| ${"cell cell | ".repeat(20)}`).complete();
      await page.locator(".turn[data-phase=completed]").waitFor();
      await check("done");
      const next = async (text) => {
        await composer(page).fill(text);
        await page.getByRole("button", { name: "Send" }).click();
        return fake.asked();
      };
      (await next("think")).think(`A thought that is long ${"z".repeat(300)}`).write("So").cut();
      await seen(page.getByRole("button", { name: "Continue" }));
      await page.locator(".thought summary").click();
      await check("thought, cut");
      (await next("call")).call("a_tool_with_a_name_that_is_long_and_longer_than_any_line_on_a_phone", `{"a": "${"v".repeat(300)}"}`);
      await page.locator(".call summary").click();
      await check("call");
      (await next("fail")).write("Half").fail();
      await seen(page.getByRole("button", { name: "Retry" }));
      await page.getByRole("button", { name: "Details of this answer" }).last().click();
      await page.getByRole("button", { name: "Edit message" }).first().click();
      await check("failed, details, editing");
    }
  });
}

test("everything can be reached by keyboard, and what is hidden can't", async (t) => {
  const { page } = await visit(t, { prepare: (f) => f.conversation("Bread") });
  const stops = new Set();
  await page.evaluate(() => document.activeElement.blur());
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press("Tab");
    stops.add(await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.trim()));
  }
  for (const name of ["Skip to the message box", "New chat", "Search chats", "Bread", "Options for Bread", "Theme: auto", "List of chats", "What can you do?", "Message"]) {
    assert.ok(stops.has(name), `${name} in ${[...stops].join(" | ")}`);
  }
  await page.getByRole("button", { name: "List of chats" }).click();
  await page.waitForFunction(() => document.getElementById("sidebar").inert);
  await page.keyboard.press("Control+Shift+O");
  assert.equal(await composer(page).evaluate((n) => n === document.activeElement), true);
});

test("the theme is chosen, kept, and set before the first paint", async (t) => {
  const { page } = await visit(t, { colorScheme: "light" });
  const dark = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  await page.getByRole("button", { name: "Theme: auto" }).click();
  await page.getByRole("button", { name: "Theme: light" }).click();
  assert.equal(await dark(), "dark");
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.getByRole("button", { name: "Theme: dark" }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), undefined);
});

test("who has only the demo model is offered real ones, and a click fetches one", async (t) => {
  const absent = (id, size_bytes) => model(id, { state: "absent", source: "hub", fits: true, size_bytes });
  const { fake, page } = await visit(t, {
    prepare: (f) => {
      f.change("tokenwire-demo", { source: "demo" });
      f.models.push(absent("Qwen/Qwen3-0.6B", 1_500_000_000), absent("org/Small", 1_100_000_000), absent("org/Toy", 200_000_000), absent("org/Large", 90_000_000_000));
    },
  });
  await seen(page.getByText("For real work, fetch a larger model:"));
  assert.deepEqual(await page.locator(".offers button").allTextContents(), ["Small, 1.1 GB", "Qwen3-0.6B, 1.5 GB"]);
  await accessible(page, "offers");
  await page.getByRole("button", { name: "Qwen3-0.6B, 1.5 GB" }).click();
  assert.equal(await fake.tended.take(), "download Qwen/Qwen3-0.6B");
  fake.change("Qwen/Qwen3-0.6B", { state: "downloading", download: { done: 5e8, total: 15e8, bytes_per_s: 5e7, left_s: 20 } });
  await says(page, "Qwen3-0.6B: Downloading, 0.5 of 1.5 GB, 50 MB/s, 20 s left.");
});
