/**
 * The message box: Enter sends, Shift+Enter breaks the line, the send button becomes Stop. It keeps drafts
 * and refuses to know where a message goes.
 */
import { keepDraft, readDraft } from "../state/drafts.js";
import { byId, composing, setIcon } from "./dom.js";

/** @typedef {{ onSend: (text: string) => void, onStop: () => void, onType: () => void }} Hooks */
/** @typedef {"ready" | "writing" | "stopping" | "closed"} Mode closed: there is nothing that could answer */

const touch = matchMedia("(hover: none) and (pointer: coarse)");

/** @param {Hooks} hooks */
export function createComposer(hooks) {
  const form = /** @type {HTMLFormElement} */ (byId("composer"));
  const box = /** @type {HTMLTextAreaElement} */ (byId("prompt"));
  const send = /** @type {HTMLButtonElement} */ (byId("send"));
  /** @type {Mode} */
  let mode = "ready";
  /** @type {string | null} */
  let chat = null;

  function grow() {
    if (CSS.supports("field-sizing", "content")) return;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  function refresh() {
    // What is typed while it writes can be said to it at once.
    const stop = mode === "stopping" || (mode === "writing" && box.value.trim() === "");
    send.toggleAttribute("data-stop", stop);
    send.setAttribute("aria-label", stop ? "Stop" : "Send");
    send.title = stop ? "Stop (Esc)" : "Send (Enter)";
    setIcon(send, stop ? "square" : "arrow-up");
    send.disabled = mode === "stopping" || (mode !== "writing" && (mode === "closed" || box.value.trim() === ""));
    grow();
  }

  function submit() {
    const text = box.value.trim();
    if (mode === "writing" && text === "") return hooks.onStop();
    if ((mode !== "ready" && mode !== "writing") || text === "") return;
    box.value = "";
    refresh();
    hooks.onSend(text);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || composing(event) || touch.matches) return;
    event.preventDefault();
    if (mode !== "writing" || box.value.trim() !== "") submit();
  });
  box.addEventListener("input", () => {
    keepDraft(chat, box.value);
    refresh();
    hooks.onType();
  });

  return {
    /** @param {string | null} id */
    open(id) {
      chat = id;
      box.value = readDraft(id);
      refresh();
    },
    /** The chat on screen got its id; what is typed stays. @param {string} id */
    named(id) {
      chat = id;
    },
    /** @param {Mode} next */
    setMode(next) {
      if (mode === next) return;
      mode = next;
      refresh();
    },
    /** What could not be said is there to be sent again. @param {string} text */
    giveBack(text) {
      box.value = [text, box.value].filter(Boolean).join("\n\n");
      keepDraft(chat, box.value);
      refresh();
    },
    focus: () => box.focus({ preventScroll: true }),
    /** What would be sent. */
    get text() {
      return box.value.trim();
    },
    /** Where a keyboard is at hand, the next message can be typed at once; another field keeps its focus. */
    invite() {
      if (!touch.matches && !(document.activeElement instanceof HTMLInputElement)) this.focus();
    },
  };
}
