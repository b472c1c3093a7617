/**
 * What a person does with a conversation of the list: it shows at once, and comes back if it is refused. A
 * deletion reaches the server when it can't be taken back any more.
 */
import { api } from "../net/api.js";
import { some } from "./conversations.js";

/** @typedef {import("../types").Conversation} Conversation */
/** @typedef {ReturnType<typeof import("./conversations.js").createConversations>} Conversations */

/** How long a deletion can be taken back. */
export const UNDO_MS = 6_000;

/** @param {Conversations} conversations */
export function createChanges({ keep, drop, find, asked, going, changing }) {
  /** @param {string} id */
  function commit(id) {
    const entry = going.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    api.remove(id).then(() => going.delete(id), (error) => {
      going.delete(id);
      if (error.status !== 404) keep([entry.row]);
    });
  }

  /**
   * @param {Conversation} row
   * @param {Partial<Conversation>} fields
   * @param {Partial<Conversation>} [shown] what it comes to
   */
  async function change(row, fields, shown = fields) {
    const known = find(row.id) ?? row;
    const patches = changing.get(row.id) ?? new Set();
    changing.set(row.id, patches.add(shown));
    keep([known]);
    try {
      await asked(row.id, api.change(row.id, fields), shown);
    } catch (error) {
      patches.delete(shown);
      const now = find(row.id);
      if (now) keep([{ ...now, ...some(known, shown) }]);
      throw error;
    }
  }

  return {
    /** @param {Conversation} row @param {string} title */
    rename: (row, title) => change(row, { title }, { title, title_source: "user" }),
    /** @param {Conversation} row @param {boolean} pinned */
    pin: (row, pinned) => change(row, { pinned }),
    /** @param {Conversation} row @param {boolean} archived */
    archive: (row, archived) => change(row, { archived }),
    /** @param {Conversation} row @param {import("../types").ChatSettings} settings all of them */
    settle: (row, settings) => change(row, { settings }),
    /** Ends whatever is being answered in it. @param {Conversation} row */
    async stop(row) {
      await asked(row.id, api.stop(row.id), { running: false });
    },
    /** Gone from the list at once, from the server after UNDO_MS. @param {Conversation} row @returns {() => void} undo */
    remove(row) {
      going.set(row.id, { row, timer: setTimeout(() => commit(row.id), UNDO_MS) });
      drop((c) => c.id === row.id);
      return () => {
        clearTimeout(going.get(row.id)?.timer);
        if (going.delete(row.id)) keep([row]);
      };
    },
    /** The page is leaving: what was deleted is deleted. */
    flush: () => [...going.keys()].forEach(commit),
  };
}
