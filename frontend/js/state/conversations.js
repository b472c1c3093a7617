/**
 * The conversations as the page knows them, on both shelves (the list, and what was put away): in order by
 * (updated, id), free of doubles, read page by page and kept by the server's news. What is being changed here
 * (changes.js) shows over news that is older than the change.
 */
import { api } from "../net/api.js";

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {import("../types").Shelf} Shelf */
/** @typedef {import("../types").Listing} Listing */
/** @typedef {import("./store.js").Store} Store */

const PAGE = 40;
/** The most that the server lists at once. */
const MOST = 100;

/** @type {Listing} */
const UNREAD = { older: null, listed: false, error: null };
/** @type {Pick<import("../types").AppState, "conversations" | "shelf" | "lists">} */
export const NOTHING_LISTED = { conversations: [], shelf: "chats", lists: { chats: UNREAD, archived: UNREAD } };

/** @param {Conversation} a @param {Conversation} b */
const newestFirst = (a, b) => b.updated_at - a.updated_at || (b.id > a.id ? 1 : -1);

/** @param {Conversation[]} list @param {Conversation[]} rows @returns {Conversation[]} */
export function merged(list, rows) {
  const byId = new Map([...list, ...rows].map((c) => [c.id, c]));
  return [...byId.values()].sort(newestFirst);
}

/** @param {Conversation} c @param {Shelf} shelf */
export const isOn = (c, shelf) => Boolean(c.archived) === (shelf === "archived");

/** @param {Conversation} row @param {Partial<Conversation>} like @returns {Partial<Conversation>} the fields that the other has */
export const some = (row, like) => Object.fromEntries(Object.keys(like).map((name) => [name, row[/** @type {keyof Conversation} */ (name)]]));

/** @param {Store} store */
export function createConversations(store) {
  /** Deleted here, not yet on the server. @type {Map<string, { row: Conversation, timer: ReturnType<typeof setTimeout> }>} */
  const going = new Map();
  /** What was changed here and isn't answered yet. @type {Map<string, Set<Partial<Conversation>>>} */
  const changing = new Map();
  /** Of each answer that is on its way: what was heard of meanwhile, and is newer. @type {Set<Set<string>>} */
  const readings = new Set();

  /** @param {Conversation} row @returns {Conversation} */
  const changed = (row) => Object.assign({ ...row }, ...(changing.get(row.id) ?? []));
  /** @param {Conversation[]} rows */
  const keep = (rows) => store.set({ conversations: merged(store.get().conversations, rows.filter((c) => !going.has(c.id)).map(changed)) });
  /** @param {(row: Conversation) => boolean} gone */
  const drop = (gone) => store.set({ conversations: store.get().conversations.filter((c) => !gone(c)) });
  /** @param {string} id */
  const heard = (id) => readings.forEach((reading) => reading.add(id));

  /** @param {Conversation[]} rows as the server has them now */
  function put(rows) {
    for (const row of rows) heard(row.id);
    keep(rows);
  }

  /** @param {string} id */
  const find = (id) => store.get().conversations.find((c) => c.id === id);

  /**
   * What the server answers of a conversation; of an answer that the news has overtaken, only these fields.
   * @param {string} id
   * @param {Promise<Conversation>} asking
   * @param {Partial<Conversation>} [shown] what was asked for, which has been shown until now
   */
  async function asked(id, asking, shown) {
    /** @type {Set<string>} */
    const newer = new Set();
    readings.add(newer);
    try {
      const row = await asking;
      if (shown) changing.get(id)?.delete(shown);
      const known = find(id);
      if (!newer.has(id)) put([row]);
      else if (known) keep([{ ...known, ...some(row, shown ?? {}) }]);
      return row;
    } finally {
      readings.delete(newer);
    }
  }

  /** @param {Shelf} shelf @param {Partial<Listing>} news */
  function list(shelf, news) {
    const { lists } = store.get();
    store.set({ lists: { ...lists, [shelf]: { ...lists[shelf], ...news } } });
  }

  /**
   * Reads a shelf from the top, as far as it is known: what is not there any more goes.
   * @param {Shelf} shelf
   */
  async function read(shelf) {
    /** @type {Set<string>} */
    const newer = new Set();
    readings.add(newer);
    try {
      const known = store.get().conversations.filter((c) => isOn(c, shelf)).length;
      const pins = shelf === "chats" ? api.conversations({ pinned: true, limit: MOST }) : null;
      pins?.catch(() => {});
      /** @type {Conversation[]} */
      const rows = [];
      /** @type {string | null} */
      let older = null;
      do {
        const page = await api.conversations({ archived: shelf === "archived", after: older, limit: known > PAGE ? MOST : PAGE });
        rows.push(...page.data);
        older = page.has_more ? page.last_cursor : null;
      } while (older && rows.length < known);
      const last = rows.at(-1);
      rows.push(...(await pins)?.data ?? []);
      const there = new Set([...rows.map((c) => c.id), ...newer]);
      drop((c) => isOn(c, shelf) && !there.has(c.id) && (c.pinned || !older || !last || newestFirst(c, last) < 0));
      keep(rows.filter((c) => !newer.has(c.id)));
      list(shelf, { older, listed: true, error: null });
    } catch (error) {
      list(shelf, { error: /** @type {Error} */ (error).message });
    } finally {
      readings.delete(newer);
    }
  }

  return {
    put, keep, drop, find, asked, going, changing,
    /** Whatever is listed, once more; and whether anything was put away. */
    async refresh() {
      const { shelf } = store.get();
      const away = shelf === "archived" ? read("archived") : api.conversations({ archived: true, limit: 1 }).then(({ data }) => put(data), () => {});
      await Promise.all([read("chats"), away]);
    },
    /** The next older page, if there is one. */
    async older() {
      const { shelf, lists } = store.get();
      const after = lists[shelf].older;
      if (!after) return;
      try {
        const { data, has_more, last_cursor } = await api.conversations({ archived: shelf === "archived", after, limit: PAGE });
        put(data);
        list(shelf, { older: has_more ? last_cursor : null, error: null });
      } catch (error) {
        list(shelf, { error: /** @type {Error} */ (error).message });
      }
    },
    /** @param {Shelf} shelf to be seen */
    show(shelf) {
      store.set({ shelf });
      if (!store.get().lists[shelf].listed) read(shelf);
    },
    /** @param {import("../types").Event} event */
    changed(event) {
      if (event.op === "deleted" && event.conversation_id) {
        heard(event.conversation_id);
        drop((c) => c.id === event.conversation_id);
      } else if (event.conversation) put([event.conversation]);
    },
    /** As it is now. @param {string} id */
    read: (id) => asked(id, api.conversation(id)),
    /** Another response is its head. @param {string} id @param {string} leaf */
    lead: (id, leaf) => asked(id, api.change(id, { active_response_id: leaf }), { active_response_id: leaf }),
  };
}
