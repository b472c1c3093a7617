/**
 * The streaming renderer against marked itself: whatever way a text is cut into deltas, the nodes at the
 * end are those of drawing the whole text once. No browser: mini_dom.mjs stands in for the document.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Lexer } from "marked";
import { MiniElement, install, serialize } from "./mini_dom.mjs";
import { dice, written } from "./written.mjs";

install();
const { lex } = await import("../../frontend/js/md/lexer.js");
const { createStream } = await import("../../frontend/js/md/stream.js");
const { ABOVE, outline } = await import("../../frontend/js/md/outline.js");
const { blocks, safeUrl } = await import("../../frontend/js/md/render.js");
const { nodesOf, pieces } = await import("../../frontend/js/md/highlight.js");
const { repair } = await import("../../frontend/js/md/repair.js");
const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

function drawn(nodes) {
  const root = new MiniElement("div");
  root.append(...nodes);
  return serialize(root);
}

const once = (text) => {
  const nodes = blocks(lex(text));
  outline(nodes, ABOVE);
  return drawn(nodes);
};

/** Streams a text in pieces whose lengths `next` gives; flushes as often as `sometimes` says. */
function streamed(text, next, sometimes = () => true) {
  const root = new MiniElement("div");
  const stream = createStream(root);
  for (let at = 0; at < text.length;) {
    const length = next();
    stream.push(text.slice(at, at + length));
    at += length;
    if (sometimes()) stream.flush();
  }
  stream.end();
  return serialize(root);
}

const item = (i) => `${i}. item number ${i} with **bold** words, \`code\` and some more text to make it long\n`;
const LONG_LIST = Array.from({ length: 60 }, (_, i) => item(i + 1)).join("");
const FRAGMENTS = [
  "# Title\n", "text line\n", "more *em* and **strong** text\n", "\n", "\n", "- item\n", "- item two\n", "  - nested\n", "1. one\n", "2. two\n",
  "* star\n", "```js\nlet a = 1;\n\n  b();\n```\n", "~~~\ncode\n", "~~~\n", "   ```py\n   x\n  y\n   ```\n", "```\nopen\n", "    indented\n", "> quote\n",
  "> - in quote\n", "| a | b |\n|---|:-:|\n| 1 | 2 |\n", "| 3 | **4** |\n", "---\n", "===\n", "<div>\nraw\n</div>\n", "a <b>x</b> <br> &amp; &copy;\n",
  "[link](https://a.example/x) and [bad](javascript:alert(1))\n", "[ref] and [id]\n", "[ref]: https://ref.example\n", "![pic](https://evil.example/p.png)\n",
  "- [ ] todo\n- [x] done\n", "https://auto.example/x?a=1&b=2\n", "emoji 👩‍👩‍👧 é ñ\n", "half **open\n", "trailing  \nbreak\n", "\\*escaped\\*\n", "\r\n", "tab\there\n",
  "\\(a*b\\) and $x_i$ and $5\n", "\\[\na\n- b\n=\nc\n\\]\n", "$$\nx\n", "$$\n", "\\[ open\n", "- \\[\n  y\n  \\]\n", "> $$z$$\n",
  "-\n", "1.\n", "+ plus\n\n  para in item\n", "``` not a fence ```\n", "x\n===\n", LONG_LIST, LONG_LIST.replaceAll(/\d+\. /g, "- "), LONG_LIST.replaceAll("\n", "\n\n"),
  `| n | word |\n|---|---|\n${Array.from({ length: 90 }, (_, i) => `| ${i} | some words in the cell ${i} |\n`).join("")}`,
  `\`\`\`python\n${Array.from({ length: 130 }, (_, i) => `print(${i})\n`).join("")}\`\`\`\n`,
];

test("any split of any composed text draws what one render draws", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const roll = dice(seed);
    const text = Array.from({ length: 1 + roll(12) }, () => FRAGMENTS[roll(FRAGMENTS.length)]).join("");
    const longest = Math.max([3, 17, 90, 400][roll(4)], Math.floor(text.length / 150));
    const got = streamed(text, () => 1 + roll(longest), () => roll(3) > 0);
    assert.equal(got, once(text), `seed ${seed}: ${JSON.stringify(text.slice(0, 300))}`);
  }
});

test("any split of any text from the grammar draws what one render draws", () => {
  for (let seed = 1; seed <= 250; seed++) {
    const roll = dice(seed);
    const text = written(seed);
    const longest = [2, 17, 90][roll(3)] + Math.floor(text.length / 150);
    assert.equal(streamed(text, () => 1 + roll(longest), () => roll(3) > 0), once(text), `seed ${seed}`);
  }
});

test("real documents in deltas of 40 characters draw what one render draws", () => {
  const packages = ["marked", "highlight.js", "openai", "ws", "axe-core", "playwright-core", "typescript"];
  const files = packages.flatMap((name) => {
    const folder = join(ROOT, "node_modules", name);
    return readdirSync(folder).filter((f) => f.endsWith(".md")).map((f) => join(folder, f));
  });
  assert.ok(files.length >= 8);
  for (const file of files) {
    const text = readFileSync(file, "utf8").slice(0, 60_000);
    assert.equal(streamed(text, () => 40), once(text), file);
  }
});

