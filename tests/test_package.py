from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tagsmith

ROOT = Path(tagsmith.__file__).parent
PROJECT = ROOT / "pyproject.toml"
OURS = ("browser", "modeling", "runtime", "tokenization", "training")

pytestmark = pytest.mark.skipif(not PROJECT.is_file(), reason="needs the source tree")


def project() -> dict[str, Any]:
    return tomllib.loads(PROJECT.read_text(encoding="utf-8"))


def modules() -> Iterator[Path]:
    yield from ROOT.glob("*.py")
    for folder in OURS:
        yield from (ROOT / folder).rglob("*.py")


def python(code: str) -> str:
    """What code prints in a fresh interpreter, away from the source tree."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    assert "already registered" not in done.stderr
    return done.stdout


FORKS = """
import os, sys
sys.modules.update(dict.fromkeys(("scipy", "sklearn", "peft")))  # transformers does without, and sooner
import torch, transformers.pipelines, transformers.models.auto.tokenization_auto
assert "tagsmith" not in sys.modules
for code in sys.argv[1:]:
    sys.stdout.flush()
    if not (process := os.fork()):
        exec(code, {"__name__": "__main__"})
        sys.exit()
    assert os.waitpid(process, 0)[1] == 0
    print("END")
"""


def python_of_each(codes: list[str]) -> list[str]:
    """As `python`, of several codes: each in a fork of an interpreter that knows large libraries, and not tagsmith."""
    if not hasattr(os, "fork"):
        return [python(code) for code in codes]
    command = [sys.executable, "-c", FORKS, *codes]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    assert "already registered" not in done.stderr
    return done.stdout.split("END\n")[:-1]


def test_every_package_is_listed() -> None:
    listed = project()["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("[!.]*/**/__init__.py")} | {Path()}
    own = Path("tagsmith_runtime")  # the distribution of its own, beside the package
    folders = {folder for folder in folders - {own} if "build" not in folder.parts}
    found = {".".join(["tagsmith", *folder.parts]) for folder in folders}
    found.add(own.name)
    assert set(listed) == {name for name in found if not name.startswith("tagsmith.tests")}
    assert len(listed) == len(set(listed))


def test_base_names_are_unique() -> None:
    names = [path.stem for path in modules() if path.stem != "__init__"]
    assert sorted(names) == sorted(set(names))


def test_every_public_name_resolves() -> None:
    for name in tagsmith.__all__:
        assert getattr(tagsmith, name) is not None
    assert set(tagsmith.__all__) <= set(dir(tagsmith))
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(tagsmith, "no_such_name")  # noqa: B009


def test_the_version_is_that_of_the_project() -> None:
    assert tagsmith.__version__ == project()["project"]["version"] == importlib.metadata.version("tagsmith")


def test_the_package_is_typed() -> None:
    assert (ROOT / "py.typed").is_file()
    assert "py.typed" in project()["tool"]["setuptools"]["package-data"]["tagsmith"]


def test_the_import_is_quick() -> None:
    """What takes seconds is imported when it is first needed."""
    code = 'import sys, tagsmith; print({"torch", "transformers", "datasets", "numpy"} & set(sys.modules))'
    assert python(code).strip() == "set()"


REGISTERED = """
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, AutoModelForTokenClassification
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING
from transformers.pipelines import PIPELINE_REGISTRY
config = AutoConfig.for_model("hierarchical-tagger", id2label={0: "O"}, label2id={"O": 0})
assert type(config) is tagsmith.HierarchicalTaggerConfig
assert type(AutoModel.from_config(config)) is tagsmith.HierarchicalTaggerModel
tagger = AutoModelForTokenClassification.from_config(config)
assert type(tagger) is tagsmith.HierarchicalTaggerForTokenClassification
assert "HierarchicalTaggerTokenizer" in str(TOKENIZER_MAPPING[type(config)])
config = AutoConfig.for_model("byte-to-span", hidden_size=4, embedding_size=4, num_hidden_layers=1)
assert type(config) is tagsmith.ByteToSpanConfig
assert type(AutoModel.from_config(config)) is tagsmith.ByteToSpanModel
for auto in (AutoModelForTokenClassification, AutoModelForSeq2SeqLM):
    assert type(auto.from_config(config)) is tagsmith.ByteToSpanForSpanTagging
