import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure } from "../static/failure.js";
import { PUBLIC_ROOT, SHOWN, chatMessage, identity, isError, mask, parse, recipient, roomFault } from "../static/frames.js";

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJuOjo2NzJiIn0.c2lnbmF0dXJl";

test("a token is masked wherever it stands", () => {
  for (const text of [
    `{"type":"change_user","token":"s3cret"}`,
    `{"type":"change_user", "Token" : "s3cret"}`,
    `{"token":"a\\"s3cret"}`,
    `{"type":"change_user","token":"s3cret`,
    `{"token":"s3cret\\`,
    `{"type":"connection","data":{"key":"s3cret"}}`,
    `{"type":"walker","context":{"password":"s3cret"}}`,
    `{"headers":{"Authorization":"Bearer s3cret"}}`,
    `Bearer s3cret`,
    `/websocket?channel_id=a&token=s3cret`,
  ]) {
    assert.ok(!mask(text).includes("s3cret"), mask(text));
  }
  assert.ok(!mask(`hello ${JWT}`).includes("c2lnbmF0dXJl"));
  assert.ok(!mask(`${"x".repeat(SHOWN - 40)}${JWT}`).includes("eyJ"), "also where the cut goes through it");
});

test("all else is shown as it went over the wire", () => {
  for (const text of [
    `{"type":"ping", "id":"1"}`,
    `{"big":12345678901234567890}`,
    `{"type":"connection","key":true}`,
    `{"auth_error":"expired","tokens":3,"monkey":"x"}`,
    "not json",
    "",
  ]) {
    assert.equal(mask(text), text);
  }
});

test("a long frame is cut", () => {
  const shown = mask("x".repeat(SHOWN + 1));
  assert.ok(shown.startsWith(`${"x".repeat(SHOWN)}…`));
  assert.ok(shown.includes(`${SHOWN + 1} characters`));
});

test("parse gives objects and nothing else", () => {
  assert.deepEqual(parse('{"a":1}'), { a: 1 });
  for (const text of ["[1]", "null", "1", '"a"', "{", ""]) assert.equal(parse(text), null);
});

test("the message of a chat frame is a text", () => {
  assert.equal(chatMessage({ type: "chat", data: { message: "hi" } }), "hi");
  assert.equal(chatMessage({ type: "chat", data: { message: { a: 1 } } }), '{"a":1}');
  for (const frame of [{ type: "chat" }, { type: "chat", data: null }, { type: "chat", data: {} }, { type: "note", data: { message: "hi" } }]) {
    assert.equal(chatMessage(frame), null);
  }
});

test("a frame is an error only when it is the gateway's", () => {
  assert.ok(isError({ type: "walker", code: "busy", error: "…" }));
  assert.ok(!isError({ type: "chat", code: "busy", error: "…" }));
  assert.ok(!isError({ type: "reply", ok: true }));
});

test("a connection event tells who one is", () => {
  const who = identity({ type: "connection", data: { client_id: "1:a", root_id: PUBLIC_ROOT, channel_id: "r" } });
  assert.deepEqual(who, { clientId: "1:a", rootId: PUBLIC_ROOT, channelIds: ["r"], isPublic: true });
  const two = identity({ type: "connection", data: { client_id: "1:a", root_id: "n::1", channel_id: "r", channel_ids: ["r", "s"] } });
  assert.deepEqual(two.channelIds, ["r", "s"]);
  assert.equal(two.isPublic, false);
  assert.equal(identity({ type: "connection", data: {} }), null);
  assert.equal(identity({ type: "reply", data: { client_id: "1:a", root_id: "n::1" } }), null);
});

test("a room's name is checked as the gateway does", () => {
  assert.equal(roomFault("lobby"), null);
  assert.equal(roomFault("é".repeat(128)), null);
  assert.match(roomFault("é".repeat(129)), /256 bytes/);
  assert.match(roomFault("$me"), /gateway/);
  assert.notEqual(roomFault(""), null);
});

test("a recipient is told by its form", () => {
  assert.equal(recipient("n::672b35cec309e5ef8469c372").field, "root_id");
  assert.equal(recipient("1730887348:f46d85203c704c099e9f44e948322a20").field, "client_id");
  for (const id of ["", "n::672b", "ada", "1730887348:f46d"]) assert.equal(recipient(id), null);
});

test("a failure is one line with code, fields and a hint", () => {
  const line = new Failure({ status: 422, code: "invalid_context", error: "Bad.", details: [{ field: "message", reason: "required" }] }).describe();
  assert.equal(line, "invalid_context (422): Bad. [message: required]");
  assert.match(new Failure({ status: 401, code: "unauthenticated", error: "Event x requires to be authenticated!" }).describe(), /log in first/);
  assert.match(new Failure({ code: 7, details: "no" }).describe(), /^unknown: /);
});
