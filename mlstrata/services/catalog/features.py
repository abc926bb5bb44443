"""The features: what models see, put together from the datasets they learn from."""

from __future__ import annotations

from mlstrata.services.catalog.model import Catalog, ColumnRole, Feature


def features(catalog: Catalog) -> tuple[Feature, ...]:
    """Return every feature of every system, by system and name."""
    found = [
        Feature(
            name=column.name,
            system=dataset.system,
            dataset=dataset.name,
            type=column.type,
            owner=dataset.owner,
            classification=dataset.classification,
            personal=column.personal,
        )
        for dataset in catalog.datasets
        for column in dataset.columns
        if column.role is ColumnRole.FEATURE
    ]
    return tuple(sorted(found, key=lambda feature: (feature.system, feature.name)))
