"""Break gmlib at random places and see which breaks the tests notice: `python -m tools.mutants`.

A mutant is gmlib with one small change: another operator, another constant, a negated condition, or a dropped statement. The
mutants are drawn with a fixed seed, some from every package. First the tests that mirror the changed module run on each
mutant; what survives them goes through the whole of `pytest tests`. Text is not changed: docstrings, messages, annotations.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SWAPS: dict[type, str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in",
    ast.Is: "is not", ast.IsNot: "is", ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*",
    ast.Mod: "*", ast.Pow: "*", ast.And: "or", ast.Or: "and",
}  # fmt: skip
LOGGING = ("log", "typer", "print", "warnings", "bar")


class Mutant(NamedTuple):
    """One change: the characters from `start` to `end` of a module become `after`."""

    path: Path
    line: int
    start: int
    end: int
    after: str
    before: str


def mutants_of(path: Path) -> list[Mutant]:
    """Return all mutants of a module."""
    text = path.read_text(encoding="utf-8")
    raw = text.encode()  # positions of ast count bytes
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def place(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def mutant(node: ast.expr | ast.stmt, after: str, span: tuple[int, int] | None = None) -> Mutant:
        start, end = span or place(node)
        return Mutant(path, node.lineno, start, end, after, raw[start:end].decode())

    def between(left: ast.expr, right: ast.expr, after: str) -> Iterator[Mutant]:
        """Replace the operator that stands between two expressions."""
        start, end = place(left)[1], place(right)[0]
        found = raw[start:end].decode()
        plain = found.strip(" \n()")
        if plain and "#" not in found:
            at = start + len(found[: found.index(plain)].encode())
            yield mutant(left, after, (at, at + len(plain.encode())))

    def visit(node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield mutant(node.test, f"(not ({ast.unparse(node.test)}))")
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from between(node.left, node.comparators[0], SWAPS[type(node.ops[0])])
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPS and not isinstance(node.left, ast.JoinedStr):
            yield from between(node.left, node.right, SWAPS[type(node.op)])
        if isinstance(node, ast.BoolOp):
            yield from between(node.values[0], node.values[1], SWAPS[type(node.op)])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            yield mutant(node, f"({ast.unparse(node.operand)})")
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield mutant(node, str(not node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield mutant(node, repr(node.value + 1 if isinstance(node.value, int) else 2 * node.value + 1e-3))
        if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or isinstance(node, ast.AugAssign):
            yield mutant(node, "pass")
        for name, field in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params"):
                continue
            for child in field if isinstance(field, list) else [field]:
                if isinstance(child, ast.AST) and not said(child):
                    yield from visit(child)

    return sorted(set(visit(ast.parse(text))))


def said(node: ast.AST) -> bool:
    """Return whether a statement only writes text: a docstring, a line of a log, or output of the command line."""
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Constant):
        return True
    call = node.value.func if isinstance(node.value, ast.Call) else None
    owner = call.value if isinstance(call, ast.Attribute) else call
    return isinstance(owner, ast.Name) and owner.id in LOGGING


def draw(count: int, seed: int) -> list[Mutant]:
    """Return mutants of all of gmlib, drawn with a seed: three from every package, the rest from all code alike."""
    rng = random.Random(seed)
    packages: dict[str, list[Mutant]] = {}
    for path in sorted((ROOT / "gmlib").rglob("*.py")):
        parts = path.relative_to(ROOT / "gmlib").parts
        packages.setdefault(parts[0] if len(parts) > 1 else "gmlib", []).extend(mutants_of(path))
    drawn = [mutant for each in packages.values() for mutant in rng.sample(each, min(3, len(each)))]
    rest = [mutant for each in packages.values() for mutant in each if mutant not in drawn]
    return drawn + rng.sample(rest, count - len(drawn))


def mirrored(path: Path) -> list[str]:
    """Return the tests that mirror a module, and those of its whole package."""
    parts = path.relative_to(ROOT / "gmlib").with_suffix("").parts
    wanted = ["/".join(["tests/unit", *parts[:-1], f"test_{parts[-1]}.py"])]
    if len(parts) > 1:
        wanted.append(f"tests/unit/{parts[0]}")
    return [each for each in wanted if (ROOT / each).exists()] or ["tests/unit"]


def survives(folder: Path, mutant: Mutant, tests: list[str], seconds: int) -> bool:
    """Return whether tests pass on a mutant within a time."""
    path = folder / mutant.path.relative_to(ROOT)
    whole = path.read_bytes()
    path.write_bytes(whole[: mutant.start] + mutant.after.encode() + whole[mutant.end :])
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=seconds, check=False)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_bytes(whole)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: print each mutant, what noticed it, and the number that survived."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="how many mutants [default: 60]")
    parser.add_argument("--seed", type=int, default=30, help="of the draw [default: 30]")
    parser.add_argument("--only", default="", help="only mutants whose file has this in its path")
    parser.add_argument("--list", action="store_true", help="list the mutants and run nothing")
    parser.add_argument("--mirrored", action="store_true", help="run the mirrored tests only")
    given = parser.parse_args(arguments)
    chosen = [each for each in draw(given.count, given.seed) if given.only in str(each.path)]

    def show(mutant: Mutant, result: str) -> None:
        after = mutant.after.replace("\n", " ")
        place = f"{mutant.path.relative_to(ROOT)}:{mutant.line}"
        print(f"{place}: {' '.join(mutant.before.split())} -> {after}: {result}", flush=True)

    if given.list:
        for mutant in chosen:
            show(mutant, "not run")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(i) for i in range(2)]
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        for folder in folders:
            for each in filter(None, listed.stdout.split("\0")):
                if (ROOT / each).is_file():
                    (folder / each).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / each, folder / each)
        left = folders.copy()

        def run(mutant: Mutant) -> bool:
            folder = left.pop()
            try:
                alive = survives(folder, mutant, mirrored(mutant.path), 600)
                if not alive or given.mirrored:
                    show(mutant, "SURVIVES the mirrored tests" if alive else "killed by the mirrored tests")
                    return alive
                alive = survives(folder, mutant, ["tests"], 1800)
                show(mutant, "SURVIVES" if alive else "killed by pytest tests")
                return alive
            finally:
                left.append(folder)

        with ThreadPoolExecutor(len(folders)) as pool:
            alive = sum(pool.map(run, chosen))
    print(f"{len(chosen) - alive} of {len(chosen)} mutants are killed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
