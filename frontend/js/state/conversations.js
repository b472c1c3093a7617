/**
 * The list of conversations as the page knows it: kept in order by (updated, id), free of doubles, filled
 * page by page and by the server's news. Renaming and deleting show at once and come back if refused.
 */
import { api } from "../net/api.js";

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {import("./store.js").Store} Store */

/** How long a deletion can be taken back. */
export const UNDO_MS = 6_000;

/** @param {Conversation} a @param {Conversation} b */
const newestFirst = (a, b) => b.updated_at - a.updated_at || (b.id > a.id ? 1 : -1);

/** @param {Conversation[]} list @param {Conversation[]} rows @returns {Conversation[]} */
export function merged(list, rows) {
  const byId = new Map([...list, ...rows].map((c) => [c.id, c]));
  return [...byId.values()].sort(newestFirst);
}

/** @param {Store} store */
export function createConversations(store) {
  /** Deleted here, not yet on the server. @type {Map<string, {row: Conversation, timer: ReturnType<typeof setTimeout>}>} */
  const going = new Map();

  /** @param {Conversation[]} rows */
  const put = (rows) =>
    store.set({ conversations: merged(store.get().conversations, rows.filter((c) => !going.has(c.id))) });
  /** @param {string} id */
  const drop = (id) => store.set({ conversations: store.get().conversations.filter((c) => c.id !== id) });

  /** @param {string | null} after */
  async function page(after) {
    try {
      const { data, has_more, last_cursor } = await api.conversations(after);
      put(data);
      store.set({ older: has_more ? last_cursor : null, listed: true, listError: null });
    } catch (error) {
      store.set({ listError: /** @type {Error} */ (error).message });
    }
  }

  /** @param {string} id */
  function commit(id) {
    const entry = going.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    api.remove(id).then(() => going.delete(id), (error) => {
      going.delete(id);
      if (error.status !== 404) put([entry.row]);
    });
  }

  return {
    put,
    refresh: () => page(null),
    /** The next older page, if there is one. */
    older: async () => {
      const { older } = store.get();
      if (older) await page(older);
    },
    /** @param {import("../types").Event} event */
    changed(event) {
      if (event.op === "deleted" && event.conversation_id) drop(event.conversation_id);
      else if (event.conversation) put([event.conversation]);
    },
    /** @param {Conversation} row @param {string} title */
    async rename(row, title) {
      put([{ ...row, title, title_source: "user" }]);
      try {
        put([await api.change(row.id, { title })]);
      } catch (error) {
        put([row]);
        throw error;
      }
    },
    /** Gone from the list at once, from the server after UNDO_MS. @param {Conversation} row @returns {() => void} undo */
    remove(row) {
      going.set(row.id, { row, timer: setTimeout(() => commit(row.id), UNDO_MS) });
      drop(row.id);
      return () => {
        clearTimeout(going.get(row.id)?.timer);
        if (going.delete(row.id)) put([row]);
      };
    },
    /** The page is leaving: what was deleted is deleted. */
    flush: () => [...going.keys()].forEach(commit),
  };
}
