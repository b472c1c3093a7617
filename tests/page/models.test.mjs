/**
 * The list of models: what there is and how it stands, looking through it, fetching, loading, unloading,
 * and going on in the middle of a chat with another one. The scripted server holds what the test writes.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { model, startFake } from "../frontend/fake_server.mjs";
import { accessible, answers, fits, launch, open, say } from "./browser.mjs";

const OFFLINE = /WebSocket connection|Failed to load resource|ERR_/;
const GB = 1e9;
const SMALL = "Qwen/Qwen3-0.6B";
const MIDDLE = "Qwen/Qwen3-4B";
const LARGE = "Qwen/Qwen3-235B-A22B";
const HALF = "google/gemma-3-4b-it";
const FULL = "This machine has 32 GB of memory; it needs 480 GB.";

const NOTE = "This model has no chat template, so it can't take a chat.";

/** One model of each kind, in no order. */
const LIBRARY = [
  model("tokenwire-demo", { default: true, source: "demo", description: "A very small model that comes with Tokenwire.", engine: { running: 2, waiting: 1, kv_cache_usage: 0.314, prefix_cache_hit_rate: 0.5, tokens_per_second: 83.7 } }),
  model(LARGE, { state: "absent", size_bytes: 470 * GB, context_length: 262_144, licence: "apache-2.0", fits: false, reason: FULL, source: "hub" }),
  model(MIDDLE, { state: "absent", size_bytes: 8.1 * GB, context_length: 40_960, licence: "apache-2.0", fits: true, source: "hub", capabilities: { tools: true, reasoning: true, structured_output: true }, aliases: ["qwen"], description: "Thinks before it answers." }),
  model(SMALL, { state: "unloaded", size_bytes: 1.5 * GB, context_length: 40_960, licence: "apache-2.0", fits: true, source: "cache", note: NOTE }),
  model(HALF, { state: "paused", size_bytes: 8.6 * GB, licence: "gemma", modalities: ["text", "image"], detail: "The hub could not be reached.", reason: "The hub could not be reached.", download: { done: 3.1 * GB, total: 8.6 * GB, bytes_per_s: null, left_s: null }, source: "hub" }),
  model("meta-llama/Llama-3.2-1B", { state: "downloading", size_bytes: 2.5 * GB, progress: 0.16, download: { done: 0.4 * GB, total: 2.5 * GB, bytes_per_s: 41_200_000, left_s: 51 }, source: "hub" }),
  model("mistralai/Ministral-8B", { state: "loading", size_bytes: 16 * GB, stage: "loading_weights", progress: 0.4, detail: "Loading weights", source: "cache" }),
  model("someone/broken", { state: "failed", size_bytes: null, detail: "There is no tokenizer in the folder.", reason: "There is no tokenizer in the folder.", servable: false }),
  model("someone/crashed", { state: "failed", detail: "Not enough memory.", reason: "Not enough memory." }),
];

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A page on a server with these models, and the list open. */
async function visit(t, { models = LIBRARY, closed = false, ...options } = {}) {
  const fake = await startFake();
  fake.models = models;
  const at = await open(browser, fake.url, options);
  t.after(async () => {
    try {
      await at.close();
    } finally {
      await fake.stop();
    }
  });
  await at.page.locator(".starter").first().waitFor();
  if (!closed) await show(at.page);
  return { fake, ...at };
}

async function show(page) {
  await page.getByRole("button", { name: /^Model:/ }).click();
  await page.locator(".model-row").first().waitFor();
}
const dialog = (page) => page.getByRole("dialog", { name: "Choose a model" });
const row = (page, name) => page.locator(".model-row", { has: page.locator(".model-name", { hasText: new RegExp(`^${name.slice(name.lastIndexOf("/") + 1)}$`) }) });
const act = (page, label, name) => page.getByRole("button", { name: `${label} ${name.slice(name.lastIndexOf("/") + 1)}`, exact: true });
const now = (page, name) => row(page, name).locator(".model-now").first();
const search = (page) => page.getByRole("searchbox", { name: "Search models" });
const names = (page) => page.locator(".model-name:visible").allTextContents();
const seen = (locator) => locator.waitFor({ state: "visible" });
const gone = (locator) => locator.waitFor({ state: "detached" });
const told = (page, text) => page.waitForFunction((t) => document.getElementById("announce").textContent === t, text);
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.querySelector(".model-name")?.textContent ?? document.activeElement.textContent);
const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const until = (page, locator, pattern) => locator.filter({ hasText: pattern }).waitFor();

