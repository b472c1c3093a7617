/**
 * Draws the icons of the installed page from frontend/favicon.svg into frontend/app/, with the browser of the
 * page's tests. They are in git, as few who build the page have one: run it when the drawing changes.
 *
 *   node scripts/icons.mjs
 */
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const FRONTEND = join(dirname(fileURLToPath(import.meta.url)), "../frontend");
/** Of a maskable icon only this share, in the middle, is always seen. */
const SAFE = 0.8;

const drawing = await readFile(join(FRONTEND, "favicon.svg"), "utf8");
/** To the edges, for who cuts it into a shape of its own. */
const bleeding = drawing.replace(/rx="\d+"/, "").replace(/(<rect[^>]*>)(.*)<\/svg>/s, `$1<g transform="translate(16 16) scale(${SAFE}) translate(-16 -16)">$2</g></svg>`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
for (const [name, svg, size] of [["icon-192", drawing, 192], ["icon-512", drawing, 512], ["maskable-512", bleeding, 512]]) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>html, body, svg { margin: 0; display: block; width: 100%; height: 100% }</style>${svg}`);
  await writeFile(join(FRONTEND, "app", `${name}.png`), await page.screenshot({ omitBackground: true }));
}
await browser.close();
