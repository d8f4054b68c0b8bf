// The chat: a room, direct messages, and the log of both.

import { Failure, OFFLINE, describe } from "./failure.js";
import { chatMessage, isError, recipient, roomFault } from "./frames.js";
import { Lines, clock, element } from "./lines.js";

const LINES = 500;
const LONGEST = 8000; // characters of one message that are shown

const TAGS = { chat: "", sent: "to", info: "info", error: "error" };

export class Chat {
  #parts;
  #connection;
  #log;
  #who = null;
  #joined = "";
  #suggested = "";
  #told = false;

  /**
   * @param {(id: string) => HTMLElement} find gives the page's element by id
   * @param {import("./connection.js").Connection} connection
   */
  constructor(find, connection) {
    this.#connection = connection;
    this.#parts = {
      name: find("name"), room: find("room"), leave: find("leave"), fault: find("room-fault"),
      here: find("room-now"), message: find("message"), to: find("to-root"), direct: find("direct-message"),
    };
    this.#log = new Lines(find("log"), LINES, renderLine);
    onSubmit(find("room-form"), () => this.#join(this.#parts.room.value.trim()));
    onSubmit(find("chat-form"), () => this.#say());
    onSubmit(find("direct-form"), () => this.#sayDirectly());
    this.#parts.leave.addEventListener("click", () => this.#leave());
    this.#parts.room.addEventListener("input", () => this.#complain(null));
    find("clear-log").addEventListener("click", () => this.#log.clear());
    connection.addEventListener("identity", (event) => this.#meet(event.detail));
    connection.addEventListener("frame", (event) => this.#receive(event.detail));
  }

  /** The name to speak under until the person chooses another; "" takes it back. */
  suggestName(name) {
    const field = this.#parts.name;
    if (field.value !== "" && field.value !== this.#suggested) return;
    field.value = name;
    this.#suggested = name;
  }

  /** Adds a line of the page's own: kind "info" or "error". */
  tell(kind, text) {
    this.#log.add({ kind, text });
  }

  #meet(who) {
    const anew = this.#who?.clientId !== who.clientId; // else the same connection changed its user
    this.#who = who;
    if (!anew) return;
    const { room } = this.#connection;
    const inside = room !== "" && who.channelIds.includes(room);
    this.#parts.here.textContent = inside ? room : "no room yet";
    this.#parts.leave.hidden = room === "";
    if (inside && this.#joined === room) this.tell("info", "Connected again. What was said meanwhile is not shown.");
    else if (inside) this.tell("info", `You are in ${room}.`);
    else if (room !== "") this.tell("error", `The gateway did not let you into ${room}.`);
    this.#joined = inside ? room : "";
  }

  #receive(frame) {
    const message = chatMessage(frame);
    if (message !== null) this.#log.add({ kind: "chat", text: message });
    else if (isError(frame)) this.tell("error", new Failure(frame).describe());
  }

  #join(room) {
    const fault = roomFault(room);
    this.#complain(fault);
    if (fault !== null) return;
    rememberRoom(room);
    this.#connection.join(room);
    this.#parts.message.focus();
  }

  #leave() {
    this.#parts.room.value = "";
    this.#joined = "";
    rememberRoom("");
    this.#connection.join("");
    this.#parts.room.focus();
  }

  #complain(fault) {
    this.#parts.fault.textContent = fault ?? "";
    this.#parts.room.setAttribute("aria-invalid", String(fault !== null));
  }

  async #say() {
    const text = take(this.#parts.message);
    if (text === "") return;
    try {
      await this.#publish(this.#signed(text));
    } catch (error) {
      giveBack(this.#parts.message, text);
      this.tell("error", describe(error));
    }
  }

  /** The room hears it, and we with it: what is sent is not drawn until it comes back. */
  async #publish(message) {
    this.#mustBeLive();
    const channel = this.#joined !== "" ? this.#joined : this.#who.channelIds[0];
    if (!this.#who.isPublic) {
      await this.#walk("send_chat_to_group", { channel_id: channel, message });
      return;
    }
    if (!this.#told) {
      this.#told = true;
      this.tell("info", "You are not logged in: you can speak in this room, and to nobody else.");
    }
    await this.#connection.request({
      type: "channel",
      channel_ids: [channel],
      data: { type: "chat", data: { message } },
    });
  }

  async #sayDirectly() {
    const id = this.#parts.to.value.trim();
    const to = recipient(id);
    if (to === null) {
      this.tell("error", "A direct message goes to a root id (n::…) or a client id (1730887348:…).");
      this.#parts.to.focus();
      return;
    }
    const text = take(this.#parts.direct);
    if (text === "") return;
    const message = this.#signed(text);
    try {
      await this.#walk(to.walker, { [to.field]: id, message });
      this.#log.add({ kind: "sent", text: `${id}: ${message}` });
    } catch (error) {
      giveBack(this.#parts.direct, text);
      this.tell("error", describe(error));
    }
  }

  async #walk(walker, context) {
    this.#mustBeLive();
    return this.#connection.request({ type: "walker", walker, response: true, context });
  }

  // Before that, rooms and user are those of the connection before, or not settled.
  #mustBeLive() {
    if (this.#connection.state !== "live") {
      throw new Failure({ code: OFFLINE, error: "There is no live connection now." });
    }
  }

  #signed(text) {
    const name = this.#parts.name.value.trim();
    return name === "" ? text : `${name}: ${text}`;
  }
}

/** The room that the page's address names; without a word of it the lobby, so that two open pages hear each other. */
export function roomOfAddress() {
  const room = new URL(location.href).searchParams.get("room") ?? "lobby";
  return roomFault(room) === null ? room : "";
}

// The address is kept so that a reload, or a friend with the link, comes to the same room.
function rememberRoom(room) {
  const url = new URL(location.href);
  url.searchParams.set("room", room); // an empty one says that no room is wanted
  history.replaceState(null, "", url);
}

function renderLine({ at, kind, text }) {
  const line = element("div", `line line-${kind}`, "");
  line.dataset.kind = kind;
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text;
  const body = element("span", "text", shown);
  body.dir = "auto";
  line.append(clock(at));
  if (TAGS[kind] !== "") line.append(element("span", "tag", TAGS[kind]));
  line.append(body);
  return line;
}

function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

function take(input) {
  const text = input.value.trim();
  if (text !== "") input.value = "";
  return text;
}

// Unless the person began the next message, the failed one is there to be sent again.
function giveBack(input, text) {
  if (input.value === "") input.value = text;
}
