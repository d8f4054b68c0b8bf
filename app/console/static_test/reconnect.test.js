import assert from "node:assert/strict";
import { test } from "node:test";

import { backoff, comeBack, retryAfter, socketURL } from "../static/reconnect.js";

const least = () => 0;
const most = () => 0.999999;

test("the socket is on the host that served the page", () => {
  const at = (href) => ({ href, protocol: new URL(href).protocol });
  assert.equal(socketURL(at("http://localhost:8000/?room=x#y"), ""), "ws://localhost:8000/websocket");
  assert.equal(socketURL(at("https://gate.example/console/"), "lobby"), "wss://gate.example/websocket?channel_id=lobby");
  const url = new URL(socketURL(at("http://h/"), "a&b=c #é/?"));
  assert.equal(url.searchParams.get("channel_id"), "a&b=c #é/?");
});

test("the wait doubles up to a ceiling, and half of it is chance", () => {
  assert.equal(backoff(0, least), 250);
  assert.equal(backoff(0, most), 500);
  assert.equal(backoff(3, least), 2000);
  assert.equal(backoff(3, most), 4000);
  assert.equal(backoff(1000, most), 30_000);
});

test("1001 names the time to come back, and it is never earlier", () => {
  assert.equal(retryAfter("retry=1500"), 1500);
  assert.equal(retryAfter("restart retry=20"), 20);
  assert.equal(retryAfter("retry=999999999"), 300_000);
  for (const reason of ["", "retry=", "retry=-5", "retry=5x", "noretry=5"]) assert.equal(retryAfter(reason), null);
  assert.equal(comeBack({ code: 1001, reason: "retry=1500" }, 0, least), 1500);
  assert.equal(comeBack({ code: 1001, reason: "retry=1500" }, 9, most), 1650);
  assert.equal(comeBack({ code: 1001, reason: "" }, 0, least), 250);
});

test("some ends mean: stay away", () => {
  for (const code of [1000, 1008, 4403]) assert.equal(comeBack({ code }, 0), null);
  for (const code of [1006, 1009, 1011, 1013, 4401, 4408]) assert.equal(comeBack({ code }, 0, least), 250);
});

test("4429 means: back off", () => {
  assert.ok(comeBack({ code: 4429 }, 0, least) >= 30_000);
});