test("the list is in groups, by size where it can be fetched, and says what is what", async (t) => {
  const { page } = await visit(t);
  assert.deepEqual(await page.locator(".picker-group").allTextContents(), ["Loaded", "On this machine", "Can be downloaded", "Can't be used"]);
  assert.deepEqual(await names(page), [
    "tokenwire-demo", "Ministral-8B", "Qwen3-0.6B", "Llama-3.2-1B", "Qwen3-4B", "gemma-3-4b-it", "Qwen3-235B-A22B", "broken", "crashed",
  ]);
  assert.equal(await now(page, "tokenwire-demo").textContent(), "2 running · 1 waiting · 84 tok/s · KV cache 31 %");
  assert.equal(await row(page, SMALL).getByText(NOTE).isVisible(), true);
  assert.equal(await row(page, MIDDLE).locator(".model-note").isVisible(), false);
  assert.equal(await now(page, "Ministral-8B").textContent(), "Loading weights · 40 %");
  assert.equal(await now(page, "Llama-3.2-1B").textContent(), "0.4 of 2.5 GB · 41 MB/s · 55 s left");
  assert.equal(await now(page, HALF).textContent(), "3.1 of 8.6 GB here. The hub could not be reached.");
  assert.equal(await row(page, MIDDLE).locator(".model-about").textContent(), "8.1 GB · 40k context · apache-2.0 · tools · reasoning");
  assert.match(await row(page, HALF).locator(".model-about").textContent(), /^Download paused · 8\.6 GB · 2k context · gemma · image$/);
  assert.equal(await row(page, MIDDLE).locator(".model-owner").textContent(), "Qwen");
  assert.equal(await row(page, "tokenwire-demo").locator(".model").getAttribute("aria-current"), "true");
});

test("what can't be used says why: what doesn't fit and what is broken can't be chosen, what failed can be tried again", async (t) => {
  const { fake, page } = await visit(t);
  for (const [name, why] of [[LARGE, FULL], ["someone/broken", "There is no tokenizer in the folder."]]) {
    assert.equal(await now(page, name).textContent(), why);
    const choice = row(page, name).locator(".model");
    assert.equal(await choice.getAttribute("aria-disabled"), "true");
    const parts = (await choice.getAttribute("aria-describedby")).split(" ").map((id) => page.locator(`#${id}`).textContent());
    assert.equal((await Promise.all(parts)).join(""), why);
    await choice.click({ force: true });
    await told(page, why);
  }
  const download = act(page, "Download", LARGE);
  assert.equal(await download.getAttribute("aria-disabled"), "true");
  await download.click({ force: true });
  assert.equal(await row(page, "someone/broken").locator(".model-act").count(), 0);
  assert.equal(fake.tended.ready.length, 0);
  await act(page, "Try again", "someone/crashed").click();
  assert.equal(await fake.tended.take(), "load someone/crashed");
  await until(page, page.locator(".picker-group + .models").first(), "crashed");
  fake.change("someone/crashed", { state: "failed", stage: null, progress: null, reason: "Still not enough memory." });
  await until(page, now(page, "someone/crashed"), "Still not enough memory.");
  await told(page, "crashed could not be loaded. Still not enough memory.");
});

test("a search finds by id, alias and description, and offers to fetch what the hub may have", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  assert.equal(await focused(page), "Search models");
  const finds = async (text, expected) => {
    await search(page).fill(text);
    assert.deepEqual(await names(page), expected);
  };
  await finds("qwen 4b", ["Qwen3-4B"]);
  await finds("qwen", ["Qwen3-0.6B", "Qwen3-4B", "Qwen3-235B-A22B"]);
  await finds("before it answers", ["Qwen3-4B"]);
  await finds("nothing of that", []);
  await seen(page.getByText("No model here is called that."));
  await finds(MIDDLE.toUpperCase(), ["Qwen3-4B"]);
  assert.equal(await page.locator(".model-offer:visible").count(), 0);
  await finds("https://huggingface.co/new/model-1.5B/tree/main", ["new/model-1.5B"]);
  const offer = page.getByRole("button", { name: "Download new/model-1.5B", exact: true });
  fake.refusesModel = "The hub has no model of that name.";
  await offer.click();
  assert.equal(await fake.tended.take(), "download new/model-1.5B");
  await seen(page.getByRole("alert").getByText("The hub has no model of that name."));
  await accessible(page, "refused offer");
  await page.keyboard.press("Enter");
  assert.equal(await fake.tended.take(), "download new/model-1.5B");
  await gone(offer);
  await seen(row(page, "new/model-1.5B"));
  assert.equal(await focused(page), "model-1.5B");
  fake.change("new/model-1.5B", { state: "downloading", size_bytes: 3 * GB, progress: 0.1, download: { done: 0.3 * GB, total: 3 * GB, bytes_per_s: 1e8, left_s: 27 } });
  await until(page, now(page, "new/model-1.5B"), "0.3 of 3.0 GB · 100 MB/s · 30 s left");
});

