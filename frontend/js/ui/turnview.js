/**
 * One exchange on screen. It draws a Turn and follows it; what a click means is told to the chat view.
 */
import { createStream } from "../md/stream.js";
import { shortName } from "../state/models.js";
import { endNote, failure, meta } from "../state/sentences.js";
import { isLive } from "../state/turn.js";
import { finishCode } from "./code.js";
import { copyButton } from "./copy.js";
import { h, icon, iconButton, setAttribute, setText } from "./dom.js";
import { soon } from "./frame.js";

/** @typedef {import("../types").Turn} Turn */
/** @typedef {{ onRetry: (turn: Turn) => void, onDrawn: () => void }} Hooks */

const FOUND_MS = 2_000;
const UNSAVED = "This answer could not be saved yet. The server keeps trying; copy what you need.";

export class TurnView {
  #turn;
  #hooks;
  #speaker = h("p", { class: "speaker", hidden: true });
  #written = h("div", { class: "md written" });
  #note = h("p", { class: "note", hidden: true });
  #unsaved = h("p", { class: "note", hidden: true }, UNSAVED);
  #trouble = h("div", { class: "trouble", role: "alert", hidden: true });
  #meta = h("span", { class: "meta" });
  #tools;
  #answer;
  #stream = createStream(this.#written, finishCode);
  #drawn = 0;
  #ended = false;
  #fading = setTimeout(() => {}, 0);

  /** @param {Turn} turn @param {Hooks} hooks */
  constructor(turn, hooks) {
    this.#turn = turn;
    this.#hooks = hooks;
    this.#tools = h("div", { class: "tools" }, copyButton(() => turn.text, "Copy answer"), this.#infoButton(), this.#meta);
    this.#answer = h("article", { class: "answer", "aria-label": "Answer", tabindex: "-1" },
      this.#speaker, this.#written, this.#note, this.#unsaved, this.#trouble, this.#tools);
    this.node = h("section", { class: "turn" }, this.#ask(), this.#answer);
    this.#draw();
  }

  #ask() {
    return h("article", { class: "ask", "aria-label": "You", hidden: this.#turn.prompt === "" },
      h("div", { class: "said", dir: "auto" }, this.#turn.prompt),
      h("div", { class: "tools" }, copyButton(() => this.#turn.prompt, "Copy message")));
  }

  #infoButton() {
    const button = iconButton("Numbers of this answer", "info", { "aria-pressed": "false" });
    button.addEventListener("click", () => {
      const shown = this.#tools.toggleAttribute("data-shown");
      button.setAttribute("aria-pressed", String(shown));
    });
    return button;
  }

  /** @param {import("../state/turn.js").Change} change */
  update(change) {
    if (change === "reset") this.#restart();
    if (!document.hidden || isLive(this.#turn)) soon(this.#draw);
    else this.#draw();
  }

  /** @param {string | null} model whose words these are, where that is worth a line */
  say(model) {
    this.#speaker.hidden = model === null;
    setText(this.#speaker, model ? shortName(model) : "");
    this.#speaker.title = model ?? "";
  }

  focus() {
    this.#answer.focus({ preventScroll: false });
  }

  /** Shows for a moment that this is what was looked for; whoever reads by keyboard goes on from here. */
  found() {
    setAttribute(this.node, "data-found", true);
    clearTimeout(this.#fading);
    this.#fading = setTimeout(() => setAttribute(this.node, "data-found", false), FOUND_MS);
    this.#answer.focus({ preventScroll: true });
  }

  #restart() {
    this.#written.replaceChildren();
    this.#stream = createStream(this.#written, finishCode);
    this.#drawn = 0;
    this.#ended = false;
  }

  #draw = () => {
    const turn = this.#turn;
    const live = isLive(turn);
    if (turn.text.length > this.#drawn) {
      this.#stream.push(turn.text.slice(this.#drawn));
      this.#drawn = turn.text.length;
      if (live) this.#stream.flush();
    }
    if (!live && !this.#ended) {
      this.#ended = true;
      this.#stream.end();
    }
    this.#frame(live);
    this.#hooks.onDrawn();
  };

  /** Everything around the text. @param {boolean} live */
  #frame(live) {
    const turn = this.#turn;
    const note = endNote(turn);
    // Instructions or tools only, or a deleted exchange: what comes after it still goes on from it.
    this.node.hidden = turn.phase === "completed" && turn.prompt === "" && turn.text === "";
    setAttribute(this.node, "data-live", live);
    setAttribute(this.node, "data-phase", turn.phase);
    setAttribute(this.#answer, "aria-busy", live ? "true" : null);
    setAttribute(this.#written, "data-live", live);
    this.#written.hidden = !live && turn.text === "";
    this.#note.hidden = note === null;
    this.#note.textContent = note ?? "";
    // While it is written the line above the message box says so, of everything.
    this.#unsaved.hidden = live || turn.saved;
    this.#tools.hidden = !live && turn.text === "";
    this.#meta.textContent = meta(turn);
    this.#showTrouble();
  }

  #showTrouble() {
    const turn = this.#turn;
    const failed = turn.phase === "failed";
    if (failed === !this.#trouble.hidden) return;
    this.#trouble.hidden = !failed;
    if (!failed) return this.#trouble.replaceChildren();
    this.#trouble.append(
      h("p", {}, failure(turn.error, turn.text !== "")),
      h("button", { type: "button", class: "text-button", onclick: () => this.#hooks.onRetry(turn) }, icon("rotate-ccw"), "Retry"));
  }
}
