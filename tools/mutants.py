"""Mutation testing: break gmlib at random places and report which changes the tests detect: `python -m tools.mutants`.

A mutant is gmlib with one small change: another operator, another constant, a negated condition, or a dropped statement. The
mutants are drawn with a fixed seed, some from every package. Text is not changed: docstrings, messages, annotations.

On each mutant the tests that mirror the changed module run first. A mutant that passes them goes through `pytest tests`. The
mirrored tests of unchanged gmlib are timed before; a mutant on which they take more than five times as long (and more than a
minute) is killed, since it hangs. A mutant on which `pytest tests` exceeds its limit is neither killed nor survives, and is
counted separately.
"""

import argparse
import ast
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from gmlib.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
SWAPS: dict[type, str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in",
    ast.Is: "is not", ast.IsNot: "is", ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*",
    ast.Mod: "*", ast.Pow: "*", ast.And: "or", ast.Or: "and",
}  # fmt: skip
LOGGING = ("log", "typer", "print", "warnings", "bar")  # calls on these only write text
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
WHOLE_SUITE = ["-n", "2", "--dist", "loadfile", "tests"]
WHOLE_SUITE_SECONDS = 1800  # limit of `pytest tests`
Outcome = Literal["passes", "fails", "times out"]


class Mutant(NamedTuple):
    """One change: the bytes from `start` to `end` of a module, which read `before`, become `after`."""

    path: Path
    line: int
    start: int
    end: int
    after: str
    before: str

    def __str__(self) -> str:
        """Return the place and the change in one line; no two mutants have the same."""
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        return f"{self.path.relative_to(ROOT)}:{self.line}, byte {self.start}: {before} -> {after}"


def mutants_of(path: Path) -> list[Mutant]:
    """Return all mutants of a module."""
    text = path.read_text(encoding="utf-8")
    raw = text.encode()  # positions of ast count bytes
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span_of(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def mutant(node: ast.expr | ast.stmt, after: str, span: tuple[int, int] | None = None) -> Mutant:
        start, end = span or span_of(node)
        return Mutant(path, node.lineno, start, end, after, raw[start:end].decode())

    def other_operator(left: ast.expr, right: ast.expr, after: str) -> Iterator[Mutant]:
        """Replace the operator that stands between two expressions."""
        start, end = span_of(left)[1], span_of(right)[0]
        text_between = raw[start:end].decode()
        operator = text_between.strip(" \n()")
        if operator and "#" not in text_between:
            first = start + len(text_between[: text_between.index(operator)].encode())
            yield mutant(left, after, (first, first + len(operator.encode())))

    def visit(node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield mutant(node.test, f"(not ({ast.unparse(node.test)}))")
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from other_operator(node.left, node.comparators[0], SWAPS[type(node.ops[0])])
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPS and not isinstance(node.left, ast.JoinedStr):
            yield from other_operator(node.left, node.right, SWAPS[type(node.op)])
        if isinstance(node, ast.BoolOp):
            yield from other_operator(node.values[0], node.values[1], SWAPS[type(node.op)])
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
                if isinstance(child, ast.AST) and not only_writes_text(child):
                    yield from visit(child)

    return sorted(set(visit(ast.parse(text))))


def only_writes_text(node: ast.AST) -> bool:
    """Return whether a statement only writes text: a docstring, a line of a log, or output of the command line."""
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Constant):
        return True
    call = node.value.func if isinstance(node.value, ast.Call) else None
    owner = call.value if isinstance(call, ast.Attribute) else call
    return isinstance(owner, ast.Name) and owner.id in LOGGING


def draw(count: int, seed: int) -> list[Mutant]:
    """Draw mutants of gmlib: three from every package, the others from all code with equal probability."""
    rng = random.Random(seed)
    packages: dict[str, list[Mutant]] = {}
    for path in sorted((ROOT / "gmlib").rglob("*.py")):
        parts = path.relative_to(ROOT / "gmlib").parts
        packages.setdefault(parts[0] if len(parts) > 1 else "gmlib", []).extend(mutants_of(path))
    drawn = [mutant for each in packages.values() for mutant in rng.sample(each, min(3, len(each)))]
    rest = [mutant for each in packages.values() for mutant in each if mutant not in drawn]
    return (drawn + rng.sample(rest, max(0, count - len(drawn))))[:count]


def mirrored_tests(path: Path) -> list[str]:
    """Return the test file that mirrors a module, and the tests of its package."""
    parts = path.relative_to(ROOT / "gmlib").with_suffix("").parts
    candidates = ["/".join(["tests/unit", *parts[:-1], f"test_{parts[-1]}.py"])]
    if len(parts) > 1:
        candidates.append(f"tests/unit/{parts[0]}")
    return [each for each in candidates if (ROOT / each).exists()]


def run_tests(folder: Path, tests: list[str], seconds: float, mutant: Mutant | None = None) -> Outcome:
    """Run tests in a copy of the repository, on a mutant or on unchanged gmlib, for at most this number of seconds."""
    path = folder / (mutant.path.relative_to(ROOT) if mutant else "gmlib/__init__.py")
    unchanged = path.read_bytes()
    if mutant:
        path.write_bytes(unchanged[: mutant.start] + mutant.after.encode() + unchanged[mutant.end :])
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [*PYTEST, *tests],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that a signal reaches the workers of pytest too
    )
    try:
        return "fails" if process.wait(seconds) else "passes"
    except subprocess.TimeoutExpired:
        return "times out"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        path.write_bytes(unchanged)


