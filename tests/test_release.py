"""What a release needs: one version everywhere, and a wheel that holds what the library reads and nothing else."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def versions(root: Path) -> dict[str, str]:
    """Find the version in each place that states it; a changelog that is not released yet states its last release."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    cited = re.findall(r"note += \{Version (.+)\}", (root / "book" / "index.md").read_text())
    assert len(cited) == 1
    return {
        "pyproject.toml": project["version"],
        "CITATION.cff": str(citation["version"]),
        "book/index.md": cited[0],
        "CHANGELOG.md": releases(root)[0][0],
    }


def releases(root: Path) -> list[tuple[str, str]]:
    """List versions and dates of the changelog, the newest first."""
    return re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", (root / "CHANGELOG.md").read_text(), re.M)


def test_all_places_of_the_version_agree():
    found = versions(ROOT)
    assert set(found.values()) == {found["pyproject.toml"]}, found


def test_the_changelog_counts_up_and_the_newest_release_is_cited_with_its_date():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    found = releases(ROOT)
    assert headings in (["Unreleased", *(f"{v} ({d})" for v, d in found)], [f"{v} ({d})" for v, d in found])
    numbers = [tuple(map(int, version.split("."))) for version, _ in found]
    assert numbers == sorted(set(numbers), reverse=True)
    assert [date for _, date in found] == sorted((date for _, date in found), reverse=True)
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["date-released"]) == found[0][1]


@pytest.mark.parametrize("place", ["pyproject.toml", "CITATION.cff", "book/index.md", "CHANGELOG.md"])
def test_a_forgotten_place_is_noticed(tmp_path, place):
    """That the test above can fail, in each of the places."""
    (tmp_path / "book").mkdir()
    before = versions(ROOT)
    for name in before:
        text = (ROOT / name).read_text()
        if name == place:
            text = re.sub(rf"^(.*ersion.*|## ){re.escape(before[name])}", r"\g<1>9.9.9", text, count=1, flags=re.M)
        (tmp_path / name).write_text(text)
    assert versions(tmp_path) == before | {place: "9.9.9"}


# the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Build it of the files that are committed, with the setuptools that is installed."""
    pytest.importorskip("setuptools", "77", reason="setuptools 77 or newer is not installed: pip install setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout, so that what is committed is not known")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and name.split("/")[0] in (
            "gmlib",
            "tests",
            "claims",
            "pyproject.toml",
            "README.md",
            "LICENSE",
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    program = "from setuptools.build_meta import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, str(folder / "dist")], cwd=folder, check=True, capture_output=True)
    (path,) = (folder / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_what_is_committed_in_gmlib_and_nothing_else(wheel):
    listed = subprocess.run(["git", "ls-files", "gmlib"], cwd=ROOT, capture_output=True, text=True, check=True)
    committed = {name for name in listed.stdout.split() if (ROOT / name).is_file()}
    held = {name for name in wheel.namelist() if not name.startswith("gmlib-")}
    assert held == committed
    assert {"gmlib/digits5k.npz", "gmlib/weights/dcgan.safetensors", "gmlib/widgets/critics.npz"} <= held
    for name in held:
        assert wheel.read(name) == (ROOT / name).read_bytes()


def test_the_wheel_is_no_larger_than_an_index_takes(wheel):
    assert sum(entry.compress_size for entry in wheel.infolist()) < 60_000_000
