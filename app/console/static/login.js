// The form to register, log in and log out.

import { describe } from "./failure.js";

export class Login {
  #parts;
  #account;
  #connection;
  #known;

  /**
   * @param {(id: string) => HTMLElement} find gives the page's element by id
   * @param {import("./account.js").Account} account
   * @param {import("./connection.js").Connection} connection
   * @param {(email: string) => void} known called with the user's e-mail once known, and with "" when they leave
   */
  constructor(find, account, connection, known) {
    this.#account = account;
    this.#connection = connection;
    this.#known = known;
    this.#parts = {
      form: find("login-form"), email: find("email"), password: find("password"),
      inside: find("logged-in"), who: find("who"), logout: find("logout"),
      message: find("account-message"), buttons: [find("login"), find("register"), find("logout")],
    };
    this.#parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const register = event.submitter?.id === "register";
      this.#do(() => this.#enter(register));
    });
    this.#parts.logout.addEventListener("click", () => this.#do(() => this.#leave()));
    connection.addEventListener("refused", (event) => this.#expelled(event.detail));
  }

  /** Takes up the login that this tab kept, if any. Never throws. */
  async resume() {
    if (this.#account.token === null) return;
    this.#showInside("");
    this.#connection.authenticate(this.#account.token);
    try {
      const user = await this.#account.me();
      if (user !== null && this.#account.token !== null) this.#welcome(user);
    } catch (failure) {
      // The connection shows the same token; a refusal is told there too, and only once.
      if (failure.status === 401) this.#expelled(failure);
      else this.#tell(describe(failure), true);
    }
  }

  async #enter(register) {
    const { email, password } = this.#parts;
    if (register) {
      await this.#account.register(email.value, password.value);
      this.#tell("Registered. Logging in…");
    }
    const user = await this.#account.login(email.value, password.value);
    password.value = "";
    this.#connection.authenticate(this.#account.token);
    this.#welcome(user);
    this.#tell(register ? "Registered and logged in." : "Logged in.");
    return this.#parts.logout;
  }

  async #leave() {
    // The connection first: revoking its token would end its login as a refusal.
    this.#connection.authenticate(null);
    this.#showOutside();
    try {
      await this.#account.logout();
      this.#tell("Logged out.");
    } catch (failure) {
      if (failure.status === 401) this.#tell("Logged out.");
      else this.#tell(`Logged out here, but the gateway was not told: ${describe(failure)}`, true);
    }
    return this.#parts.email;
  }

  #expelled(failure) {
    if (this.#account.token === null) return;
    this.#account.forget();
    this.#connection.authenticate(null);
    this.#showOutside();
    this.#tell(`Your login ended. ${describe(failure)}`, true);
  }

  #welcome(user) {
    const email = typeof user?.email === "string" ? user.email : "";
    this.#showInside(email);
    this.#known(email);
  }

  /**
   * Runs one action at a time, and shows why it failed. An action gives what
   * should have the focus next, since what had it may be hidden by then.
   */
  async #do(action) {
    const { buttons } = this.#parts;
    if (buttons[0].disabled) return;
    for (const button of buttons) button.disabled = true;
    this.#tell("");
    let next = null;
    try {
      next = await action();
    } catch (failure) {
      this.#tell(describe(failure), true);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
    next?.focus();
  }

  #showInside(email) {
    this.#parts.who.textContent = email === "" ? "this account" : email;
    this.#parts.inside.hidden = false;
    this.#parts.form.hidden = true;
  }

  #showOutside() {
    this.#parts.inside.hidden = true;
    this.#parts.form.hidden = false;
    this.#known("");
  }

  #tell(text, failed = false) {
    this.#parts.message.textContent = text;
    this.#parts.message.dataset.failed = String(failed);
  }
}
