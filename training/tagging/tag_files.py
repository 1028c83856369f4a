"""Text files through a tagger, to standard output or a file."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty, Queue
from threading import Thread
from typing import Any, TextIO

from rich.console import Console
from rich.segment import Segments

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.tagging.redaction import Redaction
from tagsmith.training.tagging.rendering import breaks_columns, html_page, to_conll, to_jsonl, to_rich

Tagged = tuple[str, Any]  # a text and its spans; where several heads tag it, those of each

_GZIP = b"\x1f\x8b"
_AHEAD = 4096  # lines of standard input that are read before they are wanted
_WATCHED = 64  # lines after which a reader says how far it is
_DOCUMENT = 1_000  # lines that are held together
_MOMENT = 0.01  # seconds without another line, after which those that have come are tagged


def read_texts(files: Iterable[str], watch: Callable[[int], Any] = int) -> Iterator[str | None]:
    """The lines of text files, one at a time, without their ends; "-" is standard input.

    None says that no more input waits at this moment. What gzip has made is read as what it was made of.

    Args:
        files: names.
        watch: is told now and then how many bytes of the files have been read.

    Raises:
        InputError: a file is missing, unreadable, or not UTF-8; with its line.
    """
    before = 0
    for name in files:
        if name == "-":
            yield from _lines(_standard_input(), "standard input")
            continue
        check_file(name)
        if not os.path.isfile(name):  # a pipe, `/dev/stdin`, `<(...)`
            yield from _lines(_as_they_come(open(name, "rb")), name)  # noqa: SIM115 (what reads it closes it)
            continue
        with open(name, "rb") as file:
            for number, line in enumerate(_lines(_unzipped(file), name)):
                if number % _WATCHED == 0 and file.seekable():
                    watch(before + file.tell())
                yield line
            if file.seekable():
                before += file.tell()
                watch(before)


def as_documents(lines: Iterable[str | None]) -> Iterator[str | None]:
    """Lines up to an empty one as one text, of `_DOCUMENT` lines at most; empty lines stay texts of their own.

    Args:
        lines: as `read_texts` gives them. Where no more input waits, what has come goes on as it is.
    """
    document: list[str] = []
    for line in lines:
        ends = line is None or not line.strip()
        if document and (ends or len(document) == _DOCUMENT):
            yield "\n".join(document)
            document.clear()
        if line is None or ends:
            yield line
        else:
            document.append(line)
    if document:
        yield "\n".join(document)


def check_file(name: str, regular: bool = False) -> None:
    """See that there is a file of that name, or a pipe.

    Args:
        name: its path.
        regular: it must be a regular file and no gzip, so that it can be read from any place.

    Raises:
        InputError: there is none.
    """
    if not os.path.exists(name) or os.path.isdir(name):
        raise InputError("this is no file" if os.path.exists(name) else "there is no such file", path=name)
    if not regular:
        return
    if not os.path.isfile(name):
        raise InputError("a pipe cannot be cut into shards", path=name, fix="Leave out --shards, or give a file.")
    with open(name, "rb") as file:
        if file.read(2) == _GZIP:
            raise InputError(
                "a gzip file cannot be cut into shards", path=name, fix="Unpack it, or leave out --shards."
            )


def _unzipped(file: Any) -> Any:
    """A file, or where it is of gzip what that holds."""
    return gzip.open(file) if file.peek(2)[:2] == _GZIP else file


def _standard_input() -> Iterator[bytes | None]:
    """Lines of standard input; None where no other has come for a moment."""
    if sys.stdin is None:
        raise InputError("standard input is closed", fix="Give the name of a file.")
    try:
        # Its own file: Python aborts at its end where a thread still reads sys.stdin.
        stream = open(os.dup(sys.stdin.fileno()), "rb")  # noqa: SIM115 (what reads it closes it)
    except io.UnsupportedOperation:  # no file of the system
        return iter(sys.stdin.buffer)
    return _as_they_come(stream)


def _as_they_come(stream: Any) -> Iterator[bytes | None]:
    """Lines of a stream; None where no other has come for a moment.

    A thread reads them, which works on every system; the queue holds some thousands, so that tagging need not wait.
    """
    lines: Queue[bytes | Exception | None] = Queue(_AHEAD)

    def read() -> None:
        try:
            with stream:
                for line in _unzipped(stream):
                    lines.put(line)
            lines.put(None)
        except Exception as error:  # raised again where the lines are wanted
            lines.put(error)

    Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_MOMENT)
        except Empty:
            yield None
            line = lines.get()
        if isinstance(line, Exception):
            raise line
        if line is None:
            return
        yield line


def _lines(file: Any, name: str) -> Iterator[str | None]:
    number = 0
    try:
        for line in file:
            if line is None:
                yield None
                continue
            number += 1
            yield decode_line(line, first=number == 1)
    except UnicodeDecodeError as error:
        raise not_utf8(error, name, number) from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"the gzip file is damaged ({error})", path=name, fix="Fetch it again.") from error


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


def write_tagged(
    pipeline: Any,
    texts: Iterable[str | None],
    style: str,
    out: TextIO | None = None,
    redaction: Redaction | None = None,
    **options: Any,
) -> None:
    """Tag texts and write them as "text", "jsonl", "conll" or "html", in order, as they come.

    Args:
        pipeline: a `SpanTaggingPipeline`.
        texts: the texts; None where those before are to be written at once.
        style: the format.
        out: a file, which gets no colours; standard output if None.
        redaction: what replaces spans; then "text" is the text alone.
        **options: what the pipeline takes.

    Raises:
        InputError: what `_column_scheme` says.
    """
    scheme = _column_scheme(pipeline, options, redaction) if style == "conll" else ""
    plain: dict[str, Any] = {} if out is None else {"force_terminal": False, "color_system": None}
    out = out or sys.stdout
    tagged = _tag(pipeline, texts, out.flush, **options)
    if redaction is not None:
        tagged = (redaction.apply(text, entities) for text, entities in tagged)
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
        elif redaction is not None and not console.is_terminal:
            out.write(text + "\n")  # exactly as it is between placeholders
        elif redaction is not None:
            console.print(to_rich(text, []))
        else:
            # As segments: rich would set tabs to blanks, and a text that is copied must be the text.
            line = to_rich(text, entities, console.color_system == "standard")
            console.print(Segments(line.render(console, end="\n")), end="")


def _column_scheme(pipeline: Any, options: Mapping[str, Any], redaction: Redaction | None) -> str:
    """The scheme of the tags in columns, after a look whether a tagger's tags can stand there.

    Raises:
        InputError: columns are wanted of plain tags, and some words are to be left without; of a byte-to-span tagger,
            which knows no words; of labels that would break a line into others; or of what is redacted.
    """
    if not hasattr(pipeline.tokenizer, "split"):
        raise InputError("a byte-to-span tagger knows no words, and columns need them", fix="Write another format.")
    if redaction is not None:
        raise InputError("columns need words, and a placeholder is none", fix="Write text, jsonl or html.")
    head = options.get("head")
    plain = pipeline.model.config.head(head).tag_scheme == "plain"
    if plain and options.get("min_score"):
        raise InputError("columns need a tag for each word", fix="Leave out --min-score, or write another format.")
    for label in pipeline.model.head(head).span_labels:
        if breaks_columns(label):
            message = f"the tagger's label {label!r} holds a tab or a line end, and cannot stand in a column"
            raise InputError(message, fix="Write --format jsonl.")
    return "plain" if plain else "IOB2"


def _write_line(out: TextIO, line: str) -> None:
    out.write(line if line.endswith("\n") else line + "\n")


def _tag(pipeline: Any, texts: Iterable[str | None], flush: Callable[[], Any], **options: Any) -> Iterator[Tagged]:
    """Each text with its spans; the texts still under way are all that is held, and none where no input waits."""
    rest = iter(texts)
    waiting: deque[str] = deque()
    ended = False

    def burst() -> Iterator[str]:
        nonlocal ended
        for text in rest:
            if text is None:
                return
            waiting.append(text)
            yield text
        ended = True

    while not ended:
        for entities in pipeline(burst(), **options):
            yield waiting.popleft(), entities
        flush()
