/**
 * A small proxy before a real server, of the kinds that let no WebSocket through: one that refuses the upgrade,
 * one that eats it (it forwards the request without its `Upgrade`), one that lets it hang. Plain HTTP passes,
 * event streams too, unless it `buffers` them until they end.
 */
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { connect } from "node:net";

/** Not for the next server: they are about this connection. */
const HOP = new Set(["connection", "upgrade", "keep-alive", "transfer-encoding", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions"]);

export class Proxy {
  /** @type {"refuses" | "eats" | "hangs" | "passes"} */
  kind = "passes";
  buffers = false;
  /** How often a WebSocket was asked for, how many passed, and every other request. */
  upgrades = 0;
  passed = 0;
  requests = [];
  #sockets = new Set();

  /** @param {string} target the server's address */
  constructor(target) {
    this.target = new URL(target);
    this.server = createServer((request, response) => this.#forward(request, response));
    this.server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  async start() {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  /** Every connection breaks without a word. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop() {
    const closed = once(this.server, "close");
    this.server.close();
    this.cut();
    await closed;
  }

  /** Requests of the page's connection. */
  get streams() {
    return this.requests.filter((line) => line === "GET /v1/events").length;
  }

  #forward(request, response) {
    this.requests.push(`${request.method} ${request.url}`);
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP.has(name)));
    const { hostname, port } = this.target;
    const onward = ask({ hostname, port, method: request.method, path: request.url, headers }, async (answer) => {
      const kept = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP.has(name)));
      if (this.buffers && answer.headers["content-type"] === "text/event-stream") {
        const all = await whole(answer);
        return response.writeHead(answer.statusCode, kept).end(all);
      }
      response.writeHead(answer.statusCode, kept);
      response.flushHeaders();
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  #upgrade(request, socket, head) {
    this.upgrades += 1;
    if (this.kind === "refuses") return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    if (this.kind === "eats") return this.#eat(request, socket);
    if (this.kind === "passes") this.#pass(request, socket, head);
  }

  /** As nginx does that was not told of upgrades: a plain GET goes on, and its answer comes back. */
  #eat(request, socket) {
    const { hostname, port } = this.target;
    const onward = ask({ hostname, port, path: request.url, headers: { host: request.headers.host } }, async (answer) => {
      const body = await whole(answer);
      socket.end(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    });
    onward.on("error", () => socket.destroy());
    onward.end();
  }

  #pass(request, socket, head) {
    this.passed += 1;
    const onward = connect(Number(this.target.port), this.target.hostname, () => {
      const lines = Array.from({ length: request.rawHeaders.length / 2 }, (_, i) => `${request.rawHeaders[2 * i]}: ${request.rawHeaders[2 * i + 1]}`);
      onward.write(`GET ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    for (const [one, other] of [[onward, socket], [socket, onward]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  }
}

/** As much of an answer as there is until its end. */
async function whole(answer) {
  const pieces = [];
  try {
    for await (const piece of answer) pieces.push(piece);
  } catch {
    // The server or the browser has gone.
  }
  return Buffer.concat(pieces);
}
