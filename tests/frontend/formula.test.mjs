/**
 * What is a formula and what is money, code or plain text, and what a formula is safe from in Markdown.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openAt, sourceOf } from "../../frontend/js/md/formula.js";
import { lex } from "../../frontend/js/md/lexer.js";

/** The formulas of a text, in order, however deep. */
function formulas(text, open = false) {
  const walk = (tokens) => tokens.flatMap((token) => [
    ...(token.type === "formula" ? [token] : []), ...walk(token.tokens ?? []), ...walk(token.items ?? []),
    ...(token.type === "table" ? walk([...token.header, ...token.rows.flat()]) : []),
  ]);
  return walk(lex(text, {}, open)).map((token) => token.raw.trim());
}

test("each pair of delimiters makes a formula", () => {
  const cases = ["\\(x\\)", "\\[x\\]", "$$x$$", "$x$", "$\\$5$", "\\(a\\\\\\)", "$$\na\n$$", "\\[\n- a\n= b\n\\]", "\\( x \\)", "$x+1$", "$$a $ b$$"];
  for (const text of cases) assert.deepEqual(formulas(`${text}`), [text], text);
  assert.deepEqual(formulas("a \\(x\\), $y$; \\[z\\] and **$w$**"), ["\\(x\\)", "$y$", "\\[z\\]", "$w$"]);
});

test("a dollar is money by Pandoc's rule", () => {
  const cases = ["$100K and $115K", "$5", "$ x$", "$x $", "$20,000 or $30,000", "cost $5/$6", "\\$x$", "$$", "$x", "a $ b $ c", "US$5 to US$7", "$\n$"];
  for (const text of cases) assert.deepEqual(formulas(text), [], text);
  assert.deepEqual(formulas("$x$5 but $y$a"), ["$y$"]);
});

test("code and what isn't closed is no formula", () => {
  const cases = [
    "`$x$`", "`\\(x\\)`", "```\n$x$\n\\[y\\]\n```", "    $x$", "\\(x", "\\[x\n\ny\\]", "$$x\n\ny$$", "\\\\(x\\\\)", "$a `code$`", "\\(a `b` c\\)", "\\(\\)", "$$ $$",
    "[a](https://e.example/$x$)", "<a href=\"$x$\">", `\\(${"x".repeat(5_000)}\\)`,
  ];
  for (const text of cases) assert.deepEqual(formulas(text), [], text);
});

test("Markdown leaves a formula alone", () => {
  const [paragraph] = lex("*a \\(b*c\\) d* and $x_1$ and $x_2$");
  assert.deepEqual(paragraph.tokens.map((token) => token.type), ["em", "text", "formula", "text", "formula"]);
  assert.deepEqual(lex("Thus\n\\[\na\n=\nb\n- c\n\\]\nend").map((token) => token.type), ["paragraph", "formula", "paragraph"]);
  assert.deepEqual(lex("Thus\n\\[\na\n=\nb").map((token) => token.type), ["heading", "paragraph"]);
  assert.deepEqual(formulas("- a\n  $$\n  x\n  $$\n- b\n\n> \\[y\\]\n\n| $c$ |\n|---|\n| $d$ |"), ["$$\nx\n$$", "\\[y\\]", "$c$", "$d$"]);
});

test("while it is written, what isn't closed is shown as it is", () => {
  assert.deepEqual(formulas("so \\(a *b", true), ["\\(a *b"]);
  assert.deepEqual(formulas("so $a *b", true), []);
  assert.deepEqual(lex("\\[\na\n- b\n", {}, true).map((token) => [token.type, token.open]), [["formula", true]]);
  assert.equal(openAt("Thus\n\\[\na\n- b\n"), 5);
  for (const text of ["\\[\na\n\nb\n", "\\[\na\n\\]\nb\n", "a\n", "$$x$$\n", `\\[\n${"x\n".repeat(3_000)}`]) assert.equal(openAt(text), -1, text.slice(0, 20));
});

test("the source is what is between the delimiters", () => {
  for (const [raw, source] of [["$x$", "x"], ["$$x$$", "x"], ["\\(x\\)", "x"], ["\\[\nx\n\\]", "\nx\n"], ["$\\$$", "\\$"]]) assert.equal(sourceOf(raw), source);
});
