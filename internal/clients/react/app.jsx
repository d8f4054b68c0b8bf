// A small chat as people write it with the hook. What it is to do stands in
// globalThis.settings: the url, the token, and a channel or none.

import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import useWebSocket, { ReadyState } from "react-use-websocket";

function Chat({ url, token, channel }) {
  const options = channel === undefined ? undefined : { queryParams: { channel_id: channel } };
  const { sendJsonMessage, lastJsonMessage, readyState } = useWebSocket(url, options);
  const [who, setWho] = useState({});
  const [chats, setChats] = useState([]);
  const [answer, setAnswer] = useState(null);

  useEffect(() => {
    if (readyState === ReadyState.OPEN) sendJsonMessage({ type: "change_user", token: `Bearer ${token}` });
  }, [readyState, sendJsonMessage, token]);

  useEffect(() => {
    if (lastJsonMessage === null) return;
    switch (lastJsonMessage.type) {
      case "connection":
        setWho(lastJsonMessage.data);
        break;
      case "chat":
        setChats((before) => [...before, lastJsonMessage.data.message]);
        break;
      default:
        setAnswer(lastJsonMessage);
    }
  }, [lastJsonMessage]);

  const ask = () => sendJsonMessage({ type: "walker", walker: "roll_call", response: true, context: {} });
  const say = () => sendJsonMessage({
    type: "channel",
    channel_ids: [who.channel_id],
    data: { type: "chat", data: { message: "from react" } },
  });

  return (
    <main>
      <p id="state">{ReadyState[readyState]}</p>
      <p id="client">{who.client_id}</p>
      <p id="user">{who.root_id}</p>
      <p id="channel">{who.channel_id}</p>
      <ul>{chats.map((text, i) => <li key={i}>{text}</li>)}</ul>
      <p id="answer">{answer === null ? "" : JSON.stringify(answer)}</p>
      <button id="ask" onClick={ask}>Ask</button>
      <button id="say" onClick={say}>Say</button>
    </main>
  );
}

createRoot(document.getElementById("root")).render(<Chat {...globalThis.settings} />);
