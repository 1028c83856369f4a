"""Label Studio's tasks (JSON) and its shorter export (JSON-MIN): spans of one text, made by `Labels`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.formats.annotated_text import AnnotatedText
from tagsmith.training.data.json_rows import objects
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import Mark, Record, sentences_of

_FIX = 'Export the project as JSON: [{"data": {"text": …}, "annotations": [{"result": […]}]}].'
_TWO = "Keep one of them: delete the others in Label Studio, or the ones you do not want in the file."


def read_label_studio(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read an export; a document each task. Tasks that nobody has annotated, or skipped, are counted.

    Raises:
        InputError: several annotations of a task that differ; several texts of a task; spans that cannot be.
    """
    report.format = "Label Studio"
    yield from sentences_of(_records(Path(path), options, report), options, report)


def _records(path: Path, options: ReadingOptions, report: Report) -> Iterator[Record]:
    for line, task in objects(path, options.encoding, _FIX):
        if "data" not in task:
            yield _short(task, path, line, report)
            continue
        data, annotations = task["data"], task.get("annotations", task.get("completions", []))
        if not isinstance(data, dict) or not isinstance(annotations, list):
            raise InputError("a task's data is no object, or its annotations no list", path=path, line=line, fix=_FIX)
        found = []
        for annotation in annotations:
            if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
                raise InputError("an annotation without results", path=path, line=line, fix=_FIX)
            if annotation.get("was_cancelled") or annotation.get("skipped"):
                report.add_note("skipped annotations, left aside", line, f"task {task.get('id')}")
                continue
            found.append(_marks(annotation["result"], path, line, report))
        if task.get("predictions"):
            report.add_note("tasks with predictions, which are left aside", line, f"task {task.get('id')}")
        if not found:
            report.add_note("tasks without annotation, left aside", line, f"task {task.get('id')}")
            continue
        if any(sorted(marks) != sorted(found[0]) for marks in found):
            message = f"task {task.get('id')} has {len(found)} annotations that differ"
            raise InputError(message, path=path, line=line, fix=_TWO)
        if len(found) > 1:
            report.add_note("tasks with several annotations that agree", line, f"task {task.get('id')}")
        name, marks = _source(found[0], path, line), [mark for _, mark in found[0]]
        yield Record(_text(data, name, path, line), marks, line)


def _short(task: dict[str, Any], path: Path, line: int, report: Report) -> Record:
    """A task of JSON-MIN: the data's own keys, and the results of each tag by its name."""
    lists = {key: value for key, value in task.items() if isinstance(value, list)}
    spans = {key: value for key, value in lists.items() if all(_is_short_span(span) for span in value)}
    filled = {key: value for key, value in spans.items() if value} or dict(list(spans.items())[:1])
    if len(filled) > 1:
        message = f"spans of {len(filled)} tags: {', '.join(filled)}"
        raise InputError(message, path=path, line=line, fix="Export the tags apart, or the project as JSON.")
    marks = [
        mark for value in filled.values() for span in value for mark in _labelled(span, span.get("labels"), path, line)
    ]
    for key in lists.keys() - filled.keys():
        report.add_note(f"key {key!r} left aside", line, str(task[key])[:40])
    return Record(_text(task, "text", path, line), marks, line)


def _is_short_span(value: Any) -> bool:
    return isinstance(value, dict) and {"start", "end", "labels"} <= value.keys()


def _marks(results: list[Any], path: Path, line: int, report: Report) -> list[tuple[str, Mark]]:
    """The spans of an annotation, each with the name of what it is of."""
    marks = []
    for result in results:
        kind = result.get("type") if isinstance(result, dict) else None
        if kind == "hypertextlabels":
            raise InputError("spans of HTML, whose offsets are in its elements", path=path, line=line, fix=_FIX)
        if kind != "labels":
            report.add_note(f"results of type {kind!r} left aside", line, str(result)[:60])
            continue
        value = result.get("value")
        if not isinstance(value, dict):
            raise InputError("a result without value", path=path, line=line, fix=_FIX)
        labels = value.get("labels")
        if not labels:
            report.add_note("regions without label, left aside", line, str(value.get("text"))[:40])
            continue
        score = result.get("score")
        for mark in _labelled(value, labels, path, line):
            marks.append(
                (str(result.get("to_name")), mark._replace(score=score if isinstance(score, float) else None))
            )
    return marks


def _labelled(value: dict[str, Any], labels: Any, path: Path, line: int) -> Iterator[Mark]:
    start, end, quote = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"labels that are no list: {labels!r:.40}", path=path, line=line, fix=_FIX)
    if type(start) is not int or type(end) is not int:
        raise InputError(f"offsets that are no numbers: {start!r:.20}, {end!r:.20}", path=path, line=line, fix=_FIX)
    if len(labels) > 1:
        message = f"a region of several labels: {', '.join(labels)}"
        raise InputError(message, path=path, line=line, fix="Keep one of them: spans are flat.")
    for label in labels:
        yield Mark(start, end, label, quote if isinstance(quote, str) else None)


def _source(found: list[tuple[str, Mark]], path: Path, line: int) -> str:
    names = sorted({name for name, _ in found})
    if len(names) > 1:
        message = f"spans of several texts: {', '.join(names)}"
        raise InputError(message, path=path, line=line, fix="Export each text as a task of its own.")
    return names[0] if names else "text"


def _text(data: dict[str, Any], name: str, path: Path, line: int) -> str:
    """The text of a task: by the name that its spans have for it, or the only one that may be meant."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    for key in (name, "text"):
        if key in texts:
            return texts[key]
    if len(texts) == 1:
        return next(iter(texts.values()))
    keys = ", ".join(data) or "none"
    fix = "Rename the key of the text to 'text'."
    raise InputError(f"which of the task's keys is its text? It has {keys}", path=path, line=line, fix=fix)


def write_label_studio(texts: Iterable[AnnotatedText], out: TextIO) -> None:
    """Write tasks to import, with spans as predictions of a `Labels` tag called `label` and a `Text` called `text`."""
    before = "[\n"
    for number, text in enumerate(texts, 1):
        results = []
        for index, (start, end, label) in enumerate(text.spans):
            value = {"start": start, "end": end, "text": text.text[start:end], "labels": [label]}
            names = {"id": f"{number}-{index + 1}", "from_name": "label", "to_name": "text", "type": "labels"}
            score = text.score(index)
            results.append({**names, "value": value, **({} if score is None else {"score": score})})
        known = [score for score in text.scores if score is not None]
        prediction = {"model_version": "tagsmith", "result": results, **({"score": min(known)} if known else {})}
        task = {"data": {"text": text.text}, "predictions": [prediction]}
        out.write(before + json.dumps(task, ensure_ascii=False))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")
