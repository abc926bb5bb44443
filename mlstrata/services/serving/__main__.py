"""`python -m mlstrata.services.serving FOLDER`: serves the system that a configuration folder names."""

from __future__ import annotations

import argparse
import asyncio
import sys


def main() -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.serving", description="Serve the released versions of a system."
    )
    parser.add_argument("folder", help="holds settings.json and model-settings.json")
    folder: str = parser.parse_args().folder

    from mlstrata.services.serving.server import serve

    asyncio.run(serve(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
