/**
 * The page without a mouse: whatever can be done is reached by Tab and done by keys, in order, with the focus
 * always seen and never lost. Nothing here clicks.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { model, startFake } from "../frontend/fake_server.mjs";
import { answers, composer, launch, open } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function visit(t, prepare = () => {}) {
  const fake = await startFake();
  prepare(fake);
  const at = await open(browser, fake.url);
  t.after(async () => {
    await at.close();
    await fake.stop();
  });
  await at.page.locator(".starter").first().waitFor();
  return { fake, ...at };
}

const seen = (locator) => locator.waitFor({ state: "visible" });

/** What has the focus: its name, and whether it can be seen that it has it. */
const focused = (page) => page.evaluate(() => {
  const at = document.activeElement;
  const name = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent.trim();
  const shown = (node) => node && (getComputedStyle(node).outlineStyle !== "none" || getComputedStyle(node).boxShadow !== "none" || getComputedStyle(node).borderColor !== "");
  const box = at.getBoundingClientRect();
  return { name, tag: at.tagName, ring: shown(at) || shown(at.parentElement), inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight };
});

/** Tab until the focus has a name; every stop on the way can be seen. */
async function reach(page, name, key = "Tab") {
  const way = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press(key);
    const at = await focused(page);
    way.push(at.name);
    if (at.tag !== "BODY") assert.ok(at.ring && at.inside, `the focus on "${at.name}" can't be seen: ${JSON.stringify(at)}`);
    if (typeof name === "string" ? at.name === name : name.test(at.name)) return;
  }
  assert.fail(`no way by ${key} to "${name}": ${way.join(" > ")}`);
}

async function type(page, text) {
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

/** An entry of the menu that a key has just opened. */
async function choose(page, name) {
  await page.waitForFunction(() => document.activeElement.closest("[role=menu]"));
  if ((await focused(page)).name !== name) await reach(page, name, "ArrowDown");
  await page.keyboard.press("Enter");
}

test("from the first key to the second version of an answer, without a mouse", async (t) => {
  const { fake, page } = await visit(t);
  assert.equal((await focused(page)).name, "Message");
  await type(page, "One?");
  const first = await fake.asked();
  first.write("First");
  await seen(answers(page).getByText("First"));
  await page.keyboard.press("Escape");
  await fake.cancelled();
  first.cancel();
  await seen(page.getByText("Stopped", { exact: true }));
  await page.locator("#skip").focus();
  await reach(page, "Answer again");
  await page.keyboard.press("Enter");
  (await fake.asked()).write("Second").complete();
  await seen(answers(page).getByText("Second"));
  await page.keyboard.press("Control+Shift+ArrowUp");
  assert.equal((await focused(page)).name, "Answer");
  await reach(page, "Previous version of this answer");
  await page.keyboard.press("Enter");
  await seen(answers(page).getByText("First"));
  await page.locator("#skip").focus();
  await reach(page, "Edit message");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.getAttribute("aria-label") === "Edit your message");
  await page.keyboard.press("Control+A");
  await type(page, "Uno?");
  const other = await fake.asked();
  assert.equal(other.prompt, "Uno?");
  other.think("Hm.").write("Primo").complete();
  await seen(answers(page).getByText("Primo"));
  await page.locator("#skip").focus();
  await reach(page, /^Thought/);
  await page.keyboard.press("Enter");
  await seen(page.locator(".thought .fold-body", { hasText: "Hm." }));
  await reach(page, "Details of this answer");
  await page.keyboard.press("Enter");
  await seen(page.locator(".facts", { hasText: "tokenwire-demo" }));
});

test("a model is picked, and picked again, without a mouse", async (t) => {
  const { fake, page } = await visit(t, (f) => f.models.push(model("org/other", { state: "unloaded" })));
  await page.locator("#skip").focus();
  await reach(page, /^Model:/);
  await page.keyboard.press("Enter");
  await seen(page.locator(".picker input"));
  await page.keyboard.type("other");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal(await fake.tended.take(), "load org/other");
  await page.waitForFunction(() => document.getElementById("model-name").textContent === "other");
  assert.equal(await page.locator(".picker").isVisible(), false);
  assert.notEqual((await focused(page)).tag, "BODY");
});

test("chats are found, renamed, deleted and brought back without a mouse", async (t) => {
  const { fake, page } = await visit(t, (f) => {
    f.exchange(f.conversation("About penguins"), "penguins?", "They swim.");
    f.exchange(f.conversation("About whales"), "whales?", "They sing.");
  });
  await seen(page.getByText("About whales"));
  await page.keyboard.press("Control+K");
  await page.keyboard.type("swim");
  await seen(page.locator("#results mark"));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".turn[data-found]").waitFor();
  assert.equal((await focused(page)).name, "Answer");
  await page.keyboard.press("Control+K");
  await page.keyboard.press("Escape");
  await page.locator("#skip").focus();
  await reach(page, /^Options .*whales/);
  await page.keyboard.press("Enter");
  await choose(page, "Rename");
  assert.equal((await focused(page)).tag, "INPUT");
  await page.keyboard.press("Control+A");
  await type(page, "Songs");
  await seen(page.locator(".row-title", { hasText: "Songs" }));
  await page.locator("#skip").focus();
  await reach(page, /^Options .*Songs/);
  await page.keyboard.press("Enter");
  await choose(page, "Delete");
  await page.locator(".row-title", { hasText: "Songs" }).waitFor({ state: "detached" });
  await reach(page, /^Undo/);
  await page.keyboard.press("Enter");
  await seen(page.locator(".row-title", { hasText: "Songs" }));
  assert.equal(fake.conversations.size, 2);
});

test("the focus stays where it is while an answer is written and when it ends", async (t) => {
  const { fake, page } = await visit(t);
  await type(page, "One?");
  const answer = await fake.asked();
  answer.write("So ");
  await seen(answers(page).getByText("So"));
  await page.keyboard.type("next");
  answer.write("much.").complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  assert.equal((await focused(page)).name, "Message");
  assert.equal(await composer(page).inputValue(), "next");
});
