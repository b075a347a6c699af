from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from irsa_creds._record import Record


class Point(Record):
    """A place on a map."""

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
        ((1,), {}, "'y'"),
        ((1, 2), {"z": 3}, "x, y, name"),
        ((1, 2), {"x": 1}, "x, y, name"),
        ((1, 2, "there", 4), {}, "x, y, name"),
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
    changed = point._replace(name="there")
    assert (point.name, changed) == ("here", Point(1, 2, "there"))
    with pytest.raises(TypeError, match="x, y, name"):
        point._replace(z=3)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_a_copy_is_equal_and_of_the_same_class(how: Any) -> None:
    found = how(Point(1, 2, "there"))
    assert found == Point(1, 2, "there")
    assert type(found) is Point


def test_its_repr_and_its_dict_name_the_fields() -> None:
    assert repr(Point(1, 2)) == "Point(x=1, y=2, name='here')"
    assert Point(1, 2)._asdict() == {"x": 1, "y": 2, "name": "here"}
