"""Who is asking: Host and Origin of a request -> a user, or a refusal. Runs before every route.

There is one user on loopback. Refuses to know what is asked for.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from tokenwire.errors import ForbiddenOrigin, MisdirectedHost


LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_host(host: str | None, allowed: tuple[str, ...]) -> None:
    """Refuse a name that isn't ours: a page elsewhere may have pointed its own name at this
    address.

    `host` is the Host header, with or without port. Raises MisdirectedHost.
    """
    name = _hostname(f"//{host}") if host else None
    if name is None or (name not in LOOPBACK and name not in {a.lower() for a in allowed}):
        raise MisdirectedHost(
            f"This server does not answer to the name {host!r}. "
            "Add it to allowed_hosts if it should."
        )


def check_origin(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> None:
    """Refuse another site's page. Without an Origin it is no browser. Raises ForbiddenOrigin."""
    if origin is None:
        return
    own = host is not None and origin.lower() in (
        f"http://{host}".lower(),
        f"https://{host}".lower(),
    )
    if not own and origin not in allowed:
        raise ForbiddenOrigin(
            f"A page of {origin!r} may not use this server. Add it to allowed_origins if it should."
        )


def _hostname(url: str) -> str | None:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return None
    return name.rstrip(".").lower() if name else None
