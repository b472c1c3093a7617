/**
 * How a chat is to be answered, what new chats begin with, settings with a name, and the sheet of keys. The
 * scripted server holds still and shows what was said to it; that what is set is followed is asked of the
 * real one, at TOKENWIRE_URL.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { model, startFake } from "../frontend/fake_server.mjs";
import { accessible, answers, composer, fits, launch, open, say } from "./browser.mjs";

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

/** A page on a scripted server, on the chat that `prepare` makes, if it makes one. */
async function visit(t, { prepare = () => null, ...options } = {}) {
  const fake = await startFake();
  const row = prepare(fake);
  const at = await open(browser, fake.url + (row ? `/#/c/${row.id}` : ""), { reducedMotion: "reduce", ...options });
  t.after(async () => {
    await at.close();
    await fake.stop();
  });
  await ready(at.page);
  return { fake, row, ...at };
}

/** The page has its extras. */
async function ready(page) {
  await page.locator(".starter, .turn").first().waitFor();
  await page.locator("dialog.settings").waitFor({ state: "attached" });
}

/** Another tab of the same browser. */
async function tab(page) {
  const other = await page.context().newPage();
  await other.goto(page.url());
  await ready(other);
  return other;
}

const seen = (locator) => locator.waitFor({ state: "visible" });
const sheet = (page) => page.getByRole("dialog", { name: /^Settings of/ });
const field = (page, name) => sheet(page).getByLabel(name, { exact: true });
const button = (page, name) => sheet(page).getByRole("button", { name, exact: true });
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent.trim());
const changed = (page, is = true) => page.waitForFunction((wanted) => document.querySelector("#settings").hasAttribute("data-changed") === wanted, is);

async function show(page) {
  // A tab that is behind another has few frames.
  await page.bringToFront();
  await page.locator("#settings").click();
  await seen(sheet(page));
}
async function hide(page) {
  await button(page, "Close").click();
  await sheet(page).waitFor({ state: "hidden" });
}

/** Types into fields and waits until the conversation has it all. */
async function set(page, values) {
  await show(page);
  for (const [name, value] of Object.entries(values)) {
    const saved = page.url().includes("#/c/") && page.waitForResponse((r) => r.request().method() === "POST" && /\/conversations\/[\w]+$/.test(r.url()));
    await field(page, name).fill(value);
    await field(page, name).blur();
    await saved;
  }
  await hide(page);
}

/** What a create said beside what it always says. */
function settingsIn({ type, stream_id, model: name, conversation, previous_response_id, input, tokenwire, ...rest }) {
  return rest;
}

/** A chat of one exchange. */
const bread = (fake, settings = {}) => {
  const row = fake.conversation("Bread");
  fake.exchange(row, "How is bread made?", "With flour.");
  return Object.assign(row, { settings });
};

/* What is set is kept with the chat, and said with each create. */

test("a new chat is given settings, which go to its conversation and are said with all that is asked in it", async (t) => {
  const { fake, page } = await visit(t);
  await set(page, { Instructions: "Answer as a baker would.", Temperature: "0,5", "Longest answer": "40", Seed: "7" });
  await changed(page);
  await say(page, "One?");
  (await fake.asked()).write("Uno").complete();
  const settings = { instructions: "Answer as a baker would.", temperature: 0.5, max_output_tokens: 40, seed: 7 };
  await seen(answers(page).getByText("Uno"));
  assert.deepEqual([...fake.conversations.values()][0].settings, settings);
  assert.equal(await page.evaluate(() => localStorage.getItem("tokenwire.fresh")), null);
  await page.locator(".answer").hover();
  await page.getByRole("button", { name: "Answer again" }).click();
  (await fake.asked()).write("Eins").complete();
  await seen(answers(page).getByText("Eins"));
  await composer(page).press("ArrowUp");
  await page.getByRole("textbox", { name: "Edit your message" }).fill("Two?");
  await page.keyboard.press("Enter");
  (await fake.asked()).write("Due").cut();
  await seen(answers(page).getByText("Due"));
  await page.getByRole("button", { name: "Continue" }).click();
  (await fake.asked()).write("Due e tre").complete();
  await seen(answers(page).getByText("Due e tre"));
  assert.deepEqual(fake.creates.slice(0, 3).map(settingsIn), [settings, settings, settings]);
  // A cut answer goes on as it was begun.
  assert.deepEqual(settingsIn(fake.creates[3]), {});
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await changed(page, false);
  await say(page, "Plain?");
  await fake.asked();
  assert.deepEqual(settingsIn(fake.creates[4]), {});
});

