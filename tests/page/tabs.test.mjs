/**
 * One chat on two tabs and a phone, through a minute of everything at once: messages, edits, other tries,
 * stops, turns to other versions, renames, reloads, links that are cut. In the end all show the same, and
 * it is what the server at TOKENWIRE_URL has. The dice are seeded by TOKENWIRE_SEED; what they did is told where it fails.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { composer, launch, open } from "./browser.mjs";

const URL_ = process.env.TOKENWIRE_URL;
const SEED = Number(process.env.TOKENWIRE_SEED ?? 7);
const LASTS_MS = 60_000;
const PATIENCE_MS = 60_000;
/** A link that is cut, and a page that is reloaded while it asks, are told by the browser. */
const CUT = /WebSocket connection|Failed to load resource|ERR_/;
const PROMPTS = ["What can you do?", "Count from 1 to 40", "Tell me a story about Ada and a dragon", "My name is Ada.", "What is my name?", "List three animals"];

let browser;
before(async () => {
  assert.ok(URL_, "TOKENWIRE_URL names the server to test; none is set.");
  browser = await launch();
});
after(() => browser?.close());

/** Mulberry32. */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Keeps hold of the page's links, so that they can be cut. */
const keepSockets = () => {
  globalThis.sockets = new Set();
  globalThis.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      globalThis.sockets.add(this);
      this.addEventListener("close", () => globalThis.sockets.delete(this));
    }
  };
};

/** What a page shows of its chat: what was said, letters and digits only, and where it forks. */
const shown = (page) => page.evaluate(() => ({
  title: document.getElementById("title").textContent,
  live: document.querySelectorAll(".turn[data-live]").length,
  turns: [...document.querySelectorAll(".turn")].map((turn) => ({
    said: turn.querySelector(".ask .said").textContent,
    text: [...turn.querySelectorAll(".written")].map((e) => e.textContent).join("").replace(/[^\p{L}\p{N}]+/gu, ""),
    phase: turn.dataset.phase,
    versions: [...turn.querySelectorAll(".versions:not([hidden]) .version-count")].map((e) => e.textContent),
  })),
}));

/** The shown branch as the server has it. */
async function stored(page, id) {
  const [row, list] = await page.evaluate((path) => Promise.all([path, `${path}/responses`].map((p) => fetch(p).then((r) => r.json()))), `/v1/conversations/${id}`);
  const byId = new Map(list.data.map((entry) => [entry.response.id, entry]));
  const turns = [];
  for (let at = byId.get(row.active_response_id); at; at = byId.get(at.response.previous_response_id)) {
    turns.unshift({
      said: at.input.flatMap((item) => item.content).map((part) => part.text ?? part).join("\n\n"),
      text: at.response.output.flatMap((item) => item.content).map((part) => part.text).join("")
        .replace(/^\s*(\d+[.)]|[-*+])\s+/gm, "").replace(/[^\p{L}\p{N}]+/gu, ""),
    });
  }
  return { title: row.title, turns, answers: list.data.length, running: row.running };
}

const press = (locator) => locator.click({ timeout: 700 });

