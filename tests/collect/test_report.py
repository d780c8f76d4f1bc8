import io

import pytest

from herokuify.collect import report
from herokuify.collect.report import Progress, megabytes

pytestmark = pytest.mark.no_django


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> "Stopwatch":
    stopwatch = Stopwatch()
    monkeypatch.setattr(report, "time", stopwatch)
    return stopwatch


class Stopwatch:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


class TestInALog:
    def test_line_every_few_seconds(self, stopwatch: Stopwatch) -> None:
        output = io.StringIO()
        progress = Progress(output, started=100.0, collected=20, unchanged=5)
        for second in range(13):
            stopwatch.now = 100.0 + second
            progress.show(second, 15)
        progress.end()
        assert output.getvalue() == (
            "20 static files collected: 5 of 15 to send, 5 unchanged\n"
            "20 static files collected: 10 of 15 to send, 5 unchanged\n"
        )
        assert progress.seconds == 12

    def test_no_line_in_a_short_run(self, stopwatch: Stopwatch) -> None:
        output = io.StringIO()
        progress = Progress(output, started=100.0)
        for number in range(1000):
            stopwatch.now += 0.004
            progress.show(number, 1000)
        progress.end()
        assert output.getvalue() == ""


class TestOnATerminal:
    def test_bar_is_removed_at_the_end(self, stopwatch: Stopwatch) -> None:
        output = Terminal()
        progress = Progress(output, started=100.0)
        for number in (0, 5, 10):
            stopwatch.now += 0.2
            progress.show(number, 10)
        text = output.getvalue()
        states = text.split("\r")[1:]
        assert [state.count("#") for state in states] == [0, 15, 30]
        assert "\n" not in text
        assert states[1].startswith(f"[{'#' * 15}{' ' * 15}] 5 of 10 to send, 0 unchanged")
        progress.end()
        assert output.getvalue() == text + "\r\x1b[K"

    def test_bar_is_not_drawn_too_often(self, stopwatch: Stopwatch) -> None:
        output = Terminal()
        progress = Progress(output, started=100.0)
        for number in range(1000):
            stopwatch.now += 0.001
            progress.show(number, 1000)
        assert 8 <= output.getvalue().count("\r") <= 10

    def test_bar_with_nothing_to_send(self, stopwatch: Stopwatch) -> None:
        output = Terminal()
        progress = Progress(output, started=100.0)
        stopwatch.now += 1
        progress.show(0, 0)
        assert "0 of 0" in output.getvalue()

    def test_unused_bar_is_not_removed(self, stopwatch: Stopwatch) -> None:
        output = Terminal()
        Progress(output).end()
        assert output.getvalue() == ""


@pytest.mark.parametrize("output", [io.StringIO(), Terminal()])
def test_quiet_progress_writes_nothing(stopwatch: Stopwatch, output: io.StringIO) -> None:
    progress = Progress(output, is_quiet=True, started=100.0)
    for number in range(100):
        stopwatch.now += 1
        progress.show(number, 100)
    progress.end()
    assert output.getvalue() == ""


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.0 MB"), (49_999, "0.0 MB"), (1_250_000, "1.2 MB"), (200_000_000, "200.0 MB")],
)
def test_megabytes(size: int, text: str) -> None:
    assert megabytes(size) == text
