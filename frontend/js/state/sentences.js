/**
 * The page's own voice: the one line of state above the composer, the sentence for each failure, the
 * numbers under an answer. Pure: state in, words out.
 */

/** @typedef {import("../types").AppState} AppState */
/** @typedef {import("../types").Turn} Turn */
/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").ModelInfo} ModelInfo */
/** @typedef {{ text: string, tone: "calm" | "wait" | "wrong", progress?: number | null, action?: "reload" | "reconnect" }} Line */

/** From this share of a model's context on a chat is told to be full. */
export const NEARLY_FULL = 0.9;

/**
 * The most urgent thing that is true now, or null.
 * @param {AppState} state
 * @param {Turn | undefined} live
 * @param {{model: Model | null, missing: string | null}} choice
 * @returns {Line | null}
 */
export function stateLine(state, live, choice) {
  return linkLine(state, live) ?? (live ? turnLine(live, choice.model) : null) ?? savingLine(state, live) ?? modelLine(choice, Boolean(live), state.refusals) ?? fillLine(state.fill) ?? pageLine(state);
}

/** @param {AppState} state @param {Turn | undefined} live @returns {Line | null} */
function linkLine(state, live) {
  const { status, code } = state.link;
  if (status === "refused") {
    const why = code === 4401 ? "You have been signed out." : "The server refused the connection.";
    return { text: `${why} Reload the page to try again.`, tone: "wrong", action: "reload" };
  }
  if (state.draining) {
    const what = status === "open" ? "The server is about to restart." : "The server is restarting.";
    return { text: `${what} ${afterwards(live)}`, tone: "wait" };
  }
  if (!state.away) return null;
  if (state.link.blocked) {
    return { text: "The server is there, but something on the way, perhaps a proxy, holds back what it says. Trying again.", tone: "wrong", action: "reconnect" };
  }
  if (!live) return { text: "No connection to the server. Trying again.", tone: "wrong", action: "reconnect" };
  return live.id
    ? { text: "Connection lost. Trying again; the answer goes on from here.", tone: "wrong", action: "reconnect" }
    : { text: "No connection. Your message is sent when it is back.", tone: "wrong", action: "reconnect" };
}

/** What becomes of this chat when the server has restarted. @param {Turn | undefined} live */
function afterwards(live) {
  if (!live) return "This page comes back by itself.";
  return live.id ? "The answer goes on when it is back." : "Your message is sent when it is back.";
}

/** @param {AppState} state @param {Turn | undefined} live @returns {Line | null} */
function savingLine(state, live) {
  if (state.saving && live?.saved !== false) return null;
  return { text: "What is said now is not being saved: the server's disk is full or failing.", tone: "wrong" };
}

/** @param {Turn} turn @param {Model | null} model @returns {Line | null} */
function turnLine(turn, model) {
  if (turn.stopping) return { text: "Stopping.", tone: "calm" };
  const info = infoOf(turn, model);
  const goesOn = turn.begun ? " The answer will go on." : "";
  if (info && isRecovering(info)) return { text: `The engine stopped and is starting again.${goesOn || " The answer will come."}`, tone: "wait" };
  if (info && isLoading(info)) {
    const line = loadingLine(turn.model, info);
    return { ...line, text: line.text + goesOn };
  }
  if (turn.phase !== "queued" || !turn.queue) return null;
  const wait = turn.queue.eta_s;
  return { text: `${ordinal(turn.queue.position)} in line${wait ? `, about ${lasting(wait)}` : ""}.`, tone: "wait" };
}

/**
 * What keeps its model from answering. An answer that has begun is told only that it stands still; how far
 * the model is, the model says.
 * @param {Turn} turn @param {Model | null} model @returns {Partial<ModelInfo> | null}
 */
function infoOf(turn, model) {
  const own = model?.id === turn.model && (isLoading(model.tokenwire) || isRecovering(model.tokenwire)) ? model.tokenwire : null;
  return turn.phase === "running" ? own ?? turn.loading : turn.loading ?? own;
}