/** What can be done on a page; each is tried, and counts where it could be done. */
const acts = {
  async send(page, roll) {
    await composer(page).fill(PROMPTS[Math.floor(roll() * PROMPTS.length)], { timeout: 700 });
    await press(page.getByRole("button", { name: "Send", exact: true }));
  },
  async edit(page, roll) {
    const buttons = page.getByRole("button", { name: "Edit message", exact: true });
    await press(buttons.nth(Math.floor(roll() * (await buttons.count()))));
    await page.getByRole("textbox", { name: "Edit your message" }).fill(`${PROMPTS[Math.floor(roll() * PROMPTS.length)]}!`, { timeout: 700 });
    await press(page.locator(".edit button[type=submit]"));
  },
  async again(page, roll) {
    const buttons = page.getByRole("button", { name: "Answer again", exact: true });
    await press(buttons.nth(Math.floor(roll() * (await buttons.count()))));
  },
  stop: (page) => press(page.getByRole("button", { name: "Stop", exact: true })),
  async turn(page, roll) {
    const buttons = page.locator(".versions:not([hidden]) button[aria-disabled=false]");
    await press(buttons.nth(Math.floor(roll() * (await buttons.count()))));
  },
  reload: (page) => page.reload({ waitUntil: "commit" }),
  cut: (page) => page.evaluate(() => globalThis.sockets.forEach((socket) => socket.close())),
  async rename(page, roll, id) {
    await page.evaluate(([path, title]) => fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ title }) }),
      [`/v1/conversations/${id}`, `Chat ${Math.floor(roll() * 1000)}`]);
  },
};
const WEIGHTS = { send: 5, edit: 3, again: 3, stop: 3, turn: 4, reload: 1, cut: 2, rename: 1 };
const BAG = Object.entries(WEIGHTS).flatMap(([name, weight]) => Array(weight).fill(name));

test("two tabs and a phone show the same after a minute of everything, and it is what is stored", async (t) => {
  const desk = await open(browser, URL_, { expected: CUT });
  t.after(desk.close);
  await desk.context.addInitScript(keepSockets);
  await desk.page.reload();
  await desk.page.locator(".starter").first().waitFor({ timeout: PATIENCE_MS });
  await acts.send(desk.page, () => 0);
  await desk.page.locator(".turn[data-phase=completed]").waitFor({ timeout: PATIENCE_MS });
  const address = desk.page.url();
  const id = new URL(address).hash.replace("#/c/", "");
  const tab = await desk.context.newPage();
  await tab.goto(address);
  const phone = await open(browser, address, { expected: CUT, width: 390, height: 844, hasTouch: true, isMobile: true });
  t.after(phone.close);
  await phone.context.addInitScript(keepSockets);
  await phone.page.reload();
  const pages = [desk.page, tab, phone.page];
  for (const page of pages) await page.locator(".turn").first().waitFor({ timeout: PATIENCE_MS });

  const roll = dice(SEED);
  const done = Object.fromEntries(Object.keys(acts).map((name) => [name, 0]));
  const told = [];
  const began = Date.now();
  while (Date.now() - began < LASTS_MS) {
    const [at, name] = [Math.floor(roll() * pages.length), BAG[Math.floor(roll() * BAG.length)]];
    const could = await acts[name](pages[at], roll, id).then(() => true, () => false);
    told.push(`${Date.now() - began} ${at} ${name}${could ? "" : " not"}`);
    done[name] += Number(could);
    await pages[at].waitForTimeout(roll() * 250);
  }
  const story = () => told.slice(-40).join("\n");
  for (const [name, times] of Object.entries(done)) assert.ok(times > 0, `${name} was never done:\n${story()}`);
  assert.ok(done.send + done.edit + done.again >= 8, `only ${JSON.stringify(done)}:\n${story()}`);

  // Everyone is asked only to come to rest, not to be touched again.
  const calm = async () => {
    const all = await Promise.all(pages.map(shown));
    return all.every((page) => page.live === 0) && all.every((page) => JSON.stringify(page) === JSON.stringify(all[0]));
  };
  const until = Date.now() + PATIENCE_MS;
  while (!(await calm()) && Date.now() < until) await desk.page.waitForTimeout(250);
  const [one, two, three] = await Promise.all(pages.map(shown));
  const server = await stored(desk.page, id);
  t.diagnostic(`${JSON.stringify(done)}, ${server.answers} answers, ${server.turns.length} shown`);
  assert.deepEqual(two, one, story());
  assert.deepEqual(three, one, story());
  assert.equal(one.live, 0);
  assert.deepEqual(one.turns.map(({ said, text }) => ({ said, text })), server.turns, story());
  assert.equal(one.title, server.title);
});
