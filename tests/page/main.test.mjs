/**
 * The main path against a real server with the real demo model, at TOKENWIRE_URL: type, see the text come,
 * stop, reload, go on, be remembered. Any console error or breach of the content policy fails.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, answers, composer, fits, launch, open, say, underway } from "./browser.mjs";

const URL_ = process.env.TOKENWIRE_URL;
/** The first prompt may wait for the model to load. */
const PATIENCE = 90_000;
const PHONE = { width: 390, height: 844, hasTouch: true, isMobile: true };

let browser;
before(async () => {
  assert.ok(URL_, "TOKENWIRE_URL names the server to test; none is set.");
  browser = await launch();
});
after(() => browser?.close());

async function visit(t, options = {}, path = "/") {
  const at = await open(browser, new URL(path, URL_).href, options);
  t.after(at.close);
  at.page.setDefaultTimeout(PATIENCE);
  await at.page.locator(".starter, .turn").first().waitFor();
  return at.page;
}

const completed = (page, n) => page.locator(".turn[data-phase=completed]").nth(n - 1).waitFor();
/** However it ended. */
const ended = (page, n) => page.locator(".turn:not([data-live])").nth(n - 1).waitFor();
const running = (page) => page.locator(".turn[data-live]");

/** The text of the newest answer as the server keeps it. */
async function stored(page) {
  const id = new URL(page.url()).hash.replace("#/c/", "");
  const { data } = await page.evaluate((path) => fetch(path).then((r) => r.json()), `/v1/conversations/${id}/responses`);
  return data.at(-1).response.output.map((item) => item.content.map((part) => part.text).join("")).join("");
}

/** Letters and digits only, without list markers: what Markdown neither adds nor takes away. */
const plain = (text) => text.replace(/^\s*(\d+[.)]|[-*+])\s+/gm, "").replace(/[^\p{L}\p{N}]+/gu, "");

/** Waits until an answer has begun. */
const begun = (page, n) =>
  page.waitForFunction((i) => (document.querySelectorAll(".answer .md")[i]?.textContent.length ?? 0) > 0, n, { polling: "raf" });

/** Notes every length that the answers on this page have from now on. */
const watchLengths = (page) => page.evaluate(() => {
  globalThis.lengths = new Set();
  const note = () => document.querySelectorAll(".answer .md").forEach((e) => globalThis.lengths.add(e.textContent.length));
  new MutationObserver(note).observe(document.getElementById("chat"), { subtree: true, childList: true, characterData: true });
});

test("a prompt is typed, its answer comes in steps, and the numbers are there", async (t) => {
  const page = await visit(t);
  await accessible(page, "empty");
  await watchLengths(page);
  await say(page, "Tell me a story about Ada and a dragon");
  await ended(page, 1);
  const steps = await page.evaluate(() => globalThis.lengths.size);
  assert.ok(steps > 2, `the answer came in ${steps} steps`);
  assert.equal(plain(await answers(page).first().textContent()), plain(await stored(page)));
  assert.match(await page.locator(".answer .meta").first().textContent(), /s to first token · \d+ tok\/s · [\d,]+ tokens · .* from cache/);
  await accessible(page, "done");
});

test("an answer is accessible while it is written", async (t) => {
  await accessible(await underway(() => visit(t)), "streaming");
});

test("a stop keeps the text, says so, and survives a reload", async (t) => {
  const page = await underway(() => visit(t));
  await page.keyboard.press("Escape");
  await page.getByText("Stopped", { exact: true }).waitFor();
  const kept = await answers(page).first().textContent();
  assert.doesNotMatch(kept, /\b200\b/);
  await page.reload();
  await page.getByText("Stopped", { exact: true }).waitFor();
  assert.equal(await answers(page).first().textContent(), kept);
  await say(page, "What can you do?");
  await completed(page, 1);
  assert.ok((await answers(page).nth(1).textContent()).length > 0);
  assert.equal(await page.locator(".turn").count(), 2);
});

test("a stopped answer is gone on with where it was", async (t) => {
  const page = await underway(() => visit(t));
  await page.keyboard.press("Escape");
  await page.getByText("Stopped", { exact: true }).waitFor();
  const cut = plain(await answers(page).first().textContent());
  await page.reload();
  await page.getByRole("button", { name: "Continue", exact: true }).click();
  await page.waitForFunction((length) => (document.querySelector(".answer .md")?.textContent.length ?? 0) > length, (await answers(page).first().textContent()).length + 20, { polling: "raf" });
  await page.keyboard.press("Escape");
  await page.getByText("Stopped", { exact: true }).waitFor();
  const whole = plain(await answers(page).first().textContent());
  assert.ok(whole.startsWith(cut) && whole.length > cut.length, `${cut} became ${whole}`);
  await page.getByRole("button", { name: "Previous version of this answer", exact: true }).click();
  await page.getByRole("group", { name: "Versions of this answer" }).getByText("1/2").waitFor();
  assert.equal(plain(await answers(page).first().textContent()), cut);
});

