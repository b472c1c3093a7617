/**
 * The message column: the exchanges of one chat in order, or the first-use screen. It follows a Chat and
 * keeps one view per exchange; it knows neither the socket nor the server.
 */
import { failure } from "../state/sentences.js";
import { speakers } from "../state/models.js";
import { isLive } from "../state/turn.js";
import { announce, announceEnd } from "./announce.js";
import { arrange, byId, h, icon, setAttribute } from "./dom.js";
import { soon } from "./frame.js";
import { createPlaces } from "./places.js";
import { createScroll } from "./scroll.js";

/** @typedef {import("../state/chat.js").Chat} Chat */
/** @typedef {import("../types").Turn} Turn */
/** @typedef {Omit<import("./turnview.js").Hooks, "onDrawn" | "linkTo" | "resultOf"> & {
 *   onChange: () => void, onEnded: () => void, welcome: () => HTMLElement }} Hooks */

/** The exchanges at the end are always laid out; those before them may rest. */
const AWAKE = 2;
/** More than a screen has of them, around the one that is to be seen: drawn at once. */
const SEEN = 6;

/** @param {Hooks} hooks */
export function createChatView(hooks) {
  const column = byId("chat");
  const jump = byId("jump");
  const scroll = createScroll(byId("scroller"), column, showJump);
  const places = createPlaces(column);
  /** @type {Map<Turn, boolean>} */
  const wasLive = new Map();
  /** @type {Chat | null} */
  let chat = null;
  let unwatch = () => {};
  /** The response to be brought into view when it is there. @type {string | null} */
  let wanted = null;

  jump.addEventListener("click", () => scroll.jump());

  /** @param {boolean} following */
  function showJump(following) {
    jump.hidden = following;
    if (following) jump.removeAttribute("data-unread");
  }

  function drawn() {
    if (scroll.following) scroll.wrote();
    else if (chat?.live) jump.setAttribute("data-unread", "");
  }

  /** @param {Turn | null} turn @param {import("../state/turn.js").Change} change */
  function changed(turn, change) {
    if (turn) places.of(turn)?.update(change);
    else draw();
    if (change === "state") attribute();
    if (turn) tellEnd(turn);
    if (change !== "grew") hooks.onChange();
  }

  /** @param {Turn} turn */
  function tellEnd(turn) {
    const live = isLive(turn);
    if (wasLive.get(turn) && !live) {
      announceEnd(turn);
      hooks.onEnded();
    }
    wasLive.set(turn, live);
  }

  function draw() {
    if (!chat) return;
    const { turns, status } = chat;
    for (const turn of turns) wasLive.set(turn, isLive(turn));
    const sought = turns.findIndex((t) => t.id === wanted);
    const nodes = places.arrange(turns, { ...hooks, onDrawn: drawn, linkTo, resultOf }, (i) =>
      i >= turns.length - SEEN || (sought >= 0 && Math.abs(i - sought) < SEEN) || isLive(turns[i]));
    attribute();
    nodes.forEach((node, i) => node.toggleAttribute("data-rest", i < nodes.length - AWAKE));
    // What could not be read stands where it would: in another branch, or before the rest.
    if (nodes.length) scroll.still(() => arrange(column, status !== "failed" ? nodes : wanted ? [...nodes, lost()] : [lost(), ...nodes]));
    else if (status === "ready") column.replaceChildren(hooks.welcome());
    else column.replaceChildren(status === "loading" ? waiting() : lost());
    soon(drawn);
    if (status === "ready") bring();
  }

  /** Whose words these are. */
  function attribute() {
    const turns = chat?.turns ?? [];
    const forks = chat?.forks();
    speakers(turns).forEach((model, i) => places.of(turns[i])?.say(model, forks?.get(turns[i])));
    // What is asked elsewhere in the chat waits for the answer that is being written.
    setAttribute(column, "data-busy", Boolean(chat?.live));
  }

  /** @param {Turn} turn */
  const linkTo = (turn) => `${location.origin}${location.pathname}#/c/${chat?.id ?? ""}${turn.id ? `/${turn.id}` : ""}`;

  /** What a tool gave back is asked with next. @param {string} call */
  function resultOf(call) {
    for (const { results } of chat?.turns ?? []) {
      const found = results.find((r) => r.call === call);
      if (found) return found.text;
    }
    return null;
  }

  function bring() {
    const turn = wanted && chat?.turns.find((t) => t.id === wanted);
    const view = turn && places.of(turn)?.view;
    wanted = null;
    if (!view) return;
    scroll.to(view.node);
    view.found();
  }

  function waiting() {
    return h("p", { class: "waiting" }, "Opening this chat.");
  }

  function lost() {
    const error = chat?.error;
    const gone = error && "status" in error && error.status === 404;
    const why = failure({ code: null, message: error?.message ?? "" }, false);
    const words = gone ? "This chat isn't on the server. It may have been deleted." : `${why} Your chats are safe on the server.`;
    const again = h("button", { type: "button", class: "text-button", onclick: () => chat?.load() }, icon("rotate-ccw"), "Try again");
    return h("div", { class: "trouble", role: "alert" }, h("p", {}, words), gone ? null : again);
  }

  return {
    /** @param {Chat} next */
    show(next) {
      unwatch();
      chat = next;
      wanted = null;
      places.clear();
      wasLive.clear();
      column.replaceChildren();
      unwatch = next.watch(changed);
      draw();
      scroll.jump();
    },
    /** What the first-use screen says has changed. */
    refreshWelcome() {
      if (chat && !chat.turns.length && chat.status === "ready") draw();
    },
    /** A message was sent from here: its answer is to be seen. */
    sent() {
      wanted = null;
      announce("Answering");
      scroll.jump();
    },
    /** @param {string} response that the chat shows or is about to */
    reveal(response) {
      wanted = response;
      draw();
    },
    /** Opens what was said last for another try. @returns {boolean} false: there is nothing */
    editLast() {
      const last = chat?.turns.findLast((t) => t.prompt !== "");
      if (!last || chat?.live) return false;
      places.of(last)?.view.edit();
      return true;
    },
    focusNewest() {
      const last = chat?.turns.at(-1);
      if (last) places.of(last)?.view.focus();
    },
  };
}
