# SPDX-License-Identifier: Apache-2.0
"""What tests of the guard have in common."""
from .configs import FRONT, PORT, simple

NO_PRIVILEGES = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")


def config(origin, *, hook="tc", top=None, **guard):
    return simple(origin, top={"guard": {"mode": "enforce", "syn_cookies": "off", **guard},
                               "acceleration": {"hook": hook}, **(top or {})},
                  listener_options={"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]})


def served(net, source, target=FRONT, timeout=2):
    """Whether a connection from @source is answered."""
    try:
        sock = net.client.connect(target, timeout=timeout, source=source)
    except OSError:
        return False
    with sock:
        try:
            return bool(sock.recv(1))
        except OSError:
            return False


def reasons(sluice):
    rows = sluice.ctl_json("guard")["reasons"]
    return {row["reason"]: (row["dropped"]["packets"], row["would_drop"]["packets"]) for row in rows}
