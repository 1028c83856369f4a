"""Publishing a tagger: what belongs to it, and nothing else, in one commit to the Hub."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelInfo,
    SpaceInfo,
    get_token,
)
from huggingface_hub.utils import HFValidationError, RepositoryNotFoundError, validate_repo_id
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.cards.model_card import BEGIN, END, write_card
from tagsmith.training.cards.private_text import private_lines, public
from tagsmith.training.cards.results import Results
from tagsmith.training.cards.space import check_static, keeps_its_readme, stage_space
from tagsmith.training.data.strict_parsing import dump_yaml, parse_yaml
from tagsmith.training.tagging.hub_errors import LOG_IN, hub_error
from tagsmith.training.tagging.load_tagger import load_tagger

# What is published as it lies in the folder, with the pictures that results.json names; configurations, code and
# vocabulary are written again.
_WEIGHTS = "model.safetensors"
_MADE_UP = "transformers model that has been pushed on the Hub"  # a sentence of transformers' own cards
_COPIED = ("generation_config.json",)
# Of these, values are the names of labels, code and tokens, which loading needs.
_KEPT_KEYS = ("id2label", "label2id", "labels", "heads", "auto_map", "custom_pipelines", "added_tokens_decoder")
# What trainers of transformers push besides a model: their arguments, where a token may be, and what they log.
LEFT_BY_TRAINERS = [
    "training_args.bin",
    "*/training_args.bin",
    "*events.out.tfevents*",
    "*optimizer.pt",
    "*scheduler.pt",
    "*rng_state*.pth",
    "*trainer_state.json",
]
# What would be taken for a part of the tagger, if an earlier push left it in the repository.
_REPLACED = (
    *LEFT_BY_TRAINERS,
    "*.safetensors",
    "*.bin",
    "generation_config.json",
    "vocab.json",
    "gazetteer.json",
    "added_tokens.json",
)


@dataclass
class Publication:
    """What a push sends, and what came of it.

    Attributes:
        sizes: bytes of each file.
        private_values: what configurations, recipe.yaml and results.json say of this machine, and is not published.
        removed: files of an earlier tagger that the push took out of the repository.
        url: where the tagger is; None for a dry run.
        changed: whether there was anything new, and so a commit.
        space: the same of the page with the tagger, where one was asked for.
    """

    sizes: dict[str, int]
    private_values: list[str]
    removed: list[str] = field(default_factory=list)
    url: str | None = None
    changed: bool = False
    space: Publication | None = None


def publish_tagger(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    dry_run: bool = False,
    keep_readme: bool = False,
    space: str | None = None,
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
        keep_readme: send README.md though it holds paths of this machine, or what looks like a secret.
        space: "owner/name" of a static Space, made where it is missing: the page that tags in a browser, with a copy
            of the tagger, in a commit of its own.

    Raises:
        InputError: the folder is not that of a tagger; README.md holds what should not be sent; the page in a browser
            cannot tag with it; the Hub cannot be reached or refuses.
    """
    for name in (repo_id, *([] if space is None else [space])):
        _check_name(name, owner=space is not None)
    with TemporaryDirectory() as place:
        staged, staged_space = Path(place, "tagger"), Path(place, "space")
        staged.mkdir()
        private_values = stage_tagger(Path(folder), staged, repo_id, keep_readme)
        publication = Publication(_sizes(staged), private_values)
        if space is not None:
            stage_space(staged, staged_space, repo_id)
            publication.space = Publication(_sizes(staged_space), [])
        if dry_run:
            return publication
        if get_token() is None:
            raise InputError("there is no token for the Hub", path=repo_id, fix=LOG_IN)
        if space is not None:
            with _clear_errors(space):
                _check_space(space, private)
        with _clear_errors(repo_id):
            _push(publication, staged, repo_id, private, revision)
        if space is not None and publication.space is not None:
            with _clear_errors(space):
                _push_space(publication.space, staged_space, space, private, repo_id)
    return publication


