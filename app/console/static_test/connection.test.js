import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Connection } from "../static/connection.js";
import { PUBLIC_ROOT } from "../static/frames.js";

const USER = "n::672b35cec309e5ef8469c372";

// A socket whose other end is the test.
class Socket {
  readyState = 1;
  sent = [];
  closed = false;
  constructor(url) {
    this.url = url;
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  says(frame) {
    this.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }
  greets(root = PUBLIC_ROOT, more = {}) {
    this.says({ type: "connection", data: { client_id: "1:a", root_id: root, channel_id: "r" }, ...more });
  }
  ends(code, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
  get last() {
    return this.sent.at(-1);
  }
}

// Lets what is awaited go on.
const settled = () => new Promise((resolve) => setImmediate(resolve));

let sockets;
let connection;
let events;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  sockets = [];
  events = [];
  connection = new Connection({
    location: { href: "http://h/", protocol: "http:" },
    open: (url) => {
      sockets.push(new Socket(url));
      return sockets.at(-1);
    },
    random: () => 0,
  });
  for (const type of ["status", "identity", "refused", "frame", "traffic"]) {
    connection.addEventListener(type, (event) => events.push([type, event.detail]));
  }
});

afterEach(() => {
  connection.close();
  mock.timers.reset();
});

const heard = (type) => events.filter(([name]) => name === type).map(([, detail]) => detail);

test("it is live with the first connection event", () => {
  connection.join("lobby");
  assert.equal(sockets[0].url, "ws://h/websocket?channel_id=lobby");
  assert.equal(connection.state, "connecting");
  sockets[0].greets();
  assert.equal(connection.state, "live");
  assert.equal(heard("identity")[0].isPublic, true);
  assert.deepEqual(sockets[0].sent, []);
});

test("with a token it shows it after the greeting, in no URL and in no traffic", async () => {
  connection.authenticate("s3cret");
  connection.join("");
  assert.ok(!sockets[0].url.includes("s3cret"));
  sockets[0].greets();
  assert.equal(connection.state, "authenticating");
  assert.deepEqual({ ...sockets[0].last, id: "" }, { type: "change_user", token: "s3cret", id: "" });
  sockets[0].greets(USER, { id: sockets[0].last.id });
  await settled();
  assert.equal(connection.state, "live");
  assert.equal(heard("identity").at(-1).rootId, USER);
  assert.deepEqual(heard("refused"), []);
  assert.ok(!JSON.stringify(events).includes("s3cret"));
});

test("a refused token is told once and not shown again", async () => {
  connection.authenticate("s3cret");
  connection.join("");
  sockets[0].greets();
  sockets[0].says({ type: "error", status: 401, code: "token_invalid", error: "expired" });
  sockets[0].greets(PUBLIC_ROOT, { id: sockets[0].last.id });
  await settled();
  assert.equal(connection.state, "live");
  assert.deepEqual(heard("refused").map((f) => [f.code, f.message]), [["token_invalid", "expired"]]);
  connection.reconnect();
  sockets[1].greets();
  assert.deepEqual(sockets[1].sent, []);
});

test("a login that ends while connected is told", async () => {
  connection.authenticate("s3cret");
  connection.join("");
  sockets[0].greets();
  sockets[0].greets(USER, { id: sockets[0].last.id });
  await settled();
  sockets[0].says({ type: "error", status: 401, code: "token_invalid", error: "ended" });
  sockets[0].greets(PUBLIC_ROOT);
  assert.equal(heard("refused").length, 1);
});

test("logging out is no refusal", async () => {
  connection.authenticate("s3cret");
  connection.join("");
  sockets[0].greets();
  sockets[0].greets(USER, { id: sockets[0].last.id });
  await settled();
  connection.authenticate(null);
  assert.equal("token" in sockets[0].last, false);
  sockets[0].greets(PUBLIC_ROOT, { id: sockets[0].last.id });
  await settled();
  assert.deepEqual(heard("refused"), []);
  assert.equal(connection.state, "live");
});

test("when the gateway is too busy to say who one is, it begins anew with the token", async () => {
  connection.authenticate("s3cret");
  connection.join("");
  sockets[0].greets();
  sockets[0].says({ type: "reply", id: sockets[0].last.id, ok: false, status: 503, code: "busy", error: "…" });
  await settled();
  assert.equal(connection.state, "waiting");
  assert.deepEqual(heard("refused"), []);
  mock.timers.tick(250);
  sockets[1].greets();
  assert.equal(sockets[1].last.token, "s3cret");
});