test("the instructions of a chat are read ahead with it", async (t) => {
  const { fake } = await visit(t, { prepare: (f) => bread(f, { instructions: "Be brief." }) });
  await fake.warmed();
  const { instructions, generate } = fake.warms[0];
  assert.deepEqual([instructions, generate], ["Be brief.", false]);
});

test("each setting is set back by itself, and an empty field shows what the model does", async (t) => {
  const { fake, page, row } = await visit(t, {
    prepare: (f) => {
      f.setModel(model("tokenwire-demo", { default: true, sampling: { temperature: 0.3, top_p: 0.9 }, max_output_tokens: 512 }));
      return bread(f, { temperature: 1.2, min_p: 0.05, model: "tokenwire-demo" });
    },
  });
  await show(page);
  assert.equal(await field(page, "Temperature").inputValue(), "1.2");
  // What is set among the rest is in sight.
  assert.equal(await field(page, "Min p").inputValue(), "0.05");
  const shown = async (name) => field(page, name).getAttribute("placeholder");
  assert.deepEqual([await shown("Temperature"), await shown("Top p"), await shown("Longest answer"), await shown("Seed"), await shown("Top k")], ["0.3", "0.9", "512", "random", "all"]);
  await button(page, "Set back: Temperature").click();
  assert.equal(await focused(page), "Temperature");
  await button(page, "Set back: Temperature").waitFor({ state: "hidden" });
  await page.waitForFunction(() => document.querySelector(".sheet-note").textContent === "Set for this chat only.");
  await button(page, "Set back: Min p").click();
  await changed(page, false);
  await seen(sheet(page).getByText("Nothing is set: the model decides."));
  assert.deepEqual(row.settings, { model: "tokenwire-demo" });
  assert.equal(await field(page, "Thinking").isVisible(), false);
  assert.equal(fake.changes.length, 2);
});

test("how much a model thinks is set where it thinks", async (t) => {
  const { fake, page } = await visit(t, {
    prepare: (f) => {
      f.setModel(model("tokenwire-demo", { default: true, capabilities: { tools: null, reasoning: true, structured_output: null } }));
      return bread(f, { reasoning_effort: "xhigh" });
    },
  });
  await show(page);
  assert.equal(await field(page, "Thinking").inputValue(), "xhigh");
  const saved = page.waitForResponse((r) => r.request().method() === "POST");
  await field(page, "Thinking").selectOption("Off");
  await saved;
  await hide(page);
  await say(page, "Quick?");
  await fake.asked();
  assert.deepEqual(settingsIn(fake.creates[0]), { reasoning: { effort: "none" } });
});

test("what can't be is said at its field and not sent, and so is what the server refuses", async (t) => {
  const { fake, page, row } = await visit(t, { prepare: bread, expected: REFUSED });
  await show(page);
  await field(page, "Temperature").fill("hot");
  await seen(sheet(page).getByRole("alert").getByText("Must be a number from 0 to 2."));
  assert.equal(await field(page, "Temperature").getAttribute("aria-invalid"), "true");
  await accessible(page, "a wrong setting");
  [fake.refusesChange, fake.refusesField] = ["`settings.top_p`: Not on this machine.", "settings.top_p"];
  await field(page, "Top p").fill("0.5");
  await seen(sheet(page).getByRole("alert").getByText("Not on this machine.", { exact: true }));
  assert.deepEqual([await field(page, "Top p").inputValue(), await field(page, "Temperature").inputValue()], ["0.5", "hot"]);
  // The right one beside them is kept, and each goes once it is right.
  await field(page, "Seed").fill("5");
  await field(page, "Seed").blur();
  await changed(page);
  await field(page, "Top p").fill("0.6");
  await field(page, "Top p").blur();
  await page.waitForFunction(() => !document.querySelector('[data-name="top_p"][data-wrong]'));
  await hide(page);
  await show(page);
  assert.equal(await field(page, "Temperature").inputValue(), "");
  assert.deepEqual(row.settings, { seed: 5, top_p: 0.6 });
  // One that is about no field is told below, and tried again.
  [fake.refusesChange, fake.refusesField] = ["The disk is full.", null];
  await field(page, "Seed").fill("6");
  await field(page, "Seed").blur();
  await seen(sheet(page).getByText("Not saved. The disk is full."));
  await button(page, "Try again").click();
  await sheet(page).getByText("Not saved.").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelector("#set-seed").value === "6");
  assert.deepEqual(row.settings, { seed: 6, top_p: 0.6 });
});

