"""Gauges as Prometheus text. A leaf that everyone may call and nobody waits on; knows no one."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


class Metrics:
    """Named numbers. A gauge is a function that is asked when the page is read."""

    def __init__(self) -> None:
        self._gauges: dict[str, Callable[[], float]] = {}
        self._help: dict[str, str] = {}

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._gauges[name] = read
        self._help[name] = text

    def text(self) -> str:
        """All of them in the Prometheus text format."""
        lines: list[str] = []
        for name, read in sorted(self._gauges.items()):
            lines += [
                f"# HELP {name} {self._help[name]}",
                f"# TYPE {name} gauge",
                f"{name} {read():.15g}",
            ]
        return "\n".join(lines) + "\n"
