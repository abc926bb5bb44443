"""The GPUs of this machine: what its driver lists, and what is said where it lists none."""

import json

import pytest

from mlstrata.cli.main import main
from mlstrata.operations import gpus

TWO = "0, NVIDIA L4, 23034, 1024, 37, 570.86.10\n1, NVIDIA L4, 23034, 0, [N/A], 570.86.10\n"


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Put a program on PATH that stands for the driver's, and nothing else there."""

    def install(script):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def test_what_the_driver_lists_is_told(driver):
    driver(f"test \"$2\" = --format=csv,noheader,nounits && printf '{TWO}'")
    found = gpus.of_machine()
    assert found.in_words == "2 x NVIDIA L4 (22 GiB)"
    assert found.found[0] == gpus.Gpu(0, "NVIDIA L4", 23034, 1024, 37, "570.86.10")
    assert found.found[1].busy_percent is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'NVIDIA-SMI has failed: no driver'; exit 9", "nvidia-smi fails: NVIDIA-SMI has failed: no driver"),
        ("exit 0", "nvidia-smi lists no GPU"),
        ("echo surprise", "nvidia-smi answers in a form that is not known"),
    ],
)
def test_a_driver_that_has_none_to_list_says_why(driver, script, why):
    driver(script)
    assert gpus.of_machine().in_words == f"none: {why}"


def test_doctor_tells_of_none_and_lacks_them_where_the_file_has_pools(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (tmp_path / "environments").mkdir()
    file = tmp_path / "environments/local.yaml"
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    for pools, fine in (("", True), ("gpu_pools: [{name: train, accelerator: nvidia-l4}]\n", False)):
        file.write_text(f"name: local\ntarget: {{kind: local}}\nstage: prerequisites\n{pools}")
        main(["doctor", "local", "--json"])
        found = {one["what"]: one for one in json.loads(capsys.readouterr().out)["findings"]}["GPUs"]
        assert (found["fine"], found["needed"]) == (fine, False)
        assert found["detail"] == "none: nvidia-smi is not on PATH"


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ("nodes: {max: 1}", ""),
        ("nodes: {max: 2}", "gpu_pools[0].nodes.max: got 2; this machine is one node, so allowed: 1"),
        ("sharing: {time_slices: 2}", "gpu_pools[0].sharing: is not set up on this machine"),
    ],
)
def test_a_pool_of_one_node_is_the_same_words_here(tmp_path, monkeypatch, capsys, pool, said):
    (tmp_path / "environments").mkdir()
    text = "name: local\ntarget: {kind: local}\nstage: prerequisites\n"
    text += f"gpu_pools: [{{name: train, accelerator: nvidia-l4, {pool}}}]\n"
    (tmp_path / "environments/local.yaml").write_text(text)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    assert main(["validate", "local"]) == (2 if said else 0)
    assert said in capsys.readouterr().err
