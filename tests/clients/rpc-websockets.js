import { Client } from "rpc-websockets";

import { scenario } from "./scenario.js";

await scenario(async () => {
  const client = new Client(process.env.URL, { reconnect: false });
  await new Promise((resolve, reject) => client.once("open", resolve).once("error", reject));
  return {
    call: (method, params) => client.call(method, params),
    on: (method, handler) => client.on(method, handler),
    close: () => client.close(),
  };
});
