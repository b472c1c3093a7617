/**
 * `< 2/3 >`: which version is shown, and the way to the others. It refuses to know what it counts.
 */
import { h, iconButton, setText } from "./dom.js";

/** @typedef {import("../state/branches.js").Versions} Versions */

/** @param {string} what there are versions of @param {(id: string) => void} onVersion */
export function versionSwitch(what, onVersion) {
  /** @type {Versions | null} */
  let shown = null;
  const count = h("span", { class: "version-count" });
  /** @param {number} step */
  const turn = (step) => {
    const id = shown?.others[shown.at - 1 + step];
    if (id) onVersion(id);
  };
  const before = iconButton(`Previous version of this ${what}`, "chevron-left", { onclick: () => turn(-1) });
  const after = iconButton(`Next version of this ${what}`, "chevron-right", { onclick: () => turn(1) });
  const node = h("span", { class: "versions", role: "group", "aria-label": `Versions of this ${what}`, hidden: true }, before, count, after);
  return {
    node,
    /** @param {Versions | null} versions */
    show(versions) {
      shown = versions;
      node.hidden = !versions || versions.of < 2;
      if (!versions) return;
      setText(count, `${versions.at}/${versions.of}`);
      for (const [button, off] of /** @type {[HTMLButtonElement, boolean][]} */ ([[before, versions.at <= 1], [after, versions.at >= versions.of]])) {
        // Not disabled: whoever pressed it by keyboard keeps the focus.
        button.setAttribute("aria-disabled", String(off));
      }
    },
  };
}
