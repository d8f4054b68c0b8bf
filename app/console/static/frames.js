// What the page knows about frames. Pure functions: no DOM, no socket.

/** The user that every connection without a login shares. */
export const PUBLIC_ROOT = "n::000000000000000000000001";

/** Characters of a frame that are kept for show. */
export const SHOWN = 4000;

const HIDDEN = "•••";

// The patterns work on text, not on parsed JSON: what is shown then stays as it
// went over the wire, and a broken frame typed by hand is masked as well. An
// unterminated value counts as a value, since the text may have been cut.
const SECRET_FIELDS =
  /("(?:token|auth|ticket|key|password|secret|authorization|csrf_token|x-api-key|x-client-key)"\s*:\s*)"(?:[^"\\]|\\[\s\S]?)*"?/gi;
const BEARER = /\b(bearer\s+)[^\s"\\]+/gi;
const QUERY = /([?&](?:token|auth|ticket|key|authenticity_token)=)[^&#\s"\\]+/gi;
const JWT = /eyJ[\w-]{8,}(?:\.[\w-]*){0,2}/g;

/**
 * The text of a frame fit to be shown: cut to `limit` characters and without
 * the secrets it may carry.
 * @param {string} text
 */
export function mask(text, limit = SHOWN) {
  // Cut first: a long frame of a stranger must not keep the patterns busy.
  const cut = text.length > limit;
  const shown = (cut ? text.slice(0, limit) : text)
    .replace(SECRET_FIELDS, `$1"${HIDDEN}"`)
    .replace(BEARER, `$1${HIDDEN}`)
    .replace(QUERY, `$1${HIDDEN}`)
    .replace(JWT, HIDDEN);
  return cut ? `${shown}… (${text.length} characters)` : shown;
}

/** The JSON object that the text holds, or null. */
export function parse(text) {
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null; // not JSON: the caller shows it as it is
  }
}

/** The message of a chat frame as text, or null when it is another frame. */
export function chatMessage(frame) {
  if (frame.type !== "chat" || !isObject(frame.data) || frame.data.message === undefined) return null;
  const { message } = frame.data;
  return typeof message === "string" ? message : JSON.stringify(message);
}

/** Whether the frame is an error that the gateway told. */
export function isError(frame) {
  return typeof frame.code === "string" && typeof frame.error === "string"
    && ["error", "walker", "reply"].includes(frame.type);
}

/**
 * Who the connection is, from a connection event; null when it is none.
 * @returns {{clientId: string, rootId: string, channelIds: string[], isPublic: boolean} | null}
 */
export function identity(frame) {
  if (frame.type !== "connection" || !isObject(frame.data)) return null;
  const { client_id: clientId, root_id: rootId, channel_id: first, channel_ids: all } = frame.data;
  if (typeof clientId !== "string" || typeof rootId !== "string") return null;
  const channelIds = (Array.isArray(all) ? all : [first]).filter((id) => typeof id === "string");
  return { clientId, rootId, channelIds, isPublic: rootId === PUBLIC_ROOT };
}

/** Why a room cannot be joined by that name, in words; null when it can. */
export function roomFault(room) {
  if (room === "") return "Give the room a name.";
  if (room.startsWith("$")) return "Names that begin with $ belong to the gateway.";
  if (new TextEncoder().encode(room).length > 256) return "The name is longer than 256 bytes.";
  return null;
}

/**
 * What a direct message is addressed to: a user's root id ("n::" and 24 hex
 * digits) or a connection's client id ("<unix seconds>:<32 hex>").
 * @returns {{walker: string, field: string} | null} null when it is neither
 */
export function recipient(id) {
  if (/^n::[0-9a-f]{24}$/i.test(id)) return { walker: "send_chat_to_user", field: "root_id" };
  if (/^\d+:[0-9a-f]{32}$/i.test(id)) return { walker: "send_chat_to_client", field: "client_id" };
  return null;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
