"""A step that shares no folder with the next hands its snapshot on as the artifact itself."""

from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.mark.parametrize("shared", [True, False])
def test_the_snapshot_is_where_the_next_step_looks(tmp_path, shared):
    from mlstrata.pipelines.kfp_components.data import ingest
    from mlstrata_steps.tables import read_table

    source = tmp_path / "rows.csv"
    source.write_text("a,b\n1,x\n2,y\n", encoding="utf-8")
    place = tmp_path / "run/data"
    place.parent.mkdir()
    data = SimpleNamespace(path=str(place), uri="s3://bucket/run/data", metadata={})
    version, rows, _ = ingest.python_func(
        source=str(source), store=str(tmp_path / "store") if shared else "", data=data
    )
    assert rows == 2
    assert data.metadata["data_version"] == version
    if shared:
        assert Path(data.uri).parent == tmp_path / "store"
    else:
        assert data.uri == "s3://bucket/run/data", "Kubeflow carries it there"
    assert list(read_table(data.uri if shared else data.path).columns) == ["a", "b"]
