/**
 * The page as a thing that is installed, against a real server that is stopped and replaced under it: it opens
 * from what the browser keeps, says why it is alone, and a new build is there at the first reload. The server runs
 * a copy of the package, whose built page a test may exchange.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { accessible, answers, composer, launch, open, say } from "./browser.mjs";
import { OwnServer } from "./own_server.mjs";

const PATIENCE = 60_000;
const OFFLINE = /WebSocket connection|Failed to load resource|ERR_/;
/** A name that no browser trusts over plain HTTP, unlike localhost. */
const ELSEWHERE = "tokenwire.test";

let browser;
let server;
let folder;
let page_;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tokenwire-pwa-"));
  const backend = join(folder, "backend");
  await cp(join(dirname(fileURLToPath(import.meta.url)), "../../backend"), backend, { recursive: true, filter: (path) => !path.includes("__pycache__") });
  page_ = join(backend, "tokenwire/web/page");
  server = await new OwnServer(backend, { TOKENWIRE_ALLOWED_HOSTS: ELSEWHERE }).start();
  browser = await launch([`--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`]);
});
after(async () => {
  await browser?.close();
  await server?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** A page that the browser keeps. */
async function visit(t, { kept = true, url = server.url, ...options } = {}) {
  const at = await open(browser, url, { expected: OFFLINE, serviceWorkers: "allow", ...options });
  t.after(at.close);
  at.page.setDefaultTimeout(PATIENCE);
  await at.page.locator(".starter").first().waitFor();
  if (kept) await isKept(at.page);
  return at;
}

/** What the page tells, until it is this. @param {() => Promise<unknown>} tell @param {(told: any) => boolean} holds */
async function until(tell, holds) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const told = await tell();
    if (holds(told)) return told;
    assert.ok(Date.now() < deadline, `still ${JSON.stringify(told)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The worker of a build has taken over. */
async function isKept(page) {
  const own = `tokenwire-${await build(page)}`;
  const look = () => page.evaluate(async (name) => {
    const registration = await navigator.serviceWorker.getRegistration();
    const { active, installing, waiting } = registration ?? {};
    return active?.state === "activated" && !installing && !waiting && Boolean(navigator.serviceWorker.controller) && (await caches.has(name)) && Boolean(await (await caches.open(name)).match("/"));
  }, own);
  await until(look, Boolean);
}
const build = (page) => page.locator('meta[name="tokenwire-build"]').getAttribute("content");
const says = (page, words) => page.locator("#state").getByText(words).waitFor();
const silent = (page) => page.waitForFunction(() => document.getElementById("state")?.textContent === "");
/** Every address that the browser keeps, by cache. */
const keeps = (page) => page.evaluate(async () => Object.fromEntries(await Promise.all((await caches.keys()).map(async (name) => [name, (await (await caches.open(name)).keys()).map((request) => new URL(request.url).pathname)]))));

async function away(t) {
  await server.kill();
  t.after(() => (server.process.exitCode ?? server.process.signalCode) && server.start());
}

/** Another build in the place of the one that is served: its scripts have other names, and the old ones are gone. */
async function rebuild(mark) {
  const id = JSON.parse(await readFile(join(page_, "manifest.json"), "utf8")).build;
  const renamed = (text) => text.replaceAll(id, `${mark}${id.slice(mark.length)}`).replace(/-([A-Z0-9]{8})\.(js|css)/g, (_, hash, kind) => `-${mark}${hash.slice(mark.length)}.${kind}`);
  for (const name of await readdir(page_, { recursive: true })) {
    const path = join(page_, name);
    if (/\.(gz|br)$/.test(name)) await rm(path);
    else if (/\.(js|css|html|json)$/.test(name)) {
      await writeFile(path, renamed(await readFile(path, "utf8")));
      await rename(path, renamed(path));
    }
  }
}

test("a manifest and icons make it installable", async (t) => {
  const { page } = await visit(t);
  const client = await page.context().newCDPSession(page);
  const { url, errors } = await client.send("Page.getAppManifest");
  assert.deepEqual([new URL(url).pathname, errors], ["/manifest.webmanifest", []]);
  const { installabilityErrors } = await client.send("Page.getInstallabilityErrors");
  // A context of the tests is an incognito window.
  assert.deepEqual(installabilityErrors.map((e) => e.errorId).filter((id) => id !== "in-incognito"), []);
  const icons = await page.evaluate(async () => {
    const { icons } = await (await fetch("/manifest.webmanifest")).json();
    return Promise.all(icons.map(async ({ src, sizes, purpose }) => {
      const bitmap = new Image();
      bitmap.src = src;
      await bitmap.decode();
      return [purpose, sizes, sizes === "any" || sizes === `${bitmap.naturalWidth}x${bitmap.naturalHeight}`];
    }));
  });
  assert.deepEqual(icons, [["any", "any", true], ["any", "192x192", true], ["any", "512x512", true], ["maskable", "512x512", true]]);
});

test("text still never becomes HTML or a script", async (t) => {
  const { page } = await visit(t, { expected: /requires 'Trusted\w+' assignment|Creating a TrustedTypePolicy/ });
  const outcomes = await page.evaluate(async () => {
    const attempts = {
      html: () => { document.body.innerHTML = "<b>x</b>"; },
      worker: () => navigator.serviceWorker.register("/sw.js"),
      shared: () => new Worker("/sw.js"),
      script: () => { document.createElement("script").src = "/sw.js"; },
      another: () => trustedTypes.createPolicy("another", { createHTML: (text) => text }),
      again: () => trustedTypes.createPolicy("tokenwire-worker", { createScriptURL: (text) => text }),
    };
    const found = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        await attempt();
        found[name] = "let through";
      } catch (error) {
        found[name] = error.name;
      }
    }
    return found;
  });
  assert.deepEqual(outcomes, Object.fromEntries(Object.keys(outcomes).map((name) => [name, "TypeError"])));
  await page.waitForFunction(() => globalThis.violations.length === 6);
  await page.evaluate(() => { globalThis.violations.length = 0; });
});

test("the browser keeps the page and nothing that the server says", async (t) => {
  const { page } = await visit(t);
  await say(page, "What can you do?");
  await page.locator(".turn[data-phase=completed]").waitFor();
  const caches_ = await keeps(page);
  assert.deepEqual(Object.keys(caches_), [`tokenwire-${await build(page)}`]);
  const paths = Object.values(caches_).flat();
  assert.ok(paths.includes("/") && paths.length > 5);
  assert.deepEqual(paths.filter((path) => path !== "/" && !path.startsWith("/assets/")), []);
  for (const path of ["/", "/sw.js", "/manifest.webmanifest"]) {
    const { headers } = await fetch(new URL(path, server.url));
    assert.equal(headers.get("cache-control"), "no-cache");
  }
});

test("what a page says as it is left is not lost on the way through its worker", async (t) => {
  const { page } = await visit(t);
  for (let i = 0; i < 5; i++) {
    const id = await page.evaluate(async () => {
      const { id } = await (await fetch("/v1/conversations", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })).json();
      addEventListener("pagehide", () => fetch(`/v1/conversations/${id}`, { method: "DELETE", keepalive: true }));
      return id;
    });
    await page.reload();
    await until(() => fetch(new URL(`/v1/conversations/${id}`, server.url)).then((r) => r.status), (status) => status === 404);
  }
});

test("without its server it opens, says so, keeps a draft, and sends when the server is back", async (t) => {
  const { page } = await visit(t);
  await say(page, "What can you do?");
  await page.locator(".turn[data-phase=completed]").waitFor();
  const chat = page.url();
  await away(t);
  await page.reload();
  await says(page, "No connection to the server. Trying again.");
  await page.getByText("Your chats are safe on the server.").waitFor();
  await accessible(page, "without a server");
  await page.goto(new URL("/", server.url).href);
  await page.reload();
  await says(page, "No connection to the server. Trying again.");
  await page.locator(".starter").first().waitFor();
  await composer(page).pressSequentially("My name is ");
  await page.waitForFunction(() => localStorage.getItem("tokenwire.drafts")?.includes("My name is"));
  await page.reload();
  await page.waitForFunction(() => document.getElementById("prompt").value === "My name is ");
  await composer(page).press("End");
  await composer(page).pressSequentially("Ada.");
  await composer(page).press("Enter");
  await says(page, "No connection. Your message is sent when it is back.");
  await server.start();
  await page.locator(".turn[data-phase=completed]").waitFor();
  assert.ok((await answers(page).textContent()).length > 0);
  await silent(page);
  await page.goto(chat);
  await page.locator(".turn[data-phase=completed]").waitFor();
});

test("a chat that was opened without the server is there when it is back", async (t) => {
  const { page, context } = await visit(t);
  await say(page, "What can you do?");
  await page.locator(".turn[data-phase=completed]").waitFor();
  await context.setOffline(true);
  await page.reload();
  await page.getByText("Your chats are safe on the server.").waitFor();
  await says(page, "No connection to the server. Trying again.");
  await context.setOffline(false);
  await page.locator(".turn[data-phase=completed]").waitFor();
  await silent(page);
});

test("a new build is said, is there at the first reload, and is what is kept from then on", async (t) => {
  const { page } = await visit(t);
  const first = await build(page);
  // The page has not asked for it yet.
  const lazy = Object.values(await keeps(page)).flat().find((path) => path.includes("/grammars-"));
  assert.ok(lazy, "the part that highlights code is not kept");
  await rebuild("NEW1");
  await server.kill();
  await server.start();
  await says(page, "This page has a newer version.");
  // What the old page may still need is gone from the server, and not from the browser.
  assert.equal((await fetch(new URL(lazy, server.url))).status, 404);
  assert.equal(await page.evaluate((path) => fetch(path).then((r) => r.status), lazy), 200);
  await page.getByRole("button", { name: "Reload" }).click();
  await page.waitForFunction((old) => document.querySelector('meta[name="tokenwire-build"]')?.content !== old, first);
  const second = await build(page);
  assert.match(second, /^NEW1/);
  await silent(page);
  await isKept(page);
  assert.deepEqual(Object.keys(await keeps(page)), [`tokenwire-${first}`, `tokenwire-${second}`]);
  await rebuild("NEW2");
  await page.reload();
  const third = await build(page);
  assert.match(third, /^NEW2/);
  await isKept(page);
  assert.deepEqual(Object.keys(await keeps(page)), [`tokenwire-${second}`, `tokenwire-${third}`]);
  await away(t);
  await page.reload();
  await says(page, "No connection to the server. Trying again.");
  assert.equal(await build(page), third);
});

test("another server at the same address is heard, and what it says is not kept", async (t) => {
  const { page } = await visit(t);
  let asked = 0;
  const other = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(`<title>Another</title>${++asked}`));
  t.after(() => other.close().closeAllConnections());
  await away(t);
  other.listen(server.port, "127.0.0.1");
  await once(other, "listening");
  await page.reload();
  assert.equal(await page.title(), "Another");
  const [one, two] = await page.evaluate(async () => {
    const read = async () => (await fetch("/assets/app.js")).text();
    return [await read(), await read()];
  });
  assert.notEqual(one, two);
});

test("where the browser doesn't trust the connection nothing is kept, and nothing else is missing", async (t) => {
  const url = server.url.replace("127.0.0.1", ELSEWHERE);
  // The one header that is of no use there, either.
  const { page } = await visit(t, { kept: false, url, expected: /Cross-Origin-Opener-Policy header has been ignored/ });
  assert.deepEqual(await page.evaluate(() => [isSecureContext, "serviceWorker" in navigator]), [false, false]);
  await say(page, "What can you do?");
  await page.locator(".turn[data-phase=completed]").waitFor();
});