test("what could not be saved is told by the button once the sheet is closed, and waits in it", async (t) => {
  const { fake, page, row } = await visit(t, { prepare: bread, expected: REFUSED });
  await show(page);
  fake.refusesChange = "The disk is full.";
  await field(page, "Seed").pressSequentially("6");
  await page.keyboard.press("Escape");
  await seen(page.getByRole("button", { name: "Settings of this chat, not saved" }));
  await accessible(page, "settings that are not saved");
  await show(page);
  assert.equal(await field(page, "Seed").inputValue(), "6");
  await button(page, "Try again").click();
  await hide(page);
  await seen(page.getByRole("button", { name: "Settings of this chat, changed" }));
  assert.deepEqual(row.settings, { seed: 6 });
  // What is typed and left at once is said once.
  assert.deepEqual(fake.changes, [{ settings: { seed: 6 } }]);
});

test("another tab and another device follow, and take nothing from what is being typed", async (t) => {
  const { fake, page, row } = await visit(t, { prepare: bread });
  const other = await tab(page);
  await show(other);
  await set(page, { Temperature: "0.9" });
  await other.waitForFunction(() => document.querySelector("#set-temperature").value === "0.9");
  await changed(other);
  await field(other, "Seed").pressSequentially("12");
  fake.tell(row, { settings: { temperature: 0.4, seed: 99, top_k: 3 } });
  await other.waitForFunction(() => document.querySelector("#set-temperature").value === "0.4");
  assert.equal(await field(other, "Seed").inputValue(), "12");
  await field(other, "Seed").blur();
  await page.waitForFunction(() => document.querySelector("#settings").hasAttribute("data-changed"));
  await show(page);
  await page.waitForFunction(() => document.querySelector("#set-seed").value === "12");
  assert.deepEqual(row.settings, { temperature: 0.4, seed: 12, top_k: 3 });
});

test("the settings of a chat that isn't there yet survive a reload", async (t) => {
  const { fake, page } = await visit(t);
  await set(page, { Seed: "3" });
  await page.reload();
  await ready(page);
  await changed(page);
  await say(page, "One?");
  await fake.asked();
  assert.deepEqual(settingsIn(fake.creates[0]), { seed: 3 });
});

test("a sheet that stands open goes with its chat, and nothing of it reaches another", async (t) => {
  const { fake, page, row } = await visit(t, { prepare: bread });
  await show(page);
  await field(page, "Seed").pressSequentially("4");
  fake.conversations.delete(row.id);
  fake.say({ type: "tokenwire:conversation.changed", sequence_number: 0, op: "deleted", conversation_id: row.id, conversation: null });
  await sheet(page).waitFor({ state: "hidden" });
  await show(page);
  await seen(page.getByRole("heading", { name: "Settings of the new chat" }));
  assert.equal(await field(page, "Seed").inputValue(), "");
});

/* What new chats begin with, and presets. */

test("new chats begin with what was chosen for them, and only they", async (t) => {
  const { fake, page, row } = await visit(t, { prepare: (f) => bread(f, { temperature: 0.2 }) });
  const other = await tab(page);
  await show(page);
  await button(page, "Use for new chats").click();
  await changed(page, false);
  await changed(other, false);
  assert.equal(await button(page, "Use for new chats").getAttribute("aria-disabled"), "true");
  await seen(sheet(page).getByText("New chats begin like this now."));
  await hide(page);
  await show(page);
  await seen(sheet(page).getByText("New chats begin with these settings."));
  await hide(page);
  await other.getByRole("link", { name: "New chat", exact: true }).first().click();
  await say(other, "One?");
  (await fake.asked()).write("Uno").complete();
  assert.deepEqual(settingsIn(fake.creates[0]), { temperature: 0.2 });
  await set(other, { Temperature: "1" });
  assert.deepEqual(row.settings, { temperature: 0.2 });
  await show(other);
  await seen(sheet(other).getByText("Other than what new chats begin with."));
  await button(other, "Reset").click();
  await other.waitForFunction(() => document.querySelector("#set-temperature").value === "0.2");
  await button(other, "Undo").click();
  await other.waitForFunction(() => document.querySelector("#set-temperature").value === "1");
});

