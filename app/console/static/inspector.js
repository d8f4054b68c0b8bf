// The raw frames, for those who write a client: what went in and out, and a box
// to send any text by hand.

import { Lines, clock, element } from "./lines.js";
import { parse } from "./frames.js";

const FRAMES = 50;

export class Inspector {
  /**
   * @param {(id: string) => HTMLElement} find gives the page's element by id
   * @param {import("./connection.js").Connection} connection
   */
  constructor(find, connection) {
    const frames = new Lines(find("frame-list"), FRAMES, renderFrame);
    const box = find("frame");
    const note = find("frame-note");
    connection.addEventListener("traffic", (event) => frames.add(event.detail));
    find("clear-frames").addEventListener("click", () => frames.clear());
    find("frame-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!connection.send(box.value)) note.textContent = "Not sent: there is no connection now.";
      // A broken frame is sent all the same: how it is answered is worth seeing.
      else note.textContent = parse(box.value) === null ? "Sent, though it is no JSON object." : "Sent.";
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) box.form.requestSubmit();
    });
    box.addEventListener("input", () => {
      note.textContent = "";
    });
  }
}

function renderFrame({ at, direction, text }) {
  const row = element("li", `frame frame-${direction}`, "");
  row.dataset.direction = direction;
  row.append(clock(at), element("span", "tag", direction), element("code", "text", text));
  return row;
}
