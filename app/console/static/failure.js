// The one failure that the page shows: the gateway's error object, whichever
// door it came through, or one of our own where the gateway gave no answer.

/** Codes of our own. They never come over the wire. */
export const OFFLINE = "offline"; // nothing was sent: there is no connection
export const DISCONNECTED = "disconnected"; // sent, but the connection ended before the answer
export const NO_ANSWER = "no_answer"; // sent, and not answered in time
export const UNREACHABLE = "unreachable"; // an HTTP call that got no answer

const HINTS = {
  unauthenticated: "Register or log in first.",
  token_invalid: "Log in again.",
  rate_limited: "Wait a moment, then try again.",
  busy: "Try again in a moment.",
  [DISCONNECTED]: "It may or may not have arrived.",
  [NO_ANSWER]: "It may or may not have arrived.",
};

/** A failure with a code for machines and a message for people. */
export class Failure extends Error {
  /** @param {{status?: number, code?: string, error?: string, details?: {field: string, reason: string}[], ref?: string}} body */
  constructor({ status, code, error, details, ref } = {}) {
    super(typeof error === "string" && error !== "" ? error : "The request failed.");
    this.name = "Failure";
    this.status = Number.isInteger(status) ? status : 0;
    this.code = typeof code === "string" && code !== "" ? code : "unknown";
    this.details = Array.isArray(details) ? details : [];
    this.ref = typeof ref === "string" ? ref : "";
  }

  /** One line for people: code, status, message, fields, and what to do. */
  describe() {
    const status = this.status > 0 ? ` (${this.status})` : "";
    const parts = [`${this.code}${status}: ${this.message}`];
    const fields = this.details
      .filter((d) => d !== null && typeof d === "object")
      .map((d) => `${d.field}: ${d.reason}`);
    if (fields.length > 0) parts.push(`[${fields.join("; ")}]`);
    if (this.ref !== "") parts.push(`[ref ${this.ref}]`);
    if (Object.hasOwn(HINTS, this.code)) parts.push(HINTS[this.code]);
    return parts.join(" ");
  }
}

/** The line for any thrown value; what is no Failure is a fault of the page. */
export function describe(error) {
  if (error instanceof Failure) return error.describe();
  return `page error: ${error instanceof Error ? error.message : String(error)}`;
}
