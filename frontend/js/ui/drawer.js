/**
 * The sidebar's two lives: a column that folds away on a wide screen, a drawer over the chat on a narrow
 * one. What can't be seen can't be reached either.
 */
import { recall, remember } from "../state/memory.js";
import { byId } from "./dom.js";

export function createDrawer() {
  const narrow = matchMedia("(max-width: 759.98px)");
  const { body } = document;
  const [sidebar, stage, toggle] = [byId("sidebar"), byId("stage"), byId("toggle-sidebar")];
  let folded = recall("sidebar") === "closed";
  let drawn = false;

  function apply() {
    const visible = narrow.matches ? drawn : !folded;
    body.dataset.sidebar = folded ? "closed" : "open";
    body.dataset.drawer = narrow.matches && drawn ? "open" : "closed";
    sidebar.inert = !visible;
    stage.inert = narrow.matches && drawn;
    toggle.setAttribute("aria-expanded", String(visible));
  }

  function flip() {
    if (narrow.matches) drawn = !drawn;
    else remember("sidebar", (folded = !folded) ? "closed" : null);
    apply();
    if (narrow.matches && drawn) byId("close-drawer").focus();
  }

  /** @returns {boolean} there was a drawer to close */
  function close() {
    if (!drawn) return false;
    drawn = false;
    apply();
    toggle.focus({ preventScroll: true });
    return true;
  }

  /** Something at the side is to be used. */
  function show() {
    if (sidebar.inert) flip();
  }

  toggle.addEventListener("click", flip);
  byId("close-drawer").addEventListener("click", close);
  byId("scrim").addEventListener("click", close);
  narrow.addEventListener("change", () => {
    drawn = false;
    apply();
  });
  apply();
  return { close, show };
}
