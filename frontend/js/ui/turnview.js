/**
 * One exchange on screen. It draws a Turn and follows it; what a click means is told to the chat view.
 */
import { shortName } from "../state/models.js";
import { endNote, failure, meta } from "../state/sentences.js";
import { isLive } from "../state/turn.js";
import { createAsked } from "./asked.js";
import { copyButton, copyFrom } from "./copy.js";
import { arrange, h, icon, iconButton, setAttribute, setText } from "./dom.js";
import { soon } from "./frame.js";
import { extras } from "./later.js";
import { viewOf } from "./pieces.js";
import { said } from "./said.js";
import { versionSwitch } from "./versions.js";

/** @typedef {import("../types").Turn} Turn */
/** @typedef {import("../types").Piece} Piece */
/** @typedef {import("./pieces.js").PieceView} PieceView */
/** @typedef {{ asked: import("../state/branches.js").Versions, answered: import("../state/branches.js").Versions }} Forks */
/** @typedef {{
 *   onRetry: (turn: Turn) => void, onEdit: (turn: Turn, prompt: string) => void, onGoOn: (turn: Turn) => void,
 *   onVersion: (id: string) => void, onDrawn: () => void, linkTo: (turn: Turn) => string,
 *   resultOf: (call: string) => string | null,
 * }} Hooks */

const FOUND_MS = 2_000;
const UNSAVED = "This answer could not be saved yet. The server keeps trying; copy what you need.";
/** How an answer ended that can be gone on with. */
const CUT = new Set(["cut", "stopped"]);

export class TurnView {
  #turn;
  #hooks;
  #asked;
  #speaker = h("p", { class: "speaker", hidden: true });
  /** Where nothing has come yet there is a place for it. */
  #empty = h("div", { class: "md written", "data-live": true });
  #pieces = h("div", { class: "pieces" });
  /** @type {Map<Piece, PieceView>} */
  #views = new Map();
  #said = h("div", { class: "steers", hidden: true });
  #note = h("p", { class: "note", hidden: true });
  #noteText = h("span");
  #goOn;
  #unsaved = h("p", { class: "note", hidden: true }, UNSAVED);
  #trouble = h("div", { class: "trouble", role: "alert", hidden: true });
  #meta = h("span", { class: "meta" });
  #versions;
  #facts = h("dl", { class: "facts", hidden: true });
  #tools;
  #answer;
  #fading = setTimeout(() => {}, 0);

