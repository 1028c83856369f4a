"""Draw the bundled sample corpus (`training/data/sample/`) from Universal NER's files.

    python benchmarks/make_sample.py FOLDER

FOLDER holds Universal NER's sets as folders (`English-EWT/train.iob2`, …). The draw is seeded: the same files give the
same sample. What is changed is told in `training/data/sample/ATTRIBUTION.md`.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from tagsmith.tokenization.tag_schemes import spans_to_tags, tags_to_spans
from tagsmith.training.data.column_layout import Block, read_blocks, survey_layout
from tagsmith.training.data.reading_options import ReadingOptions

# Sentences of train and dev. English weighs most, so that the demonstration's English is tagged sensibly.
SHARES = {
    "English-EWT": (720, 160),
    "Danish-DDT": (140, 35),
    "Croatian-SET": (120, 30),
    "Portuguese-Bosque": (160, 40),
    "Serbian-SET": (110, 30),
    "Slovak-SNK": (140, 35),
    "Swedish-Talbanken": (120, 35),
    "Chinese-GSDSIMP": (120, 35),
}
LABELS = {"PER", "LOC", "ORG"}
RUN = 12  # most sentences of one document, consecutive
DENSITY = 0.5  # entities a sentence that make a run rich; poorer ones are drawn where rich ones run out
WORD, TAG = 1, 2


def documents(path: Path) -> Iterator[list[Block]]:
    """The documents of a file, cut into runs of consecutive sentences."""
    run: list[Block] = []
    for block in read_blocks(survey_layout(path, ReadingOptions(separator="tab"))):
        if not block.rows:
            continue
        if run and (block.new_document or len(run) == RUN):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def entities(run: list[Block]) -> int:
    """Entities of a run; none if a tag breaks IOB2, so that such runs are not drawn."""
    count = 0
    for block in run:
        tags = [row[TAG] for row in block.rows]
        spans = tags_to_spans(tags, "IOB2")
        if spans_to_tags(spans, len(tags), "IOB2") != tags:
            return 0
        count += sum(span.label in LABELS for span in spans)
    return count


def written(run: list[Block], name: str, number: int) -> str:
    """A run as text: the comments on document, sentence and text, then id, word and tag."""
    lines = []
    for position, block in enumerate(run):
        comments = [comment for _, comment in block.comments if comment.split()[1] in ("newdoc", "sent_id", "text")]
        if position == 0 and not any(comment.startswith("# newdoc") for comment in comments):
            comments.insert(0, f"# newdoc id = {name}-run-{number:04d}")
        spans = [span for span in tags_to_spans([row[TAG] for row in block.rows], "IOB2") if span.label in LABELS]
        tags = spans_to_tags(spans, len(block.rows), "IOB2")
        rows = ["\t".join([row[0], row[WORD], tag]) for row, tag in zip(block.rows, tags, strict=True)]
        lines += [*comments, *rows, ""]
    return "\n".join(lines) + "\n"


def draw(path: Path, sentences: int, name: str, generator: random.Random) -> str:
    """Whole rich runs, drawn at random until there are enough sentences, in the order of the file."""
    runs = list(enumerate(documents(path)))
    density = [entities(run) / len(run) for _, run in runs]
    order = [number for number, _ in runs if density[number] >= DENSITY]
    generator.shuffle(order)
    order += sorted((number for number, _ in runs if 0 < density[number] < DENSITY), key=lambda n: -density[n])
    chosen, count = [], 0
    for number in order:
        if count < sentences:
            chosen.append(number)
            count += len(runs[number][1])
    print(f"{path.parent.name:20} {path.stem:6} {count:5} sentences in {len(chosen)} of {len(runs)} runs")
    return "".join(written(runs[number][1], name, number) for number in sorted(chosen))


def main() -> None:
    """Write train.iob2 and dev.iob2 into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="Universal NER's sets, a folder each")
    default = Path(__file__).parent.parent / "training" / "data" / "sample"
    parser.add_argument("--output", type=Path, default=default, help="where to write (default: %(default)s)")
    arguments = parser.parse_args()
    generator = random.Random(20240616)
    for part, split in enumerate(("train", "dev")):
        texts = [
            draw(arguments.folder / name / f"{split}.iob2", share[part], name, generator)
            for name, share in SHARES.items()
        ]
        target = arguments.output / f"{split}.iob2"
        target.write_text("".join(texts), encoding="utf-8", newline="\n")
        print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
