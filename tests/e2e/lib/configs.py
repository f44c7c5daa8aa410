# SPDX-License-Identifier: Apache-2.0
"""Configurations that many tests begin with."""
from .netns import PROXY

PORT = 8000
FRONT = (PROXY, PORT)


def listener(pool="main", bind=None, name="front", **options):
    return {"name": name, "bind": bind or [f"0.0.0.0:{PORT}"], "mode": "tcp", "pool": pool,
            **options}


def pool(*endpoints, name="main", **options):
    """Endpoints: texts, objects with .text, or dictionaries."""
    def row(endpoint):
        if isinstance(endpoint, dict):
            return endpoint
        return {"address": getattr(endpoint, "text", endpoint)}
    return {"name": name, "endpoints": [row(e) for e in endpoints], **options}


def simple(*endpoints, listener_options=None, top=None, **pool_options):
    """One listener, one pool."""
    return {"listeners": [listener(**(listener_options or {}))],
            "pools": [pool(*endpoints, **pool_options)], **(top or {})}
