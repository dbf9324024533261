"""What holds for the whole tree: imports, docstrings, the public list, and what is committed."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gmlib import zoo

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "gmlib").rglob("*.py"))
}

# Imports point one way: a part may import from the parts before it.
LAYERS = [
    {"errors", "isolated"},
    {"shapes"},
    {"device", "files", "seeds", "interpolation"},
    {"mode", "parallel"},
    {"conditioning", "data", "objectives"},
    {"models"},
    {"training"},
    {"metrics"},
    {"figures", "identity", "progress", "toy"},
    {"experiments"},
    {"recipes"},
    {"zoo", "display"},
    {"exercises", "measuring"},
    {"grading", "widgets"},
    {"cli"},
    {""},  # gmlib itself
]
LAYER = {part: i for i, parts in enumerate(LAYERS) for part in parts}


def part(module: str) -> str:
    """The part of the library that a module belongs to: `gmlib.training.vae` belongs to `training`."""
    return [*module.split("."), ""][1]


def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def imports(module: str) -> set[str]:
    """The modules that a module imports, also within functions and for the type checker only."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Find the largest sets of nodes of which each leads to each other."""
    reached = {}
    for start in graph:
        seen, left = set(), [start]
        while left:
            new = graph[left.pop()] & graph.keys() - seen
            seen |= new
            left += new
        reached[start] = seen
    found = []
    for node in graph:
        circle = {other for other in reached[node] if node in reached[other]}
        if circle and circle not in found:
            found.append(circle)
    return found


def test_no_modules_import_each_other():
    assert circles({"a": {"b"}, "b": {"c", "x"}, "c": {"b"}, "d": {"a", "d"}}) == [{"b", "c"}, {"d"}]
    # a package gathers its modules, and is imported where one of them is
    graph = {module: imports(module) - {module} for module in MODULES if MODULES[module].name != "__init__.py"}
    gathered = {module: imports(module) for module in MODULES if module not in graph}
    for module, own in graph.items():
        for package in own & gathered.keys():
            graph[module] = graph[module] | {each for each in gathered[package] if each != module}
    assert circles(graph) == []


def test_gmlib_imports_neither_the_audit_nor_the_book():
    assert {"gmlib.recipes", "gmlib.objectives"} <= imports("gmlib")  # what the parser sees
    for module in MODULES:
        assert not {imported.split(".")[0] for imported in imports(module)} & {"audit", "book", "tools", "benchmarks"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    assert part(module) in LAYER, f"give {part(module)} its place in LAYERS"
    for imported in imports(module):
        if imported.split(".")[0] == "gmlib" and part(imported) != part(module):
            assert LAYER[part(imported)] < LAYER[part(module)], f"{module} imports {imported}"


@pytest.mark.parametrize("module", [module for module in MODULES if part(module) == "objectives"])
def test_objectives_import_nothing_but_torch(module):
    allowed = {"math", "numbers", "collections", "dataclasses", "typing", "torch", "jaxtyping"}
    for imported in imports(module):
        ours = imported.startswith("gmlib.objectives") or imported in {"gmlib.errors", "gmlib.shapes"}
        assert ours or imported.split(".")[0] in allowed, imported


def test_importing_gmlib_imports_no_heavy_package():
    program = (
        "import sys, torch; import gmlib; "
        "print([name for name in ('matplotlib', 'torchvision', 'IPython', 'scipy', 'pandas') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# docstrings and the public list


PUBLIC = [
    "gmlib",
    "gmlib.data",
    "gmlib.objectives",
    "gmlib.models",
    "gmlib.training",
    "gmlib.figures",
    "gmlib.metrics",
    "gmlib.toy",
    "gmlib.widgets",
    "audit",
]


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_list_is_explicit(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(
        set(module.__all__), key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_list_is_on_the_api_page(package):
    text = (ROOT / "book" / "api.md").read_text()
    documented = set(re.findall(r"^\.\. (?:auto\w+|py:\w+):: ([\w.]+)", text, re.M))
    sections = set(re.findall(r"^#+ ((?:gmlib|audit)[\w.]*)$", text, re.M))
    module = importlib.import_module(package)
    missing = {f"{package}.{name}" for name in module.__all__} - documented - sections
    # what several packages export is documented under one of its names
    others = [importlib.import_module(each) for each in PUBLIC]
    assert not {
        name
        for name in missing
        if not any(
            f"{other.__name__}.{leaf(name)}" in documented
            and getattr(other, leaf(name), None) is getattr(module, leaf(name))
            for other in others
        )
    }


def leaf(name: str) -> str:
    return name.rpartition(".")[2]


# what is committed


def tracked() -> list[Path]:
    if not shutil.which("git"):
        pytest.skip("git is not installed, so what is tracked is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this copy of the tree is not a git checkout, so what is tracked is not known")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def tracked_text() -> dict[str, str]:
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:8000]:
            found[str(path.relative_to(ROOT))] = content.decode()
    return found


# tests that are about such paths: each makes one up and sees it refused
MADE_UP = {"tests/book/test_book.py"}


def test_no_absolute_path_is_committed():
    pattern = re.compile(r"(?<![\w.}~])/(?:home|root|work|Users|tmp|mnt)/\w+|\b[A-Z]:\\\\?\w+\\")
    assert pattern.search("see /" + "home/ada/x")
    found = {name: match[0] for name, text in tracked_text().items() if (match := pattern.search(text))}
    assert {name: match for name, match in found.items() if name not in MADE_UP} == {}


def test_no_registry_address_is_committed():
    pattern = re.compile(
        r"https?://[^\s\"')>]*(?:/simple\b|pypi\.org/(?!project/)|pythonhosted|download\.pytorch\.org|conda\.anaconda\.org"
        r"|registry\.npm|artifactory|nexus)|--(?:extra-)?index-url[ =]\S*:|\bindex-url\s*=",
        re.I,
    )
    assert pattern.search("https:/" + "/pypi.org/simple")
    assert pattern.search("https:/" + "/download.pytorch.org/whl/cpu")
    assert {name: match[0] for name, text in tracked_text().items() if (match := pattern.search(text))} == {}


def test_no_artefact_is_above_six_megabytes():
    sizes = {path.name: path.stat().st_size for path in [*tracked(), *zoo.WEIGHTS.glob("*")]}
    assert {name: size for name, size in sizes.items() if size > 6_000_000} == {}
    assert sum(path.stat().st_size for path in zoo.WEIGHTS.glob("*")) <= 60_000_000


def test_a_clone_on_windows_gets_the_same_bytes():
    """Text has LF on every system, and binary files are not converted."""
    command = ["git", "ls-files", "--eol"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    columns = [line.partition("\t")[0].split() for line in listed]  # in the index, in the tree, attributes
    assert {(kind, *attributes) for kind, _, *attributes in columns} == {
        ("i/lf", "attr/text=auto", "eol=lf"),
        ("i/none", "attr/text=auto", "eol=lf"),  # empty files
        ("i/-text", "attr/-text"),
    }
