"""Who comes next, and who does not come any more."""

from __future__ import annotations

import gc

import pytest

from irsa_creds._line import Line


class Member:
    """Somebody who may wait."""


@pytest.fixture
def line() -> Line[Member]:
    return Line()


def test_they_come_in_the_order_of_their_keys_and_then_as_they_came(line: Line[Member]) -> None:
    late, first, second = Member(), Member(), Member()
    line.put(late, (2.0, 0.0))
    line.put(first, (1.0, 5.0))
    line.put(second, (1.0, 5.0))
    assert line.first() == (1.0, 5.0)
    assert [line.take(), line.take(), line.take(), line.take()] == [first, second, late, None]
    assert line.first() is None


def test_the_last_word_about_each_counts(line: Line[Member]) -> None:
    one, other = Member(), Member()
    line.put(one, (1.0,))
    line.put(other, (2.0,))
    line.put(one, (3.0,))
    assert len(line) == 2
    assert line.first() == (2.0,)
    assert [line.take(), line.take(), line.take()] == [other, one, None]


def test_who_comes_later_stays(line: Line[Member]) -> None:
    member = Member()
    line.put(member, (2.0,))
    assert line.take((1.9,)) is None
    assert line.take((2.0,)) is member
    assert line.take((9.0,)) is None


def test_who_left_does_not_come(line: Line[Member]) -> None:
    gone, there = Member(), Member()
    line.put(gone, (1.0,))
    line.put(there, (2.0,))
    line.leave(gone)
    line.leave(gone)
    assert line.members() == [there]
    assert line.first() == (2.0,)
    assert line.take() is there


def test_it_keeps_nobody_alive(line: Line[Member]) -> None:
    gone, there = Member(), Member()
    line.put(gone, (1.0,))
    line.put(there, (2.0,))
    del gone
    gc.collect()
    assert len(line) == 1
    assert line.take() is there


def test_it_is_as_long_as_its_members_are_many_however_often_they_come(
    line: Line[Member],
) -> None:
    members = [Member() for _ in range(10)]
    for number in range(10_000):
        line.put(members[number % 10], (float(number),))
    assert len(line._heap) < 100
    assert [line.take() for _ in range(11)] == [*members, None]


def test_of_ten_thousand_that_went_nothing_is_left(line: Line[Member]) -> None:
    there = Member()
    for number in range(10_000):
        line.put(Member(), (float(number),))
    line.put(there, (-1.0,))
    gc.collect()
    assert len(line) == 1
    assert len(line._heap) < 200
