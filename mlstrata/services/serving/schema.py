"""A model's signature as the check of a request: every field, its type, and what to do when it is wrong.

Works on the signature as MLflow writes it down (a list of `{name, type, required}`), so MLflow is not imported.
"""

from __future__ import annotations

import codecs
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema, ErrorDetails, SchemaValidator, ValidationError, core_schema

from mlstrata.environments.redaction import is_public, under_secret
from mlstrata.services.serving.problem import ProblemError
from mlstrata_steps.cells import Format, NoValue, value

TYPES = ("PNG", "JPEG")
"""Files that an image may be; a test holds them to what `mlstrata_steps.pictures` decodes."""
_MOST_DETAILS = 20
_MOST_SHOWN = 60
_MOST_UNKNOWN = 9
"""Letters of a text in words that are not the platform's own; more could be a password in the wrong field."""
_INT32, _INT64 = 2**31, 2**63


def _whole(bound: int) -> CoreSchema:
    """Check a whole number: 5.0 is one, as JSON Schema has it."""

    def read(cell: Any) -> Any:
        if not isinstance(cell, float):
            return cell
        try:
            found = value(cell, "integer")
        except NoValue:
            return cell
        # What is refused is shown as it was sent.
        return cell if found is None or not -bound <= found < bound else found

    return core_schema.no_info_before_validator_function(read, core_schema.int_schema(strict=True, ge=-bound, lt=bound))


# MLflow's type: (check, what is expected, in words).
_SCALARS: dict[str, tuple[CoreSchema, str]] = {
    "boolean": (core_schema.bool_schema(strict=True), "true or false"),
    "integer": (_whole(_INT32), "a whole number of 32 bits"),
    "long": (_whole(_INT64), "a whole number of 64 bits"),
    "float": (core_schema.float_schema(strict=True, allow_inf_nan=False), "a number"),
    "double": (core_schema.float_schema(strict=True, allow_inf_nan=False), "a number"),
    "string": (core_schema.str_schema(strict=True), "text"),
    "datetime": (core_schema.datetime_schema(), "a date and time, ISO 8601"),
}
_NEVER_MISSING = ("integer", "long")


class UnsupportedSignatureError(ValueError):
    """A model cannot be served because requests to it cannot be checked."""


@dataclass(frozen=True)
class Column:
    """One input of a model."""

    name: str
    type: str
    required: bool
    longest: int | None = None
    """Characters that a text may have; None: as many as the body of a request."""
    image: int | None = None
    """Bytes that an image may have, which the text is in base64; None: it is none."""

    @property
    def expected(self) -> str:
        """Return what a value of this column is, in words."""
        words = _SCALARS[self.type][1]
        if self.image is not None:
            words = f"a {' or '.join(TYPES)} image of at most {self.image} bytes, in base64"
        elif self.longest is not None:
            words += f" of at most {self.longest} characters"
        return words if self.required else f"{words}, or null"


