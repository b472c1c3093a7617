/**
 * The line with the page open, against a real server that answers one at a time: who waits is told the place
 * and about how long, once the server has seen how long an answer takes.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, answers, fits, launch, open, say } from "./browser.mjs";
import { OwnServer } from "./own_server.mjs";

/** A model that loads on a busy machine. */
const PATIENCE = 120_000;

const server = new OwnServer(undefined, { TOKENWIRE_MAX_RUNNING: "1" });
let browser;
before(async () => {
  await server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server.kill();
});

/** Someone else's answer, which takes seconds. */
async function other(fields = {}) {
  const body = { input: "Count from 1 to 200.", temperature: 0, max_output_tokens: 1_900, ignore_eos: true, ...fields };
  const answer = await fetch(new URL("/v1/responses", server.url), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** A page that notes each line of state from now on. */
async function visit(t, options) {
  const at = await open(browser, server.url, options);
  t.after(at.close);
  const { page } = at;
  page.setDefaultTimeout(PATIENCE);
  await page.locator(".starter").first().waitFor();
  await page.evaluate(() => {
    const state = document.getElementById("state");
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(state.textContent)).observe(state, { childList: true });
  });
  return page;
}

test("who waits behind others is told the place and about how long, until it is their turn", async (t) => {
  const page = await visit(t, { width: 360, height: 740 });
  const { tokenwire } = await other();
  const took = (tokenwire.timing.ttft_ms + tokenwire.timing.decode_ms) / 1000;
  await other({ background: true });
  await other({ background: true });
  await say(page, "hello");
  await page.locator("#state").getByText(/^Second in line, about \d+ s\.$/).waitFor();
  await fits(page);
  await accessible(page, "in line");
  await page.locator(".turn[data-phase=completed]").waitFor();
  assert.notEqual(await answers(page).textContent(), "");
  const said = (await page.evaluate(() => globalThis.said)).filter((line) => line.includes("in line"));
  const waits = said.map((line) => Number(/about (\d+) s/.exec(line)?.[1] ?? 0));
  assert.match(said.at(-1), /^Next in line/, said.join(" | "));
  // From 10 s on the page says it in steps of 5.
  assert.ok(waits[0] > 0 && waits[0] <= 2 * took + 5, `${said.join(" | ")} where one takes ${took} s`);
  assert.deepEqual(waits, waits.toSorted((a, b) => b - a), said.join(" | "));
});
