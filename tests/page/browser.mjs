/**
 * A real browser for the page's tests: one Chromium per file, one context per test, and every page fails
 * its test on a console error, an uncaught error or a breach of the content policy.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--no-proxy-server",
];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @param {string[]} more of Chromium's arguments */
export async function launch(more = []) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  assert.ok(existsSync(executablePath), `These tests need Chromium at ${executablePath}; set CHROMIUM to where it is.`);
  return chromium.launch({ executablePath, args: [...ARGS, ...more] });
}

/**
 * A page in a context of its own, watched. Losing the server is part of some tests: `expected` names
 * console errors that are then no failure. Without a service worker, unless a test is about it: what one asks
 * for goes past the routes by which tests answer in the server's place.
 */
export async function open(browser, url, { width = 1280, height = 800, colorScheme = "light", expected = null, ...rest } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, serviceWorkers: "block", ...rest });
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(`pageerror: ${error.stack ?? error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected?.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (e) => globalThis.violations.push(`${e.violatedDirective}: ${e.blockedURI} ${e.sample}`));
  });
  await page.goto(url);
  return {
    context, page, faults,
    /** Ends the visit; what went wrong on the way fails the test. */
    async close() {
      const violations = await page.evaluate(() => globalThis.violations);
      await context.close();
      assert.deepEqual([...faults, ...violations], []);
    },
  };
}

/** No violation of any level that axe knows of. */
export async function accessible(page, state) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => `${n.target.join(" ")} (${n.any[0]?.message ?? n.all[0]?.message ?? ""})`).join("; ")}`);
  assert.deepEqual(found, [], `axe in state "${state}"`);
}

/** Nothing is wider than the screen. */
export async function fits(page) {
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= screen, `${wide} px wide on a screen of ${screen} px`);
  const scroller = await page.evaluate(() => {
    const s = document.getElementById("scroller");
    return s.scrollWidth - s.clientWidth;
  });
  assert.ok(scroller <= 0, `the chat is ${scroller} px too wide`);
}

export const answers = (page) => page.locator(".answer .md");
export const composer = (page) => page.getByRole("textbox", { name: "Message" });

/** Types and sends. */
export async function say(page, text) {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/**
 * A page on which an answer is being written that counts to 200 and is not there yet. On a busy machine a browser
 * may stand still for as long as that takes; then another page asks again.
 */
export async function underway(visit) {
  for (let tries = 0; tries < 8; tries++) {
    const page = await visit();
    await runOn(page);
    await say(page, "Count from 1 to 200.");
    await page.waitForFunction(() => document.querySelector(".answer .md")?.textContent.length > 20, null, { polling: "raf" });
    const text = await answers(page).textContent();
    if (!/\b200\b/.test(text) && (await page.locator(".turn[data-live]").count())) return page;
  }
  throw new Error("Each answer had ended before the browser drew it.");
}

/** Until it is reloaded the page asks for greedy answers that run on for seconds. */
async function runOn(page) {
  await page.evaluate((more) => {
    const longer = (message) => (message.type === "response.create" ? { ...message, ...more } : message);
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      send.call(this, JSON.stringify(longer(JSON.parse(data))));
    };
    const { fetch } = globalThis;
    globalThis.fetch = (path, init) => {
      if (init?.method !== "POST" || !String(path).startsWith("/v1/events/")) return fetch(path, init);
      return fetch(path, { ...init, body: JSON.stringify({ events: JSON.parse(init.body).events.map(longer) }) });
    };
  }, { temperature: 0, max_output_tokens: 1900, ignore_eos: true });
}
