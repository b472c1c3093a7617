/**
 * What a screen reader is told: one sentence when an answer begins, one when it ends. The text itself is
 * never a live region, or every token would be read aloud.
 */
import { byId } from "./dom.js";

/** @param {string} sentence */
export function announce(sentence) {
  byId("announce").textContent = sentence;
}

/** @param {import("../types").Turn} turn that has ended */
export function announceEnd(turn) {
  const words = turn.text.split(/\s+/).filter(Boolean).length;
  if (turn.phase === "failed") return;
  announce(turn.phase === "stopped" ? `Stopped after ${words} words` : `Answer complete, ${words} words`);
}
