/**
 * The Markdown of the page in a real browser, under its real policy: whatever way a text is cut, the nodes
 * at the end are those of one piece; what formulas can do; and what hostile texts can't.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startFake } from "../frontend/fake_server.mjs";
import { HOSTILE, tiresome } from "../frontend/hostile.mjs";
import { accessible, answers, fits, launch, open, say } from "./browser.mjs";
import { furnish } from "./workbench.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const SEEDS = 500;
/** What 10,000 letters may take, on a machine that does other things as well: at once, and in all. */
const FREEZE_MS = 600;
const TEXT_MS = 8_000;

let browser, fake;
before(async () => {
  browser = await launch();
  fake = await startFake();
});
after(async () => {
  await browser?.close();
  await fake?.stop();
});

async function visit(t, options = {}) {
  const at = await open(browser, fake.url, options);
  t.after(at.close);
  await at.page.locator(".starter").first().waitFor();
  return at.page;
}

/** A page with the modules, and `drawn(text, cut, finish)`: the text in pieces, as it looks once all is done. */
async function workbench(t, options) {
  const page = await visit(t, options);
  await furnish(page);
  await page.evaluate(() => {
    const { ABOVE, blocks, createStream, finishCode, finishFormula, lex, outline } = globalThis.bench;
    const sheet = document.createElement("div");
    sheet.className = "md";
    document.getElementById("chat").append(sheet);
    globalThis.sheet = sheet;
    globalThis.whole = (text) => {
      const nodes = blocks(lex(text));
      outline(nodes, ABOVE);
      sheet.replaceChildren(...nodes);
      return sheet.innerHTML;
    };
    /** `cut(n)`: the next piece is so long, and whether it is drawn before the one after it. */
    globalThis.pieces = (text, cut, finish = false) => {
      sheet.replaceChildren();
      const stream = finish ? createStream(sheet, finishCode, finishFormula) : createStream(sheet);
      for (let at = 0; at < text.length;) {
        const [length, shown] = cut();
        stream.push(text.slice(at, at + length));
        at += length;
        if (shown) stream.flush();
      }
      stream.end();
      return sheet.innerHTML;
    };
    /** Nothing has changed for a while: what is done in idle time is done. */
    globalThis.settled = async () => {
      for (let before = ""; before !== sheet.innerHTML;) {
        before = sheet.innerHTML;
        await new Promise((done) => { setTimeout(done, 400); });
      }
      return sheet.innerHTML;
    };
  });
  return page;
}

test("any cutting of any text draws what one piece draws", async (t) => {
  const page = await workbench(t);
  const differing = await page.evaluate((seeds) => {
    const { dice, written } = globalThis.bench;
    const found = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const text = written(seed);
      const want = globalThis.whole(text);
      const roll = dice(seed);
      const longest = [1, 2, 7, 60, 400][text.length > 2_000 ? 2 + roll(3) : roll(5)];
      const got = globalThis.pieces(text, () => [1 + roll(longest), roll(3) > 0]);
      if (got !== want) found.push({ seed, longest, text: text.slice(0, 300) });
    }
    return found;
  }, SEEDS);
  assert.deepEqual(differing, []);
});

test("our own documents, cut anywhere, are drawn, coloured and typeset as in one piece", async (t) => {
  const page = await workbench(t);
  const names = ["README.md", "PROTOCOL.md", "ARCHITECTURE.md", "CHANGELOG.md", ...readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];
  const texts = [...names.map((name) => readFileSync(join(ROOT, name), "utf8")), FORMULAS];
  for (const [index, text] of texts.entries()) {
    const results = await page.evaluate(async ([source, seed]) => {
      const roll = globalThis.bench.dice(seed);
      globalThis.pieces(source, () => [source.length, false], true);
      const want = await globalThis.settled();
      globalThis.pieces(source, () => [1 + roll(120), roll(4) > 0], true);
      return [want, await globalThis.settled()];
    }, [text, index + 1]);
    assert.equal(results[1], results[0], names[index] ?? "formulas");
  }
});

/** A page on which an answer is being written; `answer` is its pen. */
async function answering(t, options) {
  const page = await visit(t, options);
  await say(page, "Go on");
  return { page, answer: await fake.asked() };
}

const typeset = (page) => page.locator(".answer math");