/** @param {Partial<ModelInfo>} info */
const isRecovering = (info) => info.state === "recovering";
/** @param {Partial<ModelInfo>} info */
const isLoading = (info) => info.state === "loading" || info.state === "downloading";

/** @param {string} id @param {Partial<ModelInfo>} info @returns {Line} */
function loadingLine(id, info) {
  return { text: `${name(id)}: ${stageOf(info)}`, tone: "wait", progress: info.progress ?? null };
}

/** One sentence on what is happening to a model. @param {Partial<ModelInfo>} info */
export function stageOf(info) {
  if (info.state === "downloading" && info.download) return `Downloading, ${transferOf(info.download).join(", ")}.`;
  if (info.detail) return ended(info.detail);
  const share = typeof info.progress === "number" ? `, ${Math.round(info.progress * 100)} %` : "";
  return `${info.stage ? sentence(info.stage) : "Loading"}${share}.`;
}

/**
 * @param {{model: Model | null, missing: string | null}} choice @param {boolean} busy
 * @param {Record<string, string>} refusals @returns {Line | null}
 */
function modelLine({ model, missing }, busy, refusals) {
  if (!model) return null;
  const info = model.tokenwire;
  const refused = refusals[model.id];
  if (refused && !busy) return { text: `${name(model.id)}: ${ended(refused)}`, tone: "wrong" };
  if (missing && !busy) return { text: `${name(missing)} isn't here any more; ${name(model.id)} answers instead.`, tone: "wait" };
  if (info.state === "failed") {
    return { text: `${name(model.id)} could not be loaded${info.detail ? `: ${ended(info.detail)}` : "."} Pick another model, or this one to try again.`, tone: "wrong" };
  }
  if (isRecovering(info) && !busy) return { text: `${name(model.id)} stopped and is starting again. What you send waits for it.`, tone: "wait" };
  if (isLoading(info) && !busy) return loadingLine(model.id, info);
  if (info.state === "draining" && !busy) return { text: `${name(model.id)} is being unloaded.`, tone: "wait" };
  if (info.state === "paused" && !busy) return { text: `The download of ${name(model.id)} has stopped. ${info.reason ? `${ended(info.reason)} ` : ""}Pick it again to go on.`, tone: "wrong" };
  if (info.state === "absent" && !busy) return { text: `${name(model.id)} isn't on this machine. Pick it again to download it, or another model.`, tone: "wait" };
  return null;
}

/** @param {import("../types").Fill | null} fill @returns {Line | null} */
function fillLine(fill) {
  const share = fill ? fill.used / fill.max : 0;
  if (share < NEARLY_FULL) return null;
  if (share >= 1) return { text: "This chat has grown longer than the model can read. Shorten the message, or begin a new chat.", tone: "wrong" };
  return { text: `This chat fills ${Math.floor(100 * share)} % of what the model can read.`, tone: "wait" };
}

/** @param {AppState} state @returns {Line | null} */
function pageLine(state) {
  return state.outdated ? { text: "This page has a newer version.", tone: "calm", action: "reload" } : null;
}

/** @param {string} id */
const name = (id) => id.slice(id.lastIndexOf("/") + 1);
/** @param {string} words */
export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1).replaceAll("_", " ");

/** A time as one would say it. @param {number} seconds */
export function lasting(seconds) {
  if (seconds < 10) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 55) return `${Math.ceil(seconds / 5) * 5} s`;
  return `${Math.max(1, Math.round(seconds / 60))} min`;
}

/** @param {number} place 1 for the next one */
export function ordinal(place) {
  if (place <= 1) return "Next";
  const words = ["Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth"];
  return words[place - 2] ?? `Number ${place}`;
}

/** What went wrong, by the server's code; the server's own message says the rest. @type {Record<string, string>} */
const REASONS = {
  rate_limit_exceeded: "The line is full right now.",
  model_not_found: "This model isn't on this machine any more.",
  context_length_exceeded: "This chat has grown longer than the model can read.",
  previous_response_not_found: "The exchange before this one is no longer on the server, so it can't be continued.",
  response_not_found: "This answer is no longer on the server.",
  unreachable: "The server could not be reached, so your message wasn't sent.",
  not_saved: "Your message was not taken: the server could not save it, as its disk is full or failing. Make room there and try again.",
  interrupted: "The server stopped before this answer was finished.",
};

