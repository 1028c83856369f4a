"""Publishing a tagger: what belongs to it, and nothing else, in one commit to the Hub."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.utils import HFValidationError, validate_repo_id
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.model_card import picture_names, read_results, shown_results, write_card
from tagsmith.training.cards.private_text import public, public_text
from tagsmith.training.tagging.hub_errors import LOG_IN, hub_error
from tagsmith.training.tagging.load_tagger import load_tagger

# What is published as it lies in the folder, with the pictures that results.json names; configurations, code and
# vocabulary are written again.
_WEIGHTS = "model.safetensors"
_COPIED = ("generation_config.json",)
# What would be taken for a part of the tagger, if an earlier push left it in the repository.
_REPLACED = ("*.safetensors", "*.bin", "generation_config.json", "vocab.json", "gazetteer.json", "added_tokens.json")


@dataclass
class Publication:
    """What a push sends, and what came of it.

    Attributes:
        sizes: bytes of each file.
        private_values: what recipe.yaml, results.json and README.md say of this machine, and is not published.
        removed: files of an earlier tagger that the push took out of the repository.
        url: where the tagger is; None for a dry run.
        changed: whether there was anything new, and so a commit.
    """

    sizes: dict[str, int]
    private_values: list[str]
    removed: list[str] = field(default_factory=list)
    url: str | None = None
    changed: bool = False


def publish_tagger(
    folder: str | Path, repo_id: str, *, private: bool = False, revision: str | None = None, dry_run: bool = False
) -> Publication:
    """Put a trained tagger on the Hub, in one commit, or in none where everything is there already.

    What is sent: weights, configuration, tokenizer and the code of all three, so that they load where this package is
    not installed; `README.md`, the pictures that `results.json` names, `recipe.yaml` and `results.json`, where there
    are such. Of a path, the file's name is kept. Spans of the training data are sent where the card shows them.

    Args:
        folder: of the tagger.
        repo_id: "owner/name"; a name alone is one of your own.
        private: make the repository private, if it is new.
        revision: the branch, made where it is missing; the main one by default.
        dry_run: send nothing, and need neither a network nor a token.

    Raises:
        InputError: the folder is not that of a tagger; the Hub cannot be reached or refuses.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise InputError(f"this is no name of a repository: {error}", path=repo_id, fix="Write owner/name.") from error
    with TemporaryDirectory() as name:
        staged = Path(name)
        private_values = stage_tagger(Path(folder), staged, repo_id)
        sizes = {path.name: path.stat().st_size for path in sorted(staged.iterdir())}
        publication = Publication(sizes, private_values)
        if dry_run:
            return publication
        if get_token() is None:
            raise InputError("there is no token for the Hub", path=repo_id, fix=LOG_IN)
        try:
            _push(publication, staged, repo_id, private, revision)
        except InputError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise hub_error(error, repo_id) or InputError(f"the push failed: {reason}", path=repo_id) from error
    return publication


def stage_tagger(folder: Path, staged: Path, repo_id: str) -> list[str]:
    """Gather in one folder what is to be published of a tagger's, and nothing else.

    Args:
        folder: of the tagger.
        staged: an empty folder.
        repo_id: the name under which the tagger is published; the card's snippets load it by that.

    Returns:
        What the files say of this machine, and is not published.

    Raises:
        InputError: the folder is not that of a tagger, or a file of it cannot be read.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", path=folder)
    pipeline = load_tagger(str(folder))
    pipeline.tokenizer.save_pretrained(staged)
    AutoConfig.from_pretrained(folder).save_pretrained(staged)
    _copy_weights(folder / _WEIGHTS, staged / _WEIGHTS)
    results = shown_results(read_results(folder))
    for name in (*_COPIED, *picture_names(results)):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, staged / name)
    found: list[str] = []
    for name, read, write in (
        ("recipe.yaml", yaml.safe_load, partial(yaml.safe_dump, sort_keys=False, allow_unicode=True, width=100)),
        ("results.json", json.loads, partial(json.dumps, indent=2, ensure_ascii=False)),
    ):
        if (folder / name).is_file():
            try:
                content = results if name == "results.json" else read((folder / name).read_text(encoding="utf-8"))
            except (ValueError, yaml.YAMLError) as error:
                raise InputError(
                    f"the file cannot be read: {' '.join(str(error).split())}", path=folder / name
                ) from error
            (staged / name).write_text(str(write(public(content, found))), encoding="utf-8")
    if (folder / "README.md").is_file():
        text = (folder / "README.md").read_text(encoding="utf-8")
        (staged / "README.md").write_text(public_text(text, found), encoding="utf-8")
    if "/" in repo_id and (staged / "results.json").is_file():
        write_card(staged, name=repo_id)  # its snippets load the tagger by its name
    return list(dict.fromkeys(found))


def _copy_weights(source: Path, target: Path) -> None:
    """The file of weights, without what may have been written into its head."""
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata() or {}
    if metadata.items() <= {"format": "pt"}.items():
        shutil.copyfile(source, target)
    else:
        save_file(load_file(source), target, metadata={"format": "pt"})


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _push(publication: Publication, staged: Path, repo_id: str, private: bool, revision: str | None) -> None:
    """Send what is staged, and write down in the publication what came of it."""
    api = HfApi(library_name="tagsmith", library_version=tagsmith.__version__)
    url = api.create_repo(repo_id, private=private or None, exist_ok=True)
    if revision is not None:
        api.create_branch(url.repo_id, branch=revision, exist_ok=True)
    before = api.model_info(url.repo_id, revision=revision)
    if private and not before.private:
        fix = "Make it private in its settings, or leave out --private."
        raise InputError("this repository is there already, and everybody can see it", path=repo_id, fix=fix)
    there = {sibling.rfilename for sibling in before.siblings or []}
    publication.removed = sorted(name for name in there - publication.sizes.keys() if _matches(name, _REPLACED))
    commit = api.create_commit(
        url.repo_id,
        [
            *(CommitOperationAdd(name, str(staged / name)) for name in publication.sizes),
            *(CommitOperationDelete(name) for name in publication.removed),
        ],
        commit_message="Upload tagger",
        revision=revision,
        parent_commit=before.sha,  # nobody else's commit is overwritten unseen
    )
    publication.changed = commit.oid != before.sha
    publication.url = str(url) + (f"/tree/{revision}" if revision else "")
