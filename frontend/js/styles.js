/**
 * Style sheets that are in the page, asleep, until what they dress is wanted. It refuses to know what that is.
 */

/** Done when it is there, or will not come: what it dresses is then less fair, no more. @param {string} id of its link */
export async function wake(id) {
  const link = /** @type {HTMLLinkElement | null} */ (document.getElementById(id));
  if (!link?.disabled) return;
  const loaded = new Promise((done) => {
    link.addEventListener("load", done, { once: true });
    link.addEventListener("error", done, { once: true });
  });
  link.disabled = false;
  await loaded;
}
