// The wiring: one account, one connection, and the views on them.

import { Account } from "./account.js";
import { Card } from "./card.js";
import { Chat, roomOfAddress } from "./chat.js";
import { Connection } from "./connection.js";
import { Inspector } from "./inspector.js";
import { Login } from "./login.js";

function find(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

const connection = new Connection();
const account = new Account();

new Card(find, connection);
new Inspector(find, connection);
const chat = new Chat(find, connection);
const login = new Login(find, account, connection, (email) => {
  // The part before the @ is enough to be told apart; the address is nobody else's business.
  chat.suggestName(email.split("@")[0]);
});

addEventListener("online", () => connection.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connection.probe();
});

const room = roomOfAddress();
find("room").value = room;
login.resume();
connection.join(room);
