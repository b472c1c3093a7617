/**
 * What carries the connection: a WebSocket, or an event stream where something on the way lets no WebSocket
 * through. Pure: it is told what became of each try, and says what the next one goes over.
 */

/** @typedef {"socket" | "stream"} Carrier */
/** What outlives a reload: whether it was the stream. @typedef {{ get: () => boolean, set: (stream: boolean) => void }} Memory */

/** Failures in a row of one carrier, while plain requests are answered, that speak against it. */
const TRIES = 2;
/** How long a WebSocket that did not get through is left alone. */
const AGAIN_MS = 600_000;
/** After a stream was lost the network may be another one. */
const ANEW_MS = 60_000;

/** @param {{ now: () => number, memory: Memory }} needs */
export function createChoice({ now, memory }) {
  /** @type {Carrier} */
  let carrier = memory.get() ? "stream" : "socket";
  let failures = 0;
  /** Given up since the server was last heard. @type {Set<Carrier>} */
  const givenUp = new Set();
  /** After a reload a WebSocket is due. */
  let triedAt = -Infinity;

  return {
    get carrier() {
      return carrier;
    },
    /** Neither gets through, and plain requests do. */
    get blocked() {
      return givenUp.size === 2;
    },
    /**
     * A try ended before the server was heard, or hangs. @param {Carrier} tried
     * @param {boolean} reached a plain request was answered meanwhile: without that it says nothing of the carrier
     * @param {boolean} hung
     */
    failed(tried, reached, hung) {
      if (tried !== carrier) return;
      if (!reached) {
        failures = 0;
        givenUp.clear();
        return;
      }
      failures += hung ? TRIES : 1;
      if (failures < TRIES) return;
      failures = 0;
      givenUp.add(carrier);
      if (carrier === "socket") triedAt = now();
      carrier = carrier === "socket" ? "stream" : "socket";
    },
    /** The server was heard. */
    opened() {
      failures = 0;
      givenUp.clear();
      memory.set(carrier === "stream");
    },
    /** Whether to try a WebSocket beside the stream. @param {boolean} anew the stream has just begun */
    isDue: (anew) => carrier === "stream" && now() - triedAt >= (anew ? ANEW_MS : AGAIN_MS),
    /** It is being tried. */
    tried() {
      triedAt = now();
    },
    /** The server was heard over it. */
    back() {
      carrier = "socket";
    },
  };
}
