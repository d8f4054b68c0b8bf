// Holds the golden frames to the protocol in a second language: run it with
// `node wire/testdata/check.mjs`. It needs nothing but node, and shares nothing
// with the gateway but the files. docs/PROTOCOL.md is its prose twin.

import { readdirSync, readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

// A check takes a value and gives null, or what is wrong with it.
const want = (what, test) => (value) => (test(value) ? null : `want ${what}, got ${JSON.stringify(value)}`);
const bytes = (text) => Buffer.byteLength(text, "utf8");
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const any = () => null;
const text = want("text", (v) => typeof v === "string");
const bool = want("true or false", (v) => typeof v === "boolean");
const object = want("an object", isObject);
const list = want("a list", Array.isArray);
const count = want("a count", (v) => Number.isInteger(v) && v >= 0);
const is = (...values) => want(values.map((v) => JSON.stringify(v)).join(" or "), (v) => values.includes(v));
const like = (pattern) => want(String(pattern), (v) => typeof v === "string" && pattern.test(v));
const or = (...checks) => (v) => {
  const faults = checks.map((check) => check(v));
  return faults.includes(null) ? null : faults.join("; ");
};
const listOf = (check, min, max = Infinity) => (v) => {
  if (!Array.isArray(v) || v.length < min || v.length > max) return `want ${min} to ${max} items`;
  return v.map((item, i) => [i, check(item)]).filter(([, fault]) => fault).map(([i, fault]) => `[${i}]: ${fault}`)[0] ?? null;
};

// shape takes an object with exactly those fields; a name that ends in "?" may
// be absent.
const shape = (fields) => (value) => {
  if (!isObject(value)) return "want an object";
  const known = Object.entries(fields).map(([name, check]) => [name.replace(/\?$/, ""), name.endsWith("?"), check]);
  for (const name of Object.keys(value)) {
    if (!known.some(([each]) => each === name)) return `unknown field ${name}`;
  }
  for (const [name, optional, check] of known) {
    if (!(name in value)) {
      if (optional) continue;
      return `${name} is absent`;
    }
    const fault = check(value[name]);
    if (fault) return `${name}: ${fault}`;
  }
  return null;
};

// Words of the protocol.
const id = want("an id of 1 to 64 bytes", (v) => typeof v === "string" && bytes(v) >= 1 && bytes(v) <= 64);
const clientID = like(/^[0-9]+:[0-9a-f]{32}$/);
const rootID = like(/^n::[0-9a-f]{24}$/);
const channelID = want("1 to 256 bytes", (v) => typeof v === "string" && bytes(v) >= 1 && bytes(v) <= 256);
const ref = like(/^[0-9a-f]{16}$/);
const status = want("200 to 599", (v) => Number.isInteger(v) && v >= 200 && v <= 599);
const statuses = {
  bad_frame: 400, bad_credentials: 400, unknown_type: 400, reserved_type: 400,
  unauthenticated: 401, token_invalid: 401, forbidden: 403,
  unknown_walker: 404, not_found: 404, method_not_allowed: 405, conflict: 409,
  too_large: 413, invalid_context: 422, rate_limited: 429,
  internal: 500, busy: 503, timeout: 504,
};

// error adds to a head what all errors hold, with details, with a ref or plain.
const error = (head, rest = {}) => (value) => {
  const fault = shape({ ...head, status, code: is(...Object.keys(statuses)), error: text, ...rest })(value);
  if (fault) return fault;
  if (statuses[value.code] !== value.status) return `${value.code} is ${statuses[value.code]}`;
  return (value.code === "internal") === ("ref" in value) ? null : "internal faults, and no others, have a ref";
};
const details = { details: listOf(shape({ field: text, reason: text }), 1) };
const withRef = { ref };
const failed = { type: is("reply"), id, ok: is(false) };
const done = { type: is("reply"), id, ok: is(true) };

const info = { client_id: clientID, root_id: rootID, channel_id: channelID };
const connection = (head, more = {}) => shape({ type: is("connection"), ...head, data: shape({ ...info, ...more }) });

const from = shape({ client_id: clientID, root_id: rootID });
const message = (more, sender = from) =>
  shape({
    type: is("channel"), event: is("message"), channel_id: channelID, ...more,
    from: sender, at: like(/^[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z$/), data: object,
  });
const place = { epoch: want("1 to 64 bytes", (v) => typeof v === "string" && bytes(v) >= 1 && bytes(v) <= 64), seq: want("1 or more", (v) => Number.isInteger(v) && v >= 1) };
const codes = is(...Object.keys(statuses));

// What the gateway sends, by file.
const out = {
  "connection.json": connection({}),
  "connection-id.json": connection({ id }),
  "connection-channels.json": connection({}, { channel_ids: listOf(channelID, 2, 100) }),
  "connection-auth_error.json": connection({}, { auth_error: is("expired", "invalid", "revoked") }),
  "connection-ending.json": connection({}, { token_expires_in: count }),
  "pong.json": shape({ type: is("pong") }),
  "data.json": object,
  "result.json": shape({ status, reports: list }),
  "result-body.json": any,
  "result-body-text.json": text,
  "reply-pong.json": shape(done),
  "reply-reached.json": shape({ ...done, reached: count }),
  "reply-result.json": shape({ ...done, status, reports: list }),
  "reply-body.json": shape({ ...done, status, body: any }),
  "reply-body-text.json": shape({ ...done, status, body: text }),
  "channel-message.json": message({}),
  "channel-message-stored.json": message(place),
  "channel-message-rest.json": message(place, shape({ root_id: rootID })),
  "channel-message-server.json": message(place, is(null)),
  "channel-message-own.json": message({ ...place, channel_id: is("$me") }),
  "channel-ended.json": shape({ type: is("channel"), event: is("ended"), channel_id: channelID, code: codes, error: text }),
  "error.json": error({ type: is("error") }),
  "error-details.json": error({ type: is("error") }, details),
  "error-ref.json": error({ type: is("error") }, withRef),
  "walker.json": error({ type: is("walker") }),
  "walker-details.json": error({ type: is("walker") }, details),
  "walker-ref.json": error({ type: is("walker") }, withRef),
  "reply-error.json": error(failed),
  "reply-error-details.json": error(failed, details),
  "reply-error-ref.json": error(failed, withRef),
  "rest-error.json": error({}),
  "rest-error-details.json": error({}, details),
  "rest-error-ref.json": error({}, withRef),
};
for (const code of Object.keys(statuses)) {
  out[`code-${code}.json`] = error({}, code === "internal" ? withRef : {});
}

// What a client sends, by type, with all defaults filled in.
const frames = {
  connection: { fields: {}, normal: shape({ type: text, "id?": id }) },
  ping: { fields: {}, normal: shape({ type: text, "id?": id }) },
  walker: {
    fields: { walker: undefined, context: {}, node: null, response: false },
    normal: shape({ type: text, "id?": id, walker: text, context: object, node: or(text, is(null)), response: bool }),
  },
  user: publish("root_ids"),
  channel: publish("channel_ids"),
  client: publish("client_ids"),
  change_user: { fields: { token: "" }, normal: shape({ type: text, "id?": id, token: text }) },
};

function publish(targets) {
  return {
    fields: { [targets]: undefined, data: undefined },
    normal: shape({ type: text, "id?": id, [targets]: listOf(text, 1, 100), data: object }),
  };
}

// meaning fills the defaults of a frame in, and drops what its type does not
// know.
function meaning(sent) {
  const normal = { type: sent.type };
  if ("id" in sent) normal.id = sent.id;
  for (const [name, fallback] of Object.entries(frames[sent.type].fields)) {
    const value = sent[name] ?? fallback;
    if (value !== undefined) normal[name] = value;
  }
  return normal;
}

const reserved = ["connection", "walker", "reply", "error", "channel", "pong"];
const isReserved = (data) =>
  reserved.includes(data.type) ||
  (!(typeof data.type === "string" && data.type) && "status" in data && "reports" in data);

const answer = (value) => {
  const head = value?.type === "reply" ? failed : { type: is("error", "walker") };
  return error(head, { "details?": details.details })(value);
};

function checkIn(file) {
  const faults = [shape({ about: text, "send?": any, "text?": text, "frame?": object, "answer?": answer })(file)];
  faults.push("send" in file === "text" in file ? "want either send or text" : null);
  faults.push("frame" in file === "answer" in file ? "want either frame or answer" : null);
  let sent;
  try {
    sent = "text" in file ? JSON.parse(file.text) : file.send;
  } catch {
    faults.push("frame" in file ? "the text is no JSON" : null);
  }
  if ("frame" in file) {
    faults.push(frames[sent?.type] ? frames[sent.type].normal(file.frame) : "no such type");
    faults.push(isDeepStrictEqual(meaning(sent), file.frame) ? null : `means ${JSON.stringify(meaning(sent))}`);
    faults.push(isObject(sent.data) && isReserved(sent.data) ? "the data is reserved" : null);
  } else {
    faults.push(checkAnswer(sent, file.answer));
  }
  return faults.filter(Boolean);
}

// checkAnswer holds an answer to the frame that it answers. Of a frame that is
// not even JSON with plain names nothing can be said, and no id is known.
function checkAnswer(sent, answer) {
  const unread = answer.code === "bad_frame" && !answer.details;
  const badID = isObject(sent) && "id" in sent && id(sent.id) !== null;
  if (unread || badID || !isObject(sent)) return answer.type === "error" ? null : "the answer to this bears no id";
  if (answer.code === "reserved_type" && !isReserved(sent.data)) return "the data is not reserved";
  if (answer.code === "unknown_type" && frames[sent.type]) return "the type is known";
  if ("id" in sent) return answer.id === sent.id ? null : "the answer bears another id";
  return answer.type === (sent.type === "walker" ? "walker" : "error") ? null : `the answer's type is ${answer.type}`;
}

let wrong = 0;
let read = 0;
const report = (name, faults) => faults.forEach((fault) => (wrong++, console.error(`${name}: ${fault}`)));

function readAll(folder, check) {
  const place = new URL(`frames/${folder}/`, import.meta.url);
  const names = readdirSync(place);
  for (const name of names) {
    read++;
    try {
      report(`${folder}/${name}`, check(name, JSON.parse(readFileSync(new URL(name, place), "utf8"))));
    } catch (fault) {
      report(`${folder}/${name}`, [fault.message]);
    }
  }
  return names;
}

readAll("in", (_, file) => checkIn(file));
const sent = readAll("out", (name, message) => (name in out ? [out[name](message)].filter(Boolean) : ["no shape is written for it"]));
for (const name of Object.keys(out)) {
  if (!sent.includes(name)) report(`out/${name}`, ["there is a shape, and no file"]);
}
console.log(`${read} files read, ${wrong} faults`);
process.exitCode = wrong || !read ? 1 : 0;
