import { Client, RequestManager, WebSocketTransport } from "@open-rpc/client-js";

import { scenario } from "./scenario.js";

await scenario(async () => {
  const client = new Client(new RequestManager([new WebSocketTransport(process.env.URL)]));
  return {
    call: (method, params) => client.request({ method, params }),
    on: (method, handler) => client.onNotification((event) => event.method === method && handler(event.params)),
    close: () => client.close(),
  };
});
