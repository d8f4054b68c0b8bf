// One WebSocket connection that comes back by itself. It speaks the protocol
// and knows no DOM.
//
// Events (CustomEvent, see `detail`):
//   status    {state, until, code, reason}: see the states below
//   identity  what identity() of frames.js gives: after each connection event
//   refused   a Failure: the token was refused or has ended, and is forgotten
//   frame     a parsed frame that answers none of our requests
//   traffic   {direction: "in"|"out", text}: every frame, secrets masked
//
// States: idle; connecting; authenticating (connected, token shown, not yet
// answered); live; waiting (ended, comes back at `until`); ended (stays away
// until reconnect or join is called).

import { DISCONNECTED, Failure, NO_ANSWER, OFFLINE } from "./failure.js";
import { identity, mask, parse } from "./frames.js";
import { comeBack, socketURL } from "./reconnect.js";

const GREETING = 10_000; // ms from opening the socket to the first connection event
const ANSWER = 30_000; // ms from a request to its answer
const PING = 25_000; // ms between signs of life
const PONG = 10_000; // ms of silence after a ping that end a connection
const STEADY = 10_000; // ms of being live after which a failure counts as the first
const PENDING = 100; // requests that may wait for an answer

// Codes for ends that the page itself finds; browsers give 1006 for the like.
const ABNORMAL = 1006;
const AUTH_ENDED = 4401;
const OPEN = 1; // WebSocket.OPEN

export class Connection extends EventTarget {
  #location;
  #open;
  #random;
  #socket = null;
  #state = "idle";
  #room = "";
  #token = null;
  #tokenError = null;
  #changing = 0; // change_user frames not yet answered
  #greeted = false;
  #attempt = 0;
  #liveSince = 0;
  #lastId = 0;
  #pending = new Map();
  #timers = { greeting: 0, ping: 0, pong: 0, retry: 0 };

  /** The parameters are for tests; a browser needs none. */
  constructor({ location = globalThis.location, open = (url) => new WebSocket(url), random = Math.random } = {}) {
    super();
    this.#location = location;
    this.#open = open;
    this.#random = random;
  }

  get state() {
    return this.#state;
  }

  get room() {
    return this.#room;
  }

  /** Connects anew as a member of the room; "" leaves rooms for a channel of one's own. */
  join(room) {
    this.#room = room;
    this.reconnect();
  }

  /** Connects now, whatever the state. */
  reconnect() {
    this.#attempt = 0;
    this.#connect();
  }