test("a formula is typeset when it is closed, with what that needs fetched only then", async (t) => {
  const { page, answer } = await answering(t);
  const fetched = [];
  page.on("request", (request) => !/favicon/.test(request.url()) && fetched.push(new URL(request.url()).pathname));
  answer.write("It costs $5 or $6, and `$x$` is code. So \\[ x = ");
  await page.locator(".math.open").getByText("\\[ x =").waitFor();
  assert.equal(await typeset(page).count(), 0);
  assert.deepEqual(fetched, []);
  answer.write("\\frac{1}{2} \\] and \\(y^2\\) too");
  await typeset(page).nth(1).waitFor();
  assert.ok(fetched.some((path) => /temml-.*\.js$/.test(path)) && fetched.some((path) => /math-.*\.css$/.test(path)) && fetched.some((path) => /noto-sans-math.*\.woff2$/.test(path)), fetched.join(" "));
  answer.write(".").complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  const shown = await page.evaluate(() => {
    const [display, inline] = document.querySelectorAll(".answer .math");
    return [display.querySelector("mfrac")?.textContent, display.querySelector("math").getAttribute("display"), inline.querySelector("msup").textContent, getComputedStyle(inline.querySelector("math")).fontFamily];
  });
  assert.deepEqual(shown.slice(0, 3), ["12", "block", "y2"]);
  assert.match(shown[3], /Page Math/);
  assert.ok(await page.evaluate(() => document.fonts.check("16px 'Page Math'")));
  await accessible(page, "formulas");
});

test("a formula is copied as it was written, also where only a part of it was selected", async (t) => {
  const { page, answer } = await answering(t);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  answer.write("First \\(a^2\\) here.\n\n$$\n\\frac{b}{c}\n$$\n\nLast.").complete();
  await typeset(page).nth(1).waitFor();
  const copied = (from, to) => page.evaluate(async ([start, end]) => {
    const place = (selector, last) => {
      const node = document.querySelector(selector);
      return last ? [node, node.childNodes.length] : [node, 0];
    };
    getSelection().setBaseAndExtent(...place(start, false), ...place(end, true));
    document.execCommand("copy");
    return navigator.clipboard.readText();
  }, [from, to]);
  assert.equal(await copied(".answer .md", ".answer .md"), "First \\(a^2\\) here.\n\n$$\n\\frac{b}{c}\n$$\n\nLast.");
  assert.equal((await copied(".answer mfrac", ".answer mfrac > :last-child")).trim(), "$$\n\\frac{b}{c}\n$$");
  assert.equal(await page.evaluate(() => document.documentElement.hasAttribute("data-copying")), false);
});

test("a long formula scrolls inside, by keyboard too", async (t) => {
  const { page, answer } = await answering(t, { width: 360, height: 780 });
  const sum = Array.from({ length: 40 }, (_, i) => `a_{${i}}`).join(" + ");
  answer.write(`So\n\n\\[ ${sum} \\]\n\nand \\(\\text{${"word ".repeat(30)}}\\) and \\(${sum}\\).`).complete();
  await typeset(page).nth(2).waitFor();
  await page.locator(".math[data-wide]").nth(1).waitFor();
  await fits(page);
  assert.equal(await page.locator(".math[data-wide]").count(), 2, "the sum in the line is broken, not scrolled");
  const wide = page.locator(".math.display");
  await wide.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".math.display").scrollLeft > 0);
  await accessible(page, "wide formulas");
});

