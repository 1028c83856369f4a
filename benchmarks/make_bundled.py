"""Make the tagger that comes with tagsmith: data, training, calibration, scores, card.

    python benchmarks/make_bundled.py DATA WORK [--minutes N] [--apart]

DATA is what `prepare_open.py` takes; it holds the corpora's licences, too. WORK gets `data/`; `first/`, a tagger of
five passes; `more/`, the same data drawn anew with more of it in capitals and without any; `second/`, a tagger that
goes over those three times more; `ner-multilingual/`, the finished tagger, which goes over the first data three times
more, a quarter of it in lower case, and reads capitals so; what `bundled.py` says of it in JSON files; and
`tables.md`, the tables that stand in the card's first part. Start it again to continue: what is done is done, and
training continues from its last checkpoint; with `--minutes` it is interrupted after so long. Copy
`ner-multilingual/` to `model_cards/` to release it.

`--apart` trains another tagger, for three passes, without one corpus of each language that has two, and scores both
on these corpora: what the tagger is worth on text from elsewhere.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import bundled
import prepare_open
import prepare_uner
import typer

from tagsmith.training.machine.whole_files import write_whole

NAME = "ner-multilingual"
WEAK = {"fr", "he", "ko", "nl", "sl"}  # languages that have nothing but what prepare_open.py calls weak
MOST_UNKNOWN_WORDS = 0.72  # with the margin of 200 words, more than any that it was trained on: `unknown_words.py`
APART = ("ar/aqmar", "en/wikigold", "en/wnut17", "ja/stockmark", "sv/webbnyheter2012")
WAYS = "lower,upper,plain,closed"
FURTHER = ("training.num_train_epochs=3", "training.learning_rate=0.002")
# The taggers that are trained one after another, each from the one before: their folders, data and settings.
STAGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("first", "data", ()),
    ("second", "more", FURTHER),
    (NAME, "data", (*FURTHER, "lowercase_share=0.25", "tokenizer.lower_capitals=true")),
)
DEV_SPANS = 500  # of a language that its F1 says something
CALIBRATION_SENTENCES = 200  # of each language's dev data


def command(*arguments: object) -> list[str]:
    """A command of tagsmith."""
    return [sys.executable, "-m", "tagsmith", *map(str, arguments)]


def train(data: Path, tagger: Path, minutes: float | None, *changes: str) -> bool:
    """Train, or continue; False where the time did not suffice."""
    if (tagger / "config.json").is_file():
        return True
    options = []
    for folder in sorted(path.parent for path in data.glob("*/train.iob2")):
        options += [f"--train={folder.name}={folder / 'train.iob2'}", f"--dev={folder.name}={folder / 'few.iob2'}"]
    options += [f"--set={change}" for change in changes]
    process = subprocess.Popen(command("train", NAME, *options, "--output-dir", tagger, "--resume"))
    try:
        if process.wait(60 * minutes if minutes else None):
            raise typer.Exit(process.returncode)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
        return False
    return True


def train_stages(work: Path, minutes: float | None) -> bool:
    """Train one tagger after another, or continue; False where the time did not suffice."""
    start: tuple[str, ...] = ()
    for name, data, changes in STAGES:
        if not train(work / data, work / name, minutes, *start, *changes):
            return False
        start = (f"start_from={work / name}",)
    return True


def calibrate(work: Path) -> None:
    """Fit the scores' temperature to some dev sentences of each language."""
    if json.loads((work / NAME / "config.json").read_text(encoding="utf-8")).get("calibration") is not None:
        return
    some = []
    for corpus in bundled.dev_data(work / "data").values():
        some += corpus[:CALIBRATION_SENTENCES]
    path = work / "calibration.iob2"
    prepare_open.write(path, some)
    subprocess.run(command("evaluate", work / NAME, path, "--calibrate"), check=True)


def by_data(scores: dict[str, float], tried: dict[str, float]) -> dict[str, dict[str, float]]:
    """F1 of each language, from 0 to 1, by what it was trained on."""
    found: dict[str, dict[str, float]] = {"gold": {}, "weak": {}, "untrained": {}}
    for code, f1 in scores.items():
        found["weak" if code in WEAK else "gold"][code] = round(f1 / 100, 4)
    found["untrained"] = {code: round(f1 / 100, 4) for code, f1 in tried.items()}
    return found


def f1(path: Path) -> dict[str, dict[str, float]]:
    """F1 by the way of writing and the language, in percent, in the scores that `bundled.py` has written."""
    found: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))["f1"]
    return {way: {code: value for code, value in scores.items() if code != "all"} for way, scores in found.items()}


def languages(path: Path) -> dict[str, float]:
    """F1 of each language as its text is."""
    return {code: value for code, value in f1(path)["as it is"].items() if code != "mean"}


