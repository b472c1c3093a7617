/**
 * What an answer is made of, drawn: text as it grows, thoughts folded to one line, calls of tools. It
 * follows pieces and refuses to know whose they are.
 */
import { createStream } from "../md/stream.js";
import { lasting } from "../state/sentences.js";
import { finishCode } from "./code.js";
import { h, icon, setAttribute, setText } from "./dom.js";
import { withExtras } from "./later.js";
import { createTail } from "./tail.js";

/** @typedef {import("../types").Piece} Piece */
/** `live`: more of the answer is to come. `result`: what the tool gave back.
 *  @typedef {{ node: HTMLElement, draw: (piece: Piece, live: boolean, result: string | null) => void }} PieceView */

/** @param {Piece} piece @returns {PieceView} */
export const viewOf = (piece) => VIEWS[piece.kind]();

const VIEWS = { text: textView, thought: thoughtView, call: callView };

/** @param {HTMLElement} formula */
const finishFormula = (formula) => withExtras((extras) => extras.finishFormula(formula));

/** Markdown that grows. @param {HTMLElement} node */
function growing(node) {
  const stream = createStream(node, finishCode, finishFormula);
  const tail = createTail(node);
  let drawn = 0;
  let ended = false;
  /** @param {string} text @param {boolean} live */
  return (text, live) => {
    if (text.length > drawn) {
      stream.push(text.slice(drawn));
      drawn = text.length;
      if (live) stream.flush();
    }
    if (!live && !ended) stream.end();
    if (!ended) tail(live);
    ended ||= !live;
  };
}

/** @returns {PieceView} */
function textView() {
  const node = h("div", { class: "md written" });
  const grow = growing(node);
  return {
    node,
    draw(piece, live) {
      const more = live && !piece.done;
      grow(piece.text, more);
      setAttribute(node, "data-live", more);
    },
  };
}

/** @returns {PieceView} */
function thoughtView() {
  const title = h("span", { class: "fold-title" });
  const newest = h("span", { class: "fold-newest", "aria-hidden": "true" });
  const body = h("div", { class: "md fold-body" });
  const node = h("details", { class: "fold thought" }, h("summary", {}, icon("chevron-down"), title, newest), body);
  const grow = growing(body);
  let draw = () => {};
  // What nobody looks at is not drawn.
  node.addEventListener("toggle", () => draw());
  return {
    node,
    draw(piece, live) {
      const more = live && !piece.done;
      setText(title, more ? "Thinking" : piece.ms === null ? "Thought" : `Thought for ${lasting(piece.ms / 1000)}`);
      setText(newest, more ? lastLine(piece.text) : "");
      setAttribute(node, "data-live", more);
      draw = () => node.open && grow(piece.text, more);
      draw();
    },
  };
}

/** @param {string} text */
const lastLine = (text) => text.trimEnd().slice(-240).split("\n").at(-1)?.trim() ?? "";

/** @returns {PieceView} */
function callView() {
  const title = h("span", { class: "fold-title" });
  const asked = h("pre", { tabindex: "0", "aria-label": "Arguments" });
  const given = h("pre", { tabindex: "0", "aria-label": "Result", hidden: true });
  const waits = h("p", { class: "fold-note", hidden: true }, "No result yet: the program that asked gives it.");
  const node = h("details", { class: "fold call" }, h("summary", {}, icon("chevron-down"), title), h("div", { class: "fold-body" }, asked, given, waits));
  return {
    node,
    draw(piece, live, result) {
      const more = live && !piece.done;
      setText(title, `${more ? "Calling" : "Called"} ${piece.name}`);
      setText(asked, more ? piece.text : pretty(piece.text));
      given.hidden = result === null;
      setText(given, pretty(result ?? ""));
      waits.hidden = more || result !== null;
    },
  };
}

/** @param {string} text JSON, if it is */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
