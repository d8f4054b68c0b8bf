// A list of lines that cannot outgrow its bound, however fast lines come: they
// are gathered and drawn together, and the oldest go first.

const GATHER = 40; // ms between drawings
const NEAR = 24; // px from the end that still count as being there

export class Lines {
  #box;
  #limit;
  #render;
  #waiting = [];
  #timer = 0;

  /**
   * @param {HTMLElement} box holds the lines, and scrolls
   * @param {number} limit lines kept
   * @param {(entry: object) => HTMLElement} render draws one entry
   */
  constructor(box, limit, render) {
    this.#box = box;
    this.#limit = limit;
    this.#render = render;
  }

  add(entry) {
    this.#waiting.push({ at: new Date(), ...entry });
    if (this.#waiting.length > this.#limit) this.#waiting.shift();
    if (this.#timer === 0) this.#timer = setTimeout(() => this.#draw(), GATHER);
  }

  clear() {
    this.#waiting = [];
    this.#box.replaceChildren();
  }

  #draw() {
    this.#timer = 0;
    const box = this.#box;
    // Whoever scrolled back to read is left where they are.
    const follow = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    box.append(...this.#waiting.map(this.#render));
    this.#waiting = [];
    while (box.childElementCount > this.#limit) box.firstElementChild.remove();
    if (follow) box.scrollTop = box.scrollHeight;
  }
}

/** An element with a class and a text, which is never read as markup. */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** A time of day. */
export function clock(at) {
  const made = element("time", "time", CLOCK.format(at));
  made.dateTime = at.toISOString();
  return made;
}
