"""Making models of values that are right already, without the cost of validating them again.

Events come by the thousand. Whoever calls `construct` has made sure of every type; tests compare what comes out with
the same values validated.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """Every field in the model's own order, with its default; None where the caller has to give a value."""
    return {name: None if field.is_required() else field.get_default() for name, field in model.model_fields.items()}


def construct(model: type[Model], **fields: Any) -> Model:
    """Make a model of these fields, unchecked; those left out take their default (a default factory is not called).

    Fields are given in the model's own order, by which models are compared.
    """
    defaults = _defaults(model)
    made = model.__new__(model)
    _set(made, "__dict__", fields if len(fields) == len(defaults) else {**defaults, **fields})
    _set(made, "__pydantic_fields_set__", set(fields))
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


_set = object.__setattr__  # the models are frozen
