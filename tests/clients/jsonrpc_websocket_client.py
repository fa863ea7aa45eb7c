"""An agent and a buyer with the library jsonrpc-websocket: calls are methods, events are methods that it is given."""

import asyncio
import os

import jsonrpc_base
from jsonrpc_websocket import Server


async def connect():
    server = Server(os.environ["URL"])
    await server.ws_connect()
    return server


def following(server, method, is_meant=lambda params: True):
    """What the next event of this name says that is meant."""
    event = asyncio.get_running_loop().create_future()

    def heard(**params):
        if is_meant(params) and not event.done():
            event.set_result(params)

    namespace, name = method.split(".")
    setattr(getattr(server, namespace), name, heard)
    return event


async def main():
    mei, ann = await connect(), await connect()
    text = {"type": "text", "text": "你好"}

    assigned = following(mei, "conversation.assigned")
    # The shop's own welcome comes first.
    heard = following(ann, "message.new", lambda message: message["from"]["kind"] == "agent")
    opened = await mei.session.open(token=os.environ["STAFF"], status="online")
    assert opened["identity"]["id"] == "mei"
    await ann.session.open(token=os.environ["BUYER"])

    started = await ann.conversation.start(shop="shop-881", message={"client_id": "m1", "body": text})
    conversation = started["conversation"]["id"]
    assert (await assigned)["conversation"]["id"] == conversation

    sent = await mei.message.send(conversation=conversation, client_id="r1", body=text)
    assert (sent["seq"], (await heard)["body"]) == (3, text)

    try:
        await ann.no.such()
        raise AssertionError("a method that does not exist was answered")
    except jsonrpc_base.ProtocolError as error:
        assert error.args[0] == -32601, error.args
    assert (await ann.session.ping())["time"].endswith("Z")

    await mei.close()
    await ann.close()


asyncio.run(asyncio.wait_for(main(), 30))
