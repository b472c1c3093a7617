/**
 * What the message box does ahead of a send: it has the server read what the next prompt begins with, and
 * shows how full the chat is. It is fetched apart from the page, and told what is on screen.
 */
import { fillOf, promptTokens } from "../state/context.js";
import { createWarmth } from "../state/warmth.js";
import { createMeter } from "./meter.js";

/** @typedef {import("../types").Fill} Fill */
/** @typedef {import("../state/warmth.js").Subject} Subject */
/** What is on screen. `fields`: what a create says before the text; `files`: what stands before it in the message.
 *  @typedef {{ chat: import("../state/chat.js").Chat, model: import("../types").Model | null, online: boolean,
 *   fields: Record<string, unknown>, files: string, text: string }} Sight */

/** Less than this is read sooner than it is asked for. */
const LONG = 256;

/** @param {{ create: import("../state/chat.js").Link["create"], onFill: (fill: Fill | null) => void }} hooks */
export function createAhead({ create, onFill }) {
  const warmth = createWarmth({ create, onWarm: () => sight && look(sight) });
  const show = createMeter();
  /** @type {Sight | null} */
  let sight = null;
  /** It was opened or typed into since it was last answered. */
  let meant = true;
  let shown = "";

  /** @param {Sight} seen @returns {Subject | null} */
  function subjectOf({ chat, model, fields, files }) {
    return model && chat.status === "ready" && !chat.live ? { model: model.id, parent: chat.head, fields, files } : null;
  }

  /** @param {Sight} seen */
  function look(seen) {
    if (seen.chat !== sight?.chat) meant = true;
    if (seen.chat.live) meant = false;
    sight = seen;
    const { chat, model, online, fields, files, text } = seen;
    const ready = model?.tokenwire.state === "ready";
    if (!ready) warmth.forget();
    const subject = subjectOf(seen);
    const before = files.length + String(fields.instructions ?? "").length * (chat.turns.length ? 0 : 1);
    const long = promptTokens(chat.turns, before) >= LONG;
    warmth.want(ready && online && meant && long ? subject : null);
    const fill = fillOf(chat.turns, model?.tokenwire.context_length ?? null, warmth.of(subject), { before, text: text.length });
    if (JSON.stringify(fill) === shown) return;
    shown = JSON.stringify(fill);
    show(fill);
    onFill(fill);
  }

  return {
    look,
    /** @param {Sight} seen of a person who types */
    typed(seen) {
      meant = true;
      look(seen);
    },
  };
}
