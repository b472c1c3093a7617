/**
 * The list of chats at the side: pinned, put away and brought back, named by hand or by a model, stopped from
 * there. Most of it against the scripted server, which holds still; the rest against the real one, at
 * TOKENWIRE_URL, in two tabs at once.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startFake } from "../frontend/fake_server.mjs";
import { accessible, answers, fits, launch, open, say, underway } from "./browser.mjs";

const URL_ = process.env.TOKENWIRE_URL;
const PATIENCE = 90_000;
const PHONE = { width: 360, height: 740, hasTouch: true, isMobile: true };
const REFUSED = /Failed to load resource/;

let browser;
before(async () => {
  assert.ok(URL_, "TOKENWIRE_URL names the server to test; none is set.");
  browser = await launch();
});
after(() => browser?.close());

/** A page on a scripted server. */
async function visit(t, options = {}) {
  const fake = await startFake();
  const made = options.prepare?.(fake);
  const at = await open(browser, fake.url + (options.path?.(made) ?? ""), options);
  t.after(async () => {
    await at.close();
    await fake.stop();
  });
  await at.page.locator(".starter, .turn").first().waitFor();
  return { fake, made, ...at };
}

/** A page on the real server. */
async function visitReal(t, options = {}, context = null) {
  if (context) {
    const page = await context.newPage();
    await page.goto(URL_);
    await page.locator(".starter, .turn").first().waitFor();
    return page;
  }
  const at = await open(browser, URL_, options);
  t.after(at.close);
  at.page.setDefaultTimeout(PATIENCE);
  await at.page.locator(".starter, .turn").first().waitFor();
  return at.page;
}

const seen = (locator) => locator.waitFor({ state: "visible" });
const chat = (page, name) => page.locator("#history").getByRole("link", { name, exact: true });
const options = (page, name) => page.getByRole("button", { name: `Options for ${name}` });
const away = (page) => page.locator("#history").getByRole("button", { name: "Archived", exact: true });
const rest = (page) => page.waitForFunction(() => document.querySelector("#undo").textContent === "", null, { timeout: 15_000 });

async function choose(page, name, item) {
  await chat(page, name).hover();
  await options(page, name).click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}