assert "ByteToSpanTokenizer" in str(TOKENIZER_MAPPING[type(config)])
assert "span-tagging" in PIPELINE_REGISTRY.get_supported_tasks()
"""

PIPELINE = """
text = "Ada Lovelace lived in London ."
for entity in tagger(text):
    assert text[entity["start"]:entity["end"]] == entity["word"]
    print(entity["entity_group"], entity["word"])
"""


OWN_PIPELINE = """
import tagsmith
tagger = tagsmith.pipeline({folder!r})
"""

TRANSFORMERS_PIPELINE = """
from transformers import pipeline
import tagsmith
tagsmith.register()
tagsmith.register()  # a second time is nothing
tagger = pipeline("span-tagging", model={folder!r})
"""

FAILING = """
import transformers
transformers.AutoModel.register = lambda *args, **kwargs: transformers.no_such_name
import tagsmith
for wanted in ("tagsmith.register()", "tagsmith.TaggerTrainer", "from tagsmith import Recipe"):
    try:
        exec(wanted)
    except RuntimeError as error:
        print(error)
"""


def test_whatever_comes_first_registers(tiny_folder: Path) -> None:
    """Each pipeline, a model, and what runs need; and what is said where transformers does not let us."""
    pipelines = [begin.format(folder=str(tiny_folder)) + PIPELINE for begin in (OWN_PIPELINE, TRANSFORMERS_PIPELINE)]
    names = ("ByteToSpanForSpanTagging", "Recipe")
    begins = [*pipelines, *(f"import tagsmith; tagsmith.{name}" for name in names)]
    *found, failed = python_of_each([*(begin + REGISTERED for begin in begins), FAILING])
    assert found == ["PER Ada Lovelace\nLOC London\n"] * 2 + [""] * 2
    message = r"tagsmith could not register its models with transformers [\d.]+: .*no_such_name"
    lines = failed.splitlines()
    assert len(lines) == 3 and all(re.fullmatch(message, line) for line in lines)


def test_a_tokenizer_alone_needs_no_torch() -> None:
    code = """
import sys, tagsmith
tokenizer = tagsmith.HierarchicalTaggerTokenizer.train([["Ada", "sings"]])
tagsmith.ByteToSpanTokenizer(8, ["PER"]), tagsmith.load_corpus, tagsmith.InputError, tagsmith.Span
print({"torch", "transformers.pipelines"} & set(sys.modules))
"""
    assert python(code).strip() == "set()"


def test_the_interpreter_stays_as_it_is() -> None:
    """No import of others is watched, and no module pretends to come from elsewhere."""
    code = (
        "import sys; before = list(sys.meta_path); import tagsmith; print(before == sys.meta_path, tagsmith.__spec__)"
    )
    assert python(code).startswith("True ModuleSpec(name='tagsmith'")


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.name: (node.module, alias.asname)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tagsmith.")
        for alias in node.names
    }
    assert typed.keys() | {"__version__"} == set(tagsmith.__all__)
    for name, (module, exported_as) in typed.items():
        assert tagsmith._MODULE_OF[name] == str(module).removeprefix("tagsmith.") and exported_as == name


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "vocab.json"])
def test_a_pipeline_of_an_incomplete_folder(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(tiny_folder, folder)
    (folder / name).unlink()
    with pytest.raises(tagsmith.InputError, match=f"{re.escape(str(folder))}: .*{name} is missing"):
        tagsmith.pipeline(folder)


def test_the_folder_of_a_byte_to_span_tagger(tmp_path: Path) -> None:
    tagsmith.ByteToSpanConfig().save_pretrained(tmp_path)
    with pytest.raises(tagsmith.InputError, match=r"tokenizer_config\.json is missing"):
        tagsmith.check_folder(tmp_path)
    tagsmith.ByteToSpanTokenizer(60, ["LABEL_0", "LABEL_1"]).save_pretrained(tmp_path)
    tagsmith.check_folder(tmp_path)  # it has no vocabulary


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "\x00"])
def test_a_config_that_is_no_config(tiny_folder: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(tiny_folder, folder)
    (folder / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(tagsmith.InputError, match=f"{re.escape(str(folder))}: .*config.json cannot be read"):
        tagsmith.check_folder(folder)


def documented(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Public functions, classes and methods, and whether they have a docstring."""
    yield "the module", ast.get_docstring(tree) is not None
    todo: list[tuple[str, ast.AST]] = [("", tree)]
    while todo:
        prefix, parent = todo.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                if any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list):
                    continue  # the function itself says it
                name = prefix + node.name
                yield name, ast.get_docstring(node) is not None
                if isinstance(node, ast.ClassDef):
                    todo.append((f"{name}.", node))


