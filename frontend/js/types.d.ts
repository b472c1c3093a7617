/**
 * The shapes that cross files: what the server says (the Responses API and our `tokenwire` fields) and
 * what the page keeps. Types only; nothing here exists when the page runs.
 */

/** `unknown` is the page's own word: the server has not been heard yet. */
export type ModelState = "absent" | "downloading" | "paused" | "loading" | "ready" | "recovering" | "draining" | "unloaded" | "failed" | "unknown";

/** What can be asked of the server for a model. */
export type ModelVerb = "load" | "unload" | "download" | "cancel";

export interface ModelInfo {
  state: ModelState;
  stage: string | null;
  /** 0..1, or null where nobody knows. */
  progress: number | null;
  /** One sentence for a person. */
  detail: string | null;
  /** Why it can't be used as it stands. */
  reason: string | null;
  /** What to know of one that can be used. */
  note: string | null;
  download: { done: number; total: number | null; bytes_per_s: number | null; left_s: number | null } | null;
  /** What its engine does right now; shares are 0..1. */
  engine: { running: number; waiting: number; kv_cache_usage: number; prefix_cache_hit_rate: number | null; tokens_per_second: number } | null;
  context_length: number | null;
  /** The most that its maker has an answer be. */
  max_output_tokens?: number | null;
  /** Its own defaults by the names of a create; null for one that wasn't loaded yet. */
  sampling?: ChatSettings | null;
  size_bytes: number | null;
  needs_bytes: number | null;
  /** Null where nobody can say. */
  fits: boolean | null;
  source: "demo" | "folder" | "cache" | "hub" | "adapter";
  /** The model that an adapter changes. */
  base: string | null;
  aliases: string[];
  pinned: boolean;
  licence: string | null;
  modalities: string[];
  /** Null where that isn't known. */
  capabilities: { tools: boolean | null; reasoning: boolean | null; structured_output: boolean | null };
  /** False for one that can never be served: trying again is no use. */
  servable?: boolean;
  default: boolean;
  description: string | null;
}

export interface Model {
  id: string;
  created: number;
  owned_by: string;
  tokenwire: ModelInfo;
}

export interface Conversation {
  id: string;
  /** Seconds. */
  created_at: number;
  updated_at: number;
  title: string | null;
  title_source: "auto" | "user";
  model: string | null;
  settings: ChatSettings;
  pinned: boolean;
  archived: boolean;
  active_response_id: string | null;
  running: boolean;
}

/** How the answers of a chat are to be made; what is not there is not set. */
export interface ChatSettings {
  instructions?: string;
  model?: string;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  repetition_penalty?: number;
  max_output_tokens?: number;
  seed?: number;
  reasoning_effort?: string;
}

/** Where the words of a search were said. */
export interface Hit {
  conversation_id: string;
  title: string | null;
  archived: boolean;
  response_id: string;
  item_id: string;
  role: string | null;
  /** What was said around the words, in pieces; those that match are the words. */
  snippet: { text: string; match: boolean }[];
  created_at: number;
}

export interface ErrorBody {
  code: string | null;
  message: string;
  type?: string;
  param?: string | null;
}

export interface Part {
  type: string;
  text?: string;
}

export interface Item {
  type: string;
  role?: string;
  content?: string | Part[];
  call_id?: string;
  name?: string;
  arguments?: string;
  input?: string;
  action?: unknown;
  output?: unknown;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  input_tokens_details?: { cached_tokens?: number };
}

export interface Timing {
  queue_ms?: number | null;
  ttft_ms?: number | null;
  decode_ms?: number | null;
  reasoning_ms?: number | null;
  tok_per_s?: number | null;
  /** From the first thought to what followed it. */
  reasoning_ms?: number | null;
}

export interface Extras {
  queue?: Queue | null;
  model?: Partial<ModelInfo> | null;
  seed?: number | null;
  timing?: Timing | null;
  /** How often servers went on with it after another had ended. */
  taken_up?: number;
  cancel?: { freed_ms: number };
  /** Of a warm-up: how much of its prompt the engine has in its cache. */
  warm_tokens?: number;
}

export type Status = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";

export interface Response {
  id: string;
  created_at: number;
  status: Status;
  model: string;
  previous_response_id: string | null;
  output: Item[];
  error: ErrorBody | null;
  incomplete_details: { reason?: string } | null;
  usage: Usage | null;
  store?: boolean;
  temperature?: number | null;
  top_p?: number | null;
  tokenwire?: Extras | null;
}

