"""Reads mutated corpora, and holds what comes out with what an oracle says that the files say.

    python benchmarks/mutations.py [--tries 18000] [--seed 1] [--load-every 1] [--first 0] [--only NUMBER]

Each try is a small invented file of a format that is read (see `mutants.py`), changed in one to four ways in which
strangers' files differ: encodings, line ends, separators, quotes, case, missing and extra columns, control characters,
comments, header rows, ids, lines swapped or cut off, huge numbers, nesting, keys given twice, wrong offsets. It is
read as `tagsmith check`, `load_corpus` and `open_sentences` read it; raw text as `tagsmith tag` does; recipes too.

A failure is an exception other than `InputError` (which has to say what to do, in one line of bearable length); a word
or span that is lost or changed while the report does not say so, by readers that share no code with the package
(`mutant_oracle.py`); a span whose `text[start:end]` is not its words; ways of reading that disagree; more than five
seconds. Exit code 1 where there is one. `--keep` keeps the files that fail; `--only` tries one again and shows it.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import mutant_oracle as oracle
import typer
from mutants import Mutant, make_mutant

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.checks import check_files
from tagsmith.training.data.column_corpus import sentence_row
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.offsets import INSIDE_WORDS
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.runs.recipe import read_recipe
from tagsmith.training.tagging.tag_files import read_texts

_LONGEST_MESSAGE = 1500  # characters
_SLOW = 5.0  # seconds


class Failure(Exception):
    """What the package must not do."""


@dataclass
class Outcomes:
    """Tries by what came of them."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[tuple[int, Mutant, str]] = field(default_factory=list)


def try_mutant(mutant: Mutant, folder: Path, load: bool) -> str:
    """Read a file in all ways.

    Returns:
        "refused", "read" or "read, with notes".

    Raises:
        Failure: what is wrong.
    """
    path = folder / mutant.name
    path.write_bytes(mutant.content)
    started = time.monotonic()
    outcome = {"text": try_text, "recipe": try_recipe}.get(mutant.kind, try_corpus)(mutant, path)
    if load and mutant.kind not in ("text", "recipe") and outcome != "refused":
        _load_too(mutant, path, folder / "cache")
    if time.monotonic() - started > _SLOW:
        raise Failure(f"more than {_SLOW:.0f} seconds")
    return outcome


def _guarded(read: Callable[[], Any]) -> Any:
    """What reading gives, or the message by which it was refused."""
    try:
        return read()
    except InputError as error:
        message = str(error)
        if not error.fix and " must be " not in message:
            raise Failure(f"no fix in the message: {message[:200]}") from error
        if len(message) > _LONGEST_MESSAGE:
            raise Failure(f"a message of {len(message)} characters: {message[:200]}") from error
        if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", message):
            raise Failure(f"a message with control characters: {message[:200]!r}") from error
        return error
    except Exception as error:
        raise Failure(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


def try_corpus(mutant: Mutant, path: Path) -> str:
    """Read an annotated file with `open_sentences` and `tagsmith check`."""
    options, report = ReadingOptions(**mutant.options), Report()
    found = _guarded(lambda: list(open_sentences(path, options, report)))
    check = _guarded(lambda: check_files([path], options))
    if isinstance(check, InputError):
        raise Failure(f"check raises {check}")
    shown = "\n".join(check.lines())
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown):
        raise Failure(f"control characters in what check shows: {shown[:300]!r}")
    if isinstance(found, InputError):
        if not mutant.changes:
            raise Failure(f"nothing was changed, and it is refused: {found}")
        if str(found) not in check.errors:
            raise Failure(f"check says {check.errors[:1]}, and reading {found}")
        return "refused"
    if check.reports[str(path)].to_dict() != report.to_dict():
        raise Failure("the reports of check and of reading differ")
    for sentence in found:
        _hold_together(sentence, report)
    _hold_counts(found, report)
    try:
        if report.columns:
            if mutant.kind != "columns":
                raise Failure(f"{mutant.format} read as columns")
            _compare_columns(found, report, mutant)
        else:
            _compare_json(found, report, mutant)
    except oracle.Unreadable as reason:
        raise Failure(f"read, and cannot be: {reason}") from reason
    return "read, with notes" if report.notes or report.irregular else "read"


