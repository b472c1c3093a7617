/**
 * The page, measured in a real browser against a real server: an answer that streams, a long chat that is
 * opened and read up to its top, and what a first visit loads. Each run prints one line of JSON; who starts
 * the server and makes the chat (page.py), and what is good enough, it refuses to know.
 *
 *   node scripts/bench/page.mjs stream URL
 *   node scripts/bench/page.mjs chat URL CONVERSATION EXCHANGES
 *
 * CHROMIUM names the browser. What is timed is timed in the page, by its own clock: the tools around it
 * are slower than what they measure.
 */
import { gzipSync } from "node:zlib";
import { launch } from "../../tests/page/browser.mjs";

const VIEW = { viewport: { width: 1280, height: 800 } };
const PATIENCE = 400_000;
/** What the page fetches once the first screen is there has come by then. */
const SETTLED_MS = 3_000;
const CALM_MS = 5_000;
/** Of each turn of the wheel: a screen, ten times what a wheel gives. */
const NOTCH = -800;

/** In the page from its first script on: long tasks, frames, and when the first text was on screen. */
function probe() {
  const seen = (globalThis.bench = { tasks: [], frames: [], text: null, from: 0, each: false });
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) seen.tasks.push([startTime, duration]);
  }).observe({ type: "longtask" });
  const painted = new MessageChannel();
  painted.port1.onmessage = () => { seen.text ??= performance.now(); };
  const watch = (now) => {
    if (seen.each) seen.frames.push(now);
    // After the frame that draws it, not in it.
    if (seen.text === null && document.querySelector(".answer .md:not(:empty)")) painted.port2.postMessage(0);
    requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);
  addEventListener("click", (event) => {
    if (!event.target.closest?.(".row-title")) return;
    Object.assign(seen, { from: event.timeStamp, text: null });
  }, { capture: true });
}

async function visit(browser, url) {
  const context = await browser.newContext(VIEW);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => { throw error; });
  await page.addInitScript(probe);
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable");
  await page.goto(url);
  return { context, page, spent: async () => totals(await session.send("Performance.getMetrics")) };
}

function totals({ metrics }) {
  const of = Object.fromEntries(metrics.map((m) => [m.name, m.value]));
  return { at: of.Timestamp, script: of.ScriptDuration, layout: of.LayoutDuration + of.RecalcStyleDuration, task: of.TaskDuration, heap: of.JSHeapUsedSize };
}

/** From now on: frames, long tasks. @param {import("playwright-core").Page} page */
const begin = (page) => page.evaluate(() => Object.assign(globalThis.bench, { tasks: [], frames: [], each: true }));

/** What became of the frames: how many came, and how many had their time and did not come. @param {import("playwright-core").Page} page */
async function end(page) {
  const { frames, tasks } = await page.evaluate(() => Object.assign(globalThis.bench, { each: false }));
  const gaps = frames.slice(1).map((at, i) => at - frames[i]);
  const frame = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  const missed = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / frame) - 1), 0);
  return {
    frames: gaps.length, frame_ms: frame, missed, missed_share: missed / Math.max(1, missed + gaps.length), worst_frame_ms: Math.max(0, ...gaps),
    long_tasks: tasks.length, longest_task_ms: Math.max(0, ...tasks.map(([, ms]) => ms)), tasks,
  };
}

/** An answer from its first word to its last, read each second. */
async function stream(browser, url) {
  const { context, page, spent } = await visit(browser, url);
  await page.waitForTimeout(SETTLED_MS);
  await begin(page);
  await page.waitForTimeout(CALM_MS);
  const calm = await end(page);
  await page.getByRole("textbox", { name: "Message" }).fill("Write all of it.");
  await begin(page);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".answer .md:not(:empty)"), null, { polling: "raf" });
  const seconds = [await spent()];
  while (await page.locator(".turn[data-live]").count()) {
    await page.waitForTimeout(1_000);
    seconds.push(await spent());
  }
  const frames = await end(page);
  const third = (n) => {
    const [a, b] = [Math.floor(((n - 1) * (seconds.length - 1)) / 3), Math.floor((n * (seconds.length - 1)) / 3)].map((i) => seconds[i]);
    return (b.script - a.script) / (b.at - a.at);
  };
  const [first, last] = [seconds[0], seconds.at(-1)];
  const length = await page.locator(".answer .md").first().evaluate((node) => node.textContent.length);
  await context.close();
  return {
    calm, ...frames, seconds: last.at - first.at, letters: length, script_s: last.script - first.script, layout_s: last.layout - first.layout,
    busy: (last.task - first.task) / (last.at - first.at), heap_mb: last.heap / 1e6, script_share_thirds: [1, 2, 3].map(third), growth: third(3) / third(1),
  };
}

