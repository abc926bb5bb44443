"""A wheel that nobody else has, with its entry of a hashed lock."""

import hashlib
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str = "acme_boost", *, needs: str = "") -> str:
    """Write a wheel of version 1.0; return its entry of a lock."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + f"Requires-Dist: {needs}\n" * bool(needs)
    kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {
        f"{name}.py": "fits = True\n",
        f"{name}-1.0.dist-info/METADATA": about,
        f"{name}-1.0.dist-info/WHEEL": kind,
    }
    with zipfile.ZipFile(path, "w") as packed:
        for file, text in {**files, f"{name}-1.0.dist-info/RECORD": ""}.items():
            packed.writestr(file, text)
    return f"{name.replace('_', '-')}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
