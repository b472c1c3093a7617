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
  // What fades in has the contrast of what is half there.
  const at = await open(browser, fake.url + (options.path?.(fake) ?? ""), { reducedMotion: "reduce", ...options });
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

/* Files. */

/** Drops files on the window, as the browser does. */
const drop = (page, files, { over = true } = {}) => page.evaluate(([list, seenOver]) => {
  const dataTransfer = new DataTransfer();
  for (const [name, content] of list) dataTransfer.items.add(new File([typeof content === "string" ? content : new Uint8Array(content)], name));
  const fire = (type) => document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  if (seenOver) (fire("dragenter"), fire("dragover"));
  return fire("drop");
}, [files, over]);
/** As the clipboard gives it. */
const paste = (page, text, files = []) => composer(page).evaluate((box, [words, list]) => {
  const clipboardData = new DataTransfer();
  if (words) clipboardData.setData("text/plain", words);
  for (const [name, content] of list) clipboardData.items.add(new File([content], name));
  box.focus();
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  if (box.dispatchEvent(event) && words) document.execCommand("insertText", false, words);
}, [text, files]);
const chips = (page) => page.getByRole("list", { name: "Files that go with the message" }).getByRole("listitem");
const notes = (page) => page.locator("#file-notes");
const CSV = "name,age\nAda,36\n";

test("files that are dropped are chips, go with the message, and are folded in it, also after a reload", async (t) => {
  const { fake, page } = await visit(t);
  assert.equal(await drop(page, [["people.csv", CSV], ["a long name of a file that nobody can read in one line.py", "print(1)\n".repeat(500)]]), false);
  await seen(chips(page).getByText("people.csv"));
  assert.equal(await chips(page).count(), 2);
  await accessible(page, "files");
  await composer(page).fill("Who is the oldest?");
  await composer(page).press("Enter");
  const answer = await fake.asked();
  assert.ok(answer.prompt.startsWith(`\`\`\`csv file: people.csv\n${CSV}\`\`\`\n\n\`\`\`py file: a long name`), answer.prompt.slice(0, 90));
  assert.ok(answer.prompt.endsWith("print(1)\n\`\`\`\n\nWho is the oldest?"));
  assert.equal(await chips(page).count(), 0);
  answer.write("Ada.").complete();
  for (const again of [false, true]) {
    if (again) await page.reload();
    const message = page.locator(".said");
    await seen(message.getByText("Who is the oldest?"));
    assert.equal(await message.locator("pre").count(), 0);
    await message.getByText("people.csv").click();
    await seen(message.locator("pre", { hasText: "Ada,36" }));
    await accessible(page, "a file in a message");
  }
  assert.equal(await page.title(), "Who is the oldest? · Tokenwire");
});

test("a drop on the window shows where it goes, and what is no file is left alone", async (t) => {
  const { page } = await visit(t);
  await measures(page, "0 of 2,048");
  const overlay = page.locator("#drop");
  const drag = (type, file) => page.evaluate(([kind, isFile]) => {
    const dataTransfer = new DataTransfer();
    if (isFile) dataTransfer.items.add(new File(["x"], "x.md"));
    else dataTransfer.setData("text/plain", "words");
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }, [type, file]);
  await drag("dragenter", false);
  assert.equal(await overlay.isVisible(), false);
  await drag("dragenter", true);
  await seen(overlay.getByText("Drop text files to attach them to your message"));
  await accessible(page, "a drag");
  await drag("dragleave", true);
  await overlay.waitFor({ state: "hidden" });
  await drag("dragenter", true);
  await drag("drop", true);
  await overlay.waitFor({ state: "hidden" });
  await seen(chips(page).getByText("x.md"));
});

test("what can't come along is refused in words, and the rest comes", async (t) => {
  const { page } = await visit(t);
  await drop(page, [["photo.png", [137, 80, 78, 71, 0, 0]], ["notes.md", "# Notes"], ["huge.log", "x".repeat(600_000)]]);
  await seen(chips(page).getByText("notes.md"));
  await seen(notes(page).getByText("photo.png isn't text; only text files can go with a message."));
  await seen(notes(page).getByText("huge.log is larger than 512 kB, the most that a file can have."));
  await accessible(page, "refused files");
  await notes(page).getByRole("button", { name: "Close" }).click();
  assert.equal(await notes(page).textContent(), "");
  await drop(page, Array.from({ length: 9 }, (_, i) => [`f${i}.txt`, "x"]));
  await seen(notes(page).getByText("f8.txt was left out: 8 files can go with a message."));
  assert.equal(await chips(page).count(), 8);
});

test("files are pasted, removed by keyboard, and sent without a word", async (t) => {
  const { fake, page } = await visit(t);
  await paste(page, "", [["a.md", "A"], ["b.md", "B"]]);
  await seen(chips(page).getByText("b.md"));
  await page.getByRole("button", { name: "Remove a.md" }).press("Enter");
  await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Remove b.md");
  await composer(page).press("Enter");
  assert.equal((await fake.asked()).prompt, "```md file: b.md\nB\n```");
});

