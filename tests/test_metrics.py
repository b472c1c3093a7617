"""Metrics: gauges that are asked when the page is read, as one text for Prometheus."""

from __future__ import annotations

from tokenwire.metrics import Metrics


def test_a_gauge_is_asked_when_the_page_is_read() -> None:
    metrics, waiting = Metrics(), [1]
    metrics.gauge("waiting", "Who waits", lambda: sum(waiting))
    waiting.append(4)

    assert metrics.text() == "# HELP waiting Who waits\n# TYPE waiting gauge\nwaiting 5\n"


def test_the_page_is_sorted_by_name() -> None:
    metrics = Metrics()
    metrics.gauge("b", "B", lambda: 1)
    metrics.gauge("a", "A", lambda: 1)

    names = [line.split()[2] for line in metrics.text().splitlines() if line.startswith("# HELP")]
    assert names == ["a", "b"]


def test_large_numbers_are_not_rounded() -> None:
    metrics = Metrics()
    metrics.gauge("tokens", "Tokens", lambda: 12_345_678)

    assert "tokens 12345678\n" in metrics.text()


def test_numbers_of_one_name_are_told_apart_by_their_labels() -> None:
    metrics = Metrics()
    metrics.family(
        "made", "counter", "Made", lambda: [({"model": 'a"b\n\\'}, 1), ({"model": "c"}, 2)]
    )

    assert metrics.text().splitlines() == [
        "# HELP made Made",
        "# TYPE made counter",
        'made{model="a\\"b\\n\\\\"} 1',
        'made{model="c"} 2',
    ]
