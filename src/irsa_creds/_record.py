"""Immutable values with named fields, in place of `typing.NamedTuple`.

`NamedTuple` compiles each annotation and a constructor, for each class when its module is imported:
2 of the 27 ms from an imported botocore to the first credentials (CPython 3.11). A record takes
longer to create, about 2 microseconds.
"""

from __future__ import annotations

import operator
from typing import Any, ClassVar, Self, dataclass_transform

__all__ = ["Record"]


@dataclass_transform(frozen_default=True)
class Record(tuple[Any, ...]):
    """A tuple that has the annotations of its class as fields, with their defaults.

    Such a class has `__slots__ = ()`, no other annotations and no subclasses. Its module postpones
    annotations, because they may name what exists for type checkers only.
    """

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        if cls.__base__ is not Record or "__dict__" in vars(cls):
            raise TypeError(f"{cls.__name__} must be a direct subclass, with __slots__ = ().")
        cls._fields = tuple(cls.__annotations__)
        cls.__match_args__ = cls._fields  # type: ignore[misc]
        cls._defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
        for index, name in enumerate(cls._fields):
            # Without a docstring, it would have that of the getter.
            setattr(cls, name, property(operator.itemgetter(index), doc=""))

    def __new__(cls, *values: Any, **named: Any) -> Self:
        given, defaults = len(values), cls._defaults
        try:
            rest = [named.pop(n) if n in named else defaults[n] for n in cls._fields[given:]]
        except KeyError as error:
            raise TypeError(f"{cls.__name__} needs {error}.") from None
        if named or given > len(cls._fields):
            wrong = ", ".join(named) or f"{given} values"
            raise TypeError(
                f"{cls.__name__} got {wrong}; it has {', '.join(cls._fields)}, once each."
            )
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

    #: `copy.replace`, from Python 3.13 on.
    __replace__ = _replace
