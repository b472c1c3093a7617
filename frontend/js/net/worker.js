/**
 * Has the browser keep the page, by its service worker, so that it opens where the server is away. Only where
 * the connection can be trusted (https, or this machine): elsewhere there is no such thing, and nothing is missing.
 */

const SCRIPT = "/sw.js";

/** Once, as the policy can be made once. */
export async function keepPage() {
  try {
    await navigator.serviceWorker?.register(trusted(), { updateViaCache: "none" });
  } catch {
    // A browser that keeps nothing, or a certificate that it doesn't trust: the page works all the same.
  }
}

/**
 * The address of a worker's script is a sink of Trusted Types. The only policy that this page may have makes
 * nothing but this one address: text never becomes HTML or a script.
 * @returns {string}
 */
function trusted() {
  const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("tokenwire-worker", {
    createScriptURL(/** @type {string} */ url) {
      if (url === SCRIPT) return url;
      throw new TypeError(`${url} is no worker of this page.`);
    },
  });
  return policy?.createScriptURL(SCRIPT) ?? SCRIPT;
}