def _hold_together(sentence: Sentence, report: Report) -> None:
    """See that a sentence fits its own offsets."""
    text, tokens = sentence.text, sentence.tokens
    if "multiword token" not in report.notes:
        for token, start, end in zip(tokens, sentence.starts, sentence.ends, strict=True):
            if text[start:end] != token:
                raise Failure(f"text[{start}:{end}] is {text[start:end]!r}, and the word {token!r}")
    if not tokens:
        return
    words = oracle.decode(sentence.tags) if report.scheme != "plain" else []
    expected = [(sentence.starts[a], sentence.ends[b - 1], label) for a, b, label in words]
    if report.scheme == "plain":
        expected = list(zip(sentence.starts, sentence.ends, sentence.tags, strict=True))
    inside = [span for span in sentence.spans if span[1] <= len(text)]
    if expected != inside and not (sentence.raw and inside != sentence.spans):
        raise Failure(f"spans {sentence.spans}, and by the tags {expected}")


def _hold_counts(found: list[Sentence], report: Report) -> None:
    tokens = sum(len(sentence.tokens) for sentence in found)
    labels = Counter(label for sentence in found for *_, label in sentence.spans)
    if (report.sentences, report.tokens, report.labels) != (len(found), tokens, labels):
        raise Failure("the report's counts are not those of the sentences")


def _compare_columns(found: list[Sentence], report: Report, mutant: Mutant) -> None:
    """Words, sentences and spans, with what the oracle reads; what differs has to be in the report."""
    quoted = any("quotes around every word" in kind for kind in report.notes)
    ours, skipped, opened, changed = [*found], 0, 0, False
    comments = _count(report.notes, "comment line")
    for rows in oracle.read_rows(mutant, quoted, any("header row" in kind for kind in report.notes)):
        are_ours = bool(ours) and ours[0].tokens == [row.word for row in rows]
        if not any(row.certain for row in rows) and not are_ours and skipped + len(rows) <= comments:
            skipped += len(rows)
            continue
        if not ours:
            raise Failure(f"the sentence of line {rows[0].line} is lost: {[row.word for row in rows]}")
        sentence = ours.pop(0)
        kept = _kept(sentence, rows, mutant)
        skipped += len(rows) - len(kept)
        tags = [oracle.canonical(row.tag, mutant) for row in kept]
        changed = changed or any(was_changed for _, was_changed in tags)
        expected = [tag for tag, _ in tags]
        if mutant.plain:
            if sentence.tags != expected:
                raise Failure(f"line {rows[0].line}: tags {sentence.tags}, and the file has {expected}")
            continue
        opened += oracle.openers(expected)
        _same_spans(oracle.decode(sentence.tags), oracle.decode(expected), changed, rows[0].line)
        if sentence.line not in [row.line for row in rows] and not mutant.ids:
            raise Failure(f"a sentence of line {rows[0].line} is said to be of line {sentence.line}")
    if ours:
        raise Failure(f"a sentence that the file does not have: {ours[0].tokens}")
    if skipped > comments:
        raise Failure(f"{skipped} rows are lost, and the report says {comments}")
    if changed and not report.irregular:
        raise Failure("tags are read in another spelling, and the report does not say so")
    if report.scheme == "IOB2" and opened != _count(report.irregular, "I- that opens"):
        raise Failure(f"{opened} spans opened by I-, and the report says {_count(report.irregular, 'I- that opens')}")


def _kept(sentence: Sentence, rows: list[oracle.Row], mutant: Mutant) -> list[oracle.Row]:
    """The rows that are the sentence's words."""
    kept = [row for row in rows if row.certain]
    if [row.word for row in kept] == sentence.tokens:
        return kept
    kept = []
    for row in rows:
        more = len(kept) < len(sentence.tokens)
        if more and row.word == sentence.tokens[len(kept)] and (row.certain or oracle.is_tag(row.tag, mutant)):
            kept.append(row)
        elif row.certain:
            raise Failure(f"line {row.line}: the word {row.word[:60]!r} is not in {sentence.tokens[:30]}"[:400])
    if len(kept) < len(sentence.tokens):
        raise Failure(f"words that the file does not have: {sentence.tokens[len(kept) :]}")
    return kept


