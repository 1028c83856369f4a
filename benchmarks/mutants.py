"""Small invented corpora of every format that is read, changed in the ways in which strangers' files differ.

A mutant knows how its file was made (where its words and tags are, how its tags are spelt), so that an oracle can read
what the file says after all changes. Everything is drawn from one random generator.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from mutant import PARTS, Mutant, Rows
from mutant_changes import change_rows
from mutant_texts import BYTE_CHANGES, JSON_CHANGES, JSON_TEXTS, RECIPE_LINES, TEXT_CHANGES

WORDS = [
    "Tessa", "Ruiz", "lives", "in", "Oderau", ".", "Vantor", "sells", "boats", ",", "über", "Ödland", "naïve", "Милош",
    "живёт", "東京", "に", "مدينة", "😀", "e\u0301t", "3", "1984", "2.5", "1-2", "don't", "B-52", "O", "_", "#", '"',
    "''", "|", ";", "and/or", "a=b", "x:y", "-", "(", "%", "https://x.org", "ﬁn", "İl", "ß", "\u200d", "Wörter", "the",
]  # fmt: skip
LABELS = ["PER", "LOC", "ORG", "MISC", "GPE-LOC", "Größe"]
SEPARATORS = {"comma": ",", "semicolon": ";", "pipe": "|"}


def make_mutant(chance: random.Random) -> Mutant:
    """A corpus of a format drawn by chance, with one to three changes, some of them none that a reader should mind."""
    make = chance.choice(MAKERS)
    return make(chance)


def _spans(chance: random.Random, length: int) -> list[tuple[int, int, str]]:
    spans, here = [], 0
    while here < length:
        size = chance.choice([1, 1, 2, 3])
        if chance.random() < 0.35 and here + size <= length:
            spans.append((here, here + size, chance.choice(LABELS)))
            here += size
        else:
            here += 1
    return spans


def _tags(spans: list[tuple[int, int, str]], length: int, scheme: str) -> list[str]:
    tags = ["O"] * length
    last = (-1, "")
    for start, end, label in spans:
        size = end - start
        if scheme in ("BIOES", "BILOU"):
            single, final = ("S", "E") if scheme == "BIOES" else ("U", "L")
            prefixes = single if size == 1 else "B" + "I" * (size - 2) + final
        else:
            opens = "I" if scheme == "IOB1" and last != (start, label) else "B"
            prefixes = opens + "I" * (size - 1)
        tags[start:end] = [f"{prefix}-{label}" for prefix in prefixes]
        last = (end, label)
    return tags


def _words(chance: random.Random, least: int = 1) -> list[str]:
    return [chance.choice(WORDS) for _ in range(chance.randint(least, 8))]


def columns(chance: random.Random) -> Mutant:
    """Columns by tabs, white space, or what an option names; with ids or without; of span tags or plain ones."""
    plain, ids, between = chance.random() < 0.2, chance.random() < 0.35, chance.choice([0, 0, 1, 2])
    scheme = "plain" if plain else chance.choice(["IOB1", "IOB2", "BIO", "BIOES", "BILOU"])
    mutant = Mutant("columns", f"{scheme}{', ids' if ids else ''}", plain=plain, ids=ids)
    rows: Rows = []
    for _ in range(chance.randint(6, 14)):
        words = _words(chance)
        tags = (
            [chance.choice(PARTS) for _ in words] if plain else _tags(_spans(chance, len(words)), len(words), scheme)
        )
        for number, (word, tag) in enumerate(zip(words, tags, strict=True), 1):
            parts = [chance.choice(PARTS) for _ in range(between)]
            rows.append([*([str(number)] if ids else []), word, *parts, tag])
        rows.append([])
    mutant.word, mutant.tag = int(ids), int(ids) + 1 + between
    mutant.separator = chance.choice(["\t", "\t", " ", *SEPARATORS.values()])
    for name, mark in SEPARATORS.items():
        if mark == mutant.separator:
            mutant.options["separator"] = name
    if plain:
        mutant.options["scheme"] = "plain"
    if (ids and between) or plain:
        mutant.options["tag_column"] = mutant.tag
    if mutant.separator in SEPARATORS.values():
        rows = [[_quoted(cell, mutant.separator) for cell in row] for row in rows]
    change_rows(chance, rows, mutant)
    text = "".join(mutant.separator.join(row) + "\n" for row in rows)
    return _finish(chance, mutant, text)


def _quoted(cell: str, mark: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if mark in cell or '"' in cell else cell


def universal(chance: random.Random) -> Mutant:
    """Ten columns of CoNLL-U, with raw text, multiword tokens and empty nodes, or the five of Universal NER."""
    ner = chance.random() < 0.5
    mutant = Mutant(
        "columns", "Universal NER" if ner else "CoNLL-U", word=1, tag=2 if ner else 3, ids=True, plain=not ner
    )
    rows: Rows = []
    for number in range(chance.randint(4, 9)):
        words = _words(chance)
        tags = _tags(_spans(chance, len(words)), len(words), "IOB2") if ner else [chance.choice(PARTS) for _ in words]
        if chance.random() < 0.2:
            rows.append([f"# newdoc id = {number}"])
        rows.append([f"# sent_id = {number}"])
        spaces = [chance.random() < 0.8 for _ in words]
        if chance.random() < 0.8:
            rows.append(["# text = " + "".join(w + " " * s for w, s in zip(words, spaces, strict=True)).strip()])
        for place, (word, tag, space) in enumerate(zip(words, tags, spaces, strict=True), 1):
            misc = "_" if space else "SpaceAfter=No"
            if not ner and place < len(words) and chance.random() < 0.05:
                rows.append([f"{place}-{place + 1}", word + words[place], *"_" * 8])
            rest = [tag, "-", "-"] if ner else ["_", tag, "_", "_", str(place - 1), "dep", "_", misc]
            rows.append([str(place), word, *rest])
            if not ner and chance.random() < 0.03:
                rows.append([f"{place}.1", "leer", *"_" * 8])
        rows.append([])
    change_rows(chance, rows, mutant)
    return _finish(chance, mutant, "".join("\t".join(row) + "\n" for row in rows))


def json_lines(chance: random.Random) -> Mutant:
    """JSON lines of text and spans, of tokens and tags, or of all four."""
    what = chance.choice(["spans", "spans", "tags", "all"])
    mutant = Mutant("json", f"JSON lines, {what}", name=chance.choice(["corpus.jsonl", "corpus.jsonl", "corpus.txt"]))
    lines = []
    for number in range(chance.randint(3, 9)):
        words = _words(chance)
        spans = _spans(chance, len(words))
        row: dict[str, Any] = {}
        places, text = [], ""
        for word in words:
            text += chance.choice([" ", " ", " ", "\n", "\r\n", "  "]) if text else ""
            places.append((len(text), len(text) + len(word)))
            text += word
        if what != "tags":
            row["text"] = text
            row["spans"] = [{"start": places[a][0], "end": places[b - 1][1], "label": c} for a, b, c in spans]
        if what != "spans":
            row |= {"tokens": words, "tags": _tags(spans, len(words), "IOB2")}
        if chance.random() < 0.2:
            row["document"] = number // 2
        lines.append(row)
    changes = chance.sample(JSON_CHANGES, chance.choice([0, 1, 1, 2]))
    for change in changes:
        mutant.changes.append(change.__name__)
        change(chance, chance.choice(lines))
    texts = [json.dumps(row, ensure_ascii=chance.random() < 0.5) for row in lines]
    if chance.random() < 0.25:
        change_line = chance.choice(JSON_TEXTS)
        mutant.changes.append(change_line.__name__)
        at = chance.randrange(len(texts))
        texts[at] = change_line(chance, texts[at])
    return _finish(chance, mutant, "\n".join(texts) + "\n")


def raw_text(chance: random.Random) -> Mutant:
    """Lines of text without tags."""
    text = "".join(" ".join(_words(chance, 0 if chance.random() < 0.1 else 2)) + "\n" for _ in range(6))
    return _finish(chance, Mutant("text", "raw text", name="notes.txt"), text)


def recipe(chance: random.Random) -> Mutant:
    """Recipes in YAML, a key a line."""
    sections = {
        "model": {"hidden_size": [12, 100, "1_000"], "word_encoder": ["gru", "lstm"], "hidden_dropout": [0.3, "1e-1"]},
        "training": {"seed": [1, 7], "learning_rate": ["1e-3", 0.01, "5E-4"], "num_train_epochs": [1, 4]},
        "tokenizer": {"lowercase": ["true", "false"], "min_count": [1, 2], "splitter": ["auto", "whitespace"]},
    }
    lines = ["description: of no use", *(["base: ner"] if chance.random() < 0.5 else [])]
    lines += [f"average_decay: {chance.choice([0, 0.99, '1e-1'])}"]
    for section, keys in sections.items():
        lines.append(f"{section}:")
        lines += [f"  {key}: {chance.choice(values)}" for key, values in keys.items()]
    mutant = Mutant("recipe", "recipe", name="own.yaml")
    for _ in range(chance.choice([0, 1, 1, 2])):
        at = chance.randrange(len(lines))
        change = chance.choice(RECIPE_LINES)
        mutant.changes.append(f"{change!r:.30}")
        lines[at] = change.replace("LINE", lines[at]).replace("KEY", lines[at].partition(":")[0])
    return _finish(chance, mutant, "\n".join(lines) + "\n")


MAKERS: list[Callable[[random.Random], Mutant]] = (
    [columns] * 6 + [universal] * 2 + [json_lines] * 4 + [raw_text, recipe]
)


def _finish(chance: random.Random, mutant: Mutant, text: str) -> Mutant:
    if chance.random() < 0.45:
        change = chance.choice(TEXT_CHANGES)
        mutant.changes.append(change.__name__)
        text = change(chance, text)
    if chance.random() < 0.15:
        change_bytes = chance.choice(BYTE_CHANGES)
        mutant.changes.append(change_bytes.__name__)
        mutant.content = change_bytes(chance, text)
    else:
        mutant.content = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.03 and mutant.kind in ("columns", "json"):
        mutant.options["encoding"] = chance.choice(["latin-1", "utf-16", "utf-8-sig", "cp1252", "ascii"])
        mutant.changes.append(f"read as {mutant.options['encoding']}")
    return mutant
