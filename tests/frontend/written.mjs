/**
 * Markdown as nobody would write it: whole texts from a small grammar and a seed, some with a few letters
 * lost, doubled or moved. The same seed makes the same text.
 */

/** A small repeatable generator (mulberry32): `roll(n)` is a number below n. */
export function dice(seed) {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const WORDS = [
  "alpha", "beta", "the", "of", "x", "I", "naïve", "日本語", "שלום", "مرحبا", "👩‍👩‍👧‍👦", "🇩🇪", "e\u0301", "𝒜", "100", "3.14", "$5", "$10,", "US$7", "50%", "a_b_c",
  "2*3*4", "C:\\dir", "a|b", "<b>", "&amp;", "&#128512;", "&copy;", "snake_case", "__init__", "http://x.example/a_b?c=d&e=f", "www.y.example", "a@b.example", "~", "`", "*", "_", "\\",
];
const OPEN = ["\\(", "\\[", "$$", "$", "**", "*", "_", "~~", "`", "``", "[", "![", "<", "<!--", "](", "](http", "\\)", "\\]", "|", "\\$"];
const MATH = ["x", "a*b", "a_i", "\\frac{1}{2}", "a\n= b", "\\\\", "\\text{if $y$}", "- c", "{", "|z|", "\\[1em]", "x\\$y", "\n- c\n", "\n+ d", "\n=\n", "\n> e\n", "1. f", "`"];
const HTML = ["<div>\nin\n</div>", "<details><summary>s</summary>\n\n*t*\n\n</details>", "<!-- c\n\nd -->", "<br>", "<script>x</script>", "<pre>\n\na\n</pre>", "<?php\n\n?>", "<p>unclosed"];

export function written(seed) {
  const roll = dice(seed);
  const pick = (list) => list[roll(list.length)];
  const some = (most, make) => Array.from({ length: 1 + roll(most) }, make);
  const word = () => (roll(14) ? pick(WORDS.slice(0, roll(3) ? 8 : WORDS.length)) : pick(OPEN));

  function span(depth) {
    const inner = () => (depth > 0 ? spans(depth - 1) : word());
    switch (roll(16)) {
      case 0: return `**${inner()}**`;
      case 1: return `*${inner()}*`;
      case 2: return `_${inner()}_`;
      case 3: return `~~${inner()}~~`;
      case 4: return `\`${word()}\``;
      case 5: return `[${inner()}](https://l.example/${roll(9)} "t")`;
      case 6: return `![${word()}](https://i.example/p.png)`;
      case 7: return pick(["[ref]", "[text][ref]", "[no]", "[^1]", "[x](javascript:y)"]);
      case 8: return `\\(${some(3, () => pick(MATH)).join(" ")}\\)`;
      case 9: return `$${some(2, () => pick(MATH)).join("")}$`;
      case 10: return `$$${pick(MATH)}$$`;
      case 11: return pick(["<b>", "</b>", "<br>", "<a href=\"x\">", "&lt;", "\\*", "\\\\(", "  \n", "\\\n", "<https://auto.example>"]);
      default: return word();
    }
  }
  const spans = (depth) => some(6, () => span(depth)).join(pick([" ", " ", " ", "", "\n"]));
  const indent = (text, by) => text.replace(/\n(?=[^\n])/g, `\n${by}`);

  function items(depth) {
    const ordered = roll(2);
    const gap = pick(["\n", "\n", "\n\n"]);
    const bullet = pick(["-", "*", "+"]);
    return some(depth > 1 ? 6 : 3, (_, i) => {
      const mark = ordered ? `${i + 1}${pick([".", ".", ")"])}` : bullet;
      const text = `${mark} ${pick(["", "", "[ ] ", "[x] "])}${roll(12) ? spans(1) : ""}`;
      const nested = depth > 0 && roll(3) === 0 ? pick(["\n", "\n\n"]) + blocks(depth - 1) : "";
      return indent(text + nested, " ".repeat(roll(6) ? mark.length + 1 : roll(5)));
    }).join(gap);
  }

  function table() {
    const wide = 1 + roll(4);
    const row = () => `| ${Array.from({ length: wide + (roll(9) ? 0 : 1) }, () => spans(0).replaceAll("\n", " ")).join(" | ")} |`;
    return [row(), `|${Array.from({ length: wide }, () => pick(["---", ":-:", "--:", ":--"])).join("|")}|`, ...Array.from({ length: roll(6) }, row)].join("\n");
  }

  function fence() {
    const mark = pick(["```", "```", "~~~", "````"]);
    const lines = some(6, () => pick(["let a = 1;", "", "  indented", "```", "~~", "$x$", "\\[", "- item", "\tt", "日本", "🎉"]));
    return `${pick(["", "", " ", "   "])}${mark}${pick(["", "js", "python title", "\\(x\\)"])}\n${lines.join("\n")}\n${roll(8) ? mark : ""}`;
  }

  function block(depth) {
    switch (roll(14)) {
      case 0: return `${"#".repeat(1 + roll(6))} ${spans(1)}`;
      case 1: case 2: return items(depth);
      case 3: return depth > 0 ? `> ${blocks(depth - 1).replaceAll("\n", pick(["\n> ", "\n>", "\n"]))}` : spans(1);
      case 4: return table();
      case 5: return fence();
      case 6: return pick([`\\[${pick(["\n", " ", ""])}${some(4, () => pick(MATH)).join(pick([" ", "\n"]))}\n\\]`, `$$\n${some(4, () => pick(MATH)).join("\n")}\n$$`, "\\[\nopen", "$$\nopen"]);
      case 7: return pick(HTML);
      case 8: return pick(["---", "***", "===", "- - -", `${spans(0)}\n===`, `${spans(0)}\n---`]);
      case 9: return pick(["[ref]: https://r.example 'title'", "[ref]:\nhttps://r2.example", "[^1]: A note.", "[no]: <x"]);
      case 10: return `    ${pick(["code", "code\n\n    more", "\\[ x"])}`;
      default: return spans(2);
    }
  }
  const blocks = (depth) => some(depth > 1 ? 7 : 2, () => block(depth)).join(pick(["\n\n", "\n\n", "\n", "\n\n\n", "\n \n"]));

  let text = blocks(2) + pick(["", "\n", "\n\n"]);
  if (roll(3) === 0) for (let i = roll(6); i >= 0; i--) text = spoiled(text, roll);
  return roll(20) ? text : text.replaceAll("\n", "\r\n");
}

/** A few letters are lost, said twice, or stand elsewhere. */
function spoiled(text, roll) {
  const at = roll(text.length + 1);
  const piece = text.slice(at, at + 1 + roll(5));
  const without = text.slice(0, at) + text.slice(at + piece.length);
  const to = roll(without.length + 1);
  return [without, text.slice(0, at) + piece + text.slice(at), without.slice(0, to) + piece + without.slice(to)][roll(3)];
}
