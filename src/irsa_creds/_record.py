"""Immutable values with named fields: what `typing.NamedTuple` makes, without its price.

`NamedTuple` compiles each annotation and a constructor, for each class when its module is imported:
2 of the 27 ms from an imported botocore to the first credentials (CPython 3.11).
"""

from __future__ import annotations

import operator
from typing import Any, ClassVar, Self, dataclass_transform

__all__ = ["Record"]


@dataclass_transform(frozen_default=True)
class Record(tuple[Any, ...]):
    """A tuple whose fields are the annotations of the class, with their defaults.

    A class of records has no other annotations, and no subclasses.
    """

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)
        cls._defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
        for index, name in enumerate(cls._fields):
            setattr(cls, name, property(operator.itemgetter(index)))

    def __new__(cls, *values: Any, **named: Any) -> Self:
        given, defaults = len(values), cls._defaults
        try:
            rest = [named.pop(n) if n in named else defaults[n] for n in cls._fields[given:]]
        except KeyError as error:
            raise TypeError(f"{cls.__name__} needs {error}.") from None
        if named or given > len(cls._fields):
            raise TypeError(f"{cls.__name__} has only {', '.join(cls._fields)}, each once.")
        return super().__new__(cls, (*values, *rest))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({fields})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **changes: Any) -> Self:
        return type(self)(**{**self._asdict(), **changes})
