/**
 * What an answer is made of: thoughts, texts and calls of tools, in the order of its output. Pure: events
 * and items in, pieces out; it refuses to know how an answer ends.
 */

/** @typedef {import("../types").Piece} Piece */
/** @typedef {import("../types").Item} Item */
/** @typedef {import("../types").Event} Event */

/** @type {Record<string, Piece["kind"]>} */
const GROWS = {
  "response.output_text.delta": "text",
  "response.reasoning_text.delta": "thought",
  "response.function_call_arguments.delta": "call",
  "response.custom_tool_call_input.delta": "call",
};

/** @type {Record<string, Piece["kind"]>} */
const CALLS = { function_call: "call", custom_tool_call: "call", local_shell_call: "call" };

/** @param {Piece["kind"]} kind @param {string} at @param {Partial<Piece>} [fields] @returns {Piece} */
const piece = (kind, at, fields) => ({ kind, at, text: "", done: false, name: "", call: null, since: null, ms: null, ...fields });

/** Where an event belongs: output and content, or output alone for what has no parts. @param {Event} event */
const place = (event) => (event.content_index === undefined ? `${event.output_index}` : `${event.output_index}.${event.content_index}`);

/**
 * Takes in what an event adds.
 * @param {Piece[]} pieces @param {Event} event @param {() => number} [now] ms
 * @returns {"begun" | "grew" | null} null: it adds nothing
 */
export function growPiece(pieces, event, now = Date.now) {
  const { item } = event;
  if (event.type === "response.output_item.added" && item && CALLS[item.type]) {
    pieces.push(piece("call", `${event.output_index}`, { name: item.name ?? item.type, call: item.call_id ?? null }));
    return "begun";
  }
  const kind = GROWS[event.type];
  if (!kind) return null;
  const at = place(event);
  const last = pieces.at(-1);
  if (last?.at === at && last.kind === kind) {
    last.text += event.delta ?? "";
    return "grew";
  }
  if (last) finish(last, now());
  pieces.push(piece(kind, at, { text: event.delta ?? "", since: now() }));
  return "begun";
}

/** @param {Piece} last @param {number} now */
function finish(last, now) {
  if (last.done) return;
  last.done = true;
  if (last.since !== null) last.ms = now - last.since;
}

/**
 * The server's whole text is the truth, should ours ever differ.
 * @param {Piece[]} pieces @param {Event} event @param {() => number} [now] ms
 * @returns {"reset" | "state" | null}
 */
export function settlePiece(pieces, event, now = Date.now) {
  const whole = WHOLE[event.type]?.(event);
  if (whole === undefined) return null;
  const at = place(event);
  const found = pieces.find((p) => p.at === at);
  if (!found) return null;
  const before = found.text;
  found.text = whole;
  finish(found, now());
  return before === whole ? "state" : "reset";
}

/** @type {Record<string, (event: Event) => string | undefined>} */
const WHOLE = {
  "response.output_text.done": (event) => event.text,
  "response.reasoning_text.done": (event) => event.text,
  "response.function_call_arguments.done": (event) => event.arguments,
  "response.custom_tool_call_input.done": (event) => event.input,
};

/** @param {Piece[]} pieces */
export function spoken(pieces) {
  const texts = pieces.filter((p) => p.kind === "text");
  return texts.length === 1 ? texts[0].text : texts.map((p) => p.text).join("\n\n");
}

/** The pieces of a stored answer. @param {Item[]} output @param {import("../types").Timing | null} timing @returns {Piece[]} */
export function piecesOf(output, timing) {
  const pieces = output.flatMap((item, index) => {
    const done = { done: true };
    if (item.type === "message") return partsOf(item).map((text, i) => piece("text", `${index}.${i}`, { text, ...done }));
    if (item.type === "reasoning") return partsOf(item).map((text, i) => piece("thought", `${index}.${i}`, { text, ...done }));
    if (!CALLS[item.type]) return [];
    const text = item.arguments ?? item.input ?? (item.action ? JSON.stringify(item.action) : "");
    return [piece("call", `${index}`, { text, name: item.name ?? item.type, call: item.call_id ?? null, ...done })];
  });
  // One time for all of them: said where there is one thought, which is nearly always.
  const thoughts = pieces.filter((p) => p.kind === "thought");
  if (thoughts.length === 1) thoughts[0].ms = timing?.reasoning_ms ?? null;
  return pieces;
}

/** @param {Item} item @returns {string[]} */
const partsOf = ({ content }) => (typeof content === "string" ? [content] : (content ?? []).map((p) => p.text ?? ""));

/** @param {Item[]} items @returns {string} what their messages say */
export function textOf(items) {
  return items.filter((item) => item.type === "message").map((item) => partsOf(item).join("\n\n")).join("\n\n");
}

/** What tools gave back. @param {Item[]} input @returns {import("../types").Result[]} */
export function outputs(input) {
  return input
    .filter((item) => item.type.endsWith("_call_output"))
    .map((item) => ({ call: item.call_id ?? null, text: typeof item.output === "string" ? item.output : JSON.stringify(item.output) }));
}
