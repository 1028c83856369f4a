"""What the documentation site takes from elsewhere: files of the repository, and where a public name is defined.

A line `<!-- include FILE -->` becomes that file of the repository, so that no page repeats what a file tells; its
relative links then lead to the repository. `::: tagsmith.Name` becomes the place where the name is defined, so that
pages speak of public names alone and modules may move. A link to `repo:PATH` leads to a file of the repository.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

import tagsmith
from tagsmith.training.cards.space import stage_page

ROOT = Path(__file__).parents[1]
_INCLUDE = re.compile(r"^<!-- include (\S+) -->$", flags=re.M)
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")
_NAME = re.compile(r"^::: tagsmith\.(\w+)$", flags=re.M)


def on_config(config: Any) -> Any:
    """Take the addresses of the site and the repository from the package's own description."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    config.site_url, config.repo_url = urls["Documentation"], urls["Repository"]
    return config


def on_page_markdown(markdown: str, *, config: Any, **_: Any) -> str:
    """Put in what a page includes."""
    repository = config.repo_url
    markdown = markdown.replace("](repo:", f"]({repository}/blob/main/").replace("/blob/main/)", ")")
    markdown = _INCLUDE.sub(lambda match: include(match[1], repository), markdown)
    return _NAME.sub(lambda match: f"::: {defined_at(match[1])}", markdown)


def on_post_build(*, config: Any) -> None:
    """Lay the page that tags in a browser beside the page of the site that shows it, with the bundled tagger."""
    stage_page(Path(tagsmith.DEFAULT_TAGGER), Path(config.site_dir) / "try" / "page")


def include(name: str, repository: str) -> str:
    """A Markdown file of the repository without its title; its links to other files lead to the repository."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"\A# .*\n+", "", text)
    folder = posixpath.dirname(name)
    return _LINK.sub(
        lambda link: f"]({repository}/blob/main/{posixpath.normpath(posixpath.join(folder, link[1]))})", text
    )


def defined_at(name: str) -> str:
    """The dotted path of the module and name that a public name stands for."""
    thing = getattr(tagsmith, name)
    return f"{thing.__module__}.{thing.__qualname__}"
