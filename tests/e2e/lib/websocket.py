# SPDX-License-Identifier: Apache-2.0
"""WebSocket by a client and a server that are not ours: Debian's python3-websockets."""
import asyncio
import threading

import websockets

from .traffic import target_text

ENOUGH = 4001


async def _echo(peer):
    """Sends back what comes; is done when it has come to "enough"."""
    async for message in peer:
        if message == "enough":
            await peer.close(ENOUGH, "as you wish")
        else:
            await peer.send(message)


class Server:
    def __init__(self, namespace, address):
        self.text = target_text(address)
        self._loop, self._over = asyncio.new_event_loop(), asyncio.Event()
        is_up = threading.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=[self._serve(namespace.listen(address), is_up)])
        self._thread.start()
        assert is_up.wait(10)

    async def _serve(self, sock, is_up):
        async with websockets.serve(_echo, sock=sock, subprotocols=["echo"], max_size=None):
            is_up.set()
            await self._over.wait()

    def close(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()


def converse(sock, talk, host="www.example", **options):
    """talk(peer) over a connected socket; then the server is asked to end."""
    async def run():
        scheme = "wss" if "ssl" in options else "ws"
        async with websockets.connect(f"{scheme}://{host}/echo", sock=sock, subprotocols=["echo"],
                                      max_size=None, **options) as peer:
            await talk(peer)
            await peer.send("enough")
            await peer.wait_closed()
            return peer.subprotocol, peer.close_code, peer.close_reason

    assert asyncio.run(asyncio.wait_for(run(), 60)) == ("echo", ENOUGH, "as you wish")
