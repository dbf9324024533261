"""The wheel holds what the library reads and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Build it of the files that are committed, with the setuptools that is installed."""
    pytest.importorskip("setuptools", "77", reason="setuptools 77 or newer is not installed: pip install setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    if not shutil.which("git"):
        pytest.skip("git is not installed, so that what is committed is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout, so that what is committed is not known")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and name.split("/")[0] in (
            "gmlib",
            "tests",
            "audit",
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


def test_the_wheel_holds_what_is_committed_in_gmlib_and_audit_and_nothing_else(wheel):
    listed = subprocess.run(["git", "ls-files", "gmlib", "audit"], cwd=ROOT, capture_output=True, text=True, check=True)
    committed = {name for name in listed.stdout.split() if (ROOT / name).is_file()}
    held = {name for name in wheel.namelist() if not name.startswith("gmlib-")}
    assert held == committed
    assert {
        "gmlib/digits5k.npz",
        "gmlib/weights/dcgan.safetensors",
        "gmlib/widgets/critics.npz",
        "audit/claims.json",
    } <= held
    for name in held:
        assert wheel.read(name) == (ROOT / name).read_bytes()


def test_the_wheel_is_no_larger_than_an_index_takes(wheel):
    assert sum(entry.compress_size for entry in wheel.infolist()) < 60_000_000
