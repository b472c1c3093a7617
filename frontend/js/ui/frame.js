/**
 * One drawing per animation frame, for everything that streams. A hidden page has no frames: there a slow
 * timer draws, and coming back draws at once.
 */

const HIDDEN_MS = 250;

/** @type {Set<() => void>} */
const due = new Set();
let booked = false;

function draw() {
  booked = false;
  const now = [...due];
  due.clear();
  for (const work of now) work();
}

/** @param {() => void} work done once in the next frame, however often it is asked for */
export function soon(work) {
  due.add(work);
  if (booked) return;
  booked = true;
  if (document.hidden) setTimeout(draw, HIDDEN_MS);
  else requestAnimationFrame(draw);
}

document.addEventListener("visibilitychange", draw);
