import assert from "node:assert/strict";
import { test } from "node:test";

import { Account } from "../static/account.js";

// A gateway that gives the answers in turn and keeps what it was asked.
function gateway(...answers) {
  const calls = [];
  const fetch = async (path, options) => {
    calls.push({ path, ...options });
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return new Response(next.text ?? JSON.stringify(next.body ?? {}), { status: next.status ?? 200 });
  };
  return { fetch, calls };
}

class Storage {
  #kept = new Map();
  getItem(key) {
    return this.#kept.get(key) ?? null;
  }
  setItem(key, value) {
    this.#kept.set(key, value);
  }
  removeItem(key) {
    this.#kept.delete(key);
  }
}

test("a login is kept for the next load of the page", async () => {
  const user = { id: "1", email: "ada@h", root_id: "n::1" };
  const { fetch, calls } = gateway({ body: { token: "t", user } });
  const storage = new Storage();
  assert.deepEqual(await new Account({ fetch, storage }).login("ada@h", "pass"), user);
  assert.equal(calls[0].path, "/user/login");
  assert.deepEqual(JSON.parse(calls[0].body), { email: "ada@h", password: "pass" });
  assert.equal(new Account({ fetch, storage }).token, "t");
});

test("registering logs nobody in", async () => {
  const { fetch, calls } = gateway({ status: 201 });
  const account = new Account({ fetch, storage: new Storage() });
  await account.register("ada@h", "pass");
  assert.equal(calls[0].path, "/user/register");
  assert.equal(account.token, null);
});

test("a refusal keeps the gateway's code and words", async () => {
  const { fetch } = gateway({ status: 400, body: { status: 400, code: "bad_credentials", error: "wrong" } });
  const account = new Account({ fetch, storage: new Storage() });
  await assert.rejects(account.login("a", "b"), { status: 400, code: "bad_credentials", message: "wrong" });
});

test("an answer that is not the gateway's, or none, is a failure too", async () => {
  const { fetch } = gateway({ status: 502, text: "<html>" }, new TypeError("net"), { text: "hello" });
  const account = new Account({ fetch, storage: new Storage() });
  await assert.rejects(account.login("a", "b"), { status: 502, code: "http_502" });
  await assert.rejects(account.login("a", "b"), { code: "unreachable" });
  await assert.rejects(account.login("a", "b"), { code: "unknown" });
  assert.equal(account.token, null);
});

test("the token goes in a header, and is forgotten on logout whatever is answered", async () => {
  const { fetch, calls } = gateway({ body: { token: "t" } }, { body: { email: "ada@h" } }, { status: 500 });
  const storage = new Storage();
  const account = new Account({ fetch, storage });
  assert.equal(await account.me(), null);
  await account.login("a", "b");
  await account.me();
  assert.equal(calls[1].headers.Authorization, "Bearer t");
  await assert.rejects(account.logout(), { status: 500 });
  assert.deepEqual([calls[2].path, calls[2].method, calls[2].headers.Authorization], ["/user/logout", "POST", "Bearer t"]);
  assert.equal(account.token, null);
  assert.equal(new Account({ fetch, storage }).token, null);
});

test("without storage the login lasts as long as the page", async () => {
  const { fetch } = gateway({ body: { token: "t" } });
  const account = new Account({ fetch, storage: null });
  await account.login("a", "b");
  assert.equal(account.token, "t");
});
