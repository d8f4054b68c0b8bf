// Who the person is, over REST. The token lives in sessionStorage: it survives
// a reload of this tab and ends with it.

import { Failure, UNREACHABLE } from "./failure.js";

const KEY = "walkergate.token";
const PATIENCE = 15_000; // ms for a call

export class Account {
  #fetch;
  #storage;
  #token = null;

  /** The parameters are for tests; a browser needs none. */
  constructor({ fetch = globalThis.fetch.bind(globalThis), storage = sessionOrNull() } = {}) {
    this.#fetch = fetch;
    this.#storage = storage;
    this.#token = storage?.getItem(KEY) ?? null;
  }

  /** The token to show to the gateway, or null. Never to be displayed or logged. */
  get token() {
    return this.#token;
  }

  /** Makes an account; it does not log in. */
  async register(email, password) {
    await this.#call("POST", "/user/register", { body: { email, password } });
  }

  /** Logs in and gives the user: {id, email, root_id}. */
  async login(email, password) {
    const { token, user } = await this.#call("POST", "/user/login", { body: { email, password } });
    if (typeof token !== "string" || token === "") {
      throw new Failure({ code: "unknown", error: "The login was answered without a token." });
    }
    this.#keep(token);
    return user;
  }

  /** Revokes the token. It is forgotten here even when that fails. */
  async logout() {
    const token = this.#token;
    this.forget();
    if (token !== null) await this.#call("POST", "/user/logout", { token });
  }

  /** The user of the token kept from before, or null without one. */
  async me() {
    const token = this.#token;
    if (token === null) return null;
    return this.#call("GET", "/user/me", { token });
  }

  /** Lets go of the token here, without telling the gateway. */
  forget() {
    this.#token = null;
    this.#storage?.removeItem(KEY);
  }

  #keep(token) {
    this.#token = token;
    try {
      this.#storage?.setItem(KEY, token);
    } catch {
      // Storage is full or refused: the login then ends with the next reload.
    }
  }

  async #call(method, path, { body, token } = {}) {
    const headers = { Accept: "application/json" };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    let text;
    try {
      answer = await this.#fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        credentials: "same-origin",
        signal: AbortSignal.timeout(PATIENCE),
      });
      text = await answer.text();
    } catch {
      throw new Failure({ code: UNREACHABLE, error: "The gateway could not be reached." });
    }
    const result = objectOf(text);
    if (!answer.ok) {
      throw new Failure({ code: `http_${answer.status}`, error: "The gateway refused.", ...result, status: answer.status });
    }
    return result;
  }
}

function objectOf(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {}; // a proxy's page, or nothing: the status has to speak for itself
  }
}

function sessionOrNull() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null; // browsers throw where storage is blocked: keep the token in memory
  }
}
