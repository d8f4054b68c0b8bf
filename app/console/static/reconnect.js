// Where to connect, and when to come back. Pure functions.

const FIRST = 500; // ms; the ceiling of the first wait
const LONGEST = 30_000; // ms; the ceiling of every wait that we choose
const OVER_LIMITS = 30_000; // ms; the least wait after 4429
const PATIENCE = 300_000; // ms; the longest wait that the gateway may ask for

/** Close codes after which coming back by oneself would be wrong. */
const STAY_AWAY = new Set([
  1000, // bye
  1008, // refused by policy: it would be refused again
  4403, // disconnected by the server
]);

/**
 * The address of the socket on the host that served the page.
 * @param {{href: string, protocol: string}} location
 * @param {string} room the channel to be in; "" for a random one
 */
export function socketURL(location, room) {
  const url = new URL("/websocket", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (room !== "") url.searchParams.set("channel_id", room);
  return url.href;
}

/** The milliseconds of a close reason "retry=<ms>", or null. */
export function retryAfter(reason) {
  const found = /(?:^|\s)retry=(\d{1,9})(?:\s|$)/.exec(reason);
  return found === null ? null : Math.min(Number(found[1]), PATIENCE);
}

/**
 * A wait that doubles with each attempt. Half of it is chance, so that a crowd
 * cut off at once does not come back at once.
 * @param {number} attempt attempts that failed before, from 0
 * @param {() => number} random in [0, 1)
 */
export function backoff(attempt, random = Math.random) {
  const ceiling = Math.min(LONGEST, FIRST * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

/**
 * What to do after a connection ended.
 * @returns {number | null} milliseconds to wait, or null: stay away
 */
export function comeBack({ code, reason = "" }, attempt, random = Math.random) {
  if (STAY_AWAY.has(code)) return null;
  if (code === 1001) {
    const asked = retryAfter(reason);
    // Never earlier than asked; a little later, for the crowd's sake.
    if (asked !== null) return Math.round(asked + random() * Math.min(1000, asked / 10));
  }
  const wait = backoff(attempt, random);
  return code === 4429 ? OVER_LIMITS + wait : wait;
}
