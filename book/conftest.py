"""nbval runs the chapters in the environment in which `make book` runs them."""

import os
from pathlib import Path

import build

os.environ.update(build.environment(Path(__file__).parents[1]))
for name in build.READERS_VARIABLES:
    os.environ.pop(name, None)
build.list_fonts(Path(__file__).parents[1])
