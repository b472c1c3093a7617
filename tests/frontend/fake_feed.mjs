/**
 * A feed of the scripted server in the shape of a socket of `ws`: what is sent to it becomes events of the
 * stream, what is posted to it arrives as messages.
 */
import { EventEmitter } from "node:events";

export class FakeFeed extends EventEmitter {
  readyState = 1;

  constructor(response) {
    super();
    this.response = response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    response.on("close", () => {
      this.readyState = 3;
      this.emit("close");
    });
  }

  send(data) {
    for (const event of [JSON.parse(data)].flat()) this.response.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  post(body) {
    for (const event of body.events) this.emit("message", JSON.stringify(event));
  }

  terminate() {
    this.response.destroy();
  }

  close() {
    this.response.end();
  }
}
