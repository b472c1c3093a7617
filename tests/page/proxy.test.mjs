/**
 * The page behind a proxy that lets no WebSocket through, against a real server with the real demo model at
 * TOKENWIRE_URL: it goes over an event stream by itself, nothing is missing, and it comes back when it can.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, launch, open, say, underway } from "./browser.mjs";
import { Proxy } from "./proxy.mjs";

const URL_ = process.env.TOKENWIRE_URL;
const PATIENCE = 90_000;
/** The browser reports each WebSocket that is not let through; here that is the point. */
const OFFLINE = /WebSocket connection|Failed to load resource|ERR_/;

let browser;
before(async () => {
  assert.ok(URL_, "TOKENWIRE_URL names the server to test; none is set.");
  browser = await launch();
});
after(() => browser?.close());

async function behind(t, kind, fields = {}) {
  const proxy = Object.assign(await new Proxy(URL_).start(), { kind, ...fields });
  t.after(() => proxy.stop());
  return proxy;
}

async function visit(t, proxy) {
  const at = await open(browser, proxy.url, { expected: OFFLINE });
  t.after(at.close);
  at.page.setDefaultTimeout(PATIENCE);
  if (!proxy.buffers) await at.page.locator(".starter, .turn").first().waitFor();
  return at.page;
}

const completed = (page, n) => page.locator(".turn[data-phase=completed]").nth(n - 1).waitFor();
const ended = (page, n) => page.locator(".turn:not([data-live])").nth(n - 1).waitFor();
const line = (page) => page.locator("#state");
const silent = (page) => page.waitForFunction(() => document.getElementById("state").textContent === "");

/** The text of the newest answer as the server keeps it. */
async function stored(page) {
  const id = new URL(page.url()).hash.replace("#/c/", "");
  const { data } = await page.evaluate((path) => fetch(path).then((r) => r.json()), `/v1/conversations/${id}/responses`);
  return data.at(-1).response.output.map((item) => item.content.map((part) => part.text).join("")).join("");
}
const plain = (text) => text.replace(/^\s*(\d+[.)]|[-*+])\s+/gm, "").replace(/[^\p{L}\p{N}]+/gu, "");
const isWhole = async (page) => assert.equal(plain(await answers(page).last().textContent()), plain(await stored(page)));

for (const kind of ["refuses", "eats", "hangs"]) {
  test(`a proxy that ${kind} the upgrade: an answer is written, stopped, and another follows`, async (t) => {
    const proxy = await behind(t, kind);
    const page = await underway(() => visit(t, proxy));
    await page.keyboard.press("Escape");
    await page.getByText("Stopped", { exact: true }).waitFor();
    assert.doesNotMatch(await answers(page).first().textContent(), /\b200\b/);
    await isWhole(page);
    await page.reload();
    await ended(page, 1);
    await say(page, "What can you do?");
    await completed(page, 1);
    await isWhole(page);
    await silent(page);
    assert.equal(proxy.passed, 0);
    assert.ok(proxy.upgrades > 0 && proxy.streams > 0);
    assert.ok(proxy.requests.some((request) => request.startsWith("POST /v1/events/")));
  });
}

test("a proxy that cuts the stream under an answer: the text goes on in place", async (t) => {
  const proxy = await behind(t, "refuses");
  const page = await underway(() => visit(t, proxy));
  await answers(page).evaluate((node) => { node.kept = true; });
  let cuts = 0;
  for (; cuts < 3 && (await page.locator(".turn[data-live]").count()); cuts++) {
    const [before, streams] = [await answers(page).textContent(), proxy.streams];
    proxy.cut();
    while (proxy.streams === streams) await new Promise((done) => setTimeout(done, 20));
    assert.ok((await answers(page).textContent()).startsWith(before));
  }
  assert.ok(cuts > 0);
  await ended(page, 1);
  assert.ok(await answers(page).evaluate((node) => node.kept));
  assert.equal(await page.locator(".trouble:visible").count(), 0);
  await isWhole(page);
});

test("two chats answer at once over one stream", async (t) => {
  const proxy = await behind(t, "eats");
  // It may take more than one to find an answer under way.
  let visits = 0;
  const page = await underway(() => (visits++, visit(t, proxy)));
  await page.locator(".row[data-current]").waitFor();
  const first = page.url();
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await page.locator(".starter").first().waitFor();
  await say(page, "Tell me a long story about Ada and a dragon");
  await page.locator(".turn[data-live]").waitFor();
  await page.waitForFunction(() => document.querySelector(".answer .md")?.textContent.length > 0);
  await ended(page, 1);
  await isWhole(page);
  await page.goto(first);
  await ended(page, 1);
  await isWhole(page);
  assert.equal(proxy.streams, visits);
});

test("news of models come over the stream", async (t) => {
  const proxy = await behind(t, "hangs");
  const page = await visit(t, proxy);
  const tend = (verb) => fetch(new URL(`/v1/models/${verb}`, URL_), {
    method: "POST", headers: { "content-type": "application/json" }, body: '{"model": "tokenwire-demo"}',
  });
  await page.getByRole("button", { name: /^Model: tokenwire-demo, ready/ }).waitFor();
  try {
    await tend("unload");
    await page.getByRole("button", { name: /^Model: tokenwire-demo/ }).and(page.locator(":not([aria-label*=ready])")).waitFor();
    await tend("load");
    await line(page).getByText("tokenwire-demo: ").waitFor();
  } finally {
    await tend("load");
    await page.getByRole("button", { name: /^Model: tokenwire-demo, ready/ }).waitFor();
  }
});

test("when the proxy lets WebSockets through, a reload is back on one", async (t) => {
  const proxy = await behind(t, "refuses");
  const page = await visit(t, proxy);
  await say(page, "What can you do?");
  await completed(page, 1);
  assert.equal(proxy.passed, 0);
  proxy.kind = "passes";
  proxy.requests.length = 0;
  await page.reload();
  await completed(page, 1);
  const socket = page.waitForFunction(() => localStorage.getItem("tokenwire.carrier") === null);
  await socket;
  await say(page, "My name is Ada.");
  await completed(page, 2);
  assert.equal(proxy.passed, 1);
  assert.deepEqual(proxy.requests.filter((request) => request.startsWith("POST /v1/events/")), []);
});

test("a proxy that holds event streams back, too, is told in words, and one that lets go is noticed", async (t) => {
  const proxy = await behind(t, "eats", { buffers: true });
  const page = await visit(t, proxy);
  await line(page).getByText("The server is there, but something on the way, perhaps a proxy, holds back what it says. Trying again.").waitFor();
  proxy.buffers = false;
  await page.getByRole("button", { name: "Try now" }).click();
  await silent(page);
  await say(page, "What can you do?");
  await completed(page, 1);
});
