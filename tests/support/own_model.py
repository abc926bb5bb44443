"""A version whose code a test writes: slow, held, or busy, as no learner is at will."""

import sys
from pathlib import Path

import yaml

from mlstrata.files import write
from mlstrata.services.serving.admission import Admission, place

MODULE = "written_model"
HELD = """\
import time
from pathlib import Path


class Model:
    def __init__(self, folder):
        self.folder = folder

    def predict(self, frame):
        with (self.folder / "computed").open("a") as file:
            file.write("x")
        while not (self.folder / "free").exists():
            time.sleep(0.01)
        return [0.5] * len(frame)


def _load_pyfunc(path):
    return Model(Path(path))
"""


def write_model(directory: Path, version: str, code: str) -> Path:
    """Write a version of one input, `x`, into a process's folder; `code` has MLflow's `_load_pyfunc`."""
    folder = directory / "models" / version
    column = '[{"type": "double", "name": "x", "required": true}]'
    packed = {
        "flavors": {
            "python_function": {
                "loader_module": MODULE,
                "code": "code",
                "data": "data",
                "env": {},
                "python_version": ".".join(map(str, sys.version_info[:3])),
            }
        },
        "signature": {"inputs": column, "outputs": '[{"type": "double", "required": true}]', "params": None},
    }
    write(place(folder), Admission(own_code=True).model_dump_json())
    write(folder / "code" / f"{MODULE}.py", code)
    write(folder / "data/.keep", "")
    write(folder / "MLmodel", yaml.safe_dump(packed))
    return folder


class Held:
    """A version that computes for as long as its test says.

    Attributes:
        body: A request of it.
    """

    body = b'{"instances": [{"x": 1.0}]}'

    def __init__(self, directory: Path, version: str) -> None:
        self._data = write_model(directory, version, HELD) / "data"
        for trace in ("computed", "free"):
            (self._data / trace).unlink(missing_ok=True)

    def computed(self) -> int:
        """Return how many requests it began to compute."""
        path = self._data / "computed"
        return path.stat().st_size if path.exists() else 0

    def free(self) -> None:
        """Let it end what it computes, and all that comes, at once."""
        write(self._data / "free", "")
