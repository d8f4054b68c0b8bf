// The card of one's own connection: status, ids, and buttons that copy them.

import { element } from "./lines.js";

const WORDS = {
  idle: "not connected",
  connecting: "connecting",
  authenticating: "signing in",
  live: "live",
  waiting: "reconnecting",
  ended: "ended",
};

export class Card {
  #parts;
  #countdown = 0;

  /**
   * @param {(id: string) => HTMLElement} find gives the page's element by id
   * @param {import("./connection.js").Connection} connection
   */
  constructor(find, connection) {
    this.#parts = {
      status: find("status"), note: find("status-note"), again: find("reconnect"),
      client: find("client-id"), root: find("root-id"), kind: find("root-kind"), channels: find("channel-ids"),
    };
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.addEventListener("click", () => copy(button, find(button.dataset.copy)));
    }
    this.#parts.again.addEventListener("click", () => connection.reconnect());
    connection.addEventListener("status", (event) => this.#showStatus(event.detail));
    connection.addEventListener("identity", (event) => this.#showIdentity(event.detail));
  }

  #showStatus({ state, code, reason, until }) {
    const { status, note, again, client } = this.#parts;
    status.textContent = WORDS[state];
    status.dataset.state = state;
    again.hidden = state !== "waiting" && state !== "ended";
    clearInterval(this.#countdown);
    const why = [code > 0 ? `code ${code}` : "", reason].filter((part) => part !== "").join(", ");
    if (state === "waiting") {
      const count = () => {
        note.textContent = `${why}; next try in ${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s`;
      };
      count();
      this.#countdown = setInterval(count, 1000);
    } else {
      note.textContent = state === "ended" ? `${why}; it stays so until you reconnect` : "";
    }
    if (state === "waiting" || state === "ended") client.closest("dl").classList.add("stale");
  }

  #showIdentity({ clientId, rootId, channelIds, isPublic }) {
    const { client, root, kind, channels } = this.#parts;
    client.closest("dl").classList.remove("stale");
    client.textContent = clientId;
    root.textContent = rootId;
    kind.textContent = isPublic ? "the public user" : "logged in";
    kind.dataset.public = String(isPublic);
    channels.replaceChildren(...channelIds.map(renderChannel));
  }
}

function renderChannel(id) {
  const row = element("li", "id-row", "");
  const code = element("code", "id", id);
  const button = element("button", "quiet", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy channel id ${id}`);
  button.addEventListener("click", () => copy(button, code));
  row.append(code, button);
  return row;
}

async function copy(button, from) {
  let done = true;
  try {
    await navigator.clipboard.writeText(from.textContent);
  } catch {
    // No clipboard without https, or it was refused: select, so that one key is left to press.
    getSelection().selectAllChildren(from);
    done = false;
  }
  button.textContent = done ? "Copied" : "Selected";
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1500);
}
