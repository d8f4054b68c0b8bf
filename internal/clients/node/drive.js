// What the test puts behind a client: each frame that comes is told on a line
// of its own, and each line of the input, a script as a JSON string, is run
// with the client at hand. The end of the input closes the client.
import { createInterface } from "node:readline";

client.on("message", (data) => console.log(`frame ${data}`));

for await (const line of createInterface({ input: process.stdin })) {
  new Function("client", JSON.parse(line))(client);
}
client.close();
