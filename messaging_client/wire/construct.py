"""Making models of values that are right already, without the cost of validating them again.

Events come by the thousand. Whoever calls these has made sure of every type; tests compare what comes out with the same
values validated, and with what the installed pydantic's own `model_construct` makes.
"""

from __future__ import annotations

import gc
from functools import cache
from typing import Any, Generic, NoReturn, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

# The models are frozen, and these are the four places of an instance: what `BaseModel.model_construct` sets.
_set_fields = BaseModel.__dict__["__dict__"].__set__
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__
_new = object.__new__
_setter_of = object.__setattr__.__get__


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """Every field in the model's own order, with its default; None where the caller has to give a value."""
    return {name: None if field.is_required() else field.get_default() for name, field in model.model_fields.items()}


class Given(set[str]):
    """Names of fields that were given, the same set for every model of a kind; it cannot be changed.

    A set of its own would be half of what a message weighs. Copies of it, as `model_copy` makes, are plain sets.
    """

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("the fields that were given are those of every object of this kind; copy them first")

    add = discard = remove = pop = clear = update = _refuse
    difference_update = intersection_update = symmetric_difference_update = _refuse
    __ior__ = __iand__ = __isub__ = __ixor__ = _refuse

    def __copy__(self) -> set[str]:
        return set(self)

    def copy(self) -> set[str]:
        """A plain set of the same names."""
        return set(self)

    def __reduce__(self) -> tuple[type[set[str]], tuple[list[str]]]:
        return set, (list(self),)


def construct(model: type[Model], **fields: Any) -> Model:
    """Make a model of these fields, unchecked; those left out take their default (a default factory is not called).

    Fields are given in the model's own order, by which models are compared.
    """
    defaults = _defaults(model)
    return complete(model, fields if len(fields) == len(defaults) else {**defaults, **fields}, set(fields))


def complete(model: type[Model], fields: dict[str, Any], given: set[str]) -> Model:
    """Make a model of all its fields in their own order, and of the names of those that were given.

    The fields become the model's own: nobody else may keep them. The names may be a `Given` that many share.
    """
    made = _new(model)
    _set_fields(made, fields)
    _set_given(made, given)
    _set_extra(made, None)
    _set_private(made, None)
    return made


class Form(Generic[Model]):
    """How models of a kind are made that are kept by the thousand: one object each, and not one with a dictionary.

    Python makes the dictionary when somebody asks for it (`__dict__`, a comparison, a dump); until then the collector
    of garbage has half as much to look at. Setting fields one by one takes a little longer than `complete`, so what is
    mostly thrown away soon is made by that. From Python 3.13 on, objects of classes with slots, as pydantic's models
    are, have their dictionary from the start; there it is given to them as `complete` does.

    Args:
        model: the class.

    """

    __slots__ = ("_fields", "_given", "_has_dictionary", "_model")

    def __init__(self, model: type[Model]) -> None:
        fields = tuple(model.model_fields)
        self._model = model
        self._fields = fields
        self._given = Given(fields)
        self._has_dictionary = False
        # A class learns its attributes from its first objects; it no longer does once many without any were made.
        first = self.filled((None,) * len(fields))
        self._has_dictionary = any(type(each) is dict for each in gc.get_referents(first))

    def empty(self) -> Model:
        """Make a model that `filled` gives its fields; until then it is good for nothing.

        Made before what it will refer to, it costs the collector less: what the collector meets before anything that
        refers to it, it takes for garbage at first.
        """
        return _new(self._model)

    def filled(self, values: tuple[Any, ...], into: Model | None = None) -> Model:
        """Make a model of the values of all its fields, in their own order; `into` is one that `empty` made."""
        made = _new(self._model) if into is None else into
        _set_given(made, self._given)
        _set_extra(made, None)
        _set_private(made, None)
        if self._has_dictionary:
            _set_fields(made, dict(zip(self._fields, values, strict=True)))
        else:
            any(map(_setter_of(made), self._fields, values))  # setting gives None, so `any` runs to the end
        return made