def _check_name(name: str, owner: bool) -> None:
    """See that a repository can have a name, and that it has its owner, where that matters."""
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise InputError(f"this is no name of a repository: {error}", path=name, fix="Write owner/name.") from error
    if owner and "/" not in name:
        raise InputError("beside a Space, a name needs its owner", path=name, fix="Write owner/name.")


def _sizes(staged: Path) -> dict[str, int]:
    files = (path for path in sorted(staged.rglob("*")) if path.is_file())
    return {path.relative_to(staged).as_posix(): path.stat().st_size for path in files}


@contextmanager
def _clear_errors(name: str) -> Iterator[None]:
    """What the Hub's client raises is raised as one clear line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise hub_error(error, name) or InputError(f"the push failed: {reason}", path=name) from error


def push_folder(
    folder: Path,
    repo_id: str,
    *,
    commit_message: str | None = None,
    commit_description: str | None = None,
    private: bool | None = None,
    token: bool | str | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    tags: Sequence[str] | None = None,
) -> CommitInfo:
    """Send a folder that `save_pretrained` of a part of a tagger has written, as `push_to_hub` of that part does it.

    Its JSON files are cleaned of paths and secrets. With a model goes the tagger's card, unless the repository has a
    card that is not transformers' own making.

    Args:
        folder: of the files; the cleaned ones and the card are written into it.
        repo_id: of the repository, made where it is missing.
        commit_message: of the one commit.
        commit_description: of the same.
        private: make a new repository private.
        token: for the Hub; by default that of `hf auth login`.
        revision: a branch, made where it is missing.
        create_pr: open a pull request instead.
        tags: more tags of a new card.
    """
    api = HfApi(library_name="tagsmith", library_version=tagsmith.__version__, token=token)
    repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    if revision is not None and not revision.startswith("refs/pr"):
        api.create_branch(repo_id, branch=revision, exist_ok=True)
    for path in folder.glob("*config.json"):
        _write_json(path, public(read_json(path), [], _KEPT_KEYS))
    if any(folder.glob("*.safetensors")) and not _has_card(api, repo_id, revision):
        write_card(folder, name=repo_id, tags=tags or (), whole=False)
    return api.upload_folder(
        repo_id=repo_id,
        folder_path=folder,
        commit_message=commit_message or "Upload tagger",
        commit_description=commit_description,
        revision=revision,
        create_pr=create_pr,
    )


def _has_card(api: HfApi, repo_id: str, revision: str | None) -> bool:
    """Whether a repository has a card that transformers has not made up."""
    if not api.file_exists(repo_id, "README.md", revision=revision):
        return False
    card = Path(api.hf_hub_download(repo_id, "README.md", revision=revision))
    return _MADE_UP not in card.read_text(encoding="utf-8", errors="replace")


def stage_tagger(folder: Path, staged: Path, repo_id: str, keep_readme: bool = False) -> list[str]:
    """Gather in one folder what is to be published of a tagger's, and nothing else.

    Args:
        folder: of the tagger.
        staged: an empty folder.
        repo_id: the name under which the tagger is published; the card's snippets load it by that.
        keep_readme: as in `publish_tagger`.

    Returns:
        What the files say of this machine, and is not published.

    Raises:
        InputError: the folder is not that of a tagger, or a file of it cannot be read; README.md holds what should not
            be sent.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", path=folder)
    pipeline = load_tagger(str(folder))
    pipeline.tokenizer.save_pretrained(staged)
    AutoConfig.from_pretrained(folder).save_pretrained(staged)
    _copy_weights(folder / _WEIGHTS, staged / _WEIGHTS)
    results = Results.read(folder).shown()
    for name in (*_COPIED, *results.picture_names):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, staged / name)
    found: list[str] = []
    for path in sorted(staged.glob("*config.json")):  # where people put more than a tagger needs
        _write_json(path, public(read_json(path), found, _KEPT_KEYS))
    if (folder / "recipe.yaml").is_file():
        recipe, _ = parse_yaml((folder / "recipe.yaml").read_text(encoding="utf-8"), folder / "recipe.yaml")
        (staged / "recipe.yaml").write_text(dump_yaml(public(recipe, found)), encoding="utf-8")
    if (folder / "results.json").is_file():
        _write_json(staged / "results.json", public(results.to_dict(), found))
    if (folder / "README.md").is_file():
        shutil.copyfile(folder / "README.md", staged / "README.md")
    if not keep_readme and (folder / "README.md").is_file():
        _check_readme(folder)
    if "/" in repo_id and (staged / "results.json").is_file():
        write_card(staged, name=repo_id)  # its snippets load the tagger by its name
    return list(dict.fromkeys(found))


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _check_readme(folder: Path) -> None:
    """A person's own text is not rewritten, so it is not sent where it says too much."""
    text = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    if (folder / "results.json").is_file():  # then what is between the marks is written again
        text = re.sub(f"{BEGIN}.*?{END}", lambda match: "\n" * match[0].count("\n"), text, flags=re.S)
    if found := list(private_lines(text, folder)):
        listed = ", ".join(f"line {number} ({what})" for number, what in found[:5])
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise InputError(
            f"the card says where this machine has its files, or holds a secret: {listed}{more}",
            path=folder / "README.md",
            fix="Change these lines, or publish them as they are with `tagsmith push --keep-readme`.",
        )


