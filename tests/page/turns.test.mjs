/**
 * What can be done with an exchange: ask again, ask in another way, turn to another version, go on where
 * it was cut, say more while it answers; what is thought and called; what is known of an answer. The
 * scripted server holds still where a test looks.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startFake } from "../frontend/fake_server.mjs";
import { accessible, answers, composer, fits, launch, open } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function visit(t, options = {}) {
  const fake = await startFake();
  const at = await open(browser, fake.url, options);
  t.after(async () => {
    await at.close();
    await fake.stop();
  });
  await at.page.locator(".starter, .turn, .trouble").first().waitFor();
  return { fake, ...at };
}

const seen = (locator) => locator.waitFor({ state: "visible" });
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** By the button, as a touch screen's Enter breaks the line. */
async function say(page, text) {
  await composer(page).fill(text);
  await button(page, "Send").click();
}

/** A chat of one exchange, written by the test's hand. */
async function asked(t, options) {
  const at = await visit(t, options);
  await say(at.page, "One?");
  const answer = await at.fake.asked();
  answer.write("First answer.").complete();
  await at.page.locator(".turn[data-phase=completed]").waitFor();
  return { ...at, answer };
}

test("an answer is asked for again, and each version is there to turn to", async (t) => {
  const { fake, page, answer } = await asked(t);
  await button(page, "Answer again").click();
  const second = await fake.asked();
  assert.equal(second.request.previous_response_id, null);
  assert.equal(second.prompt, "One?");
  second.write("Second answer.").complete();
  await seen(answers(page).getByText("Second answer."));
  const versions = page.getByRole("group", { name: "Versions of this answer" });
  await seen(versions.getByText("2/2"));
  assert.equal(await page.getByRole("group", { name: "Versions of this message" }).count(), 0);
  await accessible(page, "versions");
  await button(page, "Previous version of this answer").click();
  await seen(answers(page).getByText("First answer."));
  await seen(versions.getByText("1/2"));
  assert.equal(fake.conversations.get(answer.request.conversation).active_response_id, answer.response.id);
  await page.reload();
  await seen(answers(page).getByText("First answer."));
  await seen(versions.getByText("1/2"));
});

test("a message is asked in another way, and what came of the first stays", async (t) => {
  const { fake, page } = await asked(t);
  await say(page, "Two?");
  (await fake.asked()).write("To two.").complete();
  await seen(answers(page).getByText("To two."));
  await button(page, "Edit message").first().click();
  const box = page.getByRole("textbox", { name: "Edit your message" });
  assert.equal(await box.inputValue(), "One?");
  await accessible(page, "editing");
  await box.press("Escape");
  assert.equal(await box.count(), 0);
  await button(page, "Edit message").first().click();
  await box.fill("Uno?");
  await box.press("Enter");
  const other = await fake.asked();
  assert.deepEqual([other.prompt, other.request.previous_response_id], ["Uno?", null]);
  other.write("To uno.").complete();
  await seen(answers(page).getByText("To uno."));
  assert.equal(await page.locator(".turn").count(), 1);
  const versions = page.getByRole("group", { name: "Versions of this message" });
  await seen(versions.getByText("2/2"));
  await button(page, "Previous version of this message").click();
  await seen(answers(page).getByText("To two."));
  assert.equal(await page.locator(".turn").count(), 2);
  await button(page, "Next version of this message").press("Enter");
  await seen(answers(page).getByText("To uno."));
});

test("another page turns to the same version", async (t) => {
  const { fake, page } = await asked(t);
  await button(page, "Answer again").click();
  (await fake.asked()).write("Second answer.").complete();
  await seen(answers(page).getByText("Second answer."));
  const other = await page.context().newPage();
  await other.goto(page.url());
  await seen(answers(other).getByText("Second answer."));
  await button(page, "Previous version of this answer").click();
  await seen(answers(other).getByText("First answer."));
});

test("a cut answer is gone on with, as another version that begins as the first", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Long?");
  const cut = await fake.asked();
  cut.write("The beginning").cut();
  await seen(page.getByText("Cut off at the length limit"));
  await button(page, "Continue").click();
  const more = await fake.asked();
  assert.deepEqual(fake.creates[1].tokenwire.continues, cut.response.id);
  assert.equal(fake.creates[1].input, undefined);
  // What was cut is there until it comes again.
  await seen(answers(page).getByText("The beginning", { exact: true }));
  more.write("The beginning").write(" and the end.").complete();
  await seen(answers(page).getByText("The beginning and the end.", { exact: true }));
  await seen(page.getByRole("group", { name: "Versions of this answer" }).getByText("2/2"));
  assert.equal(await page.locator(".turn").count(), 1);
});

test("what is said while it answers goes to the answer", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Tell me");
  const first = await fake.asked();
  first.write("Once upon");
  await seen(answers(page).getByText("Once upon"));
  await composer(page).fill("Shorter, please");
  assert.equal(await button(page, "Send").isVisible(), true);
  await composer(page).press("Enter");
  const next = await fake.asked();
  assert.deepEqual([fake.steers[0].previous_response_id, fake.steers[0].input], [first.response.id, "Shorter, please"]);
  next.write("The end.").complete();
  await seen(answers(page).getByText("The end."));
  assert.deepEqual(await page.locator(".turn .said").allTextContents(), ["Tell me", "Shorter, please"]);
  await seen(page.getByText("Cut short by what was said next"));
  await say(page, "And now?");
  assert.equal((await fake.asked()).request.previous_response_id, next.response.id);
});