def _same_spans(found: oracle.Spans, expected: oracle.Spans, changed: bool, line: int) -> None:
    if changed:  # the case of labels may be another where that of tags was
        found = [(start, end, label.casefold()) for start, end, label in found]
        expected = [(start, end, label.casefold()) for start, end, label in expected]
    if found != expected:
        raise Failure(f"line {line}: spans {found}, and the file has {expected}"[:400])


def _count(findings: Any, kind: str) -> int:
    return sum(finding.count for name, finding in findings.items() if kind in name)


def _compare_json(found: list[Sentence], report: Report, mutant: Mutant) -> None:
    """Texts, tokens and spans of each row."""
    by_line: defaultdict[int, list[Sentence]] = defaultdict(list)
    for sentence in found:
        by_line[sentence.line].append(sentence)
    strange, cut = 0, 0
    for row in oracle.read_json(mutant):
        parts = by_line.pop(row.line, [])
        if not parts:
            raise Failure(f"line {row.line} is lost")
        strange += len(row.strange_keys)
        fits = not any("does not fit the tokens" in kind for kind in report.irregular)
        whole, places = "", []
        for part in parts:
            places += [(len(whole) + start, len(whole) + end, label) for start, end, label in part.spans]
            whole += part.text + part.after
        whole = whole.removesuffix(parts[-1].after)
        if row.text is not None and whole != row.text and fits:
            raise Failure(f"line {row.line}: text {whole!r}, and the file has {row.text!r}"[:400])
        tokens = [token for part in parts for token in part.tokens]
        leave = any("tokens of line ends alone" in kind for kind in report.notes)
        if [token for token in row.tokens if token.strip() or not leave] != [
            t for t in tokens if t.strip() or not leave
        ]:
            raise Failure(f"line {row.line}: tokens {tokens}, and the file has {row.tokens}"[:400])
        expected = row.spans
        if expected is None:
            expected = _by_tokens(row, whole, mutant)
        if [(whole[a:b], label) for a, b, label in places] != [(whole[a:b], label) for a, b, label in expected]:
            raise Failure(f"line {row.line}: spans {places}, and the file has {expected}"[:400])
        if not row.tokens:
            cut += sum(_cuts(row.text or "", start) or _cuts(row.text or "", end) for start, end, _ in expected)
    if by_line:
        raise Failure(f"lines that the file does not have: {list(by_line)}")
    if strange != _count(report.notes, "left aside") - _count(report.notes, "tokens of line ends"):
        raise Failure(f"{strange} keys are unknown, and the report has {list(report.notes)}")
    if cut > _count(report.irregular, INSIDE_WORDS):
        raise Failure(f"{cut} spans cut words, and the report says {_count(report.irregular, INSIDE_WORDS)}")


def _by_tokens(row: oracle.JsonRow, text: str, mutant: Mutant) -> oracle.Spans:
    """The spans of a row in characters, out of its tokens and tags."""
    starts, ends, here = [], [], 0
    for token in row.tokens:
        here = text.index(token, here)
        starts.append(here)
        here += len(token)
        ends.append(here)
    words = oracle.decode([oracle.canonical(tag, mutant)[0] for tag in row.tags])
    return [(starts[first], ends[last - 1], label) for first, last, label in words]


def _cuts(text: str, place: int) -> bool:
    around = text[max(place - 1, 0) : place + 1]
    return 0 < place < len(text) and around.isascii() and around.isalpha()


def _load_too(mutant: Mutant, path: Path, cache: Path) -> None:
    """`load_corpus` gives the same rows, or refuses spans that cut words as `check` does."""
    options, report = ReadingOptions(**mutant.options), Report()
    rows = [sentence_row(sentence) for sentence in open_sentences(path, options, report)]
    corpus = _guarded(lambda: load_corpus(path, options=options, cache_dir=cache))
    if isinstance(corpus, InputError):
        if INSIDE_WORDS not in report.irregular:
            raise Failure(f"load_corpus refuses what is read: {corpus}")
    elif list(corpus["train"]) != rows:
        raise Failure("load_corpus gives other rows")