def left_by_trainers(names: Iterable[str]) -> list[str]:
    """The files of a repository that a trainer of transformers left there: its arguments, its state, its logs."""
    return sorted(name for name in names if _matches(name, LEFT_BY_TRAINERS))


def revoke_advice(repo_id: str, names: Iterable[str]) -> str:
    """What to say of such files, which a push removes, but not from the repository's history."""
    return (
        f"{repo_id} had {', '.join(names)}, which a push removes, but the history of the repository keeps. "
        "training_args.bin holds the token of the run that wrote it where one was given as hub_token: revoke that "
        "token in the settings of the Hub, or delete the repository."
    )


def _copy_weights(source: Path, target: Path) -> None:
    """The file of weights, without what may have been written into its head."""
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata() or {}
    if metadata.items() <= {"format": "pt"}.items():
        shutil.copyfile(source, target)
    else:
        save_file(load_file(source), target, metadata={"format": "pt"})


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _push(publication: Publication, staged: Path, repo_id: str, private: bool, revision: str | None) -> None:
    """Send what is staged, and write down in the publication what came of it."""
    api = HfApi(library_name="tagsmith", library_version=tagsmith.__version__)
    url = api.create_repo(repo_id, private=private or None, exist_ok=True)
    if revision is not None:
        api.create_branch(url.repo_id, branch=revision, exist_ok=True)
    before = api.model_info(url.repo_id, revision=revision)
    _check_private(private, before, repo_id)
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


def _check_space(space: str, private: bool) -> None:
    """See that a Space, if it is there, can have the page: before anything is sent."""
    try:
        before = HfApi(library_name="tagsmith", library_version=tagsmith.__version__).space_info(space)
    except RepositoryNotFoundError:
        return
    check_static(before)
    _check_private(private, before, space)


def _push_space(publication: Publication, staged: Path, space: str, private: bool, repo_id: str) -> None:
    """Send the page with a tagger, and write down in its publication what came of it."""
    api = HfApi(library_name="tagsmith", library_version=tagsmith.__version__)
    url = api.create_repo(space, repo_type="space", space_sdk="static", private=private or None, exist_ok=True)
    before = api.space_info(url.repo_id)
    check_static(before)
    _check_private(private, before, space)
    if keeps_its_readme(api, before, repo_id):
        del publication.sizes["README.md"]
    commit = api.create_commit(
        url.repo_id,
        [CommitOperationAdd(name, str(staged / name)) for name in publication.sizes],
        commit_message="Upload the page with the tagger",
        repo_type="space",
        parent_commit=before.sha,
    )
    publication.changed = commit.oid != before.sha
    publication.url = str(url)


def _check_private(private: bool, before: ModelInfo | SpaceInfo, name: str) -> None:
    """See that what is to be private does not go where everybody can see it."""
    if private and not before.private:
        fix = "Make it private in its settings, or leave out --private."
        raise InputError("this repository is there already, and everybody can see it", path=name, fix=fix)