/** A long chat: clicked in the list, read up to its top; and opened by its address. */
async function chat(browser, url, id, exchanges) {
  const requests = [];
  const { context, page, spent } = await visit(browser, url);
  await page.locator(`.row-title[href="#/c/${id}"]`).waitFor();
  await page.waitForTimeout(SETTLED_MS);
  page.on("response", (response) => response.url().includes(id) && requests.push(response));
  const before = await spent();
  await begin(page);
  await page.locator(`.row-title[href="#/c/${id}"]`).click();
  await page.waitForFunction(() => globalThis.bench.text !== null);
  const opened_ms = await page.evaluate(() => globalThis.bench.text - globalThis.bench.from);
  const first_request_ms = await longest(requests.slice(0, 2));
  const whole_ms = await whole(page, exchanges);
  const opening = await end(page);
  const after = await spent();
  const ends = await page.locator("#scroller").evaluate((s) => s.scrollHeight - s.clientHeight - s.scrollTop);
  const scrolled = await toTop(page);
  const fetched = await Promise.all(requests.map(async (r) => [new URL(r.url()).pathname.split("/").at(-1) + new URL(r.url()).search, (await r.body().catch(() => "")).length]));
  await context.close();
  return {
    opened_ms, whole_ms, first_request_ms, opening, from_end_px: ends, script_s: after.script - before.script, layout_s: after.layout - before.layout, heap_mb: after.heap / 1e6, fetched, scrolled,
    jump: await jump(browser, url, id, exchanges), link: await byLink(browser, url, id),
  };
}

/** @param {import("playwright-core").Response[]} responses */
const longest = async (responses) => Math.max(0, ...responses.map((r) => r.request().timing().responseEnd));

/** Until all that was said is in the page; from the click. @param {import("playwright-core").Page} page @param {number} exchanges */
async function whole(page, exchanges) {
  await page.waitForFunction((count) => document.querySelectorAll(".answer .pieces > .md:first-child:not(:empty)").length >= count, exchanges, { polling: 100 });
  return page.evaluate(() => performance.now() - globalThis.bench.from);
}

/** By the wheel, turned again as soon as the page has taken the last turn. @param {import("playwright-core").Page} page */
async function toTop(page) {
  await page.locator("#scroller").hover();
  await begin(page);
  const started = Date.now();
  let notches = 0;
  for (; !(await atTop(page)); notches++) await page.mouse.wheel(0, NOTCH);
  return { ...(await end(page)), ms: Date.now() - started, notches };
}

/** @param {import("playwright-core").Page} page */
const atTop = (page) => page.locator("#scroller").evaluate((s) => s.scrollTop <= 0);

/** With one key, as soon as there is a top to go to. */
async function jump(browser, url, id, exchanges) {
  const { context, page } = await visit(browser, url);
  await page.locator(`.row-title[href="#/c/${id}"]`).click();
  await page.waitForFunction((count) => document.querySelectorAll(".turn").length === count, exchanges, { polling: "raf" });
  await page.locator("#scroller").focus();
  await begin(page);
  await page.keyboard.press("Home");
  await page.waitForFunction(() => {
    const first = document.querySelector(".turn");
    return document.getElementById("scroller").scrollTop <= 0 && first.getBoundingClientRect().top >= 0 && first.querySelector(".md:not(:empty)");
  });
  await whole(page, exchanges);
  const frames = await end(page);
  const top = await atTop(page);
  await context.close();
  return { ...frames, stays_at_top: top };
}

/** Nothing in the cache, nothing warm: from the address to the text. */
async function byLink(browser, url, id) {
  const { context, page } = await visit(browser, `${url}/#/c/${id}`);
  await page.waitForFunction(() => globalThis.bench.text !== null);
  const ms = await page.evaluate(() => globalThis.bench.text);
  await context.close();
  return { ms };
}

/** Gzipped bytes of each kind that a first visit loads. */
async function firstLoad(url) {
  const html = await (await fetch(url)).text();
  const files = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map(([, path]) => path);
  const bytes = await Promise.all(files.map(async (path) => gzipSync(Buffer.from(await (await fetch(url + path)).arrayBuffer()), { level: 9 }).length));
  return bytes.reduce((sum, size) => sum + size, 0);
}

const [what, url, id, exchanges] = process.argv.slice(2);
const browser = await launch();
try {
  const found = what === "stream" ? await stream(browser, url) : await chat(browser, url, id, Number(exchanges));
  console.log(JSON.stringify({ ...found, core_bytes: await firstLoad(url), chromium: browser.version() }));
} finally {
  await browser.close();
}
