"""Requests of the V2 protocol as instances."""

from typing import Any

from mlserver.types import InferenceRequest

from mlstrata.services.serving.problem import ProblemError


def instances_of(payload: InferenceRequest) -> list[dict[str, Any]]:
    """Return the instances in `payload`, whose inputs are columns of one value each.

    Raises:
        ProblemError: 422 when the columns differ in length or hold more than one value an instance.
    """
    columns: dict[str, list[Any]] = {}
    for one in payload.inputs:
        values = list(one.data)
        if any(isinstance(value, list) for value in values):
            raise ProblemError(422, "schema", f"input {one.name!r} holds lists; send one value an instance")
        columns[one.name] = [value.decode() if isinstance(value, bytes) else value for value in values]
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ProblemError(422, "schema", f"inputs differ in length: {lengths}; each needs one value an instance")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