def test_what_is_public_is_documented() -> None:
    # What a base class already explains: hooks of nn.Module and autograd functions, of Trainer's callbacks.
    inherited = re.compile(r"\.(forward|backward|extra_repr|on_[a-z_]+)$")
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules()
        if path.name != "__init__.py" or path.parent == ROOT
        for name, there in documented(ast.parse(path.read_text(encoding="utf-8")))
        if not there and not inherited.search(name)
    ]
    assert missing == []


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def test_dependencies_are_those_that_are_imported() -> None:
    used = {name for path in modules() for name in imported(path)} - set(sys.stdlib_module_names) - {"tagsmith"}
    declared = {re.split(r"[<>=!~ \[]", line)[0] for line in project()["project"]["dependencies"]}
    modules_of = {"pyyaml": "yaml"}
    names = {modules_of.get(name.lower(), name.replace("-", "_")) for name in declared}
    # Without accelerate there is no Trainer, without jinja2 no model card: neither is imported by name.
    # pyarrow is what datasets are made of.
    # The others are of extras: [plots], [onnx], [spacy], [search], [serve].
    # codecarbon is used where a person has installed it.
    extras = {"matplotlib", "sklearn", "spacy", "onnx", "onnxruntime", "optuna", "codecarbon"}
    extras |= {"fastapi", "starlette", "uvicorn", "prometheus_client"}
    assert used - {"pyarrow"} - extras <= names
    assert names - used <= {"accelerate", "jinja2"}


def test_every_dependency_is_pinned() -> None:
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    lists = [project()["project"]["dependencies"], *project()["project"]["optional-dependencies"].values()]
    declared = {re.split(r"[<>=!~ \[]", line)[0].lower() for part in lists for line in part}
    assert declared - {"tagsmith", "torch"} <= pinned


def imports_of_ours(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("tagsmith")):
            yield node.level, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names if alias.name.startswith("tagsmith"))


@pytest.mark.parametrize("folder", ["modeling", "tokenization"])
def test_files_that_travel_with_a_checkpoint_import_their_siblings_only(folder: str) -> None:
    siblings = {path.stem for path in (ROOT / folder).glob("*.py")}
    for path in (ROOT / folder).glob("*.py"):
        for level, module in imports_of_ours(path):
            assert level == 1 and module in siblings, f"{path.name} imports {'.' * level}{module}"
        if folder == "tokenization":
            assert "torch" not in set(imported(path)), path.name


BINARY = {".safetensors", ".png"}


def test_no_word_of_the_place_where_this_was_made() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    names = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    own = Path(__file__).relative_to(ROOT).as_posix()
    here = ["/" + "work/", "/" + "root/"]
    for name in names.split("\0"):
        path = ROOT / name
        if name and name != own and path.is_file() and not path.is_symlink() and path.suffix not in BINARY:
            content = path.read_text(encoding="utf-8")
            assert not any(place in content for place in here), name
            assert "\r" not in content, name
            assert not content or content.endswith("\n") or path.name == "vocab.json", name