class RequestSchema:
    """Checks the body of a request, `{"instances": [{column: value}, …]}`, against a model's inputs."""

    def __init__(
        self,
        inputs: Sequence[Mapping[str, Any]] | None,
        missing: Sequence[str] = (),
        lengths: Mapping[str, int] | None = None,
        images: Mapping[str, int] | None = None,
    ) -> None:
        """Build the check.

        Args:
            inputs: the signature's inputs, as in the model's MLmodel file.
            missing: texts that stood for a missing value in the data that the model learnt of.
            lengths: column to the characters that its free text may have; None: none has a limit of its own.
            images: column to the bytes that its image may have; None: there are none.

        Raises:
            UnsupportedSignatureError: no signature, or an input that is not a named column of one value.
        """
        if not inputs:
            raise UnsupportedSignatureError("the model has no signature of its inputs; log it with one")
        self.columns = tuple(_column(one, lengths or {}, images or {}) for one in inputs)
        self._by_name = {column.name: column for column in self.columns}
        fields = {column.name: _field(column, Format(missing=tuple(missing))) for column in self.columns}
        instance = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        # The first bad instance is enough to tell, and a large body cannot make a larger answer.
        instances = core_schema.list_schema(instance, min_length=1, fail_fast=True)
        body = core_schema.typed_dict_schema(
            {"instances": core_schema.typed_dict_field(instances)}, extra_behavior="forbid"
        )
        self._validator = SchemaValidator(body)

    def parse(self, body: bytes) -> list[dict[str, Any]]:
        """Return the instances in `body`, every one with the columns of the signature.

        Raises:
            ProblemError: 400 when it is not JSON, 422 when it breaks the signature, with each thing wrong.
        """
        try:
            # Some programs begin every text with a mark; a reader of JSON may pass over it (RFC 8259, 8.1).
            return list(self._validator.validate_json(body.removeprefix(codecs.BOM_UTF8))["instances"])
        except ValidationError as error:
            raise self._problem(error) from None

    def check(self, instances: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return `instances` given as Python values, checked the same way.

        Raises:
            ProblemError: 422, as for `parse`.
        """
        try:
            return list(self._validator.validate_python({"instances": list(instances)})["instances"])
        except ValidationError as error:
            raise self._problem(error) from None

    def _problem(self, error: ValidationError) -> ProblemError:
        errors = error.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            reason = errors[0].get("ctx", {}).get("error", "")
            return ProblemError(400, "malformed_json", f"the body is not JSON: {reason}")
        details = [self._detail(one) for one in errors[:_MOST_DETAILS]]
        count = len(errors)
        many = f"{count} things in the body break" if count > 1 else "1 thing in the body breaks"
        shown = f"; the first {_MOST_DETAILS} are shown" if count > _MOST_DETAILS else ""
        return ProblemError(422, "schema", f"{many} the model's signature{shown}", details)

    def _detail(self, error: ErrorDetails) -> dict[str, Any]:
        location, kind = error["loc"], error["type"]
        name = str(location[-1]) if location else ""
        if kind == "extra_forbidden":
            # Neither of the two levels takes a field it does not know; what text stands under it is nobody's business.
            known = list(self._by_name) if len(location) > 1 else ["instances"]
            close = difflib.get_close_matches(name[:_MOST_SHOWN], known, n=1)
            repeated = bool(close) or is_public(name, _MOST_UNKNOWN)
            hint = f"did you mean {close[0]!r}?" if close else f"remove {name!r}" if repeated else "remove the field"
            path = _path((*location[:-1], name if repeated else "(unknown)"))
            plain = isinstance(error["input"], int | float | None) and not under_secret([name])
            got = _shown(error["input"]) if plain else "an unknown field"
            return {"path": path, "got": got, "expected": "a field of the signature", "fix": hint}
        detail: dict[str, Any] = {"path": _path(location), "got": _shown(error["input"])}
        if kind == "missing":
            expected = self._expected(location)
            return detail | {"got": "nothing", "expected": expected, "fix": f"add {name!r}: {expected}"}
        if kind == "too_short":
            return detail | {"expected": "one instance or more", "fix": "send at least one instance"}
        expected = self._expected(location)
        return detail | {"expected": expected, "fix": f"send {expected}"}

    def _expected(self, location: tuple[int | str, ...]) -> str:
        if location[:1] != ("instances",):
            return 'an object {"instances": [...]}'
        if len(location) == 1:
            return "a list of instances"
        if len(location) == 2:  # noqa: PLR2004 - instances, index
            return "an object with the fields of the signature"
        return self._by_name[str(location[2])].expected


def _column(described: Mapping[str, Any], lengths: Mapping[str, int], images: Mapping[str, int]) -> Column:
    name, kind = described.get("name"), described.get("type")
    if not isinstance(name, str) or not isinstance(kind, str) or kind not in _SCALARS:
        allowed = ", ".join(_SCALARS)
        raise UnsupportedSignatureError(f"input {name!r} of type {kind!r}; served are named columns of {allowed}")
    longest = lengths.get(name) if kind == "string" else None
    image = images.get(name) if kind == "string" else None
    column = Column(name, kind, bool(described.get("required", True)), longest, image)
    if not column.required and kind in _NEVER_MISSING:
        # MLflow refuses the missing value itself, but only when the first one comes.
        raise UnsupportedSignatureError(
            f"input {name!r} is an optional {kind}, which cannot be missing; log it as double"
        )
    return column


def _field(column: Column, form: Format) -> core_schema.TypedDictField:
    check = _SCALARS[column.type][0]
    if column.longest is not None:
        check = core_schema.str_schema(strict=True, max_length=column.longest)
    if column.image is not None:
        check = _image(check, column.image)
    if column.required:
        return core_schema.typed_dict_field(check)

    def read(cell: Any) -> Any:
        # In training the empty text was a missing value, and so were the declared words.
        return value(cell, "string", form=form) if isinstance(cell, str) else cell

    nullable = core_schema.no_info_before_validator_function(read, core_schema.nullable_schema(check))
    return core_schema.typed_dict_field(core_schema.with_default_schema(nullable, default=None))


def _image(text: CoreSchema, most: int) -> CoreSchema:
    """Check a text that is an image, by the function that training reads with."""

    def read(cell: str) -> str:
        # Decoding takes libraries that a process without images need not import.
        from mlstrata_steps.pictures import picture_of

        picture_of(cell, most)
        return cell

    return core_schema.no_info_after_validator_function(read, text)


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "body"


def _shown(value: object) -> str:
    """Return a value for an answer, which callers log: no text that could be a secret is repeated."""
    if isinstance(value, str) and not is_public(value, _MOST_UNKNOWN):
        return f"a text of {len(value)} characters"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = type(value).__name__
    if isinstance(value, dict | list) and '"' in text:
        return "an object" if isinstance(value, dict) else "a list"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