/** Headings and titles, as they stand. */
const listed = (page) => page.locator("#history").evaluate((nav) => [...nav.querySelectorAll("h2, .row-name")].map((n) => (n.matches("h2") ? `# ${n.textContent}` : n.textContent)));
const becomes = async (page, expected) => {
  await page.waitForFunction((text) => [...document.querySelectorAll("#history h2, #history .row-name")].map((n) => n.textContent).join("|") === text, expected.map((e) => e.replace(/^# /, "")).join("|"));
  assert.deepEqual(await listed(page), expected);
};
const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");

const DAY = 86_400;
const now = () => Math.floor(Date.now() / 1000);
/** Three chats of three days; the oldest lies beyond the first page where there are `others`. */
function library(fake, others = 0) {
  for (let i = 0; i < others; i++) fake.conversation(`Other ${i}`, now() - 3 * DAY - i);
  return { bread: fake.conversation("Bread", now()), ice: fake.conversation("Ice", now() - 2 * DAY), tea: fake.conversation("Tea", now() - 40 * DAY) };
}

test("a chat is pinned above the days and goes back, on this page and by news", async (t) => {
  const { fake, page, made } = await visit(t, { prepare: library });
  const month = new Date((now() - 40 * DAY) * 1000).toLocaleDateString("en", { month: "long", year: "numeric" });
  await becomes(page, ["# Today", "Bread", "# Previous 7 days", "Ice", `# ${month}`, "Tea"]);
  await choose(page, "Ice", "Pin");
  await becomes(page, ["# Pinned", "Ice", "# Today", "Bread", `# ${month}`, "Tea"]);
  fake.tell(made.tea, { pinned: true });
  await becomes(page, ["# Pinned", "Ice", "Tea", "# Today", "Bread"]);
  await accessible(page, "pinned");
  await choose(page, "Ice", "Unpin");
  await becomes(page, ["# Pinned", "Tea", "# Today", "Bread", "# Previous 7 days", "Ice"]);
  assert.deepEqual(fake.changes, [{ pinned: true }, { pinned: false }]);
});

test("what is pinned is there from the start, however old it is", async (t) => {
  const { page } = await visit(t, { prepare: (f) => fakePinned(library(f, 60)) });
  assert.deepEqual((await listed(page)).slice(0, 4), ["# Pinned", "Tea", "# Today", "Bread"]);
});
const fakePinned = (made) => Object.assign(made.tea, { pinned: true });

test("a chat is put away, taken back, found among the archived and brought back, by the keyboard alone", async (t) => {
  const { fake, page } = await visit(t, { prepare: library });
  await seen(chat(page, "Bread"));
  assert.equal(await away(page).count(), 0);
  await chat(page, "Bread").focus();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const openMenu = async () => {
    await press("Tab", "Enter");
    await page.waitForFunction(() => document.activeElement.textContent === "Rename");
  };
  await openMenu();
  await press("ArrowDown", "ArrowDown");
  assert.equal(await focused(page), "Archive");
  await press("Enter");
  await chat(page, "Bread").waitFor({ state: "detached" });
  // The next one has the focus, and the way back is told.
  assert.equal(await focused(page), "Ice");
  await seen(page.getByRole("status").getByText("Archived “Bread”"));
  await page.getByRole("button", { name: "Undo" }).press("Enter");
  await seen(chat(page, "Bread"));
  assert.deepEqual(fake.changes, [{ archived: true }, { archived: false }]);
  await chat(page, "Bread").focus();
  await openMenu();
  await press("ArrowDown", "ArrowDown", "Enter");
  await seen(away(page));
  await away(page).press("Enter");
  await becomes(page, ["# Archived", "# Today", "Bread"]);
  assert.equal(await focused(page), "Back to the list of chats");
  await seen(page.getByRole("navigation", { name: "Archived chats" }));
  await accessible(page, "archived");
  await chat(page, "Bread").focus();
  await openMenu();
  assert.equal(await page.getByRole("menuitem", { name: "Pin" }).count(), 0);
  await press("ArrowDown");
  assert.equal(await focused(page), "Unarchive");
  await press("Enter");
  await seen(page.getByText("Nothing is archived."));
  await page.getByRole("button", { name: "Back to the list of chats" }).press("Enter");
  await seen(chat(page, "Bread"));
  assert.equal(await away(page).count(), 0);
  assert.equal(await focused(page), "Bread");
});

test("the archive is read page by page, and a chat in it is opened and found", async (t) => {
  const { page } = await visit(t, {
    prepare: (f) => {
      for (let i = 0; i < 60; i++) f.conversation(`Old ${i}`, now() - 100 - i).archived = true;
      const tea = f.conversation("Tea");
      f.exchange(tea, "Which tea?", "Green tea.");
      tea.archived = true;
    },
  });
  await away(page).click();
  await chat(page, "Old 10").waitFor();
  await page.locator("#history").evaluate((n) => { n.scrollTop = n.scrollHeight; });
  await chat(page, "Old 59").waitFor();
  await chat(page, "Tea").click();
  await seen(answers(page).getByText("Green tea."));
  assert.equal(await page.title(), "Tea · Tokenwire");
  await page.keyboard.press("Control+K");
  await page.keyboard.type("green");
  await seen(page.locator("#results .hit-about").getByText("Archived"));
  await accessible(page, "archived hit");
});

test("what is put away elsewhere leaves the list, and deleting from the archive can be taken back", async (t) => {
  const { fake, page, made } = await visit(t, { prepare: library });
  await seen(chat(page, "Bread"));
  fake.tell(made.bread, { archived: true });
  await chat(page, "Bread").waitFor({ state: "detached" });
  await away(page).click();
  await choose(page, "Bread", "Delete");
  await seen(page.getByText("Nothing is archived."));
  await page.getByRole("button", { name: "Undo" }).click();
  await seen(chat(page, "Bread"));
});

test("a title of the model's shows when it comes, and never takes a typed one's place", async (t) => {
  const { fake, page, made } = await visit(t, { prepare: library });
  await seen(chat(page, "Bread"));
  fake.tell(made.bread, { title: "Sourdough for beginners" });
  await seen(chat(page, "Sourdough for beginners"));
  // While it is typed, another comes.
  await chat(page, "Sourdough for beginners").dblclick();
  const field = page.getByRole("textbox", { name: "Title of the chat" });
  await field.fill("My br");
  fake.tell(made.bread, { title: "Baking with yeast" });
  fake.tell(made.ice, { title: "Snow" });
  await seen(chat(page, "Snow"));
  assert.equal(await field.inputValue(), "My br");
  await field.pressSequentially("ead");
  await page.keyboard.press("Enter");
  await seen(chat(page, "My bread"));
  assert.deepEqual(fake.changes, [{ title: "My bread" }]);
  // Opened and left as it was, it is not typed.
  await chat(page, "Snow").dblclick();
  fake.tell(made.ice, { title: "Ice and snow" });
  fake.tell(made.tea, { title: "Green tea" });
  await seen(chat(page, "Green tea"));
  await page.keyboard.press("Enter");
  await seen(chat(page, "Ice and snow"));
  assert.deepEqual(fake.changes, [{ title: "My bread" }]);
});

test("each chat that is being answered says so and is stopped from the list, the one on screen goes on", async (t) => {
  const { fake, page } = await visit(t, {});
  await say(page, "Count slowly");
  const first = await fake.asked();
  first.write("One, two");
  await seen(answers(page).getByText("One, two"));
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await say(page, "Sing to me");
  const second = await fake.asked();
  second.write("La, la");
  await seen(answers(page).getByText("La, la"));
  assert.equal(await page.getByRole("img", { name: "an answer is being written" }).count(), 2);
  await accessible(page, "two answers");
  await chat(page, /^Count slowly/).focus();
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Stop the answer in Count slowly");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".row-running:not([hidden])").length === 1);
  assert.equal(first.response.status, "cancelled");
  assert.equal(await focused(page), "Count slowly");
  second.write(", la").complete();
  await seen(answers(page).getByText("La, la, la"));
  await page.keyboard.press("Enter");
  await seen(page.getByText("Stopped", { exact: true }));
  assert.equal(await answers(page).textContent(), "One, two");
});

test("an answer of another page is stopped from the list too", async (t) => {
  const { fake, page } = await visit(t, { prepare: library });
  await seen(chat(page, "Tea"));
  const answer = fake.begin([...fake.conversations.values()].find((c) => c.title === "Tea"), "Which tea?");
  answer.write("Green");
  const stop = page.getByRole("button", { name: "Stop the answer in Tea" });
  await stop.click();
  await stop.waitFor({ state: "hidden" });
  assert.equal(answer.response.status, "cancelled");
});

test("what the server refuses is said and comes back", async (t) => {
  const { fake, page } = await visit(t, { prepare: library, expected: REFUSED });
  await seen(chat(page, "Bread"));
  fake.refusesChange = "The disk is full.";
  await choose(page, "Bread", "Archive");
  await seen(page.getByRole("status").getByText("“Bread” was not archived. The disk is full."));
  await seen(chat(page, "Bread"));
  fake.refusesChange = "The disk is full.";
  await choose(page, "Bread", "Pin");
  await seen(page.getByText("“Bread” was not pinned. The disk is full."));
  assert.equal((await listed(page))[0], "# Today");
  await rest(page);
});

test("on a phone of 360 px all of it is reached by touch and fits, in the dark", async (t) => {
  const { fake, page } = await visit(t, { ...PHONE, colorScheme: "dark", prepare: (f) => library(f, 30) });
  const answer = fake.begin([...fake.conversations.values()].find((c) => c.title === "Ice"), "How cold?");
  answer.write("Very");
  await page.getByRole("button", { name: "List of chats" }).tap();
  await page.locator("body[data-drawer=open]").waitFor();
  await page.getByRole("button", { name: "Stop the answer in Ice" }).tap();
  await page.getByRole("button", { name: "Stop the answer in Ice" }).waitFor({ state: "hidden" });
  assert.equal(answer.response.status, "cancelled");
  await options(page, "Ice").tap();
  await page.getByRole("menuitem", { name: "Pin" }).tap();
  await becomesFirst(page, ["# Pinned", "Ice"]);
  // The last row's menu is on the screen too.
  const last = page.locator("#history .row").last();
  await last.scrollIntoViewIfNeeded();
  await last.getByRole("button", { name: /^Options for/ }).tap();
  const menu = await page.locator("#row-menu").boundingBox();
  assert.ok(menu.y >= 0 && menu.y + menu.height <= PHONE.height && menu.x + menu.width <= PHONE.width, JSON.stringify(menu));
  await accessible(page, "menu on a phone");
  await page.getByRole("menuitem", { name: "Archive" }).tap();
  await page.getByText("Archived “").waitFor();
  await away(page).scrollIntoViewIfNeeded();
  await away(page).tap();
  await becomesFirst(page, ["# Archived"]);
  await accessible(page, "archive on a phone");
  await fits(page);
});
const becomesFirst = (page, expected) =>
  page.waitForFunction((first) => [...document.querySelectorAll("#history h2, #history .row-name")].slice(0, first.length).map((n) => n.textContent).join("|") === first.join("|"), expected.map((e) => e.replace(/^# /, "")));

test("with the real server a chat is the same in two tabs and after a reload", async (t) => {
  const page = await visitReal(t);
  const title = `What can you do, number ${Date.now()}?`;
  await say(page, title);
  await page.locator(".turn[data-phase=completed]").waitFor();
  const other = await visitReal(t, {}, page.context());
  await choose(page, title, "Pin");
  await other.waitForFunction((name) => document.querySelector("#history h2")?.textContent === "Pinned" && document.querySelector("#history .row-name").textContent === name, title);
  await chat(other, title).dblclick();
  await other.getByRole("textbox", { name: "Title of the chat" }).fill(`Mine ${title}`);
  await other.keyboard.press("Enter");
  await seen(chat(page, `Mine ${title}`));
  await choose(other, `Mine ${title}`, "Archive");
  await chat(page, `Mine ${title}`).waitFor({ state: "detached" });
  await page.reload();
  await away(page).click();
  await seen(chat(page, `Mine ${title}`));
  await choose(page, `Mine ${title}`, "Unarchive");
  await seen(chat(other, `Mine ${title}`));
  assert.equal((await listed(other))[0], "# Pinned");
  await choose(other, `Mine ${title}`, "Unpin");
  await page.getByRole("button", { name: "Back to the list of chats" }).click();
  await page.waitForFunction(() => document.querySelector("#history h2")?.textContent === "Today");
});

test("with the real server an answer is stopped from the list of another chat", async (t) => {
  const page = await underway(() => visitReal(t));
  const address = new URL(page.url()).hash;
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await page.locator(".starter").first().waitFor();
  const row = page.locator(".row", { has: page.locator(`[href="${address}"]`) });
  await row.hover();
  await row.getByRole("button", { name: /^Stop the answer in/ }).click();
  await row.locator(".row-running").waitFor({ state: "hidden" });
  await row.getByRole("link").click();
  await seen(page.getByText("Stopped", { exact: true }));
});
