"""Gauges and counters as Prometheus text. A leaf that everyone may call and nobody waits on; knows
no one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class _Family(NamedTuple):
    kind: str
    text: str
    read: Callable[[], Iterable[tuple[Mapping[str, str], float]]]


class Metrics:
    """Named numbers. Each is a function that is asked when the page is read."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        self.family(name, "gauge", text, lambda: (({}, read()),))

    def family(
        self,
        name: str,
        kind: str,
        text: str,
        read: Callable[[], Iterable[tuple[Mapping[str, str], float]]],
    ) -> None:
        """Several numbers of one name, told apart by their labels. `kind` is "gauge" or
        "counter".
        """
        self._families[name] = _Family(kind, text, read)

    def text(self) -> str:
        """All of them in the Prometheus text format."""
        lines: list[str] = []
        for name, family in sorted(self._families.items()):
            lines += [f"# HELP {name} {family.text}", f"# TYPE {name} {family.kind}"]
            lines += [f"{name}{_labels(by)} {value:.15g}" for by, value in family.read()]
        return "\n".join(lines) + "\n"


def _labels(by: Mapping[str, str]) -> str:
    if not by:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in by.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