/** @param {import("../types").ErrorBody | null} error @param {boolean} partial some text came before it @returns {string} */
export function failure(error, partial) {
  const known = error?.code ? REASONS[error.code] : undefined;
  const said = error?.message?.trim() ?? "";
  const why = known ?? (said ? ended(said) : "Something went wrong on the server.");
  return partial ? `${why} What was written until then is kept above.` : why;
}

/** @param {string} text */
const ended = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** How an answer ended, where it isn't simply complete. @param {Turn} turn @returns {string | null} */
export function endNote(turn) {
  if (turn.phase === "stopped") return "Stopped";
  if (turn.phase === "steered") return "Cut short by what was said next";
  if (turn.phase !== "cut") return null;
  return turn.reason === "max_output_tokens" ? "Cut off at the length limit" : "Ended early";
}

const number = new Intl.NumberFormat("en");

/** The numbers of an answer, in words. @param {Turn} turn @returns {string} empty while there are none */
export function meta(turn) {
  const { timing, usage, takenUp, freed } = turn;
  const cached = usage?.input_tokens_details?.cached_tokens ?? 0;
  return [
    typeof timing?.ttft_ms === "number" && `${(timing.ttft_ms / 1000).toFixed(2)} s to first token`,
    typeof timing?.tok_per_s === "number" && `${Math.round(timing.tok_per_s)} tok/s`,
    usage && `${number.format(usage.output_tokens)} tokens`,
    usage && `${number.format(cached)} of ${number.format(usage.input_tokens)} prompt tokens from cache`,
    // Without usage nobody here has counted, as nobody here has answered.
    turn.phase === "completed" && usage && "stopped at end",
    takenUp > 0 && `went on after ${takenUp === 1 ? "a restart" : `${takenUp} restarts`}`,
    turn.phase === "stopped" && (freed === null ? "stopped by you" : `stopped by you in ${freed} ms`),
    turn.phase === "cut" && (turn.reason === "max_output_tokens" ? "stopped at the limit" : "ended early"),
  ].filter(Boolean).join(" · ");
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** @param {number | null} bytes */
export function sizeOf(bytes) {
  if (!bytes) return "";
  const power = powerOf(bytes);
  return `${inUnit(bytes, power)} ${UNITS[power]}`;
}

/** @param {number} bytes */
const powerOf = (bytes) => Math.max(0, Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3)));

/** @param {number} bytes @param {number} power */
function inUnit(bytes, power) {
  const value = bytes / 1000 ** power;
  return value < 10 && power > 0 ? value.toFixed(1) : String(Math.round(value));
}

/** In the unit of the whole, so that what grows stays as wide: "0.4 of 8.2 GB". @param {number} done @param {number | null} total */
export function partOf(done, total) {
  if (!total) return sizeOf(done) || "0 B";
  const power = powerOf(total);
  return `${power > 0 && total / 1000 ** power < 100 ? (done / 1000 ** power).toFixed(1) : inUnit(done, power)} of ${sizeOf(total)}`;
}

/** How far a download is, how fast, and how long it takes yet. @param {NonNullable<ModelInfo["download"]>} download */
export function transferOf({ done, total, bytes_per_s, left_s }) {
  return [partOf(done, total), bytes_per_s && `${sizeOf(bytes_per_s)}/s`, left_s !== null && leftOf(left_s)].filter(Boolean).map(String);
}

/** In steps that don't twitch. @param {number} seconds */
function leftOf(seconds) {
  if (seconds < 55) return `${Math.max(5, Math.ceil(seconds / 5) * 5)} s left`;
  if (seconds < 5_700) return `${Math.max(1, Math.round(seconds / 60))} min left`;
  return `${Math.round(seconds / 3_600)} h left`;
}