test("load, unload, download, cancel and resume are one press each, and what the server says against it is shown", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  await act(page, "Load", SMALL).click();
  assert.equal(await fake.tended.take(), `load ${SMALL}`);
  await seen(act(page, "Cancel", SMALL));
  assert.equal(await focused(page), "Qwen3-0.6B");
  await act(page, "Cancel", SMALL).click();
  assert.equal(await fake.tended.take(), `cancel ${SMALL}`);
  fake.change(SMALL, { state: "ready" });
  const unload = act(page, "Unload", "tokenwire-demo");
  assert.equal(await unload.getAttribute("title"), "It is unloaded when its answers have ended");
  await unload.click();
  assert.equal(await fake.tended.take(), "unload tokenwire-demo");
  await until(page, now(page, "tokenwire-demo"), "Unloaded when its 3 answers have ended");
  await act(page, "Keep", "tokenwire-demo").click();
  assert.equal(await fake.tended.take(), "load tokenwire-demo");
  await act(page, "Download", MIDDLE).click();
  assert.equal(await fake.tended.take(), `download ${MIDDLE}`);
  await act(page, "Resume", HALF).click();
  assert.equal(await fake.tended.take(), `download ${HALF}`);
  fake.change(MIDDLE, { state: "downloading", progress: 0.01, download: { done: 8e7, total: 8.1 * GB, bytes_per_s: 1e8, left_s: 80 } });
  await act(page, "Cancel", MIDDLE).click();
  assert.equal(await fake.tended.take(), `cancel ${MIDDLE}`);
  fake.refusesModel = "Another person's answers wait for it.";
  await act(page, "Unload", SMALL).click();
  await seen(row(page, SMALL).getByRole("alert").getByText("Another person's answers wait for it."));
  await act(page, "Unload", SMALL).click();
  await seen(act(page, "Unload", "tokenwire-demo").or(act(page, "Cancel", "tokenwire-demo")));
  await page.waitForFunction(() => !document.querySelector(".model-trouble:not([hidden])"));
});

test("much that was fetched isn't thrown away without a question", async (t) => {
  const { fake, page } = await visit(t);
  await act(page, "Discard", HALF).click();
  const question = page.getByRole("group", { name: "This throws away the 3.1 GB that are here." });
  await seen(question);
  assert.equal(await focused(page), "Throw away");
  await accessible(page, "question");
  await question.getByRole("button", { name: "Keep" }).click();
  assert.equal(await focused(page), "Discard gemma-3-4b-it");
  assert.equal(fake.tended.ready.length, 0);
  await page.keyboard.press("Enter");
  await question.getByRole("button", { name: "Throw away" }).click();
  assert.equal(await fake.tended.take(), `cancel ${HALF}`);
});

test("a model that isn't here is fetched for the chat after its size was said, and loaded when it is here", async (t) => {
  const { fake, page } = await visit(t);
  await row(page, MIDDLE).locator(".model").click();
  const yes = page.getByRole("button", { name: "Download 8.1 GB", exact: true });
  await seen(page.getByText("Download 8.1 GB to use it in this chat?"));
  assert.equal(fake.tended.ready.length, 0);
  await page.getByRole("button", { name: "Not now" }).click();
  assert.equal(await focused(page), "Qwen3-4B");
  await page.keyboard.press("Enter");
  await yes.click();
  assert.equal(await fake.tended.take(), `download ${MIDDLE}`);
  await dialog(page).waitFor({ state: "hidden" });
  fake.change(MIDDLE, { state: "downloading", progress: 0.5, download: { done: 4.05 * GB, total: 8.1 * GB, bytes_per_s: 1e8, left_s: 41 } });
  await seen(page.locator("#state").getByText("Qwen3-4B: Downloading, 4.0 of 8.1 GB, 100 MB/s, 45 s left."));
  await page.getByRole("button", { name: `Model: ${MIDDLE}, downloading`, exact: true }).waitFor();
  assert.equal(await page.locator("#model-share").textContent(), "50 %");
  assert.equal(await page.locator("#progress").isVisible(), true);
  await say(page, "hello");
  const answer = await fake.asked();
  assert.equal(answer.request.model, MIDDLE);
  fake.change(MIDDLE, { state: "unloaded", progress: null, download: null });
  assert.equal(await fake.tended.take(), `load ${MIDDLE}`);
  fake.change(MIDDLE, { state: "loading", stage: "loading_weights", progress: 0.4 });
  await seen(page.locator("#state").getByText("Qwen3-4B: Loading weights, 40 %."));
  fake.change(MIDDLE, { state: "ready", stage: null, progress: null });
  answer.write("Here.").complete();
  await seen(answers(page).getByText("Here."));
  assert.equal(await page.locator("#model-share").textContent(), "");
});