test("a formula reaches nothing outside its box", async (t) => {
  const page = await workbench(t);
  const refused = [
    "\\href{javascript:alert(1)}{x}", "\\href{https://evil.example}{x}", "\\url{https://evil.example}", "\\includegraphics{https://evil.example/p.png}", "\\ref{composer}",
    "\\class{send}{x}", "\\id{prompt}{x}", "\\style{position:fixed}{x}", "\\data{a=b}{x}", "\\raisebox{-500em}{x}", "\\kern-1000em x", "\\hspace{-900pt}x",
    "\\color{url(https://evil.example)}x", "\\frac{", "\\def\\a{\\a\\a}\\a", "\\begin{matrix}", `${"\\sqrt{".repeat(200)}x${"}".repeat(200)}`, "x".repeat(2_100),
  ];
  const allowed = ["\\label{prompt}x", "\\rule{900em}{900em}", "\\pmb{x}", "\\sideset{_a^b}{}\\sum", "\\unknown{x}", "\\\\[900em]x", `${"\\sqrt{".repeat(60)}x${"}".repeat(60)}`, `${"\\kern-9em".repeat(100)}x`];
  const report = await page.evaluate(async (sources) => {
    globalThis.pieces(sources.map((source) => `A \\(${source}\\) b`).join("\n\n"), () => [7, true], true);
    await globalThis.settled();
    return sources.map((source, index) => {
      const paragraph = globalThis.sheet.children[index];
      const node = paragraph.querySelector(".math");
      const { width, height } = node.getBoundingClientRect();
      return {
        source: source.slice(0, 60), set: node.dataset.set !== undefined && node.querySelector("math") !== null, shown: node.textContent.startsWith(`\\(${source}\\)`),
        outside: [...paragraph.querySelectorAll("[href], [id], [src], a, img, [class*=send]")].map((e) => e.outerHTML), wild: width > 800 || height > 4_000,
        clipped: ["clip", "auto", "hidden"].includes(getComputedStyle(node).overflowX) || node.dataset.set === undefined,
      };
    });
  }, [...refused, ...allowed]);
  for (const [index, { source, set, shown, outside, wild, clipped }] of report.entries()) {
    assert.deepEqual(outside, [], source);
    assert.ok(!wild && clipped, `${source} is wild`);
    assert.ok(shown, `${source} is not kept as it was`);
    // A link that isn't trusted is shown as the words of its source.
    if (index >= refused.length || /^.(href|url)/.test(source)) assert.ok(set, `${source} was not set`);
    else assert.ok(!set, `${source} was set`);
  }
});

test("code that is long or wide scrolls inside, follows what is written, and is copied and wrapped by keyboard", async (t) => {
  const { page, answer } = await answering(t, { width: 360, height: 780 });
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const lines = Array.from({ length: 120 }, (_, i) => `call_number_${i}(${"argument, ".repeat(8)}${i})\n`);
  const place = () => page.evaluate(() => { const pre = document.querySelector(".answer pre"); return pre.scrollHeight - pre.clientHeight - pre.scrollTop; });
  answer.write("```python\n");
  for (let i = 0; i < 60; i += 5) {
    answer.write(lines.slice(i, i + 5).join(""));
    await page.locator(".answer code").getByText(`call_number_${i + 3}(`).waitFor();
  }
  assert.ok(await page.evaluate(() => document.querySelector(".answer pre").clientHeight < innerHeight));
  assert.ok((await place()) <= 2, "the newest line is out of sight");
  await page.evaluate(() => { document.querySelector(".answer pre").scrollTop = 100; });
  answer.write(`${lines.slice(60).join("")}\`\`\`\n\nDone.`).complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  assert.equal(await page.evaluate(() => document.querySelector(".answer pre").scrollTop), 100, "it was moved under the reader");
  await fits(page);
  const code = page.getByRole("group", { name: "Code, python" });
  await code.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".answer pre").scrollLeft > 0);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), lines.join("").trimEnd());
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Space");
  assert.equal(await page.getByRole("button", { name: "Wrap long lines" }).getAttribute("aria-pressed"), "true");
  await page.waitForFunction(() => { const pre = document.querySelector(".answer pre"); return pre.scrollWidth <= pre.clientWidth; });
  await accessible(page, "code on a phone");
});

test("a wide table scrolls inside, by keyboard too", async (t) => {
  const { page, answer } = await answering(t, { width: 360, height: 780 });
  const cells = (text) => `|${Array.from({ length: 9 }, (_, i) => ` ${text} ${i} `).join("|")}|\n`;
  answer.write(`${cells("A heading")}|${"---|".repeat(9)}\n${cells("some words").repeat(3)}\nDone.`).complete();
  const table = page.getByRole("group", { name: "Table" });
  await table.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".answer .table").scrollLeft > 0);
  await fits(page);
  await accessible(page, "table on a phone");
});

