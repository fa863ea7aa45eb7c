import { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient } from "json-rpc-2.0";
import { WebSocket } from "ws";

import { scenario } from "./scenario.js";

await scenario(async () => {
  const socket = new WebSocket(process.env.URL, ["fenliu.v1"]);
  const send = async (message) => socket.send(JSON.stringify(message));
  const both = new JSONRPCServerAndClient(new JSONRPCServer(), new JSONRPCClient(send));
  socket.on("message", (data) => both.receiveAndSend(JSON.parse(data.toString())));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return {
    call: (method, params) => both.request(method, params),
    on: (method, handler) => both.addMethod(method, handler),
    close: () => socket.close(),
  };
});