test("a download that ticks changes its row in place: focus, scroll and all other rows stay", async (t) => {
  const { fake, page } = await visit(t, { height: 420 });
  const name = "meta-llama/Llama-3.2-1B";
  const cancel = act(page, "Cancel", name);
  await cancel.focus();
  await page.locator(".picker-list").evaluate((n) => { n.scrollTop = 120; });
  await page.evaluate(() => {
    globalThis.added = 0;
    globalThis.blurred = 0;
    document.addEventListener("focusout", () => { globalThis.blurred += 1; });
    new MutationObserver((all) => all.forEach((m) => { globalThis.added += [...m.addedNodes].filter((n) => n.nodeType === 1).length; })).observe(document.getElementById("picker"), { childList: true, subtree: true });
  });
  const places = () => page.evaluate(() => JSON.stringify([document.querySelector(".picker-list").scrollTop, ...[...document.querySelectorAll(".model-row")].map((n) => n.getBoundingClientRect().toJSON())]));
  const was = await places();
  for (let i = 1; i <= 60; i++) {
    const done = (0.4 + i * 0.03) * GB;
    fake.change(name, { progress: done / (2.5 * GB), download: { done, total: 2.5 * GB, bytes_per_s: 3e7 + i * 1e6, left_s: 70 - i } });
  }
  await until(page, now(page, name), "2.2 of 2.5 GB · 90 MB/s · 10 s left");
  assert.equal(await places(), was);
  assert.equal(await focused(page), "Cancel Llama-3.2-1B");
  assert.deepEqual(await page.evaluate(() => [globalThis.added, globalThis.blurred]), [0, 0]);
  await told(page, "Llama-3.2-1B: 75 % downloaded");
  assert.match(await row(page, name).locator(".model-bar").evaluate((n) => n.style.getPropertyValue("--share")), /^0\.8[78]/);
  fake.change(name, { state: "unloaded", progress: null, download: null });
  await gone(cancel);
  assert.equal(await focused(page), "Llama-3.2-1B");
  await told(page, "Llama-3.2-1B is downloaded");
});

test("models come and go while the list is open, and its numbers are read every two seconds and only then", async (t) => {
  const { fake, page } = await visit(t);
  let lists = 0;
  page.on("request", (request) => { if (request.url().endsWith("/v1/models")) lists += 1; });
  await row(page, "crashed").locator(".model").focus();
  fake.models = fake.models.filter((m) => m.id !== "someone/crashed").map((m) => (m.id === "tokenwire-demo" ? model(m.id, { ...m.tokenwire, engine: null }) : m));
  fake.setModel(model("new/one", { state: "unloaded" }));
  await seen(row(page, "new/one"));
  await gone(row(page, "crashed"));
  await until(page, row(page, "tokenwire-demo"), "13 MB");
  assert.equal(await now(page, "tokenwire-demo").textContent(), "");
  assert.equal(await focused(page), "Search models");
  assert.ok(lists >= 1 && lists <= 3, `${lists} in one period`);
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "hidden" });
  lists = 0;
  await page.waitForTimeout(2_500);
  assert.equal(lists, 0);
});

