"""Text files through a tagger, to standard output or a file."""

from __future__ import annotations

import os
import secrets
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.tagging.rendering import html_page, to_conll, to_jsonl, to_rich

Tagged = tuple[str, Any]  # a text and its spans; where several heads tag it, those of each


def read_texts(files: Iterable[str]) -> Iterator[str]:
    """The lines of text files, one at a time, without their ends; "-" is standard input.

    Raises:
        InputError: a file is missing, unreadable, or not UTF-8; with its line.
    """
    for name in files:
        if name == "-":
            yield from _lines(sys.stdin.buffer, "standard input")
            continue
        check_file(name)
        with open(name, "rb") as file:
            yield from _lines(file, name)


def check_file(name: str) -> None:
    """See that there is a regular file of that name.

    Raises:
        InputError: there is none.
    """
    if not Path(name).is_file():
        raise InputError("there is no such file" if not Path(name).exists() else "this is no file", path=name)


def _lines(file: Any, name: str) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        try:
            yield decode_line(line, first=number == 1)
        except UnicodeDecodeError as error:
            raise not_utf8(error, name, number) from error


def decode_line(line: bytes, first: bool) -> str:
    """A line without its end, and the first of a file without a byte order mark.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return line.decode("utf-8-sig" if first else "utf-8").rstrip("\r\n")


def not_utf8(error: UnicodeDecodeError, name: str, number: int) -> InputError:
    """What to raise of a line that is not UTF-8."""
    return InputError(
        f"byte 0x{error.object[error.start]:02X} is not UTF-8",
        path=name,
        line=number,
        column=error.start + 1,
        fix="Convert the file to UTF-8, with iconv for one.",
    )


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file to write that has its name only once it is whole.

    Until then it has a name of its own in the same folder, which ends in `.part`; if the block fails it is removed.
    """
    path = path.resolve()  # a link stays a link
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "x", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a machine that goes down may keep the name and lose the content
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_tagged(pipeline: Any, texts: Iterable[str], style: str, out: TextIO | None = None, **options: Any) -> None:
    """Tag texts and write them as "text", "jsonl", "conll" or "html", in order, as they come.

    Args:
        pipeline: a `SpanTaggingPipeline`.
        texts: the texts.
        style: the format.
        out: a file, which gets no colours; standard output if None.
        **options: what the pipeline takes.

    Raises:
        InputError: columns are wanted of plain tags, and some words are to be left without; or of a byte-to-span
            tagger, which knows no words.
    """
    if style == "conll" and not hasattr(pipeline.tokenizer, "split"):
        raise InputError("a byte-to-span tagger knows no words, and columns need them", fix="Write another format.")
    scheme = "IOB2"
    if style == "conll" and pipeline.model.config.head(options.get("head")).tag_scheme == "plain":
        scheme = "plain"
    if style == "conll" and scheme == "plain" and options.get("min_score"):
        raise InputError("columns need a tag for each word", fix="Leave out --min-score, or write another format.")
    tagged = _tag(pipeline, texts, **options)
    plain: dict[str, Any] = {} if out is None else {"force_terminal": False, "color_system": None}
    out = out or sys.stdout
    console = Console(file=out, soft_wrap=True, **plain)
    if style == "html":
        for piece in html_page(tagged, "tagsmith"):
            out.write(piece)
        return
    for text, entities in tagged:
        if style == "jsonl":
            _write_line(out, to_jsonl(text, entities))
        elif style == "conll":
            _write_line(out, to_conll([tuple(word) for word in pipeline.tokenizer.split(text)], entities, scheme))
        else:
            console.print(to_rich(text, entities))


def _write_line(out: TextIO, line: str) -> None:
    out.write(line if line.endswith("\n") else line + "\n")


def _tag(pipeline: Any, texts: Iterable[str], **options: Any) -> Iterator[Tagged]:
    """Each text with its spans; the texts still under way are all that is held."""
    waiting: deque[str] = deque()

    def remember() -> Iterator[str]:
        for text in texts:
            waiting.append(text)
            yield text

    for entities in pipeline(remember(), **options):
        yield waiting.popleft(), entities
