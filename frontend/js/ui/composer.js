/**
 * The message box: Enter sends, Shift+Enter breaks the line, the send button becomes Stop, files stand
 * above what is typed. It keeps drafts and refuses to know where a message goes.
 */
import { keepDraft, readDraft, readFiles, writeFiles } from "../state/drafts.js";
import { joined, parted } from "../state/files.js";
import { byId, composing, h, iconButton, setIcon } from "./dom.js";
import { extras } from "./later.js";
import { fileLabel } from "./said.js";

/** @typedef {import("../types").TextFile} TextFile */
/** @typedef {{ onSend: (text: string, files: TextFile[]) => void, onStop: () => void, onType: () => void }} Hooks */
/** @typedef {"ready" | "writing" | "stopping" | "closed"} Mode closed: there is nothing that could answer */

const touch = matchMedia("(hover: none) and (pointer: coarse)");
/** A pasted text that is longer may be wanted as a file. */
const LONG_PASTE = 4_000;
const PASTED = "pasted.txt";

/** @param {Hooks} hooks */
export function createComposer(hooks) {
  const form = /** @type {HTMLFormElement} */ (byId("composer"));
  const box = /** @type {HTMLTextAreaElement} */ (byId("prompt"));
  const send = /** @type {HTMLButtonElement} */ (byId("send"));
  const chips = byId("files");
  /** @type {Mode} */
  let mode = "ready";
  /** @type {string | null} */
  let chat = null;
  /** @type {TextFile[]} */
  let files = [];
  /** They as they stand in a message, which may take a moment to write. @type {string | null} */
  let before = null;

  function grow() {
    if (CSS.supports("field-sizing", "content")) return;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  function refresh() {
    const empty = box.value.trim() === "" && !files.length;
    // What is typed while it writes can be said to it at once.
    const stop = mode === "stopping" || (mode === "writing" && empty);
    send.toggleAttribute("data-stop", stop);
    send.setAttribute("aria-label", stop ? "Stop" : "Send");
    send.title = stop ? "Stop (Esc)" : "Send (Enter)";
    setIcon(send, stop ? "square" : "arrow-up");
    send.disabled = mode === "stopping" || (mode !== "writing" && (mode === "closed" || empty));
    grow();
  }

  /** @param {TextFile[]} next */
  function show(next) {
    files = next;
    before = null;
    chips.hidden = !files.length;
    chips.replaceChildren(...files.map((file) => h("li", { class: "chip" }, ...fileLabel(file),
      iconButton(`Remove ${file.name}`, "x", { onclick: () => remove(file) }))));
    refresh();
  }

  /** @param {TextFile[]} next @returns {boolean} whether they survive a reload */
  function attach(next) {
    show(next);
    const kept = writeFiles(chat, files);
    hooks.onType();
    return kept;
  }

  /** @param {TextFile} file */
  function remove(file) {
    const at = files.indexOf(file);
    byId("file-notes").replaceChildren();
    attach(files.filter((f) => f !== file));
    (chips.children[Math.min(at, files.length - 1)]?.querySelector("button") ?? box).focus();
  }

  /** @param {File[]} list */
  async function add(list) {
    if (!list.length) return;
    const to = chat;
    const { takeIn, tellRefused } = await extras();
    const { files: more, refused } = await takeIn(list, files.length);
    // Another chat may have been opened while they were read.
    const kept = to === chat ? attach([...files, ...more]) : writeFiles(to, [...readFiles(to), ...more]);
    tellRefused(refused, kept);
    box.focus({ preventScroll: true });
  }

  /** Puts what was pasted into a file. @param {string} text */
  function fold(text) {
    if (!box.value.includes(text)) return;
    box.value = box.value.replace(text, () => "");
    keepDraft(chat, box.value);
    attach([...files, { name: PASTED, text }]);
    box.focus({ preventScroll: true });
  }

  function submit() {
    const text = box.value.trim();
    const going = files;
    const empty = text === "" && !files.length;
    if (mode === "writing" && empty) return hooks.onStop();
    if ((mode !== "ready" && mode !== "writing") || empty) return;
    box.value = "";
    byId("file-notes").replaceChildren();
    show([]);
    hooks.onSend(text, going);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || composing(event) || touch.matches) return;
    event.preventDefault();
    if (mode !== "writing" || box.value.trim() !== "" || files.length) submit();
  });
  box.addEventListener("input", () => {
    keepDraft(chat, box.value);
    refresh();
    hooks.onType();
  });
  box.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain").replaceAll("\r\n", "\n") ?? "";
    const list = [...(event.clipboardData?.files ?? [])];
    // What is copied from a text processor has a picture beside its text.
    if (list.length && !text) (event.preventDefault(), add(list));
    else if (text.length > LONG_PASTE) extras().then(({ offer }) => offer(text, () => fold(text)));
  });
  byId("attach").addEventListener("click", async () => (await extras()).choose(add));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    add([...(event.dataTransfer?.files ?? [])]);
  });

  return {
    /** @param {string | null} id */
    open(id) {
      chat = id;
      box.value = readDraft(id);
      byId("file-notes").replaceChildren();
      show(readFiles(id));
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
    /** What could not be said is there to be sent again. @param {string} message */
    giveBack(message) {
      const back = parted(message);
      box.value = [back.text, box.value].filter(Boolean).join("\n\n");
      keepDraft(chat, box.value);
      attach([...back.files, ...files]);
    },
    focus: () => box.focus({ preventScroll: true }),
    /** What would be sent. */
    get text() {
      return box.value.trim();
    },
    /** What stands before it in the message. */
    get files() {
      return (before ??= joined(files, ""));
    },
    /** Where a keyboard is at hand, the next message can be typed at once; another field keeps its focus. */
    invite() {
      if (!touch.matches && !(document.activeElement instanceof HTMLInputElement)) this.focus();
    },
  };
}
