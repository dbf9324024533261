"""What a release needs: one version everywhere. `tests/release/test_wheel.py` builds the wheel."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def versions() -> dict[str, str]:
    """Find the version in each place that states it; a changelog that is not released yet states its last release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    cited = re.findall(r"note += \{Version (.+)\}", (ROOT / "book" / "index.md").read_text())
    assert len(cited) == 1
    return {
        "pyproject.toml": project["version"],
        "CITATION.cff": str(citation["version"]),
        "book/index.md": cited[0],
        "CHANGELOG.md": releases()[0][0],
    }


def releases() -> list[tuple[str, str]]:
    """List versions and dates of the changelog, the newest first."""
    return re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_all_places_of_the_version_agree():
    found = versions()
    assert set(found.values()) == {found["pyproject.toml"]}, found


def test_the_changelog_counts_up_and_the_newest_release_is_cited_with_its_date():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    found = releases()
    assert headings in (["Unreleased", *(f"{v} ({d})" for v, d in found)], [f"{v} ({d})" for v, d in found])
    numbers = [tuple(map(int, version.split("."))) for version, _ in found]
    assert numbers == sorted(set(numbers), reverse=True)
    assert [date for _, date in found] == sorted((date for _, date in found), reverse=True)
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["date-released"]) == found[0][1]


def test_what_make_test_leaves_out_runs_in_make_test_release_and_ci_calls_both():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    left_out = {name for name in settings["norecursedirs"] if name.startswith("tests/")}
    targets = re.findall(r"^([\w-]+):.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    folders = {name: set(re.findall(r"(?<= )tests(?:/\w+)?(?=\s)", recipe)) for name, recipe in targets}
    assert "tests" in folders["test"]
    assert left_out == folders["test-release"] == {"tests/site", "tests/release"}
    called = re.findall(r"^make (\S+)$", (ROOT / ".ci" / "run").read_text(), re.M)
    assert called == ["check", "book", "test", "test-release"]