  /** @param {Turn} turn @param {HTMLElement} node where it stands @param {Hooks} hooks */
  constructor(turn, node, hooks) {
    this.node = node;
    this.#turn = turn;
    this.#hooks = hooks;
    this.#asked = createAsked(turn.prompt, { onEdit: (prompt) => hooks.onEdit(turn, prompt), onVersion: hooks.onVersion });
    this.#versions = versionSwitch("answer", hooks.onVersion);
    this.#goOn = h("button", { type: "button", class: "text-button", "data-act": "", onclick: () => hooks.onGoOn(turn) }, icon("play"), "Continue");
    this.#note.append(this.#noteText, this.#goOn);
    this.#tools = h("div", { class: "tools" },
      this.#versions.node,
      copyButton(() => turn.text, "Copy answer"),
      iconButton("Answer again", "rotate-ccw", { "data-act": "", onclick: () => hooks.onRetry(turn) }),
      this.#linkButton(), this.#infoButton(), this.#meta);
    this.#answer = h("article", { class: "answer", "aria-label": "Answer", tabindex: "-1" },
      h("h2", { class: "hidden" }, "Answer"), this.#speaker, this.#pieces, this.#said, this.#note, this.#unsaved, this.#trouble, this.#tools, this.#facts);
    node.append(this.#asked.node, this.#answer);
    this.#drawAll();
  }

  #linkButton() {
    const button = iconButton("Copy link to this message", "link");
    button.addEventListener("click", () => copyFrom(button, this.#hooks.linkTo(this.#turn), null, "link"));
    return button;
  }

  #infoButton() {
    const button = iconButton("Details of this answer", "info", { "aria-expanded": "false" });
    button.addEventListener("click", () => {
      this.#facts.hidden = !this.#facts.hidden;
      setAttribute(this.#tools, "data-shown", !this.#facts.hidden);
      button.setAttribute("aria-expanded", String(!this.#facts.hidden));
      this.#showFacts();
    });
    return button;
  }

  async #showFacts() {
    if (this.#facts.hidden) return;
    const { detailsOf } = await extras();
    this.#facts.replaceChildren(...detailsOf(this.#turn).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  /** @param {import("../state/turn.js").Change} change */
  update(change) {
    if (change === "reset") this.#restart();
    if (!document.hidden || isLive(this.#turn)) soon(this.#draw);
    else this.#draw();
  }

  /** @param {string | null} model whose words these are, where that is worth a line @param {Forks | undefined} forks */
  say(model, forks) {
    this.#speaker.hidden = model === null;
    setText(this.#speaker, model ? shortName(model) : "");
    this.#speaker.title = model ?? "";
    this.#asked.versions(forks?.asked ?? null);
    this.#versions.show(forks?.answered ?? null);
  }

  /** What was asked, in a box where it can be asked in another way. */
  edit() {
    this.#asked.open();
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
    this.#pieces.replaceChildren();
    this.#views.clear();
  }

  #draw = () => {
    this.#drawAll();
    this.#hooks.onDrawn();
  };

  #drawAll() {
    const live = isLive(this.#turn);
    this.#drawPieces(live);
    this.#frame(live);
  }

  /** @param {boolean} live */
  #drawPieces(live) {
    const { pieces } = this.#turn;
    for (const piece of this.#views.keys()) if (!pieces.includes(piece)) this.#views.delete(piece);
    for (const piece of pieces) {
      const view = this.#views.get(piece) ?? viewOf(piece);
      this.#views.set(piece, view);
      view.draw(piece, live, piece.call ? this.#hooks.resultOf(piece.call) : null);
    }
    const nodes = [...this.#views.values()].map((view) => view.node);
    arrange(this.#pieces, nodes.length || !live ? nodes : [this.#empty]);
  }

  /** Everything around the text. @param {boolean} live */
  #frame(live) {
    const turn = this.#turn;
    const note = endNote(turn);
    // Instructions or tools only, or a deleted exchange: what comes after it still goes on from it.
    this.node.hidden = turn.phase === "completed" && turn.prompt === "" && !turn.begun;
    setAttribute(this.node, "data-live", live);
    setAttribute(this.node, "data-phase", turn.phase);
    setAttribute(this.#answer, "aria-busy", live ? "true" : null);
    this.#said.hidden = turn.steers.length === 0;
    if (this.#said.childElementCount !== turn.steers.length) {
      this.#said.replaceChildren(...turn.steers.map((text) => h("div", { class: "said", dir: "auto" }, ...said(text))));
    }
    this.#note.hidden = note === null;
    setText(this.#noteText, note ?? "");
    this.#goOn.hidden = !CUT.has(turn.phase) || !turn.saved || !turn.begun;
    // While it is written the line above the message box says so, of everything.
    this.#unsaved.hidden = live || turn.saved;
    this.#tools.hidden = !live && !turn.begun;
    setText(this.#meta, meta(turn));
    this.#showFacts();
    this.#showTrouble();
  }

  #showTrouble() {
    const turn = this.#turn;
    const failed = turn.phase === "failed";
    if (failed === !this.#trouble.hidden) return;
    this.#trouble.hidden = !failed;
    if (!failed) return this.#trouble.replaceChildren();
    this.#trouble.append(
      h("p", {}, failure(turn.error, turn.begun)),
      h("button", { type: "button", class: "text-button", onclick: () => this.#hooks.onRetry(turn) }, icon("rotate-ccw"), "Retry"));
  }
}
