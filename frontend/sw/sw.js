/**
 * The service worker: keeps the shell of one build, so that the page opens where the server is away, and
 * nothing that the server says. `/v1` and whatever else is no file of the page it lets through untouched.
 * BUILD and SHELL are put in by scripts/build.mjs.
 */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (globalThis));
const PREFIX = "tokenwire-";
const CACHE = PREFIX + BUILD;
const PAGE = "/";
const ASSETS = "/assets/";
/** How long the server may take for the page before the one that is kept is shown. */
const PATIENCE_MS = 3_000;

worker.addEventListener("install", (event) => {
  event.waitUntil(Promise.all([install(), bypass(event)]));
});
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== worker.location.origin) return;
  if (mode === "navigate" && pathname === PAGE) event.respondWith(page(event));
  else if (pathname.startsWith(ASSETS)) event.respondWith(asset(event));
});

/**
 * Where browsers can, requests to the server don't come by here at all: what a page that is left still says
 * (`keepalive`) would be lost on the way through a worker.
 * @param {any} event
 */
const bypass = (event) => event.addRoutes?.({ condition: { urlPattern: { pathname: "/v1/*" } }, source: "network" });

async function install() {
  const index = await fetch(PAGE, { cache: "no-cache" });
  // The server may have been replaced since it gave this script; its own comes with the next visit.
  if (!index.ok || index.redirected || !(await index.clone().text()).includes(BUILD)) throw new Error("This is the page of another build.");
  const cache = await caches.open(CACHE);
  try {
    await cache.addAll(SHELL);
    await cache.put(PAGE, index);
  } catch (error) {
    // Half a build would count as the one before, and push a whole one out.
    await caches.delete(CACHE);
    throw error;
  }
  await worker.skipWaiting();
}

async function activate() {
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  // The one before this one has the parts that pages of that build may still ask for.
  await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));
  await worker.registration.navigationPreload?.enable();
  await worker.clients.claim();
}

/** The server's page; the one that is kept where the server is away, or slow. @param {FetchEvent} event */
async function page(event) {
  const fresh = load(event);
  const arrived = fresh.catch(() => null);
  event.waitUntil(arrived);
  const kept = await (await caches.open(CACHE)).match(PAGE, { ignoreVary: true });
  if (!kept) return fresh;
  const answer = await Promise.race([arrived, new Promise((done) => setTimeout(done, PATIENCE_MS, null))]);
  // A proxy speaks for a server that is away.
  return answer && answer.status < 500 ? answer : kept;
}

/** @param {FetchEvent} event @returns {Promise<Response>} */
const load = async (event) => (await event.preloadResponse) ?? fetch(event.request);

/**
 * A name stands for one content, for ever, where the server says so: another one may have this address tomorrow.
 * @param {FetchEvent} event
 */
async function asset(event) {
  const kept = await caches.match(event.request, { ignoreVary: true });
  if (kept) return kept;
  const answer = await fetch(event.request);
  if (answer.ok && answer.headers.get("cache-control")?.includes("immutable")) {
    const copy = answer.clone();
    event.waitUntil(caches.open(CACHE).then((cache) => cache.put(event.request, copy)).catch(() => {}));
  }
  return answer;
}