test("a long text that is pasted may be a file instead", async (t) => {
  const { fake, page } = await visit(t);
  const words = "All work and no play. ".repeat(300).trim();
  await composer(page).fill("Sum up: ");
  await paste(page, words);
  await seen(notes(page).getByText("That is a long text: 6,599 characters."));
  await accessible(page, "a long paste");
  await page.getByRole("button", { name: "Attach it as a file" }).click();
  await seen(chips(page).getByText("pasted.txt"));
  assert.equal(await composer(page).inputValue(), "Sum up: ");
  await composer(page).press("Enter");
  assert.equal((await fake.asked()).prompt, `\`\`\`txt file: pasted.txt\n${words}\n\`\`\`\n\nSum up:`);
});

test("files are chosen by a button, and kept with the draft of their chat until the server has them", async (t) => {
  const { fake, page } = await visit(t, { ...PHONE });
  const choosing = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Attach text files" }).tap();
  await (await choosing).setFiles([{ name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("# Notes\n") }]);
  await seen(chips(page).getByText("notes.md"));
  await fits(page);
  await page.reload();
  await seen(chips(page).getByText("notes.md"));
  fake.refusal = { type: "rate_limit_error", code: "rate_limit_exceeded", message: "Too many." };
  await page.getByRole("button", { name: "Send" }).tap();
  await seen(page.getByText("The line is full right now."));
  assert.equal(await chips(page).count(), 0);
  await page.goto(fake.url);
  await page.reload();
  await seen(chips(page).getByText("notes.md"));
  await page.getByRole("button", { name: "Send" }).tap();
  (await fake.asked()).write("Read.").complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  await page.goto(fake.url);
  await page.reload();
  await page.locator(".starter").first().waitFor();
  assert.equal(await chips(page).count(), 0);
});

test("files that the browser can't keep are said to be lost by a reload", async (t) => {
  const { page } = await visit(t);
  await drop(page, Array.from({ length: 5 }, (_, i) => [`f${i}.txt`, "x".repeat(500_000)]));
  await seen(notes(page).getByText("Too large to be kept in this browser: a reload loses what is attached here."));
  assert.equal(await chips(page).count(), 5);
});

test("an attached file is read ahead while its question is typed", async (t) => {
  const { fake, page } = await visit(t);
  await measures(page, "0 of 2,048");
  await drop(page, [["notes.md", "word ".repeat(300)]]);
  const reading = await fake.warmed();
  assert.match(fake.warms[0].input[0].content, /^```md file: notes\.md\nword /);
  assert.equal(fake.warms[0].previous_response_id, null);
  await composer(page).fill("What is it about?");
  reading.read(420);
  await measures(page, "420 are read already.");
  assert.equal(fake.warms.length, 1);
});

test("a message with a file is edited by its words, and keeps its file", async (t) => {
  const { fake, page } = await visit(t);
  await drop(page, [["people.csv", CSV]]);
  await say(page, "Who is old?");
  (await fake.asked()).write("Ada.").complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  await page.getByRole("button", { name: "Edit message" }).click();
  const box = page.getByRole("textbox", { name: "Edit your message" });
  assert.equal(await box.inputValue(), "Who is old?");
  await seen(page.locator(".edit").getByText("people.csv"));
  await accessible(page, "editing a message with a file");
  await box.fill("Who is young?");
  await box.press("Enter");
  assert.equal((await fake.asked()).prompt, `\`\`\`csv file: people.csv\n${CSV}\`\`\`\n\nWho is young?`);
});

test("a file is given to an answer that is being written, and is back where it can't be taken", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Who is old?");
  (await fake.asked()).write("I can't");
  await seen(page.locator(".answer", { hasText: "I can't" }));
  await drop(page, [["people.csv", CSV]]);
  await seen(chips(page).getByText("people.csv"));
  fake.refusesSteer = "steering_not_supported";
  await composer(page).fill("In this list");
  await page.getByRole("button", { name: "Send" }).click();
  await seen(chips(page).getByText("people.csv"));
  assert.equal(await composer(page).inputValue(), "In this list");
  fake.refusesSteer = null;
  await page.getByRole("button", { name: "Send" }).click();
  await chips(page).waitFor({ state: "hidden" });
  await seen(page.locator(".said", { hasText: "In this list" }).getByText("people.csv"));
  assert.match(fake.steers.at(-1).input, /^```csv file: people\.csv\n/);
});

test("the real model is given a file, and what was read ahead of it is in the cache", async (t) => {
  const page = await real(t);
  await page.waitForFunction(() => document.getElementById("meter").hasAttribute("data-known"));
  await drop(page, [["words.txt", Array.from({ length: 200 }, (_, i) => `word${i}`).join(" ")]]);
  await page.waitForFunction(() => /\d are read already/.test(document.getElementById("meter").getAttribute("aria-valuetext")));
  await say(page, "What can you do?");
  await page.locator(".turn:not([data-live])").waitFor();
  const [, cached, total] = /([\d,]+) of ([\d,]+) prompt tokens from cache/.exec(await page.locator(".answer .meta").textContent());
  assert.ok(Number(cached) > Number(total) - 96, `${cached} of ${total} came from the cache`);
});
