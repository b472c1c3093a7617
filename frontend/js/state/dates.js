/**
 * Which heading of the history a moment belongs under, by local days, and how a moment is told. Pure; "now"
 * is an argument.
 */

const DAY = 86_400_000;

/** @param {Date} date */
const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());

/**
 * @param {number} seconds since the epoch
 * @param {Date} now
 * @returns {string} "Today", "Yesterday", "Previous 7 days", "Previous 30 days", or month and year
 */
export function groupOf(seconds, now) {
  const day = midnight(new Date(seconds * 1000));
  // Rounded, because a day with a change of the clock isn't 24 hours long.
  const ago = Math.round((midnight(now).getTime() - day.getTime()) / DAY);
  if (ago <= 0) return "Today";
  if (ago === 1) return "Yesterday";
  if (ago < 7) return "Previous 7 days";
  if (ago < 30) return "Previous 30 days";
  return day.toLocaleDateString("en", { month: "long", year: "numeric" });
}

/** When something was said, as short as it can be told. @param {number} seconds since the epoch @param {Date} now */
export function momentOf(seconds, now) {
  const then = new Date(seconds * 1000);
  const group = groupOf(seconds, now);
  if (group === "Today") return then.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (group === "Yesterday") return group;
  const year = then.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return then.toLocaleDateString("en", { day: "numeric", month: "short", year });
}

/**
 * @template {{updated_at: number}} T
 * @param {T[]} rows newest first
 * @param {Date} now
 * @returns {{name: string, rows: T[]}[]}
 */
export function grouped(rows, now) {
  /** @type {{name: string, rows: T[]}[]} */
  const groups = [];
  for (const row of rows) {
    const name = groupOf(row.updated_at, now);
    if (groups.at(-1)?.name !== name) groups.push({ name, rows: [] });
    groups.at(-1)?.rows.push(row);
  }
  return groups;
}

/**
 * The groups of a list of chats: those that are pinned, then the others by day.
 * @template {{updated_at: number, pinned: boolean}} T
 * @param {T[]} rows newest first
 * @param {Date} now
 */
export function groupsOf(rows, now) {
  const pinned = rows.filter((row) => row.pinned);
  return [...(pinned.length ? [{ name: "Pinned", rows: pinned }] : []), ...grouped(rows.filter((row) => !row.pinned), now)];
}

/** Until the headings have to be made again. @param {Date} now @returns {number} milliseconds */
export const untilMidnight = (now) =>
  new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() - now.getTime();
