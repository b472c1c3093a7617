/**
 * How long to wait before the next attempt to connect. Pure numbers: no timer, no socket.
 */

const FIRST_MS = 300;
const CAP_MS = 20_000;
/** A link must have lived this long before its loss counts as a new first loss. */
export const STEADY_MS = 5_000;

/**
 * Equal jitter: half the delay is fixed, half is drawn, so that many pages don't return as one.
 * @param {number} attempt 0 for the first
 * @param {() => number} random in [0, 1)
 * @returns {number} milliseconds
 */
export function delay(attempt, random) {
  const full = Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(full / 2 + (random() * full) / 2);
}

/**
 * The server may name the delay, in milliseconds, as the reason of a close with 1012 or 1013.
 * @param {number} code
 * @param {string} reason
 * @returns {number | null} milliseconds
 */
export function dictated(code, reason) {
  if ((code !== 1012 && code !== 1013) || !/^\d{1,6}$/.test(reason)) return null;
  return Math.min(Number(reason), 60_000);
}

/**
 * 4xxx says that coming back as we are is pointless.
 * @param {number} code
 */
export const isFinal = (code) => code >= 4000 && code <= 4999;
