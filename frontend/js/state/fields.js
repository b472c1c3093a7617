/**
 * The settings of a chat that are numbers: what each is called, its bounds, which are those of a create, and
 * what counts where it is left empty. What is typed becomes a number or a sentence on why it is none. Pure.
 */

/** @typedef {import("../types").ChatSettings} ChatSettings */
/** @typedef {import("../types").Model} Model */
/** `above`: a bound that is itself too low. `whole`: without fractions. `neutral`: what counts where neither chat nor model says anything.
 *  @typedef {{
 *   name: Exclude<keyof ChatSettings, "instructions" | "model" | "reasoning_effort">, label: string, about: string,
 *   min?: number, above?: number, max?: number, whole?: boolean, neutral: number | string,
 * }} Field */

const LARGEST = 2 ** 31 - 1;
/** As the server counts: a pair of surrogates is one. */
const MOST_INSTRUCTIONS = 32_768;

/** @type {Field[]} */
export const MAIN = [
  { name: "temperature", label: "Temperature", about: "Low is steady, high is varied.", min: 0, max: 2, neutral: 1 },
  { name: "top_p", label: "Top p", about: "Only the likeliest tokens that make up this share.", above: 0, max: 1, neutral: 1 },
  { name: "max_output_tokens", label: "Longest answer", about: "In tokens. What is cut can be continued.", min: 1, max: LARGEST, whole: true, neutral: "to the context" },
  { name: "seed", label: "Seed", about: "The same seed makes the same answer again.", whole: true, neutral: "random" },
];
/** @type {Field[]} */
export const MORE = [
  { name: "top_k", label: "Top k", about: "Only as many of the likeliest tokens; 0 is all.", min: 0, max: LARGEST, whole: true, neutral: "all" },
  { name: "min_p", label: "Min p", about: "None less likely than this share of the likeliest.", min: 0, max: 1, neutral: 0 },
  { name: "repetition_penalty", label: "Repetition penalty", about: "Over 1 avoids what is in the chat already.", above: 0, max: 10, neutral: 1 },
  { name: "presence_penalty", label: "Presence penalty", about: "Over 0 avoids what is in the answer already.", min: -2, max: 2, neutral: 0 },
  { name: "frequency_penalty", label: "Frequency penalty", about: "The same, more with each time it is there.", min: -2, max: 2, neutral: 0 },
];

/** The degrees that can be chosen; other clients may know more. */
export const EFFORTS = { none: "Off", low: "A little", medium: "Some", high: "Much" };

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 20 });
/** Decimals with a point or a comma. */
const NUMERAL = /^[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?$/i;

/** What it takes, in words. @param {Field} field */
function range({ min, above, max = Infinity, whole }) {
  const kind = `a ${whole ? "whole " : ""}number`;
  const least = min ?? above;
  if (least === undefined) return kind;
  if (max >= LARGEST) return `${kind} from ${number.format(least)} up`;
  return `${kind} ${min === undefined ? "above" : "from"} ${number.format(least)} ${min === undefined ? "and up to" : "to"} ${number.format(max)}`;
}

/**
 * @param {Field} field
 * @param {string} typed
 * @returns {{ value: number | undefined, problem: string | null }} undefined: nothing is set
 */
export function checked(field, typed) {
  const text = typed.trim();
  if (text === "") return { value: undefined, problem: null };
  const value = NUMERAL.test(text) ? Number(text.replace(",", ".")) : NaN;
  const { min = -Infinity, above = -Infinity, max = Infinity, whole } = field;
  // What can't be counted exactly would reach the server as another number.
  const fits = value >= min && value > above && value <= max && (whole ? Number.isSafeInteger(value) : Number.isFinite(value));
  return fits ? { value, problem: null } : { value: undefined, problem: `Must be ${range(field)}.` };
}

/** @param {string} text */
export const tooLong = (text) =>
  text.length > MOST_INSTRUCTIONS && [...text].length > MOST_INSTRUCTIONS ? `At most ${number.format(MOST_INSTRUCTIONS)} characters; these are ${number.format([...text].length)}.` : null;

/** What counts where the field is empty. @param {Field} field @param {Model | null} model */
export function placeholder({ name, neutral }, model) {
  const info = model?.tokenwire;
  const own = info?.sampling?.[name] ?? (name === "max_output_tokens" ? info?.max_output_tokens : null);
  // Who says nothing of itself may have said it to its engine.
  if (typeof own !== "number") return info?.sampling || typeof neutral === "string" ? String(neutral) : "the model's own";
  return name === "top_k" && own < 1 ? "all" : String(own);
}

/** Without what isn't set. @param {ChatSettings} settings @returns {ChatSettings} */
export const trimmed = (settings) => Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null && value !== ""));

/** What is set, without the model, which is chosen elsewhere; in one order. @param {ChatSettings | null} settings */
const chosen = (settings) => Object.entries(trimmed({ ...settings, model: undefined })).sort(([a], [b]) => (a < b ? -1 : 1));

/** @param {ChatSettings | null} a @param {ChatSettings | null} b */
export const alike = (a, b) => JSON.stringify(chosen(a)) === JSON.stringify(chosen(b));

/** Whether nothing is set. @param {ChatSettings | null} settings */
export const isPlain = (settings) => chosen(settings).length === 0;
