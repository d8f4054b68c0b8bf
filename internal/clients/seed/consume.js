client.onmessage = (event) => {
const msg = JSON.parse(event.data);
switch (msg.type) {
case "connection":
// to check connection info
case "chat":
console.log(msg.data)
case "your_event1":
console.log(msg.data)
case "your_event2":
console.log(msg.data)
case "your_event3":
console.log(msg.data)
}
};
