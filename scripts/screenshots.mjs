/**
 * The pictures in docs/images, of the real product: a real server with the demo model on an empty folder, a
 * real browser, real answers. Run by `npm run screenshots`, after scripts/setup and scripts/build.mjs.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const IMAGES = join(ROOT, "docs", "images");
const DATA = await mkdtemp(join(tmpdir(), "tokenwire-pictures-"));
process.env.TOKENWIRE_PYTHON ??= join(ROOT, ".venv", "bin", "python");
process.env.TOKENWIRE_DATA = DATA;
// Read when the modules below are.
const { launch, open } = await import("../tests/page/browser.mjs");
const { OwnServer } = await import("../tests/page/own_server.mjs");

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
const PATIENCE_MS = 120_000;

/** @param {import("playwright-core").Page} page @param {string} name */
const button = (page, name) => page.getByRole("button", { name, exact: true });
/** @param {import("playwright-core").Page} page @param {number} n */
const ended = (page, n) => page.locator(".turn:not([data-live])").nth(n - 1).waitFor();

/** @param {import("playwright-core").Page} page @param {string} text */
async function send(page, text) {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await button(page, "Send").click();
}

/** @param {import("playwright-core").Page} page @param {string} name */
async function picture(page, name) {
  // What moves has come to rest, and nothing is under the pointer.
  await page.mouse.move(640, 2);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(IMAGES, `${name}.png`), caret: "hide" });
  console.log(`  docs/images/${name}.png`);
}

const browser = await launch();
const server = await new OwnServer().start();

/** @param {object} options @param {string} [path] */
async function visit(options, path = "/") {
  const { page, close } = await open(browser, new URL(path, server.url).href, options);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.locator(".starter, .turn").first().waitFor();
  return { page, close };
}

try {
  await mkdir(IMAGES, { recursive: true });
  const { page, close } = await visit({ ...WIDE, colorScheme: "light" });
  await page.locator('#model-dot[data-state="ready"]').waitFor();
  await picture(page, "welcome");
  for (const prompt of ["How do I add a model?", "Count from 1 to 30", "My name is Ada."]) {
    await send(page, prompt);
    await ended(page, 1);
    await page.getByRole("link", { name: "New chat", exact: true }).first().click();
    await page.locator(".starter").first().waitFor();
  }
  await send(page, "Tell me a story about Ada and a dragon");
  await ended(page, 1);
  await button(page, "Answer again").click();
  await page.getByRole("group", { name: "Versions of this answer" }).getByText("2/2").waitFor();
  await ended(page, 1);
  await send(page, "What can you do?");
  await ended(page, 2);
  const chat = new URL(page.url()).hash;
  await picture(page, "chat");
  await button(page, "Details of this answer").last().click();
  await picture(page, "details");
  await button(page, "Settings of this chat").click();
  for (const [name, value] of [["Temperature", "0.8"], ["Instructions", "Answer as you would tell a child. Be brief."]]) {
    await page.getByLabel(name, { exact: true }).fill(value);
  }
  await button(page, "Save as a preset").click();
  await page.keyboard.type("For children");
  await page.keyboard.press("Enter");
  await picture(page, "settings");
  await button(page, "Close").click();
  await page.keyboard.press("Control+/");
  await picture(page, "keys");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+K");
  await page.keyboard.type("dragon");
  await page.locator("#results mark").first().waitFor();
  await picture(page, "search");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /^Model:/ }).click();
  await page.getByText("Can be downloaded", { exact: true }).waitFor();
  await picture(page, "models");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "New chat", exact: true }).first().click();
  await send(page, "Count from 1 to 200");
  await page.waitForFunction(() => (document.querySelector(".answer .md")?.textContent?.length ?? 0) > 120);
  for (const pid of server.engines()) process.kill(pid, "SIGKILL");
  await page.locator("#state", { hasText: "The engine stopped" }).waitFor();
  await picture(page, "recovery");
  await ended(page, 1);
  await close();

  const dark = await visit({ ...WIDE, colorScheme: "dark" }, `/${chat}`);
  await picture(dark.page, "chat-dark");
  await dark.close();
  const phone = await visit({ ...PHONE, colorScheme: "light" }, `/${chat}`);
  await picture(phone.page, "phone");
  await button(phone.page, "List of chats").tap();
  await picture(phone.page, "phone-chats");
  await phone.close();
} finally {
  await browser.close();
  await server.kill();
  await rm(DATA, { recursive: true, force: true });
}
