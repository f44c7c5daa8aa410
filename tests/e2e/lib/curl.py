# SPDX-License-Identifier: Apache-2.0
"""curl as a client: a request, and the answer taken apart."""
import subprocess

from .configs import FRONT
from .web import Message


def ask(namespace, path="/", *argv, scheme="http", address=FRONT):
    """argv: further arguments of curl. The answer; its body is as it was on the wire."""
    url = f"{scheme}://{address[0]}:{address[1]}{path}"
    done = subprocess.run(
        namespace.command(["curl", "--silent", "--show-error", "--include", "--raw", "--path-as-is",
                           "--max-time", "20", *argv, url]), check=True, capture_output=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = [(name.lower(), value.strip()) for name, value in
              (line.split(":", 1) for line in lines)]
    message = Message(first, fields)
    message.body = body
    return message
