/**
 * The message box: what it has read ahead, how full the chat is, the files that go with a message, how a
 * chat is to be answered, the keys. The scripted server shows each state; what needs an engine is asked of
 * the real one at TOKENWIRE_URL.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { model, startFake } from "../frontend/fake_server.mjs";
import { accessible, composer, fits, launch, open, say } from "./browser.mjs";

const URL_ = process.env.TOKENWIRE_URL;
const PATIENCE = 90_000;
const PHONE = { width: 360, height: 740, hasTouch: true, isMobile: true };

let browser;
before(async () => {
  assert.ok(URL_, "TOKENWIRE_URL names the server to test; none is set.");
  browser = await launch();
});
after(() => browser?.close());

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

/** A page of the real server. */
async function real(t, options = {}) {
  const at = await open(browser, URL_, options);
  t.after(at.close);
  at.page.setDefaultTimeout(PATIENCE);
  await at.page.locator(".starter").first().waitFor();
  return at.page;
}

const seen = (locator) => locator.waitFor({ state: "visible" });
const line = (page) => page.locator("#state");
const meter = (page) => page.getByRole("meter", { name: "Context" });
/** Until the meter says it. */
const measures = (page, words) => page.waitForFunction(
  (said) => document.getElementById("meter").getAttribute("aria-valuetext")?.includes(said), words);

/* Read ahead, and how full the chat is. */

/** A long chat that was there before the page was. */
const long = (fake) => {
  const row = fake.conversation("Long");
  fake.exchange(row, "Hello", "Hi there.");
  return `/#/c/${row.id}`;
};

test("a long chat that is opened is read ahead once, and the meter says how much is read", async (t) => {
  const { fake, page } = await visit(t, { path: long });
  await measures(page, "1,102 of 2,048 tokens, 54 %.");
  const reading = await fake.warmed();
  const [last] = fake.answers.keys();
  const { type, stream_id, ...asked } = fake.warms[0];
  assert.deepEqual([type, typeof stream_id], ["response.create", "string"]);
  assert.deepEqual(asked, { model: "tokenwire-demo", previous_response_id: last, generate: false, store: false });
  reading.read(1107, 1104);
  await measures(page, "1,107 of 2,048 tokens, 54 %. 1,104 are read already.");
  await meter(page).focus();
  await seen(page.locator("#meter-words"));
  await accessible(page, "meter");
  await composer(page).pressSequentially("How are you?");
  await measures(page, "About 1,119 of 2,048 tokens");
  await page.reload();
  await fake.warmed();
  assert.equal(fake.warms.length, 2);
});

test("a chat that was answered is read again when someone types into it, and not before", async (t) => {
  const { fake, page } = await visit(t);
  await measures(page, "0 of 2,048");
  await say(page, "Hello");
  (await fake.asked()).write("Hi there.").complete();
  await measures(page, "1,102 of 2,048");
  await page.waitForTimeout(1500);
  assert.equal(fake.warms.length, 0);
  await composer(page).pressSequentially("And");
  (await fake.warmed()).read(1107);
  await measures(page, "1,107 are read already.");
});

test("what is read ahead is given up when the chat is left, and when the message is sent", async (t) => {
  const { fake, page } = await visit(t, { path: long });
  await fake.warmed();
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  assert.equal((await fake.cooled()).response.status, "cancelled");
  await page.goBack();
  await fake.warmed();
  await say(page, "Go on");
  await fake.cooled();
  (await fake.asked()).write("Gone on.").complete();
  await page.locator(".turn[data-phase=completed]").nth(1).waitFor();
});

test("a model that isn't loaded is not loaded to read ahead, and one that comes back has read nothing", async (t) => {
  const { fake, page } = await visit(t, { path: long, prepare: (f) => f.change("tokenwire-demo", { state: "unloaded" }) });
  await measures(page, "1,102 of 2,048");
  await composer(page).pressSequentially("And");
  await page.waitForTimeout(1200);
  assert.deepEqual([fake.warms.length, fake.tended.ready.length], [0, 0]);
  fake.change("tokenwire-demo", { state: "ready" });
  (await fake.warmed()).read(1107);
  await measures(page, "1,107 are read already.");
  fake.change("tokenwire-demo", { state: "recovering" });
  await page.waitForFunction(() => !document.getElementById("meter").getAttribute("aria-valuetext").includes("read already"));
  fake.change("tokenwire-demo", { state: "ready" });
  await fake.warmed();
  assert.equal(fake.warms.length, 2);
});

test("a chat that is nearly full says so before it is, and nothing moves", async (t) => {
  const { page } = await visit(t);
  const box = () => page.locator("#composer").evaluate((n) => JSON.stringify([n.getBoundingClientRect(), document.getElementById("send").getBoundingClientRect()]));
  const empty = await box();
  await measures(page, "0 of 2,048");
  assert.equal(await box(), empty);
  await composer(page).fill("word ".repeat(1500));
  await seen(line(page).getByText("This chat fills 91 % of what the model can read."));
  assert.equal(await meter(page).getAttribute("data-level"), "near");
  await accessible(page, "nearly full");
  await composer(page).fill("word ".repeat(2000));
  await seen(line(page).getByText("This chat has grown longer than the model can read."));
  await composer(page).fill("");
  assert.equal(await box(), empty);
});

test("the real engine has read a chat before it is asked again", async (t) => {
  const page = await real(t);
  await say(page, "Count from 1 to 200.");
  await page.locator(".turn:not([data-live])").waitFor();
  await page.reload();
  await page.waitForFunction(() => /\d are read already/.test(document.getElementById("meter").getAttribute("aria-valuetext")));
  const [, read] = /([\d,]+) are read already/.exec(await meter(page).getAttribute("aria-valuetext"));
  await say(page, "What can you do?");
  await page.locator(".turn:not([data-live])").nth(1).waitFor();
  const meta = await page.locator(".answer .meta").nth(1).textContent();
  const [, cached, total] = /([\d,]+) of ([\d,]+) prompt tokens from cache/.exec(meta);
  const [r, c, all] = [read, cached, total].map((n) => Number(n.replaceAll(",", "")));
  // But for the last block, which is shared by what was read and what was typed.
  assert.ok(c > r - 64 && c <= all, `${r} were read, ${c} of ${all} came from the cache`);
});
