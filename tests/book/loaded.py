"""Modules of the book, which is not a package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

BOOK = Path(__file__).parents[2] / "book"


def loaded(name: str, folder: Path = BOOK) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"book_{name}", folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
