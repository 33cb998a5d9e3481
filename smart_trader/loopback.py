"""Keeps connections to this machine off the proxies that the environment names."""

from __future__ import annotations

import os

HOSTS = ("localhost", "127.0.0.1", "::1")
EVERYTHING = "*"
# gRPC prefers a variable of its own, in small letters
GRPC = "no_grpc_proxy"


def bypass_proxies() -> None:
    """Exclude loopback from proxies in this process and its children; other hosts go where they went."""
    excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    os.environ[GRPC] = _add_loopback(os.environ.get(GRPC) or excluded)
    # some libraries read one spelling, some the other
    for name in ("no_proxy", "NO_PROXY"):
        given = os.environ.get(name) or excluded
        # that one means everything only where it stands alone
        os.environ[name] = given if given.strip() == EVERYTHING else _add_loopback(given)


def _add_loopback(hosts: str) -> str:
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    return ",".join([*listed, *(host for host in HOSTS if host not in listed)])
