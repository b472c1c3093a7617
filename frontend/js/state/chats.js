/**
 * The chats that this page holds: the one on screen and those that still write. A chat that is neither is
 * let go and read again when it is opened. It gives each chat what it needs of the server.
 */
import { ApiError, api } from "../net/api.js";
import { Chat } from "./chat.js";
import { fieldsOf } from "./settings.js";

/** Exchanges of a chat in any order, and the leaf of the branch that is shown. @typedef {{ entries: import("../types").Entry[], leaf: string | null }} Part */
/** `onMade` hears of the settings that a new conversation was made with.
 *  @typedef {{
 *   link: import("./chat.js").Link,
 *   conversations: ReturnType<typeof import("./conversations.js").createConversations>,
 *   isOpen: () => boolean, whenOpen: () => Promise<void>,
 *   settings: (id: string | null) => import("../types").ChatSettings,
 *   onMade: (settings: import("../types").ChatSettings) => void,
 *   onCreated: (chat: Chat, id: string) => void,
 *   onUnsaid: (chat: Chat, text: string) => void,
 * }} Parts */

const MOMENT_MS = 1_000;
/** More exchanges than a screen has; and the most that the server lists at once. */
const FIRST = 20;
const MORE = 100;

/** @param {Parts} parts */
export function createChats({ link, conversations, isOpen, whenOpen, settings, onMade, onCreated, onUnsaid }) {
  /** @type {Map<string, Chat>} */
  const chats = new Map();

  /**
   * Page by page, the newest first.
   * @param {string} id
   * @param {{ known?: import("../types").Entry[], onPart?: (part: Part) => void }} [how] `known`: where one of them is met, the rest
   *   is as it was; `onPart` is told what there is so far
   * @returns {Promise<Part>}
   */
  async function fetchChat(id, { known = [], onPart } = {}) {
    const reading = conversations.read(id);
    // Whichever fails first is told.
    reading.catch(() => {});
    const old = new Set(known.map((e) => e.response.id));
    /** @type {import("../types").Entry[]} */
    let entries = [];
    for (let after = /** @type {string | null} */ (null); ;) {
      const { data, has_more, last_id } = await api.responses(id, after ? MORE : FIRST, after);
      const leaf = (await reading).active_response_id;
      entries = [...entries, ...data];
      if (data.some((e) => old.has(e.response.id))) {
        const fresh = new Set(entries.map((e) => e.response.id));
        return { entries: [...entries, ...known.filter((e) => !fresh.has(e.response.id))], leaf };
      }
      if (!has_more) return { entries, leaf };
      onPart?.({ entries, leaf });
      after = last_id;
    }
  }

  /** Waits for the server where it is away: the message is in the outbox. @returns {Promise<string>} */
  async function createChat() {
    for (;;) {
      try {
        const given = settings(null);
        const conversation = await api.createConversation({ settings: given });
        conversations.put([conversation]);
        onMade(given);
        return conversation.id;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 0) throw error;
        const back = whenOpen();
        // A server that dies may be missed by the request first, by the link a moment later.
        const alive = new Promise((done) => setTimeout(() => done(isOpen()), isOpen() ? MOMENT_MS : 0));
        if (await Promise.race([alive, back])) throw error;
        await back;
      }
    }
  }

  const needs = {
    link, fetchChat, createChat, onUnsaid,
    fields: (/** @type {string | null} */ id) => fieldsOf(settings(id)),
    setLeaf: conversations.lead,
    onCreated(/** @type {Chat} */ chat) {
      if (!chat.id) return;
      chats.set(chat.id, chat);
      onCreated(chat, chat.id);
    },
  };

  return {
    /** @param {string} id */
    get: (id) => chats.get(id),
    /** The chat to put on screen; null is a new one. @param {string | null} id @returns {Chat} */
    open(id) {
      for (const [key, kept] of chats) if (!kept.live && key !== id) chats.delete(key);
      const chat = (id && chats.get(id)) || new Chat(id, needs);
      if (id && !chats.has(id)) {
        chats.set(id, chat);
        chat.load();
      }
      return chat;
    },
  };
}
