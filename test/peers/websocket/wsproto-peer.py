"""A WebSocket server and a client on wsproto, which is Python's implementation of RFC 6455 without a transport.

    wsproto-peer.py server          echoes every message; prints its port
    wsproto-peer.py client PORT     sends messages, compares the echoes, prints one line for each thing that held
"""

import os
import socket
import sys
import threading

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    Pong,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate


class Peer:
    """A connection with its socket."""

    def __init__(self, sock, kind):
        self.sock = sock
        self.ws = WSConnection(kind)
        self.open = True

    def send(self, event):
        self.sock.sendall(self.ws.send(event))

    def events(self):
        """Events as they come, until the connection ends."""
        while self.open:
            data = self.sock.recv(65536)
            self.ws.receive_data(data if data else None)
            if not data:
                self.open = False
            yield from self.ws.events()


def serve_one(sock):
    peer = Peer(sock, ConnectionType.SERVER)
    for event in peer.events():
        if isinstance(event, Request):
            chosen = "v2" if "v2" in event.subprotocols else None
            peer.send(AcceptConnection(subprotocol=chosen, extensions=[PerMessageDeflate()]))
        elif isinstance(event, Ping):
            peer.send(event.response())
        elif isinstance(event, Message):
            # Fragments go back as fragments.
            peer.send(type(event)(data=event.data, message_finished=event.message_finished))
        elif isinstance(event, CloseConnection):
            peer.send(event.response())
            break
    sock.close()


def server():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve_one, args=(sock,), daemon=True).start()


def client(port):
    peer = Peer(socket.create_connection(("127.0.0.1", port)), ConnectionType.CLIENT)
    peer.send(Request(host="orders", target="/chat", subprotocols=["v1", "v2"], extensions=[PerMessageDeflate()]))
    events = peer.events()
    accepted = next(events)
    assert isinstance(accepted, AcceptConnection), accepted
    # wsproto has compared Sec-WebSocket-Accept with its key.
    held("accepted", f"{accepted.subprotocol} {[e.name for e in accepted.extensions]}")

    for name, message in (("text", "grüße ✓"), ("binary", os.urandom(400_000)), ("empty", b"")):
        event = TextMessage if isinstance(message, str) else BytesMessage
        peer.send(event(data=message))
        echo = whole(peer, events)
        assert echo == message, name
        held(name)

    parts = [os.urandom(1000) for _ in range(50)]
    for i, part in enumerate(parts):
        peer.send(BytesMessage(data=part, message_finished=i == len(parts) - 1))
    assert whole(peer, events) == b"".join(parts)
    held("fragments")

    peer.send(Ping(payload=b"are you there"))
    pong = next(events)
    assert isinstance(pong, Pong) and bytes(pong.payload) == b"are you there", pong
    held("ping")

    peer.send(CloseConnection(code=4001, reason="done"))
    closed = next(events)
    assert isinstance(closed, CloseConnection) and closed.code == 4001, closed
    held("close")


def whole(peer, events):
    """The next message, its fragments joined."""
    parts = []
    for event in events:
        if isinstance(event, Ping):
            peer.send(event.response())
        elif isinstance(event, Message):
            parts.append(event.data)
            if event.message_finished:
                joined = "" if isinstance(event, TextMessage) else b""
                return joined.join(parts)
    raise AssertionError("the connection ended inside a message")


def held(name, detail=""):
    print(name, detail, flush=True)


if sys.argv[1] == "server":
    server()
else:
    client(int(sys.argv[2]))
