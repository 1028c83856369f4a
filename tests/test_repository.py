"""What surrounds the package: its descriptions agree, and CI runs what the repository's own scripts do."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from documents import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import tagsmith

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
URLS = PROJECT["project"]["urls"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOWEST_EXTRAS = ["test", "plots", "benchmarks", "notebook"]  # what the fast tests need
SCRIPTS = {path.name for path in (ROOT / ".ci").iterdir()}

pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="needs the repository")


def test_the_library_for_browsers_is_of_this_version_and_license() -> None:
    package = json.loads((ROOT / "browser" / "package.json").read_text(encoding="utf-8"))
    assert (package["version"], package["license"]) == (tagsmith.__version__, PROJECT["project"]["license"])


def test_the_citation_is_of_this_version_and_place() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == tagsmith.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert (citation["repository-code"], citation["url"]) == (URLS["Repository"], URLS["Documentation"])


def test_one_address_of_the_repository() -> None:
    """Pages of the documentation take it from pyproject.toml."""
    for path in [ROOT / "mkdocs.yml", *(ROOT / "docs").rglob("*.md")]:
        assert URLS["Repository"] not in path.read_text(encoding="utf-8"), path
    written = set(
        re.findall(r"https://github\.com/[\w-]+/tagsmith\b", (ROOT / "README.md").read_text(encoding="utf-8"))
    )
    assert written <= {URLS["Repository"]}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_steps_of_workflows_are_scripts(path: Path) -> None:
    """What runs there can be run here."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands
    for command in commands:
        assert re.fullmatch(r"bash \.ci/\w+( --newest)?", command), command


def test_the_matrix_has_each_python_that_the_package_names() -> None:
    matrix = yaml.safe_load(WORKFLOWS[0].read_text(encoding="utf-8"))["jobs"]["test"]["strategy"]["matrix"]
    named = [line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"] if ":: Python :: 3." in line]
    assert matrix["python"] == named


def test_one_command_runs_what_ci_runs() -> None:
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name in SCRIPTS - {
        "run",
        "install",
        "install_server",
        "test",
        "lowest",
    }:  # README's command installs and tests
        assert f"bash .ci/{name}" in run, name
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"&& pytest$", readme, flags=re.M)) == 1


def versions(name: str) -> dict[str, str]:
    """What a file of constraints holds, whose first line is a comment."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()[1:]
    return {canonicalize_name(package): version for package, _, version in (line.partition("==") for line in lines)}


def test_lower_bounds_are_the_versions_that_are_tried() -> None:
    pinned = versions("constraints-lowest.txt")
    extras = PROJECT["project"]["optional-dependencies"]
    direct = [*PROJECT["project"]["dependencies"], *chain.from_iterable(map(extras.get, LOWEST_EXTRAS))]
    for requirement in map(Requirement, direct):
        (bound,) = (part.version for part in requirement.specifier if part.operator == ">=")
        assert Version(pinned[canonicalize_name(requirement.name)]) == Version(bound), requirement.name
    script = (ROOT / ".ci" / "lowest").read_text(encoding="utf-8")
    assert f"-c constraints-lowest.txt -e '.[{','.join(LOWEST_EXTRAS)}]'" in script


def test_the_newest_versions_that_are_tried_are_within_the_bounds() -> None:
    pinned = versions("constraints.txt")
    for requirement in map(Requirement, PROJECT["project"]["dependencies"]):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement.name


def test_hooks_fetch_nothing() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
    assert {hook["language"] for repository in hooks["repos"] for hook in repository["hooks"]} == {"system"}