test("settings are given a name, used in another chat, named anew, deleted and brought back", async (t) => {
  const { fake, page } = await visit(t, { prepare: (f) => bread(f, { temperature: 0.2, instructions: "Be brief." }) });
  const other = await tab(page);
  await show(page);
  await button(page, "Save as a preset").click();
  await page.keyboard.type("Brief");
  await page.keyboard.press("Enter");
  assert.equal(await button(page, "Brief").getAttribute("aria-pressed"), "true");
  assert.equal(await focused(page), "Brief");
  await accessible(page, "a preset");
  await hide(page);
  await other.getByRole("link", { name: "New chat", exact: true }).first().click();
  await set(other, { Seed: "1" });
  await show(other);
  await button(other, "Brief").click();
  await seen(sheet(other).getByText("“Brief” is in force"));
  assert.deepEqual([await field(other, "Seed").inputValue(), await field(other, "Instructions").inputValue()], ["", "Be brief."]);
  await button(other, "Undo").click();
  await other.waitForFunction(() => document.querySelector("#set-seed").value === "1");
  await button(other, "Brief").click();
  await button(other, "Rename").click();
  await other.keyboard.press("Escape");
  await button(other, "Rename").click();
  await other.keyboard.type("Terse");
  await button(other, "Save").click();
  await seen(button(other, "Terse"));
  await hide(other);
  await say(other, "One?");
  await fake.asked();
  assert.deepEqual(settingsIn(fake.creates[0]), { temperature: 0.2, instructions: "Be brief." });
  await page.reload();
  await ready(page);
  await show(page);
  assert.equal(await button(page, "Terse").getAttribute("aria-pressed"), "true");
  await button(page, "Delete").click();
  await button(page, "Terse").waitFor({ state: "detached" });
  assert.equal(await focused(page), "Save as a preset");
  await button(page, "Undo").click();
  await seen(button(page, "Terse"));
});

/* Reached by all, seen by all. */

test("settings are found, changed and left by keys alone", async (t) => {
  const { page, row } = await visit(t, { prepare: bread });
  await page.locator("#toggle-sidebar").focus();
  for (let i = 0; i < 6 && (await focused(page)) !== "Settings of this chat"; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await seen(sheet(page));
  await page.waitForFunction(() => document.activeElement.id === "set-instructions");
  await page.keyboard.type("Be brief.");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Set back: Instructions");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Temperature");
  await page.keyboard.type("0.1");
  await page.keyboard.press("Escape");
  await sheet(page).waitFor({ state: "hidden" });
  assert.equal(await focused(page), "Settings of this chat, changed");
  await page.waitForFunction(() => document.querySelector("#set-temperature").value === "0.1");
  // The focus goes round inside, and a key of the page leaves first.
  await page.keyboard.press("Enter");
  await seen(sheet(page));
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog.settings")));
  }
  await page.keyboard.press("Control+Shift+O");
  await sheet(page).waitFor({ state: "hidden" });
  assert.equal(await focused(page), "Message");
  assert.deepEqual(row.settings, { instructions: "Be brief.", temperature: 0.1 });
});

test("an answer that is being written isn't stopped by the Esc that closes a sheet", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Count");
  const answer = await fake.asked();
  answer.write("One");
  await seen(answers(page).getByText("One"));
  await show(page);
  await page.keyboard.press("Escape");
  await sheet(page).waitFor({ state: "hidden" });
  answer.write(", two").complete();
  await seen(answers(page).getByText("One, two"));
});

