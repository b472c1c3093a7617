/**
 * Following the text: the view stays at the end until the person scrolls away, and only a person's act
 * changes that. Our own scrolling is never taken for theirs.
 */
import { soon } from "./frame.js";

/** So near the end counts as at the end. */
const END_PX = 2;
/** How long a place that was asked for is kept, while what had rested around it is laid out. */
const SETTLE_MS = 500;
const AWAY_KEYS = new Set(["PageUp", "Home", "ArrowUp"]);

/**
 * @param {HTMLElement} scroller
 * @param {HTMLElement} content
 * @param {(following: boolean) => void} onChange
 */
export function createScroll(scroller, content, onChange) {
  let following = true;
  let ours = 0;
  /** Where the person let go: an event of our own scrolling may still be on its way from there. */
  let from = -1;
  let touchY = 0;
  /** @type {Element | null} */
  let place = null;
  let settling = setTimeout(() => {}, 0);

  /** @param {boolean} value */
  function follow(value) {
    if (following === value) return;
    following = value;
    onChange(value);
  }

  const left = () => scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;

  function toEnd() {
    if (!following || !(getSelection()?.isCollapsed ?? true)) return;
    scroller.scrollTop = scroller.scrollHeight;
    ours = scroller.scrollTop;
  }

  const leavePlace = () => { place = null; };

  function hold() {
    if (!place) return toEnd();
    place.scrollIntoView({ block: "start" });
    ours = scroller.scrollTop;
    follow(left() <= END_PX);
  }

  function letGo() {
    if (scroller.scrollHeight <= scroller.clientHeight) return;
    from = scroller.scrollTop;
    follow(false);
  }

  scroller.addEventListener("wheel", (event) => event.deltaY < 0 && letGo(), { passive: true });
  scroller.addEventListener("touchstart", (event) => { touchY = event.touches[0].clientY; }, { passive: true });
  scroller.addEventListener("touchmove", (event) => event.touches[0].clientY > touchY && letGo(), { passive: true });
  scroller.addEventListener("keydown", (event) => AWAY_KEYS.has(event.key) && letGo());
  scroller.addEventListener("scroll", () => {
    if (left() <= END_PX) scroller.scrollTop > from && follow(true);
    // The bar was dragged up: scrollTop fell below where we had put it, and the text didn't shrink.
    else if (scroller.scrollTop < ours - END_PX && left() > END_PX + 1) follow(false);
    ours = Math.min(ours, scroller.scrollTop);
    from = Math.min(from, scroller.scrollTop);
  }, { passive: true });
  for (const act of ["wheel", "touchstart", "pointerdown", "keydown"]) scroller.addEventListener(act, leavePlace, { passive: true });
  const sizes = new ResizeObserver(() => {
    // What became lower or higher took the view along, and the end may have grown when the event of that is told.
    ours = Math.min(ours, scroller.scrollTop);
    soon(hold);
  });
  sizes.observe(content);
  sizes.observe(scroller);

  return {
    /** After something was written: called in the frame of the writing. */
    wrote: toEnd,
    /** The person asked for the end. */
    jump() {
      leavePlace();
      follow(true);
      getSelection()?.removeAllRanges();
      scroller.scrollTop = scroller.scrollHeight;
      ours = scroller.scrollTop;
    },
    /** What is read stays where it is, whatever comes before it. @param {() => void} work */
    still(work) {
      if (following) return work();
      const first = content.firstElementChild;
      const before = first?.getBoundingClientRect().top ?? 0;
      work();
      if (!first?.isConnected) return;
      scroller.scrollTop += first.getBoundingClientRect().top - before;
      ours = scroller.scrollTop;
    },
    /** The person asked for this place. @param {Element} node */
    to(node) {
      place = node;
      hold();
      clearTimeout(settling);
      settling = setTimeout(leavePlace, SETTLE_MS);
    },
    get following() {
      return following;
    },
  };
}