  /** Tries now when it would have waited, as after the network came back. */
  hurry() {
    if (this.#state === "waiting") this.#connect();
  }

  /** Asks for a sign of life now, as after the machine slept. */
  probe() {
    if (this.#greeted) this.#ping();
  }

  /** Ends the connection and stays away. */
  close() {
    this.#abandon();
    this.#become("ended", { code: 1000, reason: "closed by the page" });
  }

  /**
   * Becomes the user of the token, or the public one without. It holds for this
   * connection and for those that follow it. The outcome comes as an identity
   * event, or as refused.
   */
  authenticate(token) {
    this.#token = token ?? null;
    if (this.#greeted) this.#changeUser();
  }

  /**
   * Sends a frame with an id of its own and resolves with the frame that
   * answers it. Rejects with a Failure when that is an error, when none comes,
   * or when there is no connection.
   */
  request(frame) {
    if (this.#pending.size >= PENDING) {
      return Promise.reject(new Failure({ code: "busy", error: "Too many requests wait for an answer." }));
    }
    const id = `page-${++this.#lastId}`;
    if (!this.send(JSON.stringify({ ...frame, id }))) {
      return Promise.reject(new Failure({ code: OFFLINE, error: "There is no connection now." }));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Failure({ code: NO_ANSWER, error: `No answer within ${ANSWER / 1000} s.` }));
      }, ANSWER);
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  /** Sends a text as it is. False when there is no connection. */
  send(text) {
    if (this.#socket === null || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(text);
    this.#emit("traffic", { direction: "out", text: mask(text) });
    return true;
  }

  #connect() {
    this.#abandon();
    this.#become("connecting");
    const socket = this.#open(socketURL(this.#location, this.#room));
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#end({ code: event.code, reason: event.reason });
    this.#timers.greeting = setTimeout(
      () => this.#end({ code: ABNORMAL, reason: "no greeting came" }),
      GREETING,
    );
  }

  #receive(text) {
    clearTimeout(this.#timers.pong);
    this.#timers.pong = 0;
    this.#emit("traffic", { direction: "in", text: mask(text) });
    const frame = parse(text);
    if (frame === null) return;
    const who = identity(frame);
    if (who !== null) this.#identify(who);
    if (this.#settle(frame) || who !== null || frame.type === "pong") return;
    if (frame.type === "error" && frame.code === "token_invalid" && this.#token !== null) {
      this.#tokenError = new Failure(frame); // the connection event that follows acts on it
      return;
    }
    this.#emit("frame", frame);
  }

  #identify(who) {
    this.#emit("identity", who);
    if (!this.#greeted) {
      this.#greet();
      return;
    }
    // With our token shown and answered, the public user means: no longer valid.
    if (who.isPublic && this.#token !== null && this.#changing === 0) this.#refuse();
  }

  #greet() {
    this.#greeted = true;
    clearTimeout(this.#timers.greeting);
    this.#timers.ping = setInterval(() => this.#ping(), PING);
    if (this.#token === null) {
      this.#goLive();
      return;
    }
    this.#become("authenticating");
    this.#changeUser();
  }

  async #changeUser() {
    const socket = this.#socket;
    const token = this.#token;
    this.#changing++;
    try {
      const answer = await this.request(token === null ? { type: "change_user" } : { type: "change_user", token });
      if (socket !== this.#socket) return;
      this.#changing--;
      if (token !== null && token === this.#token && identity(answer)?.isPublic) this.#refuse();
    } catch (error) {
      if (socket !== this.#socket) return; // the next connection shows the token again
      this.#changing--;
      if (error.code === "token_invalid") {
        this.#tokenError = error;
        if (token === this.#token) this.#refuse();
      } else {
        // Neither taken nor refused: who we are is unknown, so begin anew.
        this.#end({ code: ABNORMAL, reason: `change of user failed: ${error.code ?? error.message}` });
        return;
      }
    }
    if (this.#state === "authenticating" && this.#changing === 0) this.#goLive();
  }

  #refuse() {
    const failure = this.#tokenError
      ?? new Failure({ status: 401, code: "token_invalid", error: "The login is no longer valid." });
    this.#tokenError = null;
    this.#token = null;
    this.#emit("refused", failure);
  }

  #goLive() {
    this.#liveSince = Date.now();
    this.#become("live");
  }

  #ping() {
    if (this.#timers.pong !== 0 || !this.send('{"type":"ping"}')) return;
    this.#timers.pong = setTimeout(() => this.#end({ code: ABNORMAL, reason: "no sign of life" }), PONG);
  }

  /** Settles the request that the frame answers; false when there is none. */
  #settle(frame) {
    const request = this.#pending.get(frame.id);
    if (request === undefined) return false;
    this.#pending.delete(frame.id);
    clearTimeout(request.timer);
    const failed = frame.type === "reply" ? frame.ok === false : frame.type !== "connection";
    if (failed) request.reject(new Failure(frame));
    else request.resolve(frame);
    return true;
  }

  #end({ code, reason }) {
    if (this.#liveSince > 0 && Date.now() - this.#liveSince >= STEADY) this.#attempt = 0;
    this.#abandon();
    if (code === AUTH_ENDED && this.#token !== null) this.#refuse();
    const wait = comeBack({ code, reason }, this.#attempt++, this.#random);
    if (wait === null) {
      this.#become("ended", { code, reason });
      return;
    }
    this.#timers.retry = setTimeout(() => this.#connect(), wait);
    this.#become("waiting", { code, reason, until: Date.now() + wait });
  }

  /** Lets go of the socket without waiting for its close handshake. */
  #abandon() {
    const socket = this.#socket;
    this.#socket = null;
    this.#greeted = false;
    this.#changing = 0;
    this.#tokenError = null;
    this.#liveSince = 0;
    clearTimeout(this.#timers.greeting);
    clearInterval(this.#timers.ping);
    clearTimeout(this.#timers.pong);
    clearTimeout(this.#timers.retry);
    this.#timers = { greeting: 0, ping: 0, pong: 0, retry: 0 };
    if (socket !== null) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new Failure({ code: DISCONNECTED, error: "The connection ended before the answer." }));
    }
    this.#pending.clear();
  }

  #become(state, { code = 0, reason = "", until = 0 } = {}) {
    this.#state = state;
    this.#emit("status", { state, code, reason, until });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
