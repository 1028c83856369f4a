"""The ways in which strangers' column files differ, as changes of the rows of invented ones."""

from __future__ import annotations

import random
from collections.abc import Callable

from mutant import HUGE, PARTS, Mutant, Rows


def _content(chance: random.Random, rows: Rows) -> int:
    """The number of a row that is a word."""
    return chance.choice([number for number, row in enumerate(rows) if len(row) > 1] or [0])


def _each_tag(rows: Rows, mutant: Mutant, change: Callable[[str], str]) -> None:
    for row in rows:
        if len(row) > mutant.tag:
            row[mutant.tag] = change(row[mutant.tag])


def tags_in_lower_case(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    _each_tag(rows, mutant, lambda tag: tag.lower() if tag != "O" else tag)


def tags_in_quotes(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    mark = chance.choice(["''", '""', "``", "“”"])
    _each_tag(rows, mutant, lambda tag: mark[0] + tag + mark[1])


def another_outside(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    if mutant.plain:
        return
    mark = chance.choice(["0", "_", "-", "NONE", "none", "o", "N/A", "X", "other"])
    mutant.outside = mark
    if mark in ("X", "other"):
        mutant.options["outside"] = mark
    _each_tag(rows, mutant, lambda tag: mark if tag == "O" else tag)


def another_hyphen(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    mark = chance.choice("_:./|+~–")
    _each_tag(rows, mutant, lambda tag: tag.replace("-", mark, 1) if tag[1:2] == "-" else tag)


def labels_first(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    if mutant.plain:
        return
    mutant.label_first = True
    _each_tag(rows, mutant, lambda tag: f"{tag[2:]}-{tag[0]}" if tag[1:2] == "-" else tag)


def blanks_around_tags(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    mark = chance.choice([" ", "\u00a0", "\u200b", "\ufeff", "\x0c", "\t"])
    _each_tag(rows, mutant, lambda tag: tag + mark)


def another_last_column(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    make = chance.choice([lambda: f"0.{chance.randrange(100)}", lambda: "_", lambda: "", lambda: chance.choice(PARTS)])
    for row in rows:
        if len(row) > 1:
            row.append(make())


def another_first_column(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    numbers = chance.random() < 0.4
    make = chance.choice([lambda: "_", lambda: chance.choice(PARTS)])
    for row in rows:
        if len(row) > 1:
            row.insert(0, str(chance.randrange(100)) if numbers else make())
    mutant.word += 1
    mutant.tag += 1
    mutant.ids = False
    if "tag_column" in mutant.options:
        mutant.options["tag_column"] = mutant.tag
    if not numbers or chance.random() < 0.5:  # by default words are in the first column, or after ids
        mutant.options["word_column"] = mutant.word


def ids_from_elsewhere(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    if not mutant.ids:
        return
    shift = chance.choice([-1, 4, 10**8, 10**20])
    for row in rows:
        if len(row) > 1 and row[0].isdecimal():
            row[0] = str(int(row[0]) + shift)


def one_odd_id(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    if mutant.ids:
        rows[_content(chance, rows)][0] = chance.choice(
            ["0", "7", "-1", "x", "", "1-2", "1.1", "2-1", HUGE, "٣", "²", "1 "]
        )


def header_row(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    row = [""] * len(rows[_content(chance, rows)])
    row = [chance.choice(PARTS).lower() for _ in row]
    if len(row) > mutant.tag:
        row[mutant.word] = chance.choice(["word", "TOKEN", "Surface"])
        row[mutant.tag] = chance.choice(["tag", "NER", "pos" if mutant.plain else "label"])
    if mutant.ids:
        row[0] = chance.choice(["id", "#", "idx"])
    rows[:0] = [row, *([[]] if chance.random() < 0.3 else [])]


def one_more_cell(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    row = rows[_content(chance, rows)]
    row.insert(chance.randint(0, len(row)), chance.choice(["x", "", "O", "B-PER", "0"]))


def one_less_cell(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    row = rows[_content(chance, rows)]
    del row[chance.randrange(len(row)) :][:1]
    row[:] = row[:-1] if chance.random() < 0.7 else row[1:]


def one_empty_cell(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    row = rows[_content(chance, rows)]
    row[chance.randrange(len(row))] = chance.choice(["", "", " ", "\u00a0", '""'])


def cells_swapped(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    row = rows[_content(chance, rows)]
    row.reverse()


def rows_swapped(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    here, there = chance.randrange(len(rows)), chance.randrange(len(rows))
    rows[here], rows[there] = rows[there], rows[here]


def row_twice(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    here = chance.randrange(len(rows))
    rows.insert(here, [*rows[here]])


def no_blank_lines(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    rows[:] = [row for row in rows if row]


def blank_line(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    blanks = [[], [" "], ["  "], ["\t"], ["\u00a0"], [""]]
    for _ in range(chance.choice([1, 3])):
        rows.insert(chance.randint(0, len(rows)), [*chance.choice(blanks)])


def comment(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    said = chance.choice(
        ["# a comment", "#", "# text = other words", "# id = 3", "#1", "# x\ty", "## doc", "# newdoc", "// x", "%% x",
         "-DOCSTART-", "-DOCSTART- O", "-DOCSTART-\tX\tO", "# global.columns = ID FORM UPOS", "<s>", "# sent_id = 4"]
    )  # fmt: skip
    rows.insert(chance.randint(0, len(rows)), [said])


def one_odd_tag(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    row = rows[_content(chance, rows)]
    odd = [
        "B-",
        "I",
        "-",
        "o",
        "0",
        "_",
        "Q-PER",
        "E-PER",
        "S-LOC",
        "U-ORG",
        "L-ORG",
        "I-LOC",
        "PER",
        "b-PER",
        "B_PER",
    ]
    odd += [
        "B--PER",
        "B-PER ",
        '"O"',
        "B-PER|I-LOC",
        "(PER*",
        "1",
        HUGE,
        "B-" + "x" * 5000,
        "B-\x1b[31m",
        "B-p\u0301er",
    ]
    if len(row) > mutant.tag:
        row[mutant.tag] = chance.choice(odd)


def one_odd_word(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    row = rows[_content(chance, rows)]
    odd = [
        "#",
        "# x",
        '"',
        "-DOCSTART-",
        "\ufeff",
        "\u2028",
        HUGE,
        "<b>",
        "{",
        "[[",
        "a b",
        "a\x0bb",
        "\x1b[2J",
        "x" * 70_000,
    ]
    if len(row) > mutant.word:
        row[mutant.word] = chance.choice(odd)


ROW_CHANGES = [
    tags_in_lower_case, tags_in_quotes, another_outside, another_hyphen, labels_first, blanks_around_tags,
    another_last_column, another_first_column, ids_from_elsewhere, one_odd_id, header_row, one_more_cell,
    one_less_cell,
    one_empty_cell, cells_swapped, rows_swapped, row_twice, no_blank_lines, blank_line, comment, one_odd_tag,
    one_odd_word,
]  # fmt: skip


def change_rows(chance: random.Random, rows: Rows, mutant: Mutant) -> None:
    """Change the rows of a column file in up to two ways."""
    for change in chance.sample(ROW_CHANGES, chance.choice([0, 1, 1, 2])):
        mutant.changes.append(change.__name__)
        change(chance, rows, mutant)
