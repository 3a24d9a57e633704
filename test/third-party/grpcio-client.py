"""Calls targets in turn until standard input closes; prints `ok <answer>` or `error <status>` for each call.

Arguments: `call` or `watch`, then targets. `watch` only resolves them. With `-tls` the control plane decides on mTLS.

With `ask` each line of standard input is a call to make, {"target", "path", "fields": [name, value, ...], "count"}; for each a
line is printed, a list of `count` times {"code", "details", "body"}.
"""

import json
import sys
import threading

import grpc
import grpc.experimental

PATH = "/echo.Echo/Say"


def identity(data):
    return data


def outcome(call, fields):
    try:
        return {"code": 0, "details": "", "body": call(b"", timeout=20, metadata=fields).decode()}
    except grpc.RpcError as error:
        return {"code": error.code().value[0], "details": error.details(), "body": ""}


def ask():
    channels = {}
    for line in sys.stdin:
        asked = json.loads(line)
        target = asked["target"]
        if target not in channels:
            channels[target] = grpc.insecure_channel(target)
        call = channels[target].unary_unary(asked["path"], identity, identity)
        flat = asked["fields"]
        fields = [(flat[i].lower(), flat[i + 1]) for i in range(0, len(flat), 2)]
        print(json.dumps([outcome(call, fields) for _ in range(asked["count"])]), flush=True)


def main():
    mode, targets = sys.argv[1], sys.argv[2:]
    if mode == "ask":
        ask()
        return
    done = threading.Event()

    def wait_for_end():
        sys.stdin.read()
        done.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    if mode.endswith("-tls"):
        credentials = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
        channels = [grpc.secure_channel(target, credentials) for target in targets]
    else:
        channels = [grpc.insecure_channel(target) for target in targets]
    if mode.startswith("watch"):
        for channel in channels:
            channel.subscribe(lambda state: None, try_to_connect=True)
        done.wait()
        return
    calls = [channel.unary_unary(PATH, identity, identity) for channel in channels]
    while not done.is_set():
        for call in calls:
            try:
                line = "ok " + call(b"", timeout=5).decode()
            except grpc.RpcError as error:
                line = f"error {error.code().name} {error.details()}"
            print(line, flush=True)
            done.wait(0.001)


main()