def copy_repository(folder: Path) -> None:
    """Copy all files that git tracks into a folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def results_of(mutants: list[Mutant], mirrored_only: bool) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant with its result, two at a time in copies of the repository, in the order of the list."""
    whole_suite, timing = threading.Lock(), threading.Lock()
    limits: dict[tuple[str, ...], float] = {}  # of mirrored tests, in seconds

    def limit(folder: Path, tests: list[str]) -> float:
        with timing:
            if tuple(tests) not in limits:
                started = time.perf_counter()
                if run_tests(folder, tests, WHOLE_SUITE_SECONDS) != "passes":
                    sys.exit(f"{' '.join(tests)} do not pass on unchanged gmlib: repair them first")
                limits[tuple(tests)] = max(60.0, 5 * (time.perf_counter() - started))
            return limits[tuple(tests)]

    def result(mutant: Mutant) -> str:
        folder = folders.get()
        try:
            if tests := mirrored_tests(mutant.path):
                seconds = limit(folder, tests)
                outcome = run_tests(folder, tests, seconds, mutant)
                if outcome == "times out":
                    return f"killed by the mirrored tests, which do not end within {seconds:.0f} s"
                if outcome == "fails":
                    return "killed by the mirrored tests"
            if mirrored_only:
                return "survives the mirrored tests"
            with whole_suite:  # which uses both cores
                outcome = run_tests(folder, WHOLE_SUITE, WHOLE_SUITE_SECONDS, mutant)
            return {"passes": "survives", "fails": "killed by pytest tests", "times out": "times out"}[outcome]
        finally:
            folders.put(folder)

    with tempfile.TemporaryDirectory() as name:
        folders: queue.Queue[Path] = queue.Queue()
        for each in ("a", "b"):
            copy_repository(Path(name, each))
            folders.put(Path(name, each))
        with ThreadPoolExecutor(2) as pool:
            yield from zip(mutants, pool.map(result, mutants), strict=True)


def summary(results: list[str]) -> str:
    """Return how many mutants were killed, survive and timed out."""
    killed, alive, late = (
        sum(each.startswith(start) for each in results) for start in ("killed", "survives", "times out")
    )
    return f"{killed} of {len(results)} mutants are killed, {alive} survive, {late} time out in pytest tests"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: print each mutant with its result, then the counts."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="number of mutants [default: 60]")
    parser.add_argument("--seed", type=int, default=30, help="seed of the draw [default: 30]")
    parser.add_argument("--only", default="", help="only mutants whose file has this in its path")
    parser.add_argument("--list", action="store_true", help="list the mutants and run nothing")
    parser.add_argument("--mirrored", action="store_true", help="run the mirrored tests only")
    parser.add_argument("--out", type=Path, help="write each result into this file, one per line")
    parser.add_argument("--resume", action="store_true", help="omit mutants whose results are in the file of --out")
    options = parser.parse_args(arguments)
    if options.resume and not options.out:
        parser.error("got --resume without --out, expected the file of the earlier results")
    chosen = [each for each in draw(options.count, options.seed) if options.only in str(each.path)]
    if options.list:
        print("\n".join(map(str, chosen)))
        return 0

    finished: dict[str, str] = {}  # mutant to result
    if options.resume and options.out.exists():
        stored = dict(line.rsplit(": ", 1) for line in options.out.read_text(encoding="utf-8").splitlines())
        unfinished = "" if options.mirrored else "survives the mirrored tests"
        finished = {str(each): stored[str(each)] for each in chosen if stored.get(str(each), unfinished) != unfinished}
    for mutant, result in results_of([each for each in chosen if str(each) not in finished], options.mirrored):
        print(f"{mutant}: {result}", flush=True)
        finished[str(mutant)] = result
        if options.out:
            write_whole(options.out, "".join(f"{name}: {each}\n" for name, each in finished.items()))
    print(summary(list(finished.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
