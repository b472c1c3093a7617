/**
 * A scripted server that speaks enough of the protocol for the page: hello, model.state, create, attach,
 * cancel, the JSON doors, and the built page under its real policy. A test holds the pen: `fake.asked()`
 * gives the next created response, and its verbs (queue, load, write, stall, complete, fail) make the
 * events; `fake.warmed()` is a prompt that is only to be read; `fake.disk(false)` is a disk that can't be written to.
 * To script a new odd state, add a verb to Answer; the log and its cursors stay as they are.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { FakeFeed } from "./fake_feed.mjs";

const PAGE = join(dirname(fileURLToPath(import.meta.url)), "../../backend/tokenwire/web/page");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json", ".webmanifest": "application/manifest+json" };
export const CSP = "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; worker-src 'self'; manifest-src 'self'; require-trusted-types-for 'script'; trusted-types tokenwire-worker; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

let counter = 0;
const newId = (prefix) => `${prefix}_${(Date.now() * 1000 + counter++).toString(16).padStart(32, "0")}`;
const seconds = () => Math.floor(Date.now() / 1000);

export function model(id, info = {}) {
  return {
    id, object: "model", created: 1, owned_by: "local",
    tokenwire: {
      state: "ready", stage: null, progress: null, detail: null, reason: null, note: null, download: null, engine: null, context_length: 2048,
      size_bytes: 13_000_000, needs_bytes: null, fits: null, source: "folder", base: null, aliases: [], pinned: false, licence: null, modalities: ["text"],
      capabilities: { tools: null, reasoning: null, structured_output: null }, default: false, description: null, ...info,
    },
  };
}

const UNSAVED = { type: "server_error", code: "not_saved", message: "The request could not be saved: disk I/O error", param: null };

/** One response: its log, and whoever reads it. */
class Answer {
  events = [];
  readers = new Set();
  text = "";
  /** Where in the output its text stands. */
  at = 0;
  constructor(fake, request) {
    const cut = fake.answers.get(request.tokenwire?.continues);
    if (cut) request = { ...request, conversation: cut.request.conversation, previous_response_id: cut.request.previous_response_id, input: cut.input };
    const input = typeof request.input === "string" ? [{ type: "message", role: "user", content: request.input }] : request.input ?? [];
    this.fake = fake;
    this.request = request;
    this.input = input;
    this.prompt = input.at(-1)?.content ?? "";
    this.response = {
      id: newId("resp"), object: "response", created_at: seconds(), completed_at: null, status: "in_progress", model: request.model,
      previous_response_id: request.previous_response_id ?? null, output: [], error: null, incomplete_details: null, usage: null,
      store: fake.saving, conversation: request.conversation ? { id: request.conversation } : null, tokenwire: {},
    };
    this.emit("response.created", { response: this.snapshot() });
  }
  snapshot(extras) {
    return structuredClone({ ...this.response, tokenwire: { ...this.response.tokenwire, ...extras } });
  }
  emit(type, fields) {
    const event = { type, sequence_number: this.events.length, ...fields };
    this.events.push(event);
    for (const reader of this.readers) reader(event);
    return this;
  }
  queue(position, eta_s = null) {
    this.response.status = "queued";
    return this.emit("response.queued", { response: this.snapshot({ queue: { position, length: position + 1, eta_s } }) });
  }
  load(info) {
    this.response.status = "queued";
    return this.emit("response.queued", { response: this.snapshot({ model: { state: "loading", ...info } }) });
  }
  start() {
    if (this.item) return this;
    if (this.thought !== undefined) {
      this.emit("response.reasoning_text.done", { item_id: "rs_1", output_index: 0, content_index: 0, text: this.thought });
      this.at = 1;
    }
    this.item = newId("msg");
    this.response.status = "in_progress";
    this.emit("response.in_progress", { response: this.snapshot() });
    this.emit("response.output_item.added", { output_index: this.at, item: { id: this.item, type: "message", role: "assistant", status: "in_progress", content: [] } });
    return this.emit("response.content_part.added", { item_id: this.item, output_index: this.at, content_index: 0, part: { type: "output_text", text: "", annotations: [] } });
  }
  /** The engine under it is gone; the next `goOn` says that there is one again. */
  stall(info) {
    return this.emit("response.in_progress", { response: this.snapshot({ model: { state: "recovering", stage: "recovering", progress: null, detail: null, ...info } }) });
  }
  goOn() {
    return this.emit("response.in_progress", { response: this.snapshot() });
  }
  /** What was told so far of each part as one event, numbered as the last of it, in the place of what the log has up to there. */
  soFar() {
    const told = [];
    for (const event of this.events) {
      const last = told.at(-1);
      if (event.delta !== undefined && last?.type === event.type && last.delta !== undefined) told[told.length - 1] = { ...event, delta: last.delta + event.delta };
      else told.push(event);
    }
    return told;
  }
  /** What it thinks before it speaks. */
  think(delta) {
    const place = { item_id: "rs_1", output_index: 0, content_index: 0 };
    if (this.thought === undefined) {
      this.thought = "";
      this.response.status = "in_progress";
      this.emit("response.output_item.added", { output_index: 0, item: { id: "rs_1", type: "reasoning", status: "in_progress", summary: [], content: [] } });
    }
    this.thought += delta;
    return this.emit("response.reasoning_text.delta", { ...place, delta });
  }
  /** A call of a tool, after which an answer has only to end. */
  call(name, ...parts) {
    const item = { id: "fc_1", type: "function_call", status: "in_progress", call_id: "call_1", name, arguments: "" };
    const place = { item_id: item.id, output_index: 0 };
    this.emit("response.output_item.added", { output_index: 0, item });
    for (const delta of parts) this.emit("response.function_call_arguments.delta", { ...place, delta });
    const whole = { ...item, status: "completed", arguments: parts.join("") };
    this.emit("response.function_call_arguments.done", { ...place, arguments: whole.arguments });
    this.emit("response.output_item.done", { output_index: 0, item: whole });
    this.response.output = [whole];
    this.done = true;
    this.response.status = "completed";
    this.emit("response.completed", { response: this.snapshot() });
    this.fake.touched(this.response.conversation?.id, this);
    return this;
  }
  write(delta) {
    this.start();
    this.text += delta;
    return this.emit("response.output_text.delta", { item_id: this.item, output_index: this.at, content_index: 0, delta, logprobs: [] });
  }
  end(type, status, fields = {}) {
    if (this.done) return this;
    this.done = true;
    const part = { type: "output_text", text: this.text, annotations: [] };
    if (this.item) {
      const thoughts = this.thought === undefined ? [] : [{ id: "rs_1", type: "reasoning", status: "completed", summary: [], content: [{ type: "reasoning_text", text: this.thought }] }];
      this.response.output = [...thoughts, { id: this.item, type: "message", role: "assistant", status: status === "completed" ? "completed" : "incomplete", content: [part] }];
      this.emit("response.output_text.done", { item_id: this.item, output_index: this.at, content_index: 0, text: this.text, logprobs: [] });
      this.emit("response.content_part.done", { item_id: this.item, output_index: this.at, content_index: 0, part });
      this.emit("response.output_item.done", { output_index: this.at, item: this.response.output.at(-1) });
    }
    const tokens = this.text.split(/\s+/).length;
    Object.assign(this.response, {
      status, completed_at: seconds(), store: this.fake.saving, ...fields,
      usage: { input_tokens: 1100, output_tokens: tokens, total_tokens: 1100 + tokens, input_tokens_details: { cached_tokens: 1024 }, output_tokens_details: { reasoning_tokens: 0 } },
      tokenwire: {
        ...this.response.tokenwire,
        timing: { queue_ms: 3, ttft_ms: 310, decode_ms: 900, tok_per_s: 42.4, reasoning_ms: this.thought === undefined ? null : 8000 },
      },
    });
    this.emit(type, { response: this.snapshot() });
    this.fake.touched(this.response.conversation?.id, this);
    return this;
  }
  complete(fields) {
    return this.start().end("response.completed", "completed", fields);
  }
  /** A warm-up has ended. @param {number} tokens of its prompt @param {number} warm of them in the cache */
  read(tokens, warm = tokens) {
    this.done = true;
    this.response.status = "completed";
    this.response.usage = { input_tokens: tokens, output_tokens: 0, total_tokens: tokens, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } };
    return this.emit("response.completed", { response: this.snapshot({ warm_tokens: warm }) });
  }
  cancel() {
    return this.end("response.incomplete", "cancelled", { incomplete_details: { reason: "cancelled" } });
  }
  /** What was said to it goes on in another answer, on the lane of who said it. */
  steered() {
    return this.end("response.incomplete", "incomplete", { incomplete_details: { reason: "steered" } });
  }
  cut() {
    return this.end("response.incomplete", "incomplete", { incomplete_details: { reason: "max_output_tokens" } });
  }
  fail(error = { code: "server_error", message: "The model ran out of memory" }) {
    return this.end("response.failed", "failed", { error });
  }
}

