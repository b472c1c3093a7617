/**
 * All that is known of one answer, as rows of a name and a value. Pure: a turn in, words out.
 */
import { lasting, ordinal } from "./sentences.js";

/** @typedef {import("../types").Turn} Turn */

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** @param {number | null | undefined} ms */
const seconds = (ms) => (typeof ms === "number" ? `${(ms / 1000).toFixed(2)} s` : null);

/** @param {Turn} turn @returns {[name: string, value: string][]} */
export function detailsOf(turn) {
  const { timing, usage, made } = turn;
  const cached = usage?.input_tokens_details?.cached_tokens ?? 0;
  /** @type {[string, string | null | undefined | false][]} */
  const rows = [
    ["Model", turn.model],
    ["Asked", made.at !== undefined && clock.format(made.at * 1000)],
    ["In line", waited(turn)],
    ["First token after", seconds(timing?.ttft_ms)],
    ["Thought for", typeof timing?.reasoning_ms === "number" && lasting(timing.reasoning_ms / 1000)],
    ["Speed", typeof timing?.tok_per_s === "number" && `${number.format(timing.tok_per_s)} tokens per second`],
    ["Prompt", usage && `${number.format(usage.input_tokens)} tokens, ${number.format(cached)} from cache`],
    ["Answer", usage && `${number.format(usage.output_tokens)} tokens`],
    ["Ended", ENDS[turn.phase] ?? (turn.phase === "cut" && (turn.reason === "max_output_tokens" ? "at the length limit" : "early"))],
    ["Temperature", typeof made.temperature === "number" && String(made.temperature)],
    ["Top p", typeof made.top_p === "number" && String(made.top_p)],
    ["Seed", typeof made.seed === "number" ? String(made.seed) : usage && "none set"],
    ["Restarts", turn.takenUp > 0 && number.format(turn.takenUp)],
    ["Id", turn.id],
  ];
  return /** @type {[string, string][]} */ (rows.filter(([, value]) => value));
}

/** @param {Turn} turn */
function waited({ timing, made }) {
  if (typeof timing?.queue_ms !== "number") return null;
  if (timing.queue_ms < 50 && !made.place) return "not at all";
  const place = made.place ? `last ${ordinal(made.place).toLowerCase()}, ` : "";
  return `${place}${seconds(timing.queue_ms)}`;
}

/** @type {Partial<Record<import("../types").Phase, string>>} */
const ENDS = { completed: "by itself", stopped: "stopped by you", steered: "to go on with what you said", failed: "failed" };
