"""An agent and a buyer with the library jsonrpcclient, which makes requests and reads responses, over websockets."""

import asyncio
import json
import os

import websockets
from jsonrpcclient import Error, Ok, notification_json, parse, request, request_json


class Peer:
    def __init__(self, socket):
        self.socket, self.events = socket, []

    async def call(self, method, **params):
        await self.socket.send(request_json(method, params=params))
        return parse(await self.answer())

    async def answer(self):
        while True:
            message = json.loads(await self.socket.recv())
            if isinstance(message, dict) and "method" in message:
                self.events.append(message)
            else:
                return message

    async def event(self, method):
        while True:
            for event in self.events:
                if event["method"] == method:
                    self.events.remove(event)
                    return event["params"]
            self.events.append(json.loads(await self.socket.recv()))


async def main():
    url = os.environ["URL"]
    async with websockets.connect(url) as mei, websockets.connect(url, subprotocols=["fenliu.v1"]) as ann:
        mei, ann = Peer(mei), Peer(ann)
        text = {"type": "text", "text": "你好"}

        opened = await mei.call("session.open", token=os.environ["STAFF"], status="online")
        assert isinstance(opened, Ok) and opened.result["identity"]["id"] == "mei", opened
        assert isinstance(await ann.call("session.open", token=os.environ["BUYER"]), Ok)

        started = await ann.call("conversation.start", shop="shop-881", message={"client_id": "m1", "body": text})
        conversation = started.result["conversation"]["id"]
        assert (await mei.event("conversation.assigned"))["conversation"]["id"] == conversation

        await mei.socket.send(notification_json("message.typing", params={"conversation": conversation, "on": True}))
        sent = await mei.call("message.send", conversation=conversation, client_id="r1", body=text)
        welcome, heard = await ann.event("message.new"), await ann.event("message.new")
        assert (welcome["from"]["kind"], sent.result["seq"], heard["body"]) == ("system", 3, text)

        refused = await ann.call("no.such.method")
        assert isinstance(refused, Error) and refused.code == -32601, refused

        batch = [request("session.ping"), request("message.history", params={"conversation": conversation})]
        await ann.socket.send(json.dumps(batch))
        pong, history = sorted(parse(await ann.answer()), key=lambda response: response.id)
        assert "time" in pong.result and len(history.result["messages"]) == 3


asyncio.run(asyncio.wait_for(main(), 30))
