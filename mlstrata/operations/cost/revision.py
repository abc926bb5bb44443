"""What a change of the workspace's files costs: an environment at a git revision beside the one that is planned now."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from mlstrata.operations.comparison.elsewhere import told_by
from mlstrata.operations.cost.model import Estimate, Line, NotPriced, Owner, Range
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError


@dataclass(frozen=True)
class Then:
    """What an environment cost as the files were.

    Attributes:
        revision: The git revision.
        lines: What cost; none: the environment was not there.
        not_priced: What had no price.
    """

    revision: str
    lines: tuple[Line, ...] = ()
    not_priced: frozenset[NotPriced] = frozenset()


@dataclass(frozen=True)
class Difference:
    """Two estimates of one environment, by the same code and the same prices.

    Attributes:
        revision: What the first is of.
        before: Its total; nothing where the environment was not there.
        after: The total now.
        parts: Component, system, team and cost centre to both amounts, of those that differ.
        not_priced: What has no price now and was not there, or not so, before.
    """

    revision: str
    before: Range
    after: Range
    parts: Mapping[Owner, tuple[Range, Range]]
    not_priced: tuple[NotPriced, ...] = ()


def compared(then: Then, now: Estimate) -> Difference:
    """Return what differs between a revision and an estimate."""
    old, new = _by_owner(then.lines), _by_owner(now.lines)
    both = {owner: (old.get(owner, Range()), new.get(owner, Range())) for owner in sorted(old.keys() | new.keys())}
    return Difference(
        then.revision,
        sum((line.month for line in then.lines), Range()),
        now.total,
        {owner: pair for owner, pair in both.items() if pair[0] != pair[1]},
        tuple(one for one in now.not_priced if one not in then.not_priced),
    )


def at(deployment: Deployment, revision: str, prices: Path) -> Then:
    """Return what an environment cost as the workspace's files were at a git revision.

    This code plans them and these prices price them, so that only what the files say differs.

    Args:
        deployment: The environment.
        revision: A commit, branch or tag.
        prices: The table of prices.

    Raises:
        UsageError: the workspace is in no git repository, there is no such revision, or it cannot be planned.
    """
    with tempfile.TemporaryDirectory(prefix="mlstrata-cost-") as folder:
        then = Path(folder)
        with tarfile.open(fileobj=io.BytesIO(_archive(deployment.workspace.root, revision))) as archive:
            archive.extractall(then, filter=_within)  # noqa: S202 - each goes through tarfile.data_filter
        if not (then / "environments" / deployment.file.name).is_file():
            return Then(revision)
        refusal = f"--diff {revision}: {deployment.name} cannot be planned as it was then"
        asked = [deployment.name, str(prices.resolve())]
        found = told_by("mlstrata.operations.cost", asked, then, refusal)
    not_priced = frozenset(NotPriced(**one) for one in found["not_priced"])
    return Then(revision, tuple(map(_line, found["lines"])), not_priced)


def _within(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Take what stays in the folder; a link that leads out of it is left out, since nobody said it is there."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _archive(root: Path, revision: str) -> bytes:
    # A revision that begins with a dash would be an option.
    done = subprocess.run(
        ["git", "-C", str(root), "archive", "--format=tar", "--end-of-options", revision, "."],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[:1] or ["it said nothing"]
        raise UsageError(f"--diff: got {revision!r}, and git says: {said[0]}; name a commit, branch or tag of {root}")
    return done.stdout


def _by_owner(lines: Iterable[Line]) -> dict[Owner, Range]:
    found: dict[Owner, Range] = {}
    for line in lines:
        found[line.owner] = found.get(line.owner, Range()) + line.month
    return found


def _line(given: Mapping[str, str]) -> Line:
    owner = Owner(*(given[key] for key in ("component", "system", "team", "cost_centre")))
    month = Range(Decimal(given["low"]), Decimal(given["high"]))
    return Line(given["resource"], given["type"], given["what"], owner, month)