def try_text(mutant: Mutant, path: Path) -> str:
    """Read raw text as `tagsmith tag` does; as an annotated file it has to be refused, or be said to be odd."""
    found = _guarded(lambda: list(read_texts([str(path)])))
    try:
        expected = oracle.read_text(mutant)
    except oracle.Unreadable as reason:
        if not isinstance(found, InputError):
            raise Failure(f"read, and cannot be: {reason}") from reason
        return "refused"
    if isinstance(found, InputError) or found != expected:
        raise Failure(f"read as {found!r}, and the file has {expected!r}"[:400])
    as_corpus = _guarded(lambda: list(open_sentences(path)))
    if not isinstance(as_corpus, InputError):
        raise Failure(f"raw text is taken for columns: {as_corpus[:2]}"[:400])
    return "read"


def try_recipe(mutant: Mutant, path: Path) -> str:
    """Read a recipe."""
    found = _guarded(lambda: read_recipe(path))
    if isinstance(found, InputError):
        return "refused"
    try:
        values = oracle.read_values(mutant)
    except oracle.Unreadable as reason:
        raise Failure(f"read, and cannot be: {reason}") from reason
    for (section, key), value in values.items():
        part: Any = getattr(found, section, None) if section else found
        if key == "base" or (part is None and section):
            continue
        read = part.get(key) if isinstance(part, dict) else getattr(part, key, None)
        if not _means(value, read):
            raise Failure(f"{section}.{key} is {value!r} in the file, and was read as {read!r}"[:400])
    return "read"


def _means(value: str, read: Any) -> bool:
    """Whether a value as it is written in YAML was read as what it means."""
    plain = value.replace("_", "")
    if isinstance(read, bool) or read is None:
        return value.lower() == {True: "true", False: "false", None: "null"}[read] or (read is None and value == "~")
    if isinstance(read, int):
        return int(plain, 0) == read
    return float(plain) == read if isinstance(read, float) else value == read


def run(numbers: Iterable[int], seed: int, load_every: int = 1) -> Iterator[tuple[int, Mutant, str, str]]:
    """Try mutants by their numbers.

    Yields:
        The number, the mutant, its outcome ("failed" among them), and what is wrong.
    """
    with TemporaryDirectory() as name:
        for done, number in enumerate(numbers):
            chance = random.Random(f"{seed}/{number}")
            mutant = make_mutant(chance)
            folder = Path(name, str(done // 200))
            folder.mkdir(exist_ok=True)
            try:
                yield number, mutant, try_mutant(mutant, folder, load=done % load_every == 0), ""
            except Failure as failure:
                yield number, mutant, "failed", str(failure)


def main(
    tries: Annotated[int, typer.Option(min=1)] = 18_000,
    seed: int = 1,
    first: Annotated[int, typer.Option(min=0, help="Number of the first try, to share them out.")] = 0,
    only: Annotated[int | None, typer.Option(help="The number of a try.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for the files that fail.")] = None,
    load_every: Annotated[int, typer.Option(min=1, help="Load each so many-th as a corpus too.")] = 1,
) -> None:
    """Read mutated corpora."""
    started = time.monotonic()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    numbers = range(first, first + tries) if only is None else [only]
    for number, mutant, outcome, wrong in run(numbers, seed, load_every):
        counts[mutant.format][outcome] += 1
        if only is not None:
            print(mutant, flush=True)
        if wrong:
            print(
                f"failure {number}: {mutant.format}, {', '.join(mutant.changes)}, {mutant.options}: {wrong}",
                flush=True,
            )
        if wrong and keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{number}-{mutant.name}").write_bytes(mutant.content)
    names = ["refused", "read", "read, with notes", "failed"]
    print(f"{'format':24}{'tries':>8}" + "".join(f"{name:>18}" for name in names))
    for name, found in sorted(counts.items()):
        print(f"{name:24}{found.total():8,}" + "".join(f"{found[outcome]:18,}" for outcome in names))
    total = sum(counts.values(), Counter())
    print(f"{'all':24}{total.total():8,}" + "".join(f"{total[outcome]:18,}" for outcome in names))
    print(f"seed {seed}, {(time.monotonic() - started) / 60:.1f} minutes")
    raise typer.Exit(int(total["failed"] > 0))


if __name__ == "__main__":
    typer.run(main)
