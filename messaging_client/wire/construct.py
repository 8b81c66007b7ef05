"""Making models of values that are right already, without the cost of validating them again.

Events come by the thousand. Whoever calls these has made sure of every type; tests compare what comes out with the same
values validated, and with what the installed pydantic's own `model_construct` makes.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

# The models are frozen, and these are the four places of an instance: what `BaseModel.model_construct` sets.
_set_fields = BaseModel.__dict__["__dict__"].__set__
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__
_new = object.__new__


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """Every field in the model's own order, with its default; None where the caller has to give a value."""
    return {name: None if field.is_required() else field.get_default() for name, field in model.model_fields.items()}


def construct(model: type[Model], **fields: Any) -> Model:
    """Make a model of these fields, unchecked; those left out take their default (a default factory is not called).

    Fields are given in the model's own order, by which models are compared.
    """
    defaults = _defaults(model)
    return complete(model, fields if len(fields) == len(defaults) else {**defaults, **fields}, set(fields))


def complete(model: type[Model], fields: dict[str, Any], given: set[str]) -> Model:
    """Make a model of all its fields in their own order, and of the names of those that were given.

    Both become the model's own: nobody else may keep them.
    """
    made = _new(model)
    _set_fields(made, fields)
    _set_given(made, given)
    _set_extra(made, None)
    _set_private(made, None)
    return made