test("a hostile text makes no script, no request, no link but to a web page, and the console stays empty", async (t) => {
  const { page, answer } = await answering(t);
  const [requests, messages] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  // But for what Playwright says where it blocks the page's worker.
  page.on("console", (message) => /^Service Worker registration blocked/.test(message.text()) || messages.push(message.text()));
  page.on("dialog", (dialog) => dialog.dismiss());
  // Piece by piece, so that what is half there is drawn as well.
  for (const text of HOSTILE) {
    for (let at = 0; at < text.length; at += 9) answer.write(text.slice(at, at + 9));
    answer.write("\n\n***\n\n");
    await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
  }
  answer.complete();
  await page.locator(".turn[data-phase=completed]").waitFor();
  await page.waitForTimeout(1_500);
  const found = await page.evaluate(() => {
    const root = document.querySelector(".answer .md");
    const list = (selector) => [...root.querySelectorAll(selector)].map((node) => node.outerHTML.slice(0, 200));
    return {
      hacked: globalThis.hacked ?? null,
      elements: list("script, img, iframe, object, embed, link, meta, base, style, form, video, audio, svg, template, input:not([type=checkbox]), body, details, [srcdoc], [src], [action]").filter((html) => !/class="icon"/.test(html)),
      handlers: [...root.querySelectorAll("*")].flatMap((node) => [...node.attributes].filter((a) => /^on|^id$|^name$|^style$/.test(a.name) && node.namespaceURI !== "http://www.w3.org/1998/Math/MathML").map((a) => `${a.name}=${a.value}`)),
      links: [...root.querySelectorAll("a")].map((a) => [a.protocol, a.origin === location.origin, a.rel, a.target, a.title]),
      pictures: [...root.querySelectorAll("a")].map((a) => a.textContent).filter((text) => text.startsWith("image:")),
      ids: [...root.querySelectorAll("[id]")].map((node) => node.id),
      clobbered: document.getElementById("prompt")?.tagName,
      address: location.href,
    };
  });
  assert.equal(found.hacked, null);
  assert.deepEqual([found.elements, found.handlers, found.ids], [[], [], []]);
  assert.equal(found.clobbered, "TEXTAREA");
  for (const [protocol, own, rel, target, title] of found.links) {
    assert.match(protocol, /^(https?|mailto):$/);
    assert.ok(!own && title !== "", "a link leads into the page, or doesn't say where it leads");
    assert.equal(rel, "noopener noreferrer nofollow");
    assert.equal(target, "_blank");
  }
  assert.ok(found.pictures.length >= 12 && found.pictures.every((text) => /^image: .*evil\.example$/.test(text)), found.pictures.join("\n"));
  const foreign = requests.filter((url) => new URL(url).origin !== new URL(fake.url).origin);
  assert.deepEqual(foreign, []);
  assert.deepEqual(messages, []);
});

test("a text that is only long to read doesn't hold up the page", async (t) => {
  const { page, answer } = await answering(t);
  await page.evaluate(() => {
    let longest = 0;
    const look = (entries) => entries.forEach((entry) => { longest = Math.max(longest, entry.duration); });
    const observer = new PerformanceObserver((list) => look(list.getEntries()));
    observer.observe({ type: "longtask" });
    /** The longest task since this was asked last. */
    globalThis.longest = () => {
      look(observer.takeRecords());
      const found = longest;
      longest = 0;
      return found;
    };
  });
  const slow = [];
  let turn = answer;
  for (const [name, text] of Object.entries(tiresome(10_000))) {
    const began = Date.now();
    const step = Math.ceil(text.length / 20);
    for (let at = 0; at < text.length; at += step) {
      turn.write(text.slice(at, at + step));
      await page.evaluate(() => new Promise((done) => { requestAnimationFrame(done); }));
    }
    turn.complete();
    await page.locator(".turn[data-live]").waitFor({ state: "detached" });
    const longest = await page.evaluate(() => globalThis.longest());
    if (longest > FREEZE_MS || Date.now() - began > TEXT_MS) slow.push(`${name}: ${Math.round(longest)} ms at once, ${Date.now() - began} in all`);
    await page.keyboard.press("Control+Shift+O");
    await page.locator(".starter").first().waitFor();
    await say(page, "Go on");
    turn = await fake.asked();
  }
  turn.complete();
  assert.deepEqual(slow, []);
});

const FORMULAS = String.raw`The roots of $ax^2+bx+c=0$ are \(x = \frac{-b \pm \sqrt{b^2-4ac}}{2a}\), and $5 or $10K are money.

\[
\int_0^\infty e^{-x^2}\,dx
= \frac{\sqrt{\pi}}{2}
\]

1. $$\sum_{k=1}^n k$$
   \[
   \begin{aligned}
   f(x) &= a*b*c \\
   - g(x) &= \pmb{h}_i
   \end{aligned}
   \]
2. **bold \(a*b\)** and *em $x*y$ em*

| a | b |
|---|---|
| \(\sin x\) | $y_1$ |

Not here: ${"`$x$`"} nor here:

${"```"}
$x$ \[ y \]
${"```"}

\[ never closed
`;
