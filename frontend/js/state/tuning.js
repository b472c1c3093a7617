/**
 * Changing how a chat is to be answered: each change shows at once, is kept with the conversation, or in this
 * browser while there is none, and comes back if it is refused. It refuses to know how it is asked for.
 */
import { createChanges } from "./changes.js";
import { alike, trimmed } from "./fields.js";
import { remember } from "./memory.js";
import { remembered, settingsOf } from "./settings.js";

/** @typedef {import("../types").ChatSettings} ChatSettings */

const OURS = /\.(fresh|defaults|presets)$/;

/** @param {import("./store.js").Store} store @param {ReturnType<typeof import("./conversations.js").createConversations>} conversations */
export function createTuning(store, conversations) {
  const { settle } = createChanges(conversations);

  /** @param {"fresh" | "defaults"} name @param {ChatSettings | null} settings */
  function keep(name, settings) {
    remember(name, settings && JSON.stringify(settings));
    store.set({ [name]: settings });
  }

  // What this browser keeps is the same in all tabs.
  addEventListener("storage", ({ key }) => {
    if (key === null || OURS.test(key)) store.set({ fresh: remembered("fresh"), defaults: remembered("defaults") });
  });

  return {
    /** Of the chat on screen. */
    get now() {
      return settingsOf(store.get());
    },
    /** What a new chat begins with. */
    get defaults() {
      return store.get().defaults ?? {};
    },
    /**
     * All settings of the chat on screen from now on. Which model it has is said elsewhere, and stays.
     * @param {ChatSettings} settings
     * @throws {import("../net/api.js").ApiError | Error}
     */
    async change(settings) {
      const { open } = store.get();
      const next = trimmed({ ...settings, model: this.now.model });
      const row = open && conversations.find(open);
      if (row) await settle(row, next);
      else if (open) throw new Error("This chat is still being opened.");
      else keep("fresh", alike(next, this.defaults) ? null : next);
    },
    /** New chats begin as this one is. */
    adopt() {
      const { model, ...settings } = this.now;
      keep("defaults", Object.keys(settings).length ? settings : null);
      if (!store.get().open) keep("fresh", null);
    },
  };
}
