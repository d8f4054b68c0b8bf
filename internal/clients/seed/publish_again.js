// TRIGGER WALKER EVENT
client.send(JSON.stringify({
"type": "walker",
"walker": "your_walker_name",
"response": true,
"context": {}
}));
// TRIGGER CLIENT EVENT (ex: direct chat)
client.send(JSON.stringify({
"type": "client",
"client_ids": ["target client_id from connection event"],
"data": {
"type": "chat",
"data": {
"any_field": "any_value"
}
}
}));
// TRIGGER CHANNEL EVENT (ex: group chat or chat blast)
client.send(JSON.stringify({
"type": "channel",
"channel_ids": ["target channel_id from connection event"],
"data": {
"type": "chat",
"data": {
"any_field": "any_value"
}
}
}));
// TRIGGER USER EVENT (ex: chat but all target user's client)
client.send(JSON.stringify({
"type": "user",
"root_ids": ["target root_id from connection event"],
"data": {
"type": "chat",
"data": {
"any_field": "any_value"
}
}
}));
// TRIGGER CONNECTION EVENT - to get connection info)
client.send(JSON.stringify({
"type": "connection"
}));