test("each request gets its own answer", async () => {
  connection.join("");
  sockets[0].greets();
  const first = connection.request({ type: "ping" });
  const second = connection.request({ type: "walker", walker: "x" });
  const [a, b] = sockets[0].sent;
  assert.notEqual(a.id, b.id);
  sockets[0].says({ type: "reply", id: b.id, ok: false, status: 401, code: "unauthenticated", error: "no" });
  sockets[0].says({ type: "reply", id: a.id, ok: true });
  assert.equal((await first).ok, true);
  await assert.rejects(second, { code: "unauthenticated", status: 401, message: "no" });
  assert.deepEqual(heard("frame"), []);
});

test("a request without a connection, without an answer, or cut off fails", async () => {
  await assert.rejects(connection.request({ type: "ping" }), { code: "offline" });
  connection.join("");
  sockets[0].greets();
  const silent = connection.request({ type: "ping" });
  mock.timers.tick(20_000);
  sockets[0].says({ type: "chat" });
  mock.timers.tick(10_000);
  await assert.rejects(silent, { code: "no_answer" });
  const cut = connection.request({ type: "ping" });
  sockets[0].ends(1006);
  await assert.rejects(cut, { code: "disconnected" });
});

test("the requests that wait are bounded", async () => {
  connection.join("");
  sockets[0].greets();
  const waiting = Array.from({ length: 100 }, () => connection.request({ type: "ping" }));
  await assert.rejects(connection.request({ type: "ping" }), { code: "busy" });
  connection.close();
  const ends = await Promise.allSettled(waiting);
  assert.ok(ends.every(({ status }) => status === "rejected"));
});

test("what answers nothing is handed on, and what is no frame is only traffic", () => {
  connection.join("");
  sockets[0].greets();
  sockets[0].says({ type: "chat", data: { message: "hi" } });
  sockets[0].says({ type: "reply", id: "by-hand", ok: true });
  sockets[0].says("no json");
  sockets[0].says({ type: "pong" });
  assert.deepEqual(heard("frame").map((f) => f.type), ["chat", "reply"]);
  assert.equal(heard("traffic").length, 5);
});

test("it comes back with growing waits, and as told by 1001", () => {
  connection.join("lobby");
  sockets[0].ends(1006);
  assert.equal(heard("status").at(-1).until, Date.now() + 250);
  mock.timers.tick(249);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets[1].url, sockets[0].url);
  sockets[1].ends(1006);
  assert.equal(heard("status").at(-1).until, Date.now() + 500);
  mock.timers.tick(500);
  sockets[2].ends(1001, "retry=4000");
  mock.timers.tick(3999);
  assert.equal(sockets.length, 3);
  mock.timers.tick(1);
  assert.equal(sockets.length, 4);
});

test("a short life does not shorten the waits, a long one does", () => {
  connection.join("");
  sockets[0].ends(1006);
  mock.timers.tick(250);
  sockets[1].greets();
  sockets[1].ends(1006);
  assert.equal(heard("status").at(-1).until, Date.now() + 500);
  mock.timers.tick(500);
  sockets[2].greets();
  mock.timers.tick(10_000);
  sockets[2].ends(1006);
  assert.equal(heard("status").at(-1).until, Date.now() + 250);
});

test("4403 means away until asked back", () => {
  connection.join("");
  sockets[0].greets();
  sockets[0].ends(4403, "bye");
  assert.equal(connection.state, "ended");
  mock.timers.tick(3_600_000);
  connection.hurry();
  assert.equal(sockets.length, 1);
  connection.reconnect();
  assert.equal(sockets.length, 2);
});

test("4401 forgets the token and comes back as the public user", async () => {
  connection.authenticate("s3cret");
  connection.join("");
  sockets[0].greets();
  sockets[0].greets(USER, { id: sockets[0].last.id });
  await settled();
  sockets[0].ends(4401);
  assert.equal(heard("refused").length, 1);
  mock.timers.tick(250);
  sockets[1].greets();
  assert.deepEqual(sockets[1].sent, []);
});

test("silence after a ping ends the connection, any frame is a sign of life", () => {
  connection.join("");
  sockets[0].greets();
  mock.timers.tick(25_000);
  assert.equal(sockets[0].last.type, "ping");
  sockets[0].says({ type: "chat" });
  mock.timers.tick(10_000);
  assert.equal(connection.state, "live");
  mock.timers.tick(15_000);
  mock.timers.tick(10_000);
  assert.equal(connection.state, "waiting");
  assert.ok(sockets[0].closed);
});

test("a socket that never greets is given up", () => {
  connection.join("");
  mock.timers.tick(10_000);
  assert.equal(connection.state, "waiting");
});

test("joining another room leaves the old socket behind", () => {
  connection.join("a");
  sockets[0].greets();
  connection.join("b");
  assert.ok(sockets[0].closed);
  assert.equal(sockets[0].onmessage, null);
  assert.equal(sockets[1].url, "ws://h/websocket?channel_id=b");
  connection.join("");
  assert.equal(sockets[2].url, "ws://h/websocket");
});