test("what could not be said while it answered is given back", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Tell me");
  const first = await fake.asked();
  first.write("Once upon");
  await seen(answers(page).getByText("Once upon"));
  fake.refusesSteer = "steering_not_supported";
  await say(page, "Shorter");
  await page.waitForFunction(() => document.getElementById("prompt").value === "Shorter");
  fake.refusesSteer = "response_already_completed";
  first.complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  await composer(page).press("Enter");
  const next = await fake.asked();
  assert.deepEqual([next.prompt, next.request.previous_response_id], ["Shorter", first.response.id]);
});

test("thoughts are one line that opens, with the time they took", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Why?");
  const answer = await fake.asked();
  answer.think("First I wonder.\nThen I **know**");
  const thought = page.locator(".thought");
  await seen(thought.getByText("Thinking", { exact: true }));
  await seen(thought.getByText("Then I **know**"));
  assert.equal(await thought.locator(".fold-body").isVisible(), false);
  await thought.locator("summary").press("Enter");
  await seen(thought.locator("strong", { hasText: "know" }));
  answer.think(" more.").write("Because.");
  await seen(thought.getByText(/^Thought for \d+ s$/));
  await seen(answers(page).getByText("Because."));
  answer.complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  await accessible(page, "thought");
  await page.reload();
  await seen(thought.getByText("Thought for 8 s", { exact: true }));
});

test("a late reader has the thoughts and the text, each as one piece", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Why?");
  const answer = await fake.asked();
  answer.think("a").think("b").write("Be").write("cause");
  await seen(answers(page).getByText("Because"));
  await page.reload();
  await seen(page.locator(".answer .written", { hasText: "Because" }));
  answer.write(".").complete();
  await seen(page.locator(".answer .written", { hasText: "Because." }));
  assert.equal(fake.attaches.length, 1);
});

test("calls of tools are shown, with their arguments and results", async (t) => {
  const { fake, page } = await visit(t);
  await say(page, "Weather?");
  const answer = await fake.asked();
  answer.call("get_weather", '{"city":', '"Oslo"}');
  const call = page.locator(".call");
  await call.getByText("Called get_weather").click();
  assert.equal(await call.locator("pre").first().textContent(), '{\n  "city": "Oslo"\n}');
  await seen(call.getByText(/^No result yet/));
  const { conversation } = answer.request;
  const input = [{ type: "function_call_output", call_id: "call_1", output: '{"c":-3}' }];
  fake.exchange(fake.conversations.get(conversation), "", "Cold.", answer, input);
  await page.reload();
  await call.getByText("Called get_weather").click();
  assert.equal(await call.locator("pre").nth(1).textContent(), '{\n  "c": -3\n}');
  await seen(answers(page).getByText("Cold."));
  await accessible(page, "call");
});

test("all that is known of an answer is a click away, and its link leads to it", async (t) => {
  const { page, answer } = await asked(t);
  await button(page, "Details of this answer").click();
  const facts = page.locator(".facts");
  await seen(facts.getByText("1,100 tokens, 1,024 from cache"));
  const text = await facts.textContent();
  for (const fact of [/Modeltokenwire-demo/, /First token after0\.31 s/, /Speed42\.4 tokens per second/, /Endedby itself/, new RegExp(answer.response.id)]) assert.match(text, fact);
  await accessible(page, "details");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await button(page, "Copy link to this message").click();
  await seen(button(page, "Copied"));
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.endsWith(`#/c/${answer.request.conversation}/${answer.response.id}`), link);
  await page.goto("about:blank");
  await page.goto(link);
  await page.locator(".turn[data-found]").waitFor();
});

test("while an answer is written nothing else is asked, and on a phone all acts are there", async (t) => {
  const { fake, page } = await asked(t, { width: 360, height: 740, hasTouch: true, isMobile: true });
  await say(page, "Two?");
  const answer = await fake.asked();
  answer.write("Now");
  await seen(answers(page).getByText("Now"));
  assert.equal(await button(page, "Answer again").first().isVisible(), false);
  assert.equal(await button(page, "Edit message").first().isVisible(), false);
  answer.complete();
  await page.locator(".turn[data-phase=completed]").nth(1).waitFor();
  await seen(button(page, "Answer again").first());
  await button(page, "Edit message").first().tap();
  await seen(page.getByRole("textbox", { name: "Edit your message" }));
  await fits(page);
  await accessible(page, "phone");
});

test("an answer in a branch that isn't shown goes on there", async (t) => {
  const { fake, page } = await asked(t);
  await button(page, "Answer again").click();
  const second = await fake.asked();
  second.write("Second");
  await seen(answers(page).getByText("Second"));
  await button(page, "Previous version of this answer").click();
  await seen(answers(page).getByText("First answer."));
  second.write(" answer.").complete();
  await button(page, "Next version of this answer").click();
  await seen(answers(page).getByText("Second answer."));
});