/** Any event; the fields that are there depend on `type`. */
export interface Event {
  type: string;
  sequence_number?: number;
  stream_id?: string;
  response?: Response;
  response_id?: string;
  conversation_id?: string;
  conversation?: Conversation | null;
  model?: Model;
  op?: "created" | "updated" | "items" | "deleted";
  output_index?: number;
  content_index?: number;
  item?: Item;
  delta?: string;
  text?: string;
  arguments?: string;
  input?: string;
  steer?: { previous_response_id: string; input?: unknown };
  error?: ErrorBody;
  status?: number | Status;
  build?: string;
  /** Whether the server can save what is said. */
  saving?: boolean;
  server_id?: string;
  grace_ms?: number;
  last_sequence_number?: number;
}

/** One stored exchange, as GET /v1/conversations/{id}/responses lists it. */
export interface Entry {
  response: Response;
  input: Item[];
}

export type Phase =
  | "sending"
  | "queued"
  | "running"
  | "completed"
  | "stopped"
  | "cut"
  | "steered"
  | "failed";

export type Turn = import("./state/turn.js").Turn;

/** Something that an answer is made of. */
export interface Piece {
  kind: "text" | "thought" | "call";
  /** Its place in the output: "0", or "0.0" where it is a part. */
  at: string;
  /** What was thought or said; the arguments of a call. */
  text: string;
  done: boolean;
  /** Of the tool that is called. */
  name: string;
  call: string | null;
  /** When it began here, null where that was not seen (ms). */
  since: number | null;
  ms: number | null;
}

/** What a tool gave back to a call. */
export interface Result {
  call: string | null;
  text: string;
}

/** How an answer was made; null where the server doesn't say. */
export interface Made {
  /** Seconds. */
  at?: number;
  seed?: number | null;
  temperature?: number | null;
  top_p?: number | null;
  /** In the line, when it was last told. */
  place?: number;
}

export interface Queue {
  position: number;
  length?: number;
  /** Seconds, null where nobody can say. */
  eta_s?: number | null;
}

/** A file that goes with a message. */
export interface TextFile {
  name: string;
  text: string;
}

/** How full a chat is, in tokens. `cached`: what the engine has read of it, null where nobody asked. */
export interface Fill {
  used: number;
  cached: number | null;
  max: number;
  exact: boolean;
}

export type LinkStatus = "connecting" | "open" | "lost" | "refused" | "closed";

export interface LinkInfo {
  status: LinkStatus;
  /** When the link was lost (ms), 0 while it is open. */
  since: number;
  /** Close code of a refusal, else 0. */
  code: number;
  /** The server answers plain requests, but neither a WebSocket nor an event stream gets through. */
  blocked?: boolean;
}

export interface Search {
  /** What is looked for; empty when nothing is. */
  query: string;
  /** The newest answer, maybe to an earlier query; `next` is the cursor of its next page. */
  found: { query: string; hits: Hit[]; next: string | null } | null;
  error: string | null;
}

/** The list of chats, and those that were put away. */
export type Shelf = "chats" | "archived";

/** How far a shelf has been read. */
export interface Listing {
  /** Cursor of the next older page; null when there is none. */
  older: string | null;
  listed: boolean;
  error: string | null;
}

export interface AppState {
  link: LinkInfo;
  /** The link has been lost for long enough to say so. */
  away: boolean;
  draining: boolean;
  /** The server can save what is said. */
  saving: boolean;
  /** The server serves a newer page than this one. */
  outdated: boolean;
  models: Model[];
  /** Why the server refused what was last asked of a model, by its id. */
  refusals: Record<string, string>;
  /** All that are known, on both shelves, newest first. */
  conversations: Conversation[];
  /** What the sidebar lists. */
  shelf: Shelf;
  lists: Record<Shelf, Listing>;
  search: Search;
  /** The chat on screen: its conversation, or null for a new one. */
  open: string | null;
  /** What a chat that isn't on the server yet was given; null: nothing. */
  fresh: ChatSettings | null;
  /** What new chats begin with. */
  defaults: ChatSettings | null;
  /** Of the chat on screen; null where that isn't known. */
  fill: Fill | null;
}
