"""The wheel is all that somebody needs: it is installed beside nothing but what it asks for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.pages import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]

DATA = (
    "lakehouse/py.typed",
    "lakehouse/config/reference/lakehouse.yaml",
    "lakehouse/config/reference/lakehouse.schema.json",
    "lakehouse/demo/lakehouse.yaml",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("lakehouse-*.whl")
    return built


def asked_for(wheel: Path) -> list[Requirement]:
    """What the wheel says that it needs, without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        metadata = BytesParser().parsebytes(archive.read(name))
    return list(needed(metadata.get_all("Requires-Dist", [])))


def needed(texts: list[str]) -> Iterator[Requirement]:
    for text in texts:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def closure(requirements: list[Requirement]) -> set[str]:
    """The names of all distributions that come along."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name not in found:
            found.add(name)
            waiting += needed(distribution(name).requires or [])
    return found


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`lakehouse` in an environment that has the wheel and links to what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in closure(asked_for(wheel)):
        for file in distribution(name).files or []:
            top = file.parts[0]
            link = packages / top
            if top not in {"..", "__pycache__"} and not link.exists():
                link.symlink_to(Path(str(distribution(name).locate_file(top))))
    python = folder / "bin" / "python"
    command = [
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        str(wheel),
    ]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "lakehouse"


@pytest.fixture
def run(program: Path, tmp_path: Path) -> Run:
    """Types a command in an empty folder, with nothing of this checkout on the path."""
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "LAKEHOUSE")) and name != "VIRTUAL_ENV"
    }

    def go(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program.parent / words[0], *words[1:]],
            cwd=tmp_path,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return go


def test_the_wheel_has_the_package_and_its_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert set(DATA) <= inside
    tracked = {str(path.relative_to(ROOT)) for path in (ROOT / "lakehouse").rglob("*.py")}
    events = {str(path.relative_to(ROOT)) for path in (ROOT / "lakehouse" / "demo").rglob("*.jsonl")}
    assert events
    assert tracked | events <= inside
    others = {name for name in inside if not name.startswith("lakehouse")}
    assert others == set(), "the wheel brings along what is none of its business"


def test_what_is_imported_is_asked_for() -> None:
    """A package that is there only because the tests need it would be missing elsewhere.

    Rooms that are entered on use alone may need an extra: the tests behind this one run without any.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    rooms = {"lakehouse/pii/detect/": "pii", "lakehouse/pii/scan/": "pii", "lakehouse/daemon/": "daemon"}
    rooms["lakehouse/observability/"] = "daemon"
    rooms["lakehouse/config/models/patterns.py"] = "pii"
    extras = {
        room: {canonicalize_name(Requirement(text).name) for text in project["optional-dependencies"][name]}
        for room, name in rooms.items()
    }
    comes_from = packages_distributions()
    for path in sorted((ROOT / "lakehouse").rglob("*.py")):
        place = str(path.relative_to(ROOT))
        declared = core.union(*(names for room, names in extras.items() if place.startswith(room)))
        for module in imported(ast.parse(path.read_text(encoding="utf-8"))):
            if module in sys.stdlib_module_names or module in {"lakehouse", "pydantic_core"}:
                continue
            names = {canonicalize_name(name) for name in comes_from.get(module, [])}
            assert names & declared, (
                f"{path.relative_to(ROOT)} imports {module}, which pyproject does not name"
            )


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.slow
def test_the_code_comes_from_the_wheel(run: Run, program: Path) -> None:
    where = run("python", "-c", "import lakehouse; print(lakehouse.__file__)").stdout.strip()
    assert Path(where).is_relative_to(program.parents[1])
    missing = run("python", "-c", "import pytest")
    assert missing.returncode == 1, "the environment has more than the wheel asks for"


@pytest.mark.slow
def test_the_demo_runs_from_an_empty_folder(run: Run, tmp_path: Path) -> None:
    done = run("lakehouse", "demo")
    assert done.returncode == 0, done.stderr
    assert "orders: all well" in done.stdout
    assert (tmp_path / "demo-lake" / "lakehouse.yaml").is_file()


@pytest.mark.slow
def test_a_first_merge_from_an_empty_folder(run: Run, tmp_path: Path) -> None:
    for words in (
        ["init"],
        ["config", "check"],
        ["apply"],
        ["merge", "customers", "customers.jsonl"],
        ["verify"],
        ["compact"],
        ["sql", "SELECT count(*) AS n FROM customers"],
    ):
        done = run("lakehouse", *words)
        assert done.returncode == 0, (words, done.stderr)
    assert done.stdout.split() == ["n", "─", "2"]
    assert run("lakehouse", "init", "full", "--full").returncode == 0
    assert run("lakehouse", "-c", "full/lakehouse.yaml", "config", "check").returncode == 0
    assert '"$schema"' in run("lakehouse", "config", "schema").stdout


def test_the_installed_package_makes_its_state_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lakehouse.yaml").write_text("version: 1\ntables: {orders: {key: [id]}}\n")
    placed = run("lakehouse", "hold", "add", "--table", "orders", "--reason", "case 12")
    assert placed.returncode == 0, placed.stderr
    assert "orders  the whole table" in placed.stdout
    assert placed.stdout.split()[0] in run("lakehouse", "hold", "list").stdout
