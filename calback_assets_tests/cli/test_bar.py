"""Tests of how far the bar of a command says that it has come."""

import pytest
from rich.progress import Progress

from calback_assets.cli.bar import Bar, bar


class Drawn:
    """A bar of ten, and where it stands when it is drawn."""

    def __init__(self) -> None:
        self.share = 0.0
        self._progress = Progress(disable=True)
        self.bar = Bar(self._progress, "title", 10, lambda: self.share)

    def at(self, share: float) -> float:
        self.share = share
        self.bar.look()
        return self._progress.tasks[0].completed


def test_what_is_done_at_once_moves_the_bar_by_its_share_and_never_back() -> None:
    drawn = Drawn()
    drawn.bar.advance(count=2)
    assert drawn.at(0.5) == 2

    drawn.bar.begin(4)
    # The engine begins anew with each part of a statement.
    assert [drawn.at(share) for share in (0.0, 0.25, 0.1, 0.5)] == [2, 3, 3, 4]


def test_days_that_are_told_of_one_by_one_take_the_place_of_their_share() -> None:
    drawn = Drawn()
    drawn.bar.begin(4)
    assert drawn.at(0.75) == 3

    for _ in range(4):
        drawn.bar.advance()

    assert drawn.at(1.0) == 4


def test_what_is_begun_anew_after_it_broke_has_come_no_further_than_what_is_done() -> None:
    drawn = Drawn()
    drawn.bar.begin(8)
    assert drawn.at(0.5) == 4

    drawn.bar.begin(4)

    assert drawn.at(0.0) == 0


def test_the_bar_does_not_pass_its_end() -> None:
    drawn = Drawn()
    drawn.bar.begin(20)

    assert drawn.at(1.0) == 10


def test_a_bar_asks_for_the_share_when_it_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("title", 10, lambda: 0.5) as drawn:
        drawn.begin(4)

    assert "2/10" in capsys.readouterr().err
