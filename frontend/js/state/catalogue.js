/**
 * The list of models as a person looks through it: its groups, their order, what a search finds, and the
 * model of the hub that the words of a search name. Pure.
 */

/** @typedef {import("../types").Model} Model */
/** @typedef {import("../types").ModelState} ModelState */
/** @typedef {{name: string, models: Model[]}} Group */

/** A model that recovers, loads or is about to go keeps its place: what it is asked waits for it. @type {[string, ModelState[]][]} */
const GROUPS = [
  ["Loaded", ["ready", "recovering", "draining", "loading"]],
  ["On this machine", ["unloaded"]],
  ["Can be downloaded", ["absent", "downloading", "paused"]],
  ["Can't be used", ["failed"]],
];

/** @param {Model[]} models @returns {Group[]} those that have models */
export function grouped(models) {
  return GROUPS.map(([name, states]) => {
    const own = models.filter((m) => states.includes(m.tokenwire.state));
    return { name, models: states.includes("absent") ? own.sort(smallestFirst) : own };
  }).filter((group) => group.models.length > 0);
}

/** What doesn't fit this machine comes last, what has no size in the list and isn't being fetched before it. @param {Model} a @param {Model} b */
function smallestFirst({ tokenwire: a }, { tokenwire: b }) {
  const size = (/** @type {import("../types").ModelInfo} */ info) => info.size_bytes ?? info.download?.total ?? Number.MAX_VALUE;
  return Number(a.fits === false) - Number(b.fits === false) || size(a) - size(b);
}

/** Those that have each word of the query in their id, an alias or their description. @param {Model[]} models @param {string} query */
export function matching(models, query) {
  const words = repository(query).toLowerCase().split(/\s+/).filter(Boolean);
  return models.filter(({ id, tokenwire: { aliases, description } }) => {
    const text = [id, ...aliases, description ?? ""].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const REPOSITORY = /^[a-z\d][\w.-]*\/[a-z\d][\w.-]*$/i;
/** The address of a model's page is as good as its name. */
const ADDRESS = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/\s]+\/[^/\s?#]+).*$/i;

/** @param {string} query */
const repository = (query) => query.trim().replace(ADDRESS, "$1");

/** The model of the hub that a query names, unless it is in the list. @param {Model[]} models @param {string} query @returns {string | null} */
export function offered(models, query) {
  const name = repository(query);
  if (!REPOSITORY.test(name)) return null;
  const same = (/** @type {string} */ other) => other.toLowerCase() === name.toLowerCase();
  return models.some((m) => same(m.id) || m.tokenwire.aliases.some(same)) ? null : name;
}