for (const colorScheme of ["light", "dark"]) {
  test(`on a phone of 360 px the sheet takes the whole width, ${colorScheme}`, async (t) => {
    const { fake, page, row } = await visit(t, {
      ...PHONE, colorScheme,
      prepare: (f) => {
        f.setModel(model("tokenwire-demo", { default: true, capabilities: { tools: null, reasoning: true, structured_output: null } }));
        return bread(f, { temperature: 1.2, top_k: 3 });
      },
    });
    await page.evaluate(() => localStorage.setItem("tokenwire.presets", JSON.stringify(
      ["Short", "A name that is much longer than the screen is wide, as a name may be"].map((name, seed) => ({ name, settings: { seed } })))));
    await accessible(page, "a chat with settings");
    await page.locator("#settings").tap();
    await seen(sheet(page));
    const box = await sheet(page).boundingBox();
    assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, PHONE.width, PHONE.height]);
    assert.ok(await sheet(page).evaluate((node) => [...node.querySelectorAll("*")].every((n) => n.getBoundingClientRect().right <= innerWidth)));
    // No keyboard pops up over it.
    assert.ok(await page.evaluate(() => document.activeElement.tagName !== "TEXTAREA"));
    await accessible(page, "settings on a phone");
    await button(page, "Short").tap();
    await page.waitForFunction(() => document.querySelector("#set-seed").value === "0");
    assert.deepEqual(row.settings, { seed: 0 });
    await hide(page);
    await page.getByRole("button", { name: "List of chats" }).tap();
    await page.getByRole("button", { name: "Keyboard shortcuts" }).tap();
    await seen(page.getByRole("dialog", { name: "Keyboard shortcuts" }));
    await accessible(page, "keys on a phone");
    await fits(page);
    assert.equal(fake.changes.length, 1);
  });

  test(`settings and keys have no fault that axe knows of, ${colorScheme}`, async (t) => {
    const { page } = await visit(t, { colorScheme, prepare: (f) => bread(f, { temperature: 1.2 }) });
    await show(page);
    await page.locator(".set-more summary").click();
    await accessible(page, "settings");
    await button(page, "Reset").click();
    await seen(button(page, "Undo"));
    await accessible(page, "settings that are set back");
    await hide(page);
    await page.keyboard.press("Control+/");
    await seen(page.getByRole("dialog", { name: "Keyboard shortcuts" }));
    await accessible(page, "keys");
  });
}

/* The sheet of keys. */

test("the keys are shown by Ctrl+/, by ? outside a text and by a button, and the focus comes back", async (t) => {
  const { page } = await visit(t, { prepare: bread });
  const keys = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await composer(page).focus();
  await page.keyboard.type("Why?");
  assert.equal(await composer(page).inputValue(), "Why?");
  await page.keyboard.press("Control+/");
  await seen(keys);
  await page.keyboard.press("Escape");
  await keys.waitFor({ state: "hidden" });
  assert.equal(await focused(page), "Message");
  await page.locator("#theme").focus();
  await page.keyboard.press("?");
  await seen(keys);
  await page.keyboard.press("Escape");
  await keys.waitFor({ state: "hidden" });
  assert.match(await focused(page), /^Theme/);
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await seen(keys);
  // A press beside it.
  await page.mouse.click(5, 5);
  await keys.waitFor({ state: "hidden" });
  assert.equal(await focused(page), "Keyboard shortcuts");
  await page.keyboard.press("Control+/");
  await seen(keys);
  await page.keyboard.press("Control+K");
  await keys.waitFor({ state: "hidden" });
  assert.equal(await focused(page), "Search chats");
});

test("an arrow up in the empty message box takes up what was said last", async (t) => {
  const { fake, page } = await visit(t, { prepare: bread });
  await composer(page).fill("draft");
  await composer(page).press("ArrowUp");
  assert.equal(await focused(page), "Message");
  await composer(page).fill("");
  await composer(page).press("ArrowUp");
  await page.waitForFunction(() => document.activeElement.getAttribute("aria-label") === "Edit your message");
  assert.equal(await page.getByRole("textbox", { name: "Edit your message" }).inputValue(), "How is bread made?");
  await page.keyboard.press("Escape");
  await page.getByRole("textbox", { name: "Edit your message" }).waitFor({ state: "detached" });
  await say(page, "And rolls?");
  (await fake.asked()).write("So");
  await seen(answers(page).getByText("So"));
  // While it writes nothing is asked in another way.
  await composer(page).press("ArrowUp");
  assert.equal(await page.getByRole("textbox", { name: "Edit your message" }).count(), 0);
});

