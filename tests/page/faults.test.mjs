/**
 * Faults with the page open, against the real server and engine: the engine is killed under an answer, the
 * server is killed under an answer. The page says it in one line, and the text goes on in place to its end.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, launch, open, underway } from "./browser.mjs";
import { OwnServer } from "./own_server.mjs";

/** A model that loads on a busy machine. */
const PATIENCE = 120_000;
/** The browser reports each failed connection to a server that is away; here that is the point. */
const OFFLINE = /WebSocket connection|Failed to load resource|ERR_/;

const server = new OwnServer();
let browser;
before(async () => {
  await server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server.kill();
});

/** A page that notes each line of state from now on. */
async function visit(t) {
  const at = await open(browser, server.url, { expected: OFFLINE });
  t.after(at.close);
  const { page } = at;
  page.setDefaultTimeout(PATIENCE);
  await page.locator(".starter").first().waitFor();
  await page.evaluate(() => {
    const state = document.getElementById("state");
    globalThis.said = new Set();
    new MutationObserver(() => globalThis.said.add(state.textContent)).observe(state, { childList: true });
  });
  return page;
}

const said = (page, words) => page.waitForFunction((w) => [...globalThis.said].some((line) => line.includes(w)), words);
/** What is there of the answer; its element is known again. */
async function begun(page) {
  await answers(page).evaluate((node) => { node.kept = true; });
  return answers(page).textContent();
}

/** The answer's end: all of it, in the element in which it began, with nothing wrong and nothing left to say. */
async function wentOn(page, before) {
  await page.locator(".turn:not([data-live])").waitFor();
  // An answer that runs to the end of the context fills its chat, which is said.
  await page.waitForFunction(() => /^(This chat fills \d+ % of what the model can read\.)?$/.test(document.getElementById("state").textContent));
  assert.equal(await page.locator(".turn").count(), 1);
  assert.equal(await page.locator(".trouble:visible").count(), 0);
  assert.ok(["completed", "cut"].includes(await page.locator(".turn").getAttribute("data-phase")));
  assert.ok(await answers(page).evaluate((node) => node.kept));
  const text = await answers(page).textContent();
  assert.ok(text.startsWith(before) && text.length > before.length, `${before}\n---\n${text}`);
  return text;
}

/** What a fresh page shows is what the server has. */
async function staysAfterReload(page, text) {
  await page.reload();
  await page.locator(".turn:not([data-live])").waitFor();
  assert.equal(await answers(page).textContent(), text);
}

test("the engine is killed under an answer: one line, and the text goes on", async (t) => {
  const page = await underway(() => visit(t));
  const before = await begun(page);
  const engines = server.engines();
  assert.ok(engines.length > 0);
  for (const pid of engines) process.kill(pid, "SIGKILL");
  await said(page, "The engine stopped and is starting again. The answer will go on.");
  await staysAfterReload(page, await wentOn(page, before));
});

test("the server is killed under an answer: one line, and the text goes on with the next server", async (t) => {
  const page = await underway(() => visit(t));
  const before = await begun(page);
  await server.kill();
  await said(page, "Connection lost. Trying again; the answer goes on from here.");
  await server.start();
  await said(page, "The answer will go on.");
  const text = await wentOn(page, before);
  assert.match(await page.locator(".answer .meta").textContent(), /went on after a restart/);
  await staysAfterReload(page, text);
});