/** Null where the page isn't built: the link is tested without it. */
function buildId() {
  try {
    return JSON.parse(readFileSync(join(PAGE, "manifest.json"), "utf8")).build;
  } catch {
    return null;
  }
}

class Waiter {
  ready = [];
  waiting = [];
  give(value) {
    const next = this.waiting.shift();
    if (next) next(value);
    else this.ready.push(value);
  }
  take() {
    return this.ready.length ? Promise.resolve(this.ready.shift()) : new Promise((done) => this.waiting.push(done));
  }
}

export class Fake {
  models = [model("tokenwire-demo", { default: true, description: "A very small model that comes with Tokenwire, to show how everything works." })];
  conversations = new Map();
  answers = new Map();
  byKey = new Map();
  sockets = new Set();
  /** Every create that arrived, the repeated ones too. */
  creates = [];
  attaches = [];
  /** Every warm-up that was asked for, as it was asked, and what became of it. */
  warms = [];
  reading = new Map();
  /** Every query that was looked for, once a page. */
  searches = [];
  saving = true;
  /** Where each page of a chat that was asked for begins. */
  pages = [];
  /** What came before the newest exchanges is told when this is done. */
  older = Promise.resolve();
  /** It can't be read. */
  losesOlder = false;
  /** What was asked of models: "load Qwen/Qwen3-0.6B". */
  tended = new Waiter();
  build = buildId();
  /** Refuses the next create with this error. */
  refusal = null;
  /** What was said to running answers. */
  steers = [];
  refusesSteer = null;
  /** What was cut is not followed. */
  followsNot = false;
  /** Refuses the next change of a chat with this sentence, as one of this field. */
  refusesChange = null;
  refusesField = null;
  /** Every change of a chat that arrived. */
  changes = [];
  /** Refuses what is asked of a model next with this sentence. */
  refusesModel = null;
  /** Called with each new answer; without it the test writes. */
  auto = null;
  #asked = new Waiter();
  #warmed = new Waiter();
  #cooled = new Waiter();
  #cancelled = new Waiter();
  #missed = new Waiter();
  #refused = new Waiter();

