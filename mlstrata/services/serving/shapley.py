"""The explanation of any model, by asking it: each column's share of the way from background rows to the row.

From a background row to the row that is explained, one column after the other is set; what the answer moves by then is
that column's. Half of it is taken in one order of the columns and half in the opposite one, which gives the Shapley
values exactly where no more than two columns act together, and always adds up (Mitchell, Cooper, Frank and Holmes 2022,
on antithetic permutations). There is no chance in it: the same row has the same explanation again. A background row is
nobody's: each of its values comes from a column's own distribution, apart from the others.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlstrata.services.serving.margins import explained_class, given, given_unit_of
from mlstrata.services.serving.model import ServedModel
from mlstrata.services.serving.prediction import Explanation
from mlstrata_steps.profile import BOOLEAN, CATEGORY, NUMBER, Profile
from mlstrata_steps.reference import Reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METHOD = "approximate"
MOST = 50
"""Background rows."""


def background_of(model: ServedModel, reference: Reference, rows: int) -> list[dict[str, Any]]:
    """Lay rows whose columns are distributed as training's; none where a column cannot be laid."""
    profiles = {one.name: one for one in reference.inputs}
    columns: dict[str, list[Any]] = {}
    for column in model.schema.columns:
        profile = profiles.get(column.name)
        laid = _laid(profile, rows, whole=column.type in {"integer", "long"}) if profile else []
        if not laid:
            return []
        if column.required:
            known = next((one for one in laid if one is not None), None)
            laid = [known if one is None else one for one in laid]
        random.Random(column.name).shuffle(laid)  # noqa: S311 - the same rows for the same model, and no secret
        columns[column.name] = laid
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def contributions(
    model: ServedModel, row: Mapping[str, Any], background: Sequence[Mapping[str, Any]], base: NDArray[np.float64]
) -> Explanation:
    """Explain a row.

    Args:
        model: What is asked, once.
        row: What is explained.
        background: The rows that it is compared with.
        base: What the model says of each of those: (rows, 1), or (rows, classes).
    """
    import numpy as np

    names = [one.name for one in model.schema.columns]
    asked: list[Mapping[str, Any]] = [row]
    orders: list[list[str]] = []
    for at, other in enumerate(background):
        turned = names[at % len(names) :] + names[: at % len(names)]
        for order in (turned, turned[::-1]):
            orders.append(order)
            state = dict(other)
            for name in order[:-1]:
                state[name] = row.get(name)
                asked.append(dict(state))
    said = given(model, asked)
    place, label = explained_class(model.output, said[0])
    whole, steps = said[0, place], said[1:, place].reshape(len(orders), len(names) - 1)
    found = dict.fromkeys(names, 0.0)
    for at, order in enumerate(orders):
        way = np.concatenate(([base[at // 2, place]], steps[at], [whole]))
        for name, moved in zip(order, np.diff(way), strict=True):
            found[name] += float(moved) / len(orders)
    return Explanation(float(base[:, place].mean()), found, given_unit_of(model.output), METHOD, label)


def _laid(profile: Profile, rows: int, *, whole: bool) -> list[Any]:
    missing = round(rows * profile.counts[-1] / max(1, profile.rows))
    known = rows - missing
    if profile.kind == NUMBER and profile.sample:
        sample = profile.sample
        chosen: list[Any] = [sample[int((at + 0.5) * len(sample) / known)] for at in range(known)]
        return [int(one) if whole else one for one in chosen] + [None] * missing
    if profile.kind in {CATEGORY, BOOLEAN} and profile.values:
        counts = profile.counts[: len(profile.values)]
        total, seen, texts = sum(counts), 0, list[Any]()
        if not total:
            return []
        for text, count in zip(profile.values, counts, strict=True):
            seen += count
            texts += [text] * (round(known * seen / total) - len(texts))
        return (
            [one == "true" for one in texts] + [None] * missing if profile.kind == BOOLEAN else texts + [None] * missing
        )
    return []
