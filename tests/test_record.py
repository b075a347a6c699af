from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from irsa_creds._record import Record


class Point(Record):
    """A place on a map."""

    __slots__ = ()

    x: int
    y: int
    name: str = "here"


@pytest.mark.parametrize(
    "point",
    [Point(1, 2), Point(1, y=2), Point(y=2, x=1), Point(1, 2, "here"), Point(1, 2, name="here")],
)
def test_values_are_given_in_order_or_by_name_and_default(point: Point) -> None:
    assert (point.x, point.y, point.name) == (1, 2, "here")
    assert tuple(point) == (1, 2, "here")
    assert point == Point(1, 2)
    assert hash(point) == hash(Point(1, 2))


@pytest.mark.parametrize(
    ("values", "named", "says"),
    [
        ((1,), {}, "needs 'y'"),
        ((1, 2), {"z": 3}, "got z; it has x, y, name"),
        ((1, 2), {"x": 1}, "got x; it has x, y, name"),
        ((1, 2, "there", 4), {}, "got 4 values; it has x, y, name"),
    ],
    ids=["missing", "unknown", "twice", "too many"],
)
def test_other_values_are_an_error(values: Any, named: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        Point(*values, **named)


def test_a_record_does_not_change() -> None:
    point: Any = Point(1, 2)
    with pytest.raises(AttributeError):
        point.x = 3
    with pytest.raises(AttributeError):
        del point.name
    with pytest.raises(AttributeError):
        point.z = 3
    changed = point._replace(name="there")
    assert (point.name, changed) == ("here", Point(1, 2, "there"))
    with pytest.raises(TypeError, match="x, y, name"):
        point._replace(z=3)


def test_it_matches_by_position_and_by_name() -> None:
    match Point(1, 2, "there"):
        case Point(1, y, name=name):
            assert (y, name) == (2, "there")
        case _:
            pytest.fail("no match")


def test_a_class_of_records_that_would_break_is_an_error_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match="Loose must be a direct subclass, with __slots__"):

        class Loose(Record):
            x: int

    with pytest.raises(TypeError, match="Further must be a direct subclass"):

        class Further(Point):
            __slots__ = ()


def test_copy_replace_finds_its_method() -> None:
    """From Python 3.13 on."""
    assert Point(1, 2).__replace__(y=3) == Point(1, 3)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_a_copy_is_equal_and_of_the_same_class(how: Any) -> None:
    found = how(Point(1, 2, "there"))
    assert found == Point(1, 2, "there")
    assert type(found) is Point


def test_its_repr_and_its_dict_name_the_fields() -> None:
    assert repr(Point(1, 2)) == "Point(x=1, y=2, name='here')"
    assert Point(1, 2)._asdict() == {"x": 1, "y": 2, "name": "here"}