  async start(port = 0) {
    this.http = createServer((request, response) => this.#serve(request, response));
    this.ws = new WebSocketServer({ noServer: true, handleProtocols: () => "tokenwire.v1" });
    this.http.on("upgrade", (request, socket, head) => {
      if (this.away) return socket.destroy();
      this.ws.handleUpgrade(request, socket, head, (s) => this.#greet(s));
    });
    await new Promise((done) => this.http.listen(port, "127.0.0.1", done));
    this.port = this.http.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    this.drop();
    this.http.closeAllConnections();
    await new Promise((done) => this.http.close(done));
  }

  /** The next response that was created. @returns {Promise<Answer>} */
  asked = () => this.#asked.take();
  cancelled = () => this.#cancelled.take();
  /** The next warm-up; it reads until the test says that it has. @returns {Promise<Answer>} */
  warmed = () => this.#warmed.take();
  /** The next warm-up that was given up. */
  cooled = () => this.#cooled.take();
  /** The next create that was refused. */
  refused = () => this.#refused.take();
  /** The next request of the API that found the server away. */
  missed = () => this.#missed.take();
  /** Every link breaks without a word. */
  drop = () => this.sockets.forEach((s) => s.terminate());
  close = (code, reason = "") => this.sockets.forEach((s) => s.close(code, reason));
  say = (event) => this.sockets.forEach((s) => s.send(JSON.stringify(event)));

  /** The disk begins to fail, or works again: what was not saved is then. @param {boolean} works */
  disk(works) {
    this.saving = works;
    for (const answer of this.answers.values()) {
      if (answer.done) continue;
      answer.response.store = works;
      answer.goOn();
    }
    this.say({ type: "tokenwire:saving.changed", sequence_number: 0, saving: works });
  }

  setModel(next) {
    const at = this.models.findIndex((m) => m.id === next.id);
    this.models = at < 0 ? [...this.models, next] : this.models.with(at, next);
    this.say({ type: "tokenwire:model.state", sequence_number: 0, model: next });
  }

  /** A model as it was, but for this. */
  change(id, info) {
    const before = this.models.find((m) => m.id === id) ?? model(id);
    this.setModel(model(id, { ...before.tokenwire, ...info }));
  }

  conversation(title = null, updated_at = seconds()) {
    const row = {
      id: newId("conv"), object: "conversation", created_at: updated_at, updated_at, title, title_source: "auto", model: null,
      metadata: {}, settings: {}, pinned: false, archived: false, active_response_id: null, running: false,
    };
    this.conversations.set(row.id, row);
    return row;
  }

  /** A chat as it was, but for this, told to every page. */
  tell(row, info) {
    Object.assign(row, info);
    this.say({ type: "tokenwire:conversation.changed", sequence_number: 0, op: "updated", conversation_id: row.id, conversation: row });
  }

  /** An answer that somebody else has begun in a chat. */
  begin(row, prompt) {
    const input = [{ id: newId("msg"), type: "message", role: "user", content: prompt }];
    const answer = new Answer(this, { model: "tokenwire-demo", conversation: row.id, previous_response_id: null, input });
    this.answers.set(answer.response.id, answer);
    this.touched(row.id, answer);
    return answer;
  }

  /** An exchange that was there before the page was; `after` is the one that it continues. */
  exchange(row, prompt, text, after = null, input = [{ id: newId("msg"), type: "message", role: "user", content: prompt }]) {
    const answer = new Answer(this, { model: "tokenwire-demo", conversation: row.id, previous_response_id: after?.response.id, input });
    this.answers.set(answer.response.id, answer);
    return answer.write(text).complete();
  }

  touched(id, answer) {
    const row = this.conversations.get(id);
    if (!row) return;
    Object.assign(row, { updated_at: seconds(), model: answer.response.model, running: !answer.done });
    // The head when it begins; by its end another may have been turned to.
    if (!answer.headed) row.active_response_id = answer.response.id;
    answer.headed = true;
    // What stands in fences names a chat only where nothing else does.
    row.title ??= (answer.prompt.replace(/^(`{3,})[^`\n]*\n.*?^\1$/gms, "").trim() || answer.prompt).slice(0, 60);
    this.say({ type: "tokenwire:conversation.changed", sequence_number: 0, op: "updated", conversation_id: id, conversation: row });
  }

  #greet(socket) {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.readers = [];
    socket.on("close", () => socket.readers.forEach(([answer, reader]) => answer.readers.delete(reader)));
    const send = (event) => socket.readyState === 1 && socket.send(JSON.stringify(event));
    socket.id = newId("sock");
    send({ type: "tokenwire:hello", sequence_number: 0, connection_id: socket.id, server_id: "srv", protocol: "tokenwire.v1", build: this.build,
      limits: { max_in_flight: 16, max_lanes: 32, max_message_bytes: 8388608 }, saving: this.saving, heartbeat_ms: 15000, max_age_s: 3600 });
    for (const m of this.models) send({ type: "tokenwire:model.state", sequence_number: 1, model: m });
    socket.on("message", (data) => this.#command(socket, JSON.parse(String(data)), send));
  }

  #command(socket, message, send) {
    const stream_id = message.stream_id;
    switch (message.type) {
      case "tokenwire:ping":
        return send({ type: "tokenwire:pong", t: message.t });
      case "response.cancel":
        if (this.reading.has(message.response_id)) return this.#cooled.give(this.reading.get(message.response_id).cancel());
        this.#cancelled.give(this.answers.get(message.response_id));
        return this.auto ? this.answers.get(message.response_id)?.cancel() : undefined;
      case "tokenwire:response.attach": {
        this.attaches.push(message);
        const answer = this.answers.get(message.response_id);
        if (!answer) return send({ type: "error", status: 404, stream_id, error: { type: "invalid_request_error", code: "response_not_found", message: "No such response." } });
        send({ type: "tokenwire:response.attached", response_id: answer.response.id, stream_id, status: answer.response.status, last_sequence_number: answer.events.length - 1 });
        const missed = message.mode === "snapshot" ? answer.soFar() : answer.events.slice((message.starting_after ?? -1) + 1);
        return this.#read(socket, answer, missed, stream_id, send);
      }
      case "response.create":
        return this.#create(socket, message, send);
      case "response.steer":
        return this.#steer(socket, message, send);
    }
  }

  /** What is said to an answer: it is cut, and another goes on; `refusesSteer` is an error's code. */
  #steer(socket, message, send) {
    const of = this.answers.get(message.previous_response_id);
    const stream_id = socket.readers.find(([answer]) => answer === of)?.[2];
    const steer = { previous_response_id: message.previous_response_id };
    this.steers.push(message);
    if (this.refusesSteer === "unheard") return socket.terminate();
    if (this.refusesSteer) {
      const error = { type: "invalid_request_error", code: this.refusesSteer, message: "No." };
      return send({ type: "response.steer.failed", stream_id, error, steer: { ...steer, input: message.input } });
    }
    send({ type: "response.steer.accepted", stream_id, steer });
    of.steered();
    if (this.followsNot) return undefined;
    const { conversation } = of.request;
    this.#create(socket, { model: of.response.model, conversation, previous_response_id: of.response.id, input: message.input, stream_id }, send);
  }

