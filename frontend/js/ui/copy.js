/**
 * Copying, also where the clipboard API is missing (plain http on a LAN), and the button that says it worked.
 */
import { iconButton, setIcon } from "./dom.js";

const SHOWN_MS = 1_600;

/** @param {string} text @returns {Promise<boolean>} */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const area = document.createElement("textarea");
  area.className = "hidden";
  area.value = text;
  area.readOnly = true;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return copied;
}

/** Shows for a moment that it worked. @param {HTMLElement} button @param {string} text @param {HTMLElement | null} [label] @param {string} [glyph] of the button */
export async function copyFrom(button, text, label = null, glyph = "copy") {
  const done = await copyText(text);
  const before = button.getAttribute("aria-label");
  setIcon(button, done ? "check" : "x");
  button.setAttribute("aria-label", done ? "Copied" : "Copying failed");
  if (label) label.textContent = done ? "Copied" : "Failed";
  setTimeout(() => {
    setIcon(button, glyph);
    if (before) button.setAttribute("aria-label", before);
    if (label) label.textContent = "Copy";
  }, SHOWN_MS);
}

/** @param {() => string} source @param {string} label */
export function copyButton(source, label) {
  const button = iconButton(label, "copy");
  button.addEventListener("click", () => copyFrom(button, source()));
  return button;
}