def score(work: Path) -> None:
    """Score raw text by character offsets; the results say how good the tagger is in each language."""
    for name, folder in (("scores", work / "data"), ("tried", work / "data" / "tried")):
        if not (work / f"{name}.json").is_file():
            bundled.main(str(work / NAME), folder, WAYS, "", work / f"{name}.json")
    path = work / NAME / "results.json"
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    results["languages"] = by_data(languages(work / "scores.json"), languages(work / "tried.json"))
    results["most_unknown_words"] = MOST_UNKNOWN_WORDS
    write_whole(path, json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def score_apart(data: Path, work: Path, minutes: float | None) -> bool:
    """Score corpora that a tagger was not trained on, beside the tagger that was; False where the time is over."""
    corpora, tagger = work / "data_apart", work / "tagger_apart"
    if not (corpora / "zh" / "few.iob2").is_file():
        prepare_open.main(data, corpora, without=",".join(APART))
    if not train(corpora, tagger, minutes, "training.num_train_epochs=3"):
        return False
    for name, model in (("apart_without", tagger), ("apart_with", work / NAME)):
        if not (work / f"{name}.json").is_file():
            bundled.main(str(model), corpora / "apart", "", "", work / f"{name}.json")
    if not (work / "apart_in.json").is_file():
        bundled.main(str(tagger), corpora, "", "", work / "apart_in.json")
    return True


def gold_mean(work: Path) -> str:
    """What the languages reach that have gold data and enough dev spans, as a sentence."""
    scores, enough = languages(work / "scores.json"), {}
    for code, corpus in bundled.dev_data(work / "data").items():
        if code not in WEAK and sum(len(bundled.annotated(sentence)) for sentence in corpus) >= DEV_SPANS:
            enough[code] = scores[code]
    mean, (low, lowest) = sum(enough.values()) / len(enough), min((f1, code) for code, f1 in enough.items())
    return (
        f"{len(enough)} languages with gold data and {DEV_SPANS} dev spans: mean {mean:.1f}, {lowest} {low:.1f} lowest"
    )


def tables(data: Path, work: Path) -> str:
    """The tables of the card's first part: languages, text from elsewhere, corpora."""
    ways, tried = f1(work / "scores.json"), f1(work / "tried.json")
    rows = [
        "| language | data | F1 | no capitals | all capitals | no diacritics | closed up |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for scores, kind in ((ways, ""), (tried, "untrained")):
        for code in scores["as it is"]:
            values = " | ".join(f"{scores[way][code]:.1f}" for way in ("as it is", *WAYS.split(",")))
            name = kind or ("all trained" if code == "mean" else "weak" if code in WEAK else "gold")
            rows.append(f"| {code} | {name} | {values} |")
    rows += ["", gold_mean(work)]
    if (work / "apart_in.json").is_file():
        rows += ["", "| corpus | trained without it | trained with it |", "|---|---:|---:|"]
        without, trained = (f1(work / f"{name}.json")["as it is"] for name in ("apart_without", "apart_with"))
        rows += [f"| {name} | {value:.1f} | {trained[name]:.1f} |" for name, value in without.items()]
        rows += [
            "",
            f"In-domain mean of the tagger without them: {f1(work / 'apart_in.json')['as it is']['mean']:.1f}",
        ]
    return "\n".join([*rows, "", attributions(data)])


def attributions(data: Path) -> str:
    """A table of the open corpora, their authors and licences, as their ATTRIBUTION.txt has them."""
    rows = ["| corpus | authors | licence |", "|---|---|---|"]
    for corpora in (prepare_open.GOLD, prepare_open.WEAK):
        for language, names in sorted(corpora.items()):
            for name in names:
                text = (data / "open" / language / name / "ATTRIBUTION.txt").read_text(encoding="utf-8")
                title = re.search(r"attribution: (.*)", text)
                authors, licence = (re.search(f"^{key}: (.*)", text, re.MULTILINE) for key in ("Authors", "Licence"))
                assert title and authors and licence
                rows.append(f"| {title[1]} | {authors[1]} | {licence[1]} |".replace("\n", " "))
    return "\n".join(rows)


def card(data: Path, work: Path) -> None:
    """Write the card, with the scores of Universal NER's test sets; the text above it is written by hand."""
    if json.loads((work / NAME / "results.json").read_text(encoding="utf-8")).get("test"):
        return
    uner = work / "uner"
    prepare_uner.main(data / "uner", uner)
    tests = [f"--test={code}={uner / code / 'test.iob2'}" for code in sorted(prepare_uner.LANGUAGES)]
    codes = [f"--language={path.parent.name}" for path in sorted((work / "data").glob("*/train.iob2"))]
    about = ["--name", NAME, "--license", "cc-by-sa-4.0", "--dataset", "universalner/universal_ner"]
    subprocess.run(command("card", work / NAME, *about, "--examples", "--pictures", *codes, *tests), check=True)


def main(
    data: Annotated[Path, typer.Argument(help="The corpora.")],
    work: Annotated[Path, typer.Argument(help="Where everything is made.")],
    minutes: Annotated[float | None, typer.Option(min=0, help="Of training; start again to continue.")] = None,
    apart: Annotated[bool, typer.Option("--apart", help="Train and score without some corpora, too.")] = False,
) -> None:
    """Make the tagger, or continue with it."""
    if not (work / "data" / "zh" / "few.iob2").is_file():
        prepare_open.main(data, work / "data")
    if not (work / "more" / "zh" / "few.iob2").is_file():
        prepare_open.main(data, work / "more", seed=2, more=True)
    if done := train_stages(work, minutes):
        calibrate(work)
        score(work)
        card(data, work)
        done = not apart or score_apart(data, work, minutes)
    if not done:
        typer.echo("the time is over; start it again to continue")
        return
    write_whole(work / "tables.md", tables(data, work) + "\n")


if __name__ == "__main__":
    typer.run(main)
