"""The page in a browser with a tagger: as a folder that any web server can show, and as a static Space of the Hub."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, SpaceInfo, metadata_load

from tagsmith.runtime.byte_config import BYTE_TRAINING, BeamRules, ByteConfig
from tagsmith.runtime.loading import check_fields
from tagsmith.runtime.word_config import TRAINING, WordConfig
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.data.strict_parsing import dump_yaml
from tagsmith.training.families import FAMILIES

_BROWSER = Path(__file__).parents[2] / "browser"
_FIELDS = (_BROWSER / "choices.js").read_text(encoding="utf-8")
# What the JavaScript has, by kinds of models and fields of config.json, as it says it itself.
CHOICES: dict[str, dict[str, list[Any]]] = json.loads(_FIELDS[_FIELDS.index("{") : _FIELDS.rindex("}") + 1])
_PAGE = ("*.js", "index.html", "style.css")
_TAGGER = (
    *("config.json", "tokenizer_config.json", "vocab.json", "gazetteer.json", "generation_config.json"),
    "model.safetensors",
)
_TEXT = """# {title}

This page marks the spans of a text with [{tagger}](https://huggingface.co/{tagger}). The tagger runs in the browser:
the text is sent nowhere. `tagsmith push` has made the page; what you change in this file stays.
"""


def check_browser_has(folder: Path) -> None:
    """See that the page can tag with a tagger.

    Raises:
        InputError: it cannot; the message names the field of config.json, and what the page has there, or what of
            generation_config.json it would leave out.
    """
    content = read_json(folder / "config.json")
    if (kind := content.get("model_type")) not in CHOICES:
        raise _refusal(folder, "model_type", kind, list(CHOICES))
    config: WordConfig | ByteConfig
    if FAMILIES[kind].reads_bytes:
        check_fields(content, {field.name for field in fields(ByteConfig)} | BYTE_TRAINING, str(folder))
        config, schemes = ByteConfig.of(content), []
        if config.decode == "spans":
            BeamRules.of(str(folder))  # the page refuses what the runtime does
    else:
        check_fields(content, {field.name for field in fields(WordConfig)} | TRAINING, str(folder))
        config = WordConfig.of(content)
        schemes = [config.head(name).tag_scheme for name in config.head_names]
    for name, choices in CHOICES[kind].items():
        for value in schemes if name == "tag_scheme" else [getattr(config, name)]:
            if value not in choices:
                raise _refusal(folder, name, value, choices)


def _refusal(folder: Path, field: str, value: Any, choices: list[Any]) -> InputError:
    found = f"config.json has {field}: {json.dumps(value)}, which the page in a browser cannot compute"
    fix = f"It has {', '.join(map(str, choices))}: train such a tagger, or serve this one with `tagsmith serve`."
    return InputError(found, path=folder, fix=fix)


def stage_page(tagger: Path, staged: Path) -> None:
    """Lay the page out, `index.html` and what it needs, with a tagger in the folder `tagger` beside it.

    Args:
        tagger: its folder.
        staged: where the page is to be; made where it is missing.

    Raises:
        InputError: the page cannot tag with it.
    """
    check_browser_has(tagger)
    (staged / "tagger").mkdir(parents=True)
    for pattern in _PAGE:
        for path in _BROWSER.glob(pattern):
            shutil.copyfile(path, staged / path.name)
    page = staged / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("../model_cards/ner-multilingual/", "tagger/"), "utf-8")
    for name in filter(lambda name: (tagger / name).is_file(), _TAGGER):
        shutil.copyfile(tagger / name, staged / "tagger" / name)


def stage_space(tagger: Path, staged: Path, repo_id: str) -> None:
    """The page with a tagger as a static Space: the same, and a README.md whose head says what the Hub has to know.

    Args:
        tagger: its folder, with its card, whose license is the Space's, where it names one.
        staged: where the page is to be.
        repo_id: the tagger's name on the Hub, "owner/name".

    Raises:
        InputError: the page cannot tag with it.
    """
    stage_page(tagger, staged)
    title = repo_id.rpartition("/")[2]
    head = {"title": title, "emoji": "🔖", "sdk": "static", "app_file": "index.html", "models": [repo_id]}
    card = tagger / "README.md"
    if card.is_file() and isinstance(license := (metadata_load(card) or {}).get("license"), str):
        head["license"] = license
    text = _TEXT.format(title=title, tagger=repo_id)
    (staged / "README.md").write_text(f"---\n{dump_yaml(head)}---\n{text}", encoding="utf-8")


def check_static(space: SpaceInfo) -> None:
    """See that a Space can show the page.

    Raises:
        InputError: the Space is of another kind.
    """
    if space.sdk not in (None, "static"):
        found = f"this Space is there already, and is no static one, but of the kind {space.sdk}"
        raise InputError(found, path=space.id, fix="Name another: --space owner/name.")


def keeps_its_readme(api: HfApi, space: SpaceInfo, repo_id: str) -> bool:
    """Whether a Space's README.md is of an earlier push of the same tagger, and so may have been changed since."""
    if not any(sibling.rfilename == "README.md" for sibling in space.siblings or []):
        return False
    path = api.hf_hub_download(space.id, "README.md", repo_type="space", revision=space.sha)
    return repo_id in ((metadata_load(path) or {}).get("models") or [])