  #warm(socket, message, send) {
    this.warms.push(message);
    const answer = new Answer(this, message);
    this.reading.set(answer.response.id, answer);
    this.#read(socket, answer, answer.events, message.stream_id, send);
    this.#warmed.give(answer);
  }

  #create(socket, message, send) {
    if (message.generate === false) return this.#warm(socket, message, send);
    this.creates.push(message);
    const { stream_id } = message;
    if (this.refusal) {
      send({ type: "error", status: 429, stream_id, error: this.refusal });
      this.refusal = null;
      return this.#refused.give(message);
    }
    const key = message.tokenwire?.idempotency_key;
    if (!this.saving && !this.byKey.has(key)) return send({ type: "error", status: 500, stream_id, error: UNSAVED });
    let answer = key && this.byKey.get(key);
    const fresh = !answer;
    if (!answer) {
      answer = new Answer(this, message);
      this.byKey.set(key, answer);
      this.answers.set(answer.response.id, answer);
    }
    if (!this.loseAcknowledgement) this.#read(socket, answer, answer.events, stream_id, send);
    if (!fresh) return;
    this.touched(answer.request.conversation, answer);
    this.#asked.give(answer);
    this.auto?.(answer);
  }

  #read(socket, answer, missed, stream_id, send) {
    const reader = (event) => send({ ...event, stream_id });
    if (missed.length) send(missed.map((event) => ({ ...event, stream_id })));
    answer.readers.add(reader);
    socket.readers.push([answer, reader, stream_id]);
  }

  async #serve(request, response) {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    let body = "";
    for await (const chunk of request) body += chunk;
    if (this.away) {
      // The page's files come when they come.
      if (pathname.startsWith("/v1/")) this.#missed.give(pathname);
      return request.socket.destroy();
    }
    const json = (value, status = 200) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (pathname === "/healthz") return json({ status: "ok" });
    if (pathname.startsWith("/v1/events")) return this.#feed(pathname, body, response);
    if (pathname.startsWith("/v1/")) return this.#door(request.method, pathname, searchParams, body ? JSON.parse(body) : {}, json);
    try {
      const file = pathname === "/" ? "/index.html" : pathname;
      const data = readFileSync(join(PAGE, file));
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain", "content-security-policy": CSP }).end(data);
    } catch {
      response.writeHead(404).end();
    }
  }

  #feed(path, body, response) {
    if (path === "/v1/events") return this.#greet(new FakeFeed(response));
    const feed = [...this.sockets].find((socket) => path.endsWith(`/${socket.id}`));
    feed?.post(JSON.parse(body));
    return response.writeHead(feed ? 204 : 404).end();
  }

  #door(method, path, query, body, json) {
    const missing = () => json({ error: { message: "Not found.", type: "invalid_request_error", code: "not_found", param: null } }, 404);
    if (path === "/v1/models") return json({ object: "list", data: this.models });
    const [, verb] = /^\/v1\/models\/(load|unload|download|cancel)$/.exec(path) ?? [];
    if (verb) return this.#tend(verb, body.model, json, missing);
    if (path === "/v1/conversations" && method === "POST" && !this.saving) return json({ error: UNSAVED }, 500);
    if (path === "/v1/conversations" && method === "POST") return json(Object.assign(this.conversation(body.title ?? null), { settings: body.settings ?? {} }));
    if (path === "/v1/conversations") return this.#list(query, json);
    if (path === "/v1/conversations/search") return this.#search(query, json);
    const [, id, rest] = /^\/v1\/conversations\/([^/]+)(\/responses|\/cancel)?$/.exec(path) ?? [];
    const row = this.conversations.get(id);
    if (!row) return missing();
    if (rest === "/cancel") return json(this.#stop(row));
    if (rest) return this.#exchanges(id, query, json);
    if (method === "POST" && this.refusesChange) {
      const message = this.refusesChange;
      this.refusesChange = null;
      return json({ error: { message, type: "server_error", code: "not_saved", param: this.refusesField } }, 500);
    }
    if (method === "POST") {
      this.changes.push(body);
      Object.assign(row, body, body.title === undefined ? {} : { title_source: "user" });
      this.say({ type: "tokenwire:conversation.changed", sequence_number: 0, op: "updated", conversation_id: id, conversation: row });
    }
    if (method === "DELETE") {
      this.conversations.delete(id);
      this.say({ type: "tokenwire:conversation.changed", sequence_number: 0, op: "deleted", conversation_id: id, conversation: null });
      return json({ id, object: "conversation.deleted", deleted: true });
    }
    return json(row);
  }

  /** Page by page; those after the first come when the test lets them. */
  async #exchanges(id, query, json) {
    this.pages.push(query.get("after"));
    if (query.get("after")) await this.older;
    const all = [...this.answers.values()].filter((a) => a.request.conversation === id).map((a) => ({ response: this.#kept(a), input: a.input }));
    if (query.get("order") === "desc") all.reverse();
    const from = all.findIndex((e) => e.response.id === query.get("after")) + 1;
    const data = all.slice(from, from + Number(query.get("limit") ?? all.length));
    if (this.losesOlder && from) return json({ error: { message: "The history could not be read.", type: "server_error", code: "server_error", param: null } }, 500);
    return json({ object: "list", data, has_more: from + data.length < all.length, first_id: data[0]?.response.id ?? null, last_id: data.at(-1)?.response.id ?? null });
  }

  /** Says that it has begun; what comes of it, the test writes. */
  #tend(verb, id, json, missing) {
    this.tended.give(`${verb} ${id}`);
    const message = this.refusesModel;
    this.refusesModel = null;
    if (message) return json({ error: { message, type: "invalid_request_error", code: "model_unavailable", param: "model" } }, 409);
    const found = this.models.find((m) => m.id === id);
    if (!found && verb !== "download") return missing();
    const begun = { load: { state: "loading", stage: "starting", progress: 0 }, unload: { state: "draining" }, download: { state: "downloading" }, cancel: {} }[verb];
    json(model(id, { ...found?.tokenwire, ...begun }), 202);
    return undefined;
  }

  /** An end that wasn't saved is not known to the disk; saved late, it still says what it said. @param {Answer} answer */
  #kept = (answer) => (answer.done && !this.saving ? { ...answer.response, status: "in_progress", output: [] } : answer.response);

  /** Ends what is being answered in a chat. */
  #stop(row) {
    for (const answer of this.answers.values()) if (answer.request.conversation === row.id) answer.cancel();
    return row;
  }

  #list(query, json) {
    const fits = (flag, asked) => asked === "all" || String(flag) === asked;
    const listed = [...this.conversations.values()].filter((c) => fits(c.archived, query.get("archived") ?? "false") && fits(c.pinned, query.get("pinned") ?? "all"));
    const all = listed.sort((a, b) => b.updated_at - a.updated_at || (b.id > a.id ? 1 : -1));
    const from = query.get("after") ? all.findIndex((c) => c.id === query.get("after")) + 1 : 0;
    const data = all.slice(from, from + Number(query.get("limit") ?? 40));
    return json({ object: "list", data, has_more: from + data.length < all.length, last_cursor: data.at(-1)?.id ?? null });
  }

  #search(query, json) {
    this.searches.push(query.get("q"));
    const words = query.get("q").toLowerCase().split(/\s+/);
    const last = words.pop();
    const fits = (word) => words.includes(word) || word.startsWith(last);
    const said = [...this.answers.values()].flatMap((answer) => [[answer, answer.input[0].id, "user", answer.prompt], [answer, answer.item, "assistant", answer.text]]);
    const all = said.reverse().filter(([, , , text]) => {
      const found = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
      return words.every((word) => found.includes(word)) && found.some((word) => word.startsWith(last));
    });
    const from = Number(query.get("after") ?? 0);
    const to = from + Number(query.get("limit") ?? 20);
    const data = all.slice(from, to).map(([answer, item_id, role, text]) => ({
      object: "conversation.hit", conversation_id: answer.request.conversation, title: this.conversations.get(answer.request.conversation).title,
      archived: this.conversations.get(answer.request.conversation).archived,
      response_id: answer.response.id, item_id, role, created_at: answer.response.created_at,
      snippet: text.split(/([\p{L}\p{N}]+)/u).filter(Boolean).map((piece) => ({ text: piece, match: fits(piece.toLowerCase()) })),
    }));
    return json({ object: "list", data, has_more: to < all.length, last_cursor: to < all.length ? String(to) : null });
  }
}

export const startFake = () => new Fake().start();
