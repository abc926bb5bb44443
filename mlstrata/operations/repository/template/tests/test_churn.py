"""The step of our own, as a plain function."""

from pathlib import Path
from types import SimpleNamespace

import churn
import pandas as pd


def test_repeats_and_charges_are_left_out(tmp_path: Path) -> None:
    data, prepared = (SimpleNamespace(path=str(tmp_path / name)) for name in ("data", "prepared"))
    pd.DataFrame({"minutes": [1.0, 1.0, 2.0], "day_charge": [0.1, 0.1, 0.2]}).to_parquet(data.path)
    assert churn.tidied.python_func(data, prepared) == 2
    assert pd.read_parquet(prepared.path).to_dict("list") == {"minutes": [1.0, 2.0]}