test("all of it by keyboard: rows by arrows, what can be done by Tab, and back to the button", async (t) => {
  const { fake, page } = await visit(t, { closed: true });
  await page.getByRole("button", { name: /^Model:/ }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".model-row").first().waitFor();
  await page.waitForFunction(() => document.activeElement.type === "search");
  await page.keyboard.type("qwen");
  for (const [key, on] of [["Enter", "Qwen3-0.6B"], ["ArrowDown", "Qwen3-4B"], ["Tab", "Download Qwen3-4B"], ["ArrowUp", "Qwen3-0.6B"], ["Tab", "Load Qwen3-0.6B"]]) {
    await page.keyboard.press(key);
    assert.equal(await focused(page), on);
  }
  await page.keyboard.press("Enter");
  assert.equal(await fake.tended.take(), `load ${SMALL}`);
  await seen(act(page, "Cancel", SMALL));
  assert.equal(await focused(page), "Qwen3-0.6B");
  await page.keyboard.press("ArrowUp");
  assert.equal(await focused(page), "Search models");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await dialog(page).waitFor({ state: "hidden" });
  assert.equal(await focused(page), "Message");
  await page.getByRole("button", { name: `Model: ${SMALL}, loading`, exact: true }).press("Enter");
  await seen(dialog(page));
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "hidden" });
  assert.match(await focused(page), /^Model:/);
});

test("a chat goes on with another model, each says what it said, and each chat keeps its own", async (t) => {
  const { fake, page } = await visit(t, { closed: true });
  const completed = (n) => page.locator(".turn[data-phase=completed]").nth(n - 1).waitFor();
  await say(page, "one");
  const first = await fake.asked();
  first.write("First.").complete();
  await completed(1);
  assert.equal(await page.locator(".speaker:visible").count(), 0);
  await show(page);
  await row(page, SMALL).locator(".model").click();
  assert.equal(await fake.tended.take(), `load ${SMALL}`);
  fake.change(SMALL, { state: "ready" });
  await say(page, "two");
  const second = await fake.asked();
  const { model: asked, conversation, previous_response_id } = second.request;
  assert.deepEqual([asked, conversation, previous_response_id], [SMALL, first.request.conversation, first.response.id]);
  second.write("Second.").complete();
  await completed(2);
  await say(page, "three");
  const third = await fake.asked();
  assert.equal(third.request.model, SMALL);
  third.write("Third.").complete();
  await completed(3);
  assert.deepEqual(await page.locator(".speaker:visible").allTextContents(), ["tokenwire-demo", "Qwen3-0.6B"]);
  await accessible(page, "two models");
  await page.reload();
  await completed(3);
  assert.deepEqual(await page.locator(".speaker:visible").allTextContents(), ["tokenwire-demo", "Qwen3-0.6B"]);
  const address = page.url();
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await seen(page.locator(".starter").first());
  await show(page);
  await row(page, "tokenwire-demo").locator(".model").click();
  await seen(page.locator(".welcome h2", { hasText: "tokenwire-demo" }));
  await page.goto(address);
  await page.getByRole("button", { name: `Model: ${SMALL}, ready`, exact: true }).waitFor();
  fake.models = fake.models.filter((m) => m.id !== SMALL);
  await page.reload();
  await seen(page.getByText("Qwen3-0.6B isn't here any more; tokenwire-demo answers instead."));
});

test("a model that can't be loaded now says so where the message is written", async (t) => {
  const { fake, page } = await visit(t, { expected: OFFLINE });
  fake.refusesModel = "At most 2 models are loaded at once.";
  await row(page, SMALL).locator(".model").click();
  await seen(page.locator("#state").getByText("Qwen3-0.6B: At most 2 models are loaded at once."));
  fake.change(SMALL, { state: "ready" });
  await page.waitForFunction(() => document.getElementById("state").textContent === "");
});

for (const colorScheme of ["light", "dark"]) {
  test(`nothing serious for axe in the list and nothing too wide: ${colorScheme}, wide and on phones`, async (t) => {
    for (const size of [{}, { width: 390, height: 844, hasTouch: true, isMobile: true }, { width: 360, height: 640, hasTouch: true, isMobile: true }]) {
      const { page } = await visit(t, { colorScheme, reducedMotion: "reduce", ...size });
      const check = async (state) => {
        await drawn(page);
        await accessible(page, `${state}, ${colorScheme}, ${size.width ?? 1280}`);
        await fits(page);
        const list = page.locator(".picker-list");
        assert.ok(await list.evaluate((n) => n.scrollWidth <= n.clientWidth), "the list is too wide");
        const { x, width } = await page.locator("#picker").boundingBox();
        assert.ok(x >= 0 && x + width <= (size.width ?? 1280), `from ${x}, ${width} wide`);
      };
      await check("list");
      await row(page, MIDDLE).locator(".model").click();
      await seen(page.getByRole("button", { name: "Download 8.1 GB", exact: true }));
      await check("asked");
      await search(page).fill("a-very-long-owner-name/a-very-long-model-name-that-does-not-fit-on-a-telephone-at-all");
      await seen(page.locator(".model-offer"));
      await check("offer");
    }
  });
}
