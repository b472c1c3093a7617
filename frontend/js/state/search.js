/**
 * What is looked for in all chats, and what was found: asked after a pause in typing, read page by page,
 * and never overtaken by an answer that comes late. It refuses to know how a hit is drawn or opened.
 */

/** @typedef {import("../types").Hit} Hit */
/** @typedef {import("../types").Search} Search */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {(query: string, after: string | null) => Promise<{data: Hit[], has_more: boolean, last_cursor: string | null}>} Find */

const PAUSE_MS = 200;
/** @type {Search} */
export const NO_SEARCH = { query: "", found: null, error: null };

/** @param {Store} store @param {Find} find */
export function createSearch(store, find) {
  let timer = setTimeout(() => {}, 0);
  /** Only the newest question may be answered. */
  let asked = 0;

  /** @param {Partial<Search>} patch */
  const put = (patch) => store.set({ search: { ...store.get().search, ...patch } });
  /** The end of what was found so far, if that is what is looked for. */
  function end() {
    const { query, found } = store.get().search;
    return found?.query === query ? found.next : null;
  }

  /** @param {string | null} after */
  async function ask(after) {
    const mine = ++asked;
    const { query, found } = store.get().search;
    const before = after === null || !found ? [] : found.hits;
    try {
      const { data, has_more, last_cursor } = await find(query, after);
      if (mine !== asked) return;
      put({ found: { query, hits: [...before, ...data], next: has_more ? last_cursor : null }, error: null });
    } catch (error) {
      if (mine === asked) put({ found: after === null ? null : found, error: /** @type {Error} */ (error).message });
    }
  }

  return {
    /** What was found stays until there is something newer. @param {string} text as it is typed */
    look(text) {
      const query = text.trim();
      if (query === store.get().search.query) return;
      clearTimeout(timer);
      asked += 1;
      if (query === "") return store.set({ search: NO_SEARCH });
      put({ query, error: null });
      timer = setTimeout(() => ask(null), PAUSE_MS);
    },
    /** The next page, if there is one. */
    more: async () => {
      const next = end();
      if (next) await ask(next);
    },
    /** Asks again what could not be answered: the first page or the next. */
    retry() {
      const next = end();
      if (!next) put({ error: null });
      return ask(next);
    },
    /** A chat is gone, and what was said in it too. @param {string} conversation */
    forget(conversation) {
      const { found } = store.get().search;
      if (found) put({ found: { ...found, hits: found.hits.filter((hit) => hit.conversation_id !== conversation) } });
    },
  };
}

/** How much a search has found, if anything. @param {NonNullable<Search["found"]>} found */
export function foundLine({ hits, next }) {
  if (next) return `More than ${hits.length} results`;
  return hits.length === 1 ? "1 result" : `${hits.length} results`;
}