test("a long list costs the same per delta at its end as at its start", () => {
  const root = new MiniElement("div");
  const stream = createStream(root);
  let lexed = 0;
  const lex = Lexer.prototype.lex;
  Lexer.prototype.lex = function counted(source) {
    lexed += source.length;
    return lex.call(this, source);
  };
  const costs = [];
  for (let i = 1; i <= 600; i++) {
    lexed = 0;
    stream.push(item(i));
    stream.flush();
    costs.push(lexed);
  }
  Lexer.prototype.lex = lex;
  const sum = (part) => part.reduce((a, b) => a + b, 0);
  assert.ok(sum(costs.slice(400)) < 1.5 * sum(costs.slice(0, 200)), `${sum(costs.slice(0, 200))} -> ${sum(costs.slice(400))}`);
});

test("an open fence shows its text while it is written, in segments of 40 lines", () => {
  const root = new MiniElement("div");
  const stream = createStream(root);
  stream.push("```js\n");
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i}\n`);
  for (const line of lines) {
    stream.push(line);
    stream.flush();
  }
  stream.push("half a li");
  stream.flush();
  const code = root.firstChild.lastChild.firstChild;
  assert.equal(code.textContent, `${lines.join("")}half a li`);
  assert.equal(code.childNodes.length, 3);
});

test("model text never becomes an element or a dangerous link", () => {
  const hostile = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a <b onclick=x>y</b>", "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))", "[x](&#106;avascript:alert(1))", "[x](data:text/html,hi)", "[x](vbscript:x)", "![x](https://evil.example/?q=secret)",
    "<javascript:alert(1)>", "[x](//evil.example)", "![x](data:image/svg+xml,x)",
  ];
  for (const text of hostile) {
    const shown = once(text);
    assert.doesNotMatch(shown, /\((script|img|b)\b/, text);
    assert.doesNotMatch(shown, /\(a (?!https:\/\/evil\.example\/\?q=secret)/, text);
  }
  assert.match(once("![x](https://evil.example/?q=secret)"), /"image: x, evil\.example"/);
  for (const bad of ["javascript:alert(1)", "java\nscript:alert(1)", "data:x", "/relative", "file:///etc/passwd"]) assert.equal(safeUrl(bad), null);
  for (const good of ["https://a.example/x", "http://a.example", "mailto:a@b.example"]) assert.ok(safeUrl(good));
});

test("the highlighter's markup becomes nodes with the same text", () => {
  const root = new MiniElement("code");
  root.append(...nodesOf('<span class="hljs-keyword">if</span> (a &lt; <span class="x">b<span class="y">&amp;</span></span>) &#x27;q&#x27;'));
  assert.equal(root.textContent, "if (a < b&) 'q'");
  assert.equal(root.childNodes.filter((n) => n instanceof MiniElement).length, 2);
});

test("a list below a quote after text is read, which marked alone fails at", () => {
  const text = "* a\n  >3. \nb";
  assert.throws(() => Lexer.lex(text));
  assert.match(once(text), /blockquote/);
  assert.equal(streamed(text, () => 1), once(text));
});

test("long code is coloured in pieces that begin at lines, at the top of the code where they can", () => {
  const part = `def f():\n${"    x = 1\n".repeat(300)}`;
  const code = [part, part, part, "x\n".repeat(5_000)].join("\n");
  const cut = pieces(code);
  assert.equal(cut.join(""), code);
  assert.ok(cut.length > 3 && cut.every((piece) => piece.length <= 6_000), cut.map((piece) => piece.length).join());
  assert.ok(cut.slice(0, 3).every((piece) => piece.startsWith("def")));
  assert.deepEqual(pieces("short"), ["short"]);
});

test("half-written marks are hidden or closed while they are written", () => {
  const cases = [
    ["a **bo", "a **bo**"], ["a **", "a "], ["a **b**", "a **b**"], ["a **b*", "a **b**"], ["see [docs](htt", "see docs"], ["`co", "`co`"], ["text\n-", "text\n"],
    ["text\n--", "text\n"], ["| a | b", ""], ["| a | b |\n|--", ""], ["| a |\n|---|\n", "| a |\n|---|\n"], ["| a |\n|---|\n| 1", "| a |\n|---|\n| 1"],
  ];
  for (const [tail, shown] of cases) assert.equal(repair(tail), shown, JSON.stringify(tail));
});

test("the headings of an answer leave no hole in the page's outline", () => {
  const levels = (text) => [...JSON.stringify(once(text)).matchAll(/\bh(\d)\.(md-h\d)/g)].map(([, level, look]) => `${level} ${look}`);
  assert.deepEqual(levels("### a\n\n# b\n\n#### c\n\n##### d\n\n## e"), ["3 md-h3", "3 md-h1", "4 md-h4", "5 md-h5", "4 md-h2"]);
});
