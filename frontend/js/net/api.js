/**
 * The requests that are not a stream: conversations and models over plain HTTP. Every failure leaves as an
 * ApiError with a code; it refuses to know what the page does about it.
 */

/** @typedef {import("../types").Conversation} Conversation */

const LIMIT_MS = 20_000;

export class ApiError extends Error {
  /** @param {number} status 0: the server was not reached @param {string | null} code @param {string} message @param {string} [param] the field that it is about */
  constructor(status, code, message, param) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {RequestInit} [extra]
 * @returns {Promise<any>} the JSON of the answer
 * @throws {ApiError}
 */
async function request(method, path, body, extra) {
  const headers = body ? { "content-type": "application/json" } : undefined;
  let response;
  try {
    response = await fetch(path, {
      method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(LIMIT_MS), ...extra,
    });
  } catch {
    throw new ApiError(0, "unreachable", "The server could not be reached.");
  }
  const json = await response.json().catch(() => null);
  if (response.ok) return json;
  const error = json?.error ?? {};
  throw new ApiError(response.status, error.code ?? null, error.message ?? `The server answered ${response.status}.`, error.param);
}

/** @param {string} id */
const chat = (id) => `/v1/conversations/${encodeURIComponent(id)}`;

export const api = {
  /** @param {{ limit: number, after?: string | null, archived?: boolean, pinned?: boolean }} which @returns {Promise<{data: Conversation[], has_more: boolean, last_cursor: string | null}>} */
  conversations: (which) => request("GET", `/v1/conversations?${new URLSearchParams(Object.entries(which).flatMap(([k, v]) => (v || v === 0 ? [[k, String(v)]] : [])))}`),
  /** @param {string} query @param {string | null} after @returns {Promise<{data: import("../types").Hit[], has_more: boolean, last_cursor: string | null}>} */
  search: (query, after) =>
    request("GET", `/v1/conversations/search?limit=20&q=${encodeURIComponent(query)}${after ? `&after=${encodeURIComponent(after)}` : ""}`),
  /** @param {Partial<Conversation>} fields @returns {Promise<Conversation>} */
  createConversation: (fields) => request("POST", "/v1/conversations", fields),
  /** @param {string} id @returns {Promise<Conversation>} */
  conversation: (id) => request("GET", chat(id)),
  /** @param {string} id @param {Partial<Conversation>} fields @returns {Promise<Conversation>} */
  change: (id, fields) => request("POST", chat(id), fields),
  /** Ends all that is being answered in it. @param {string} id @returns {Promise<Conversation>} */
  stop: (id) => request("POST", `${chat(id)}/cancel`, {}),
  /** `keepalive` lets it survive the page. @param {string} id */
  remove: (id) => request("DELETE", chat(id), undefined, { keepalive: true }),
  /** The newest first. @param {string} id @param {number} limit @param {string | null} after @returns {Promise<{data: import("../types").Entry[], has_more: boolean, last_id: string | null}>} */
  responses: (id, limit, after) => request("GET", `${chat(id)}/responses?order=desc&limit=${limit}${after ? `&after=${after}` : ""}`),
  /** @returns {Promise<{data: import("../types").Model[]}>} */
  models: () => request("GET", "/v1/models"),
  /** @param {import("../types").ModelVerb} verb @param {string} model @returns {Promise<import("../types").Model>} */
  tend: (verb, model) => request("POST", `/v1/models/${verb}`, { model }),
};
