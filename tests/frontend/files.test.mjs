/**
 * Files that go with a message: how they stand in it and are found again, which ones may, and that they
 * are kept until the server has them.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { headline, joined, parted } from "../../frontend/js/state/files.js";
import { MOST_FILES, taken as takenFile, textOf } from "../../frontend/js/state/sniff.js";

const file = (name, text) => ({ name, text });
/** A file that ends with its last line. */
const ended = ({ name, text }) => file(name, text === "" || text.endsWith("\n") ? text : `${text}\n`);

test("a file stands before the text, in a fence that says its name", () => {
  assert.equal(joined([file("notes.md", "# Notes\n")], "What is this?"), "```md file: notes.md\n# Notes\n```\n\nWhat is this?");
  assert.equal(joined([file("LICENSE", "Do what you want")], ""), "```text file: LICENSE\nDo what you want\n```");
  assert.equal(joined([], "Hi"), "Hi");
});

const HOSTILE = [
  "", "\n", "plain", "```js\ncode\n```\n", "````", "``````\n```", "``` file: x\n", "```md file: a.md\n```\n\n", "a\n`````\nb\n", " ```\n", "~~~\n", "x".repeat(5000),
];

test("whatever is in a file, and whatever follows it, both come out as they went in", () => {
  for (const text of HOSTILE) {
    for (const said of ["", "What?", "```\ncode\n```", "  spaced  \n\n\nlines"]) {
      const files = [file("a b (1).py", text), file("données.csv", `${text}end`)];
      assert.deepEqual(parted(joined(files, said)), { files: files.map(ended), text: said });
    }
  }
});

test("random texts of fences and lines come out as they went in", () => {
  const pieces = ["`", "```", "````", "\n", "\n\n", "md file: x.md", "word", " "];
  let seed = 7;
  const any = (n) => (seed = (seed * 48271) % 2147483647) % n;
  const text = () => Array.from({ length: any(12) }, () => pieces[any(pieces.length)]).join("");
  for (let i = 0; i < 3000; i++) {
    const files = Array.from({ length: 1 + any(3) }, (_, n) => file(`f${n}.txt`, text()));
    assert.deepEqual(parted(joined(files, "The end.")), { files: files.map(ended), text: "The end." });
  }
});

test("a message without files is a text, also one that begins with code", () => {
  for (const text of ["Hi", "```js\n1\n```", "```js file: never.js\nclosed", "``` file: \n```", "Look:\n```md file: a.md\n```"]) {
    assert.deepEqual(parted(text), { files: [], text });
  }
});

test("a message is called by its text, else by its files", () => {
  assert.equal(headline(joined([file("a.md", "x")], "What?")), "What?");
  assert.equal(headline(joined([file("a.md", "x"), file("b.md", "y")], "")), "a.md, b.md");
});

const bytes = (...parts) => new Uint8Array(parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : part)));

test("text is told from what is none by its bytes", () => {
  assert.equal(textOf(bytes("Grüße 🏔️\r\nline")), "Grüße 🏔️\nline");
  assert.equal(textOf(bytes([0xef, 0xbb, 0xbf], "marked")), "marked");
  assert.equal(textOf(bytes([0xff, 0xfe], [0x48, 0, 0x69, 0])), "Hi");
  assert.equal(textOf(bytes([0xfe, 0xff], [0, 0x48, 0, 0x69])), "Hi");
  assert.equal(textOf(bytes("caf", [0xe9], " au lait")), "café au lait");
  assert.equal(textOf(bytes("\x1b[32mgreen\x1b[0m\n")), "\x1b[32mgreen\x1b[0m\n");
  assert.equal(textOf(bytes("")), "");
  const png = bytes([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d]);
  const random = new Uint8Array(4096).map((_, i) => (i * 7919 + (i >> 3)) % 255 + 1);
  const pdf = bytes("%PDF-1.7\n", [0x25, 0xe2, 0xe3, 0xcf, 0xd3, 0x0a, 0x01, 0x02, 0x03, 0x81, 0x8d]);
  for (const none of [png, random, pdf]) assert.equal(textOf(none), null);
});

const blob = (name, content) => Object.assign(new Blob([content]), { name });

test("what can't come along says why", async () => {
  assert.deepEqual(await takenFile(blob("a.md", "x"), 0), file("a.md", "x"));
  assert.equal(await takenFile(blob("a.png", new Uint8Array([0, 1, 2])), 0), "a.png isn't text; only text files can go with a message.");
  assert.equal(await takenFile(blob("big.log", "x".repeat(512_001)), 0), "big.log is larger than 512 kB, the most that a file can have.");
  assert.equal(await takenFile(blob("a.md", "x"), MOST_FILES), "a.md was left out: 8 files can go with a message.");
  const folder = Object.assign(new Blob([]), { name: "folder", arrayBuffer: () => Promise.reject(new Error("a folder")) });
  assert.equal(await takenFile(folder, 0), "folder could not be read.");
});

test("a name is one line that ends no fence", async () => {
  const { name } = await takenFile(blob("a`\n`b\u0007.md", "x"), 0);
  assert.equal(name, "a b .md");
  assert.deepEqual(parted(joined([file(name, "x")], "Hi")).files, [file(name, "x\n")]);
});

let stored;
beforeEach(() => {
  stored = new Map();
  const quota = 3_000_000;
  globalThis.localStorage = {
    getItem: (key) => stored.get(key) ?? null,
    removeItem: (key) => stored.delete(key),
    setItem(key, value) {
      if (value.length > quota) throw new DOMException("full", "QuotaExceededError");
      stored.set(key, value);
    },
  };
});

/** The drafts of a page that has just been loaded. */
const page = () => import(`../../frontend/js/state/drafts.js?${Math.random()}`);

test("a draft keeps its files over a reload, per chat, until the server has them", async () => {
  const before = await page();
  const files = [file("a.md", "x")];
  assert.equal(before.writeFiles("conv_1", files), true);
  before.writeDraft("conv_1", "Look");
  const after = await page();
  assert.deepEqual([after.readFiles("conv_1"), after.readFiles(null)], [files, []]);
  const sent = after.readFiles("conv_1");
  after.taken("conv_1", "Look", sent);
  assert.deepEqual([after.readDraft("conv_1"), after.readFiles("conv_1"), (await page()).readFiles("conv_1")], ["", [], []]);
});

test("what was attached since it was sent is another draft", async () => {
  const drafts = await page();
  const sent = [file("a.md", "x")];
  drafts.writeFiles("conv_1", sent);
  drafts.writeFiles("conv_1", [file("b.md", "y")]);
  drafts.taken("conv_1", "", sent);
  assert.deepEqual(drafts.readFiles("conv_1"), [file("b.md", "y")]);
});

test("files that the browser can't keep are said to be lost with the page, and those of other chats stay", async () => {
  const drafts = await page();
  drafts.writeFiles("conv_1", [file("small.md", "x")]);
  const large = [file("a.log", "x".repeat(2_100_000))];
  assert.equal(drafts.writeFiles("conv_2", large), false);
  assert.equal(drafts.readFiles("conv_2"), large);
  const after = await page();
  assert.deepEqual([after.readFiles("conv_2"), after.readFiles("conv_1")], [[], [file("small.md", "x")]]);
});
