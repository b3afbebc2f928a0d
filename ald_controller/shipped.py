"""Where the files lie that come with the program: recipes, tables of chemistry, the reference tool, broker files."""

from __future__ import annotations

import sys
from pathlib import Path


def _shipped() -> Path:
    """The checkout that this code is run from, else what an installation put under the environment's `share`."""
    checkout = Path(__file__).parents[1]
    return checkout if (checkout / "recipes").is_dir() else Path(sys.prefix) / "share" / "ald-controller"


RECIPES = _shipped() / "recipes"
DEPLOY = _shipped() / "deploy"