test("what is said to an answer while it is written cuts it, and another goes on", async (t) => {
  const page = await underway(() => visit(t));
  await say(page, "What can you do?");
  await page.locator(".turn[data-phase=steered]").waitFor();
  await page.locator(".turn").nth(1).waitFor();
  await begun(page, 1);
  assert.deepEqual(await page.locator(".said").allTextContents(), ["Count from 1 to 200.", "What can you do?"]);
  await page.keyboard.press("Escape");
  await page.getByText("Stopped", { exact: true }).waitFor();
});

test("a reload in the middle of an answer shows all of it and goes on", async (t) => {
  const page = await visit(t);
  await say(page, "Tell me a long story about Ada and a dragon");
  await begun(page, 0);
  await page.reload();
  await page.locator(".turn").first().waitFor();
  await ended(page, 1);
  assert.equal(plain(await answers(page).first().textContent()), plain(await stored(page)));
});

test("what was said before a reload is remembered after it", async (t) => {
  const page = await visit(t);
  await say(page, "My name is Ada.");
  await completed(page, 1);
  await page.reload();
  await completed(page, 1);
  await say(page, "What is my name?");
  await completed(page, 2);
  assert.match(await answers(page).nth(1).textContent(), /Ada/);
});

test("chats are listed, opened, and a new one begins", async (t) => {
  const page = await visit(t);
  await say(page, "What can you do?");
  await completed(page, 1);
  const first = await answers(page).first().textContent();
  const current = page.locator(".row[data-current] .row-title");
  await current.waitFor();
  const address = await current.getAttribute("href");
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await page.locator(".starter").first().waitFor();
  assert.equal(await page.locator(".turn").count(), 0);
  await page.locator(`.row-title[href="${address}"]`).click();
  await completed(page, 1);
  assert.equal(await answers(page).first().textContent(), first);
});

test("what was said is found and opened where it was said", async (t) => {
  const page = await visit(t);
  await say(page, "How do I add a model?");
  await completed(page, 1);
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await page.locator(".starter").first().waitFor();
  await page.keyboard.press("Control+K");
  await page.keyboard.type("how do i ad");
  await page.locator("#results a", { has: page.locator("mark") }).filter({ hasText: "You" }).first().click();
  await page.locator(".turn[data-found] .said", { hasText: "How do I add a model?" }).waitFor();
});

test("two tabs show one answer as it is written", async (t) => {
  const page = await visit(t);
  await say(page, "What can you do?");
  await completed(page, 1);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await completed(other, 1);
  await say(other, "Tell me a story about Ada and a dragon");
  await begun(page, 1);
  await ended(page, 2);
  await ended(other, 2);
  assert.equal(await answers(page).nth(1).textContent(), await answers(other).nth(1).textContent());
});

test("the picker opens and shows the model as loaded", async (t) => {
  const page = await visit(t);
  await page.getByRole("button", { name: /^Model: tokenwire-demo, ready/ }).click();
  const row = page.locator(".model", { hasText: "tokenwire-demo" });
  await row.waitFor();
  assert.equal(await row.getAttribute("aria-current"), "true");
  assert.equal(await page.locator(".picker-group").first().textContent(), "Loaded");
  await accessible(page, "picker");
  await page.keyboard.press("Escape");
  await row.waitFor({ state: "hidden" });
});

test("a chat on a phone in the dark: drawer, answer, nothing too wide", async (t) => {
  const page = await visit(t, { ...PHONE, colorScheme: "dark" });
  await fits(page);
  await page.getByRole("button", { name: "List of chats" }).click();
  await page.locator("body[data-drawer=open]").waitFor();
  await accessible(page, "drawer");
  await page.getByRole("button", { name: "Close the list of chats" }).click();
  await page.locator("body[data-drawer=closed]").waitFor();
  await composer(page).fill("How do I add a model?");
  await page.getByRole("button", { name: "Send" }).click();
  await running(page).waitFor();
  await ended(page, 1);
  await fits(page);
  await accessible(page, "done");
});