/* The real server does what it is told. */

async function real(t) {
  const at = await open(browser, URL_);
  t.after(at.close);
  at.page.setDefaultTimeout(PATIENCE);
  await ready(at.page);
  await at.page.locator('#model-dot[data-state="ready"]').waitFor();
  return at.page;
}
const ended = (page, phase = "completed") => page.locator(`.turn[data-phase=${phase}]`).last().waitFor();
const text = (page) => answers(page).last().textContent();

test("with the real server the longest answer is cut there, in another tab and after a reload too", async (t) => {
  const page = await real(t);
  await show(page);
  // What the model's maker chose.
  assert.deepEqual([await field(page, "Temperature").getAttribute("placeholder"), await field(page, "Top p").getAttribute("placeholder")], ["0.3", "0.9"]);
  await hide(page);
  await set(page, { "Longest answer": "12" });
  await say(page, "Count from 1 to 200.");
  await ended(page, "cut");
  await page.locator(".answer").hover();
  await page.getByRole("button", { name: "Details of this answer" }).click();
  await seen(page.locator(".facts").getByText("12 tokens", { exact: true }));
  const other = await tab(page);
  other.setDefaultTimeout(PATIENCE);
  await show(other);
  await other.waitForFunction(() => document.querySelector("#set-max_output_tokens").value === "12");
  await hide(other);
  await set(page, { "Longest answer": "15" });
  await show(other);
  await other.waitForFunction(() => document.querySelector("#set-max_output_tokens").value === "15");
  await hide(other);
  await page.bringToFront();
  await page.reload();
  await ready(page);
  await changed(page);
  await page.locator(".answer").hover();
  await page.getByRole("button", { name: "Answer again" }).click();
  await page.locator(".turn[data-live]").waitFor({ state: "detached" });
  await page.locator(".answer").hover();
  await page.getByRole("button", { name: "Details of this answer" }).click();
  await seen(page.locator(".facts").getByText("15 tokens", { exact: true }));
});

test("with the real server a seed makes the same answer again, and another makes another", async (t) => {
  const page = await real(t);
  await set(page, { Temperature: "2", "Longest answer": "40", Seed: "11" });
  await say(page, "Tell me a story about Ada and a dragon");
  await page.locator(".turn:not([data-live])").waitFor();
  const first = await text(page);
  const again = async (version) => {
    await page.locator(".answer").hover();
    await page.getByRole("button", { name: "Answer again" }).click();
    await seen(page.getByRole("group", { name: "Versions of this answer" }).getByText(version));
    await page.locator(".turn:not([data-live])").waitFor();
    return text(page);
  };
  assert.equal(await again("2/2"), first);
  await set(page, { Seed: "12" });
  assert.notEqual(await again("3/3"), first);
});

test("with the real server another client's settings show at once, and the bounds are the server's own", async (t) => {
  const page = await real(t);
  await say(page, "What can you do?");
  await ended(page);
  const settle = (settings) => page.evaluate(async (all) => {
    const response = await fetch(`/v1/conversations/${location.hash.split("/")[2]}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ settings: all }) });
    return (await response.json()).settings;
  }, settings);
  const least = { temperature: 0, top_p: 0.01, max_output_tokens: 1, seed: -(2 ** 53) + 1, top_k: 0, min_p: 0, repetition_penalty: 0.01, presence_penalty: -2, frequency_penalty: -2 };
  const most = { temperature: 2, top_p: 1, max_output_tokens: 2 ** 31 - 1, seed: 2 ** 53 - 1, top_k: 2 ** 31 - 1, min_p: 1, repetition_penalty: 10, presence_penalty: 2, frequency_penalty: 2 };
  await show(page);
  await page.locator(".set-more summary").click();
  for (const settings of [least, most]) {
    assert.deepEqual(await settle(settings), settings);
    for (const [name, value] of Object.entries(settings)) {
      await page.waitForFunction(([id, wanted]) => document.getElementById(id).value === wanted, [`set-${name}`, String(value)]);
      assert.equal(await page.locator(`#set-${name}`).getAttribute("aria-invalid"), null, name);
    }
  }
});
