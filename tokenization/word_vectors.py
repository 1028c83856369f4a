"""Word vectors from a GloVe or word2vec text file, read as a stream and restricted to the words that are wanted."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np

from .input_error import InputError

logger = logging.getLogger(__name__)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FORMAT = "Give word vectors as UTF-8 text, plain or gzip: one word and its numbers a line, all lines of one length"


def read_word_vectors(
    path: str | Path,
    vocabulary: Collection[str] | None = None,
    *,
    normalize: Callable[[str], str] | None = None,
    lookup: Literal["exact", "exact-then-lower"] = "exact",
    extend: int = 0,
) -> tuple[list[str], np.ndarray]:
    """Read the vectors of the words of `vocabulary`, and of the file's first ones beside them, or of the whole file.

    A first line of two integers is taken as word2vec's header, "count dimension"; without one, the first line's length
    gives the dimension. Words may hold spaces, as some of GloVe 840B do: the last `dimension` fields are the vector.
    Where several lines give one word, the first counts (such files are sorted by frequency); the others are
    counted and reported by a warning. Memory grows with the words that are kept, not with the file. Of a line that no
    word wants, only the word and the number of fields are checked.

    Args:
        path: a text file, plain or gzip (told by its first bytes, whatever its name).
        vocabulary: the wanted words, as the tokenizer normalises them. None: every word of the file.
        normalize: applied to each of the file's words before it is looked up: the tokenizer's own normalisation
            (digits to 0, case folded). Several of the file's words may then mean one word; the first counts.
        lookup: `exact-then-lower` gives a word of the vocabulary that the file lacks the vector of its lower-cased
            form, if the file has that.
        extend: the file's first so many words are wanted too, in the form that `normalize` gives them.

    Returns:
        The words found, in the file's order (words that share a line in alphabetical order), and their vectors:
        float32, `(words, dimension)`. Words that `extend` alone has found come after the others.

    Raises:
        InputError: a file that cannot be read, an empty one, or a bad line: too short or too long, not a number, not
            finite, not UTF-8; a header that promises more or fewer lines than there are.
    """
    if extend < 0 or (extend and vocabulary is None):
        raise ValueError("extend is a number of words to read beside those of a vocabulary; without one all are read")
    wanted = None if vocabulary is None else set(vocabulary)
    keys = wanted
    if wanted is not None and lookup == "exact-then-lower":
        keys = wanted | {word.lower() for word in wanted}
    reader = _VectorFile(path)
    rows: dict[str, int] = {}
    first_forms: list[str] = []
    values = bytearray()  # grows in place, so that a whole file needs no second copy
    repeated = first = 0
    for place, (line, written, tail) in enumerate(reader.lines()):
        key = normalize(written) if normalize else written
        if keys is not None and key not in keys and place >= extend:
            continue
        row = rows.get(key)
        if row is not None:
            repeated += first_forms[row] == written
            continue
        rows[key] = len(rows)
        first_forms.append(written)
        values += reader.parse(tail, line).tobytes()
        if place < extend:
            first = len(rows)
    if repeated:
        logger.warning("%s: %d lines give a word that an earlier line gave; the first was kept", path, repeated)
    vectors = np.frombuffer(values, dtype=np.float32).reshape(len(rows), reader.dimension)
    if wanted is None:
        return list(rows), vectors
    return _gather(wanted, rows, vectors, first, lower=lookup == "exact-then-lower")


def _gather(
    wanted: set[str], rows: dict[str, int], vectors: np.ndarray, first: int, *, lower: bool
) -> tuple[list[str], np.ndarray]:
    """The wanted words and their vectors, and after them what else stands in the first rows."""
    found: list[tuple[int, str]] = []
    for word in wanted:
        row = rows.get(word)
        if row is None and lower:
            row = rows.get(word.lower())
        if row is not None:
            found.append((row, word))
    found.sort()
    found += [(row, word) for word, row in islice(rows.items(), first) if word not in wanted]
    order = np.array([row for row, _ in found], dtype=np.intp)
    return [word for _, word in found], vectors[order]


class _VectorFile:
    """One pass over a vectors file: its lines as (line number, word, numbers), each checked for its length."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.dimension = 0

    def fail(self, message: str, line: int | None = None, *, fix: str = _FORMAT) -> NoReturn:
        raise InputError(message, path=self.path, line=line, fix=fix)

    def lines(self) -> Iterator[tuple[int, str, bytes]]:
        """Read the file from its beginning; sets `dimension` before the first line is yielded."""
        promised: int | None = None
        words = blank = 0
        for number, raw in enumerate(self._raw_lines(), 1):
            line = raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw
            line = line.rstrip()
            if not line:
                blank = blank or number
                continue
            if blank:
                self.fail("empty line between two words", blank)
            if not self.dimension:
                fields = line.split()
                if number == 1 and len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit():
                    promised, self.dimension = int(fields[0]), int(fields[1])
                    if not self.dimension:
                        self.fail("the header gives vectors of dimension 0", number)
                    continue
                self.dimension = self._count_numbers(fields, line, number)
            words += 1
            yield number, *self._split(line, number)
        if not words:
            self.fail("no word vectors: the file is empty" if promised is None else "no word vectors after the header")
        if promised is not None and promised != words:
            self.fail(
                f"the header promises {promised} words, but {words} lines follow it",
                1,
                fix="Download the file again if it was cut short, or correct its header",
            )

    def _raw_lines(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                zipped = file.peek(2)[:2] == b"\x1f\x8b"
                with gzip.open(file) if zipped else file as plain:
                    yield from plain
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.fail(f"broken gzip file ({error})", fix="Download it again")
        except OSError as error:
            self.fail(f"cannot be read ({error.strerror or error})", fix="Give the path of a word vectors file")

    def _count_numbers(self, fields: list[bytes], line: bytes, number: int) -> int:
        """The dimension: the numbers that end the first line; its first field is a word, even if it is 1984."""
        count = 0
        while count < len(fields) - 1 and _is_number(fields[-1 - count]):
            count += 1
        if not count or any(_is_number(field) for field in fields[1:-count]):
            self.fail(f"expected a word and its numbers, found {_shown(line)}", number)
        return count

    def _split(self, line: bytes, number: int) -> tuple[str, bytes]:
        """The word and the bytes of its numbers; the word ends where `dimension` fields are left."""
        usual = line.count(b" ") == self.dimension and line[:1] != b" " and b"  " not in line and b"\t" not in line
        if usual:  # no need to cut up the numbers, and most lines of a large file are never wanted
            head, _, tail = line.partition(b" ")
        else:
            fields = line.rsplit(None, self.dimension)
            head, tail = fields[0].strip(), b" ".join(fields[1:])
            if len(fields) <= self.dimension:
                self._wrong_length(line, number)
            parts = head.split()
            if len(parts) > 1 and _is_number(parts[-1]):
                self._wrong_length(line, number)
        try:
            return head.decode("utf-8"), tail
        except UnicodeDecodeError as error:
            self.fail(f"not UTF-8: byte 0x{head[error.start]:02X} in the word {_shown(head)}", number)

    def _wrong_length(self, line: bytes, number: int) -> NoReturn:
        self.fail(
            f"expected a word and {self.dimension} numbers, found {len(line.split())} fields: {_shown(line)}", number
        )

    def parse(self, tail: bytes, number: int) -> np.ndarray:
        """The numbers of one line, float32 `(dimension,)`."""
        fields = tail.split()
        try:
            vector = np.array(fields, dtype=np.float64)
        except ValueError:
            bad = next(field for field in fields if not _is_number(field))
            self.fail(f"expected a number, found {_shown(bad)}", number)
        with np.errstate(over="ignore"):
            result = vector.astype(np.float32)
        finite = np.isfinite(result)
        if not finite.all():
            bad = fields[int(np.argmin(finite))]
            self.fail(f"expected a finite number, found {_shown(bad)}", number)
        return result


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _shown(piece: bytes) -> str:
    """Bytes as an error message quotes them."""
    return repr(piece[:40].decode("utf-8", errors="replace")) + ("..." if len(piece) > 40 else "")
