/**
 * The usual carrier of a connection: one WebSocket. It refuses to know what is in its frames, and when there
 * should be another.
 */

const PROTOCOL = "tokenwire.v1";

/** One way to the server, open or opening. @typedef {{ send: (message: object) => boolean, close: () => void }} Line */
/** @typedef {{ onFrame: (data: string) => void, onClose: (code: number, reason: string) => void }} Ears */

/** @param {string} url @param {any} WebSocketClass @param {Ears} ears @returns {Line} */
export function openSocket(url, WebSocketClass, { onFrame, onClose }) {
  const socket = new WebSocketClass(url, PROTOCOL);
  socket.onmessage = (/** @type {{data: unknown}} */ message) => onFrame(String(message.data));
  socket.onclose = (/** @type {{code: number, reason: string}} */ event) => onClose(event.code, event.reason);
  socket.onerror = () => {};
  return {
    send(message) {
      if (socket.readyState !== 1) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
    close: () => socket.close(1000),
  };
}
