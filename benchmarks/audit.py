"""How many planted errors an audit finds: `python benchmarks/audit.py train.iob2 --seed 1 --output audit.jsonl`.

Errors of five kinds are planted into 3 % of a corpus's spans, or another share. The audit's ranking is compared with
three others, each of all spans that stand there and all that a tagger finds:

- trial: the posterior of what one tagger of the folds says, less that of what stands there;
- loss: of one tagger on its own training data, the corpus itself, the negative log posterior of what stands there;
- crf: disagreement of a feature CRF (python-crfsuite) by the same folds, by its marginals.

Printed is a row of JSON: recall at N and 2N for N planted errors, average precision, precision at 100, and recall
at N by kind. With `--repair dev.iob2` a reviewer puts right the planted errors among the first 2N rows, and F1 on dev
is given of taggers trained on the corpus before errors were planted, with them, and as the reviewer leaves it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from annotate import f1

from tagsmith.tokenization.tag_schemes import spans_to_tags, tags_to_spans
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.doubts.annotation_audit import Plan, train_taggers
from tagsmith.training.doubts.audited import Audited, read_audited
from tagsmith.training.doubts.folds import cut_folds
from tagsmith.training.doubts.opinions import Job, Opinion, opinions_of, posteriors, prepare_process
from tagsmith.training.doubts.planting import Planted, plant_errors
from tagsmith.training.doubts.ranking import Copy, rank
from tagsmith.training.doubts.strings import Strings, same_place
from tagsmith.training.doubts.suspects import Witness
from tagsmith.training.runs.recipe import RunRecipe, read_recipe

Place = tuple[int, int, int]  # sentence, first word, end


def measured(ranking: Sequence[Place], planted: Sequence[Planted]) -> dict[str, Any]:
    """The figures of a ranking: an error is found by the first row that shares a word with it, and counts once."""
    count, found = len(planted), [False] * len(planted)
    places = [(error.sentence, *error.place) for error in planted]
    by_sentence: dict[int, list[int]] = {}
    for number, place in enumerate(places):
        by_sentence.setdefault(place[0], []).append(number)
    hits: list[bool] = []
    ranks: dict[int, int] = {}
    for position, (sentence, start, end) in enumerate(ranking):
        hit = False
        for number in by_sentence.get(sentence, []):
            if not found[number] and start < places[number][2] and places[number][1] < end:
                found[number] = hit = True
                ranks[number] = position
                break
        hits.append(hit)
    right, total = 0, 0.0
    for position, hit in enumerate(hits, 1):
        right += hit
        total += hit * right / position
    kinds: dict[str, list[bool]] = {}
    for number, error in enumerate(planted):
        kinds.setdefault(error.kind, []).append(ranks.get(number, len(ranking)) < count)
    return {
        "planted": count,
        "recall_n": round(sum(hits[:count]) / count, 3),
        "recall_2n": round(sum(hits[: 2 * count]) / count, 3),
        "average_precision": round(total / count, 3),
        "precision_100": round(sum(hits[:100]) / 100, 3),
        "recall_n_by_kind": {kind: round(sum(own) / len(own), 3) for kind, own in kinds.items()},
    }


def by_posterior(sentences: Sequence[Audited], opinions: Sequence[Opinion], trial: bool) -> list[Place]:
    """All spans that stand there or are found, by the posterior of what is found less that of what stands there.

    Args:
        sentences: as they stand.
        opinions: of one tagger.
        trial: take what is found into account; else only what stands there.
    """
    asked = [sorted({*own.spans, *said.found}) for own, said in zip(sentences, opinions, strict=True)]
    scored: list[tuple[float, Place]] = []
    for number, (own, said, spans, chances) in enumerate(
        zip(sentences, opinions, asked, posteriors(opinions, asked), strict=True)
    ):
        of = dict(zip(spans, chances.tolist(), strict=True))
        for span in spans:
            if span in own.spans and span in said.found and trial:
                continue
            others = [of[o] for o in said.found if o != span and same_place(o, span.start, span.end)]
            free = float(said.outside[span.start : span.end].min())
            if span in own.spans:
                score = (max([free, *others]) if trial else 1.0) - of[span]
            elif any(same_place(one, span.start, span.end) for one in own.spans):
                continue
            else:
                score = of[span]
            scored.append((score, (number, span.start, span.end)))
    return [place for _, place in sorted(scored, key=lambda item: -item[0])]


def by_feature_crf(sentences: Sequence[Audited], folds: int) -> list[Place]:
    """Spans and places on which a feature CRF by folds disagrees, by its marginals."""
    import pycrfsuite
    from baselines import sentence_features

    cut = cut_folds([(s.path, s.document) for s in sentences], [len(s.words) for s in sentences], folds)
    scored: list[tuple[float, Place]] = []
    for fold in range(folds):
        trainer = pycrfsuite.Trainer("lbfgs", verbose=False)
        trainer.set_params({"c1": 0.1, "c2": 0.01, "max_iterations": 60})
        for number, sentence in enumerate(sentences):
            if cut.numbers[number] != fold:
                tags = spans_to_tags(list(sentence.spans), len(sentence.words), "BIOES")
                trainer.append(sentence_features(list(sentence.words)), tags)
        tagger = pycrfsuite.Tagger()
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "model.crfsuite"))
            trainer.train(path)
            tagger.open(path)
        known = set(tagger.labels())  # a rare label may be in one fold alone
        for number, sentence in enumerate(sentences):
            if cut.numbers[number] != fold:
                continue
            tags = tagger.tag(sentence_features(list(sentence.words)))
            found = tags_to_spans(tags, "BIOES")
            for span in set(found) ^ set(sentence.spans):
                own = spans_to_tags([span], len(sentence.words), "BIOES")
                words = range(span.start, span.end)
                stands = sum(tagger.marginal(own[n], n) for n in words if own[n] in known) / len(words)
                says = sum(tagger.marginal(tags[n], n) for n in words) / len(words)
                score = says if span in found else says - stands
                scored.append((score, (number, span.start, span.end)))
    return [place for _, place in sorted(scored, key=lambda item: -item[0])]


def relabelled(sentences: Sequence[Audited], opinions: Iterable[Opinion]) -> list[Audited]:
    """The corpus as a tagger has it, so that nothing is wrong but what is planted."""
    return [one.with_spans(said.found) for one, said in zip(sentences, opinions, strict=True)]


def reviewed(spoiled: Sequence[Audited], ranking: Sequence[Place], planted: Sequence[Planted]) -> list[Audited]:
    """The corpus after a review of places, at which planted errors are put right; nothing else is changed."""
    left = list(spoiled)
    for error in planted:
        start, end = error.place
        if any(number == error.sentence and start < last and first < end for number, first, last in ranking):
            kept = [span for span in left[error.sentence].spans if span != error.after]
            before = [error.before] if error.before is not None else []
            left[error.sentence] = left[error.sentence].with_spans([*kept, *before])
    return left


def f1_of(recipe: RunRecipe, sentences: Sequence[Audited], dev: Sequence[Audited]) -> float:
    """F1 on dev, in percent, of a tagger trained on sentences."""
    return round(f1(dev, opinions_of(Job(recipe, sentences, dev))), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the planted errors")
    parser.add_argument("--sentences", type=int, help="only so many of the first ones")
    parser.add_argument("--share", type=float, default=0.03, help="of the spans, how many are planted")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--taggers", type=int, default=2)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="a change to the recipe")
    parser.add_argument("--relabel", action="store_true", help="first relabel the corpus by a tagger trained on it")
    parser.add_argument(
        "--baselines", action="store_true", help="rank by the loss of one tagger and a feature CRF too"
    )
    parser.add_argument(
        "--repair", type=Path, metavar="DEV", help="train before and after a review, and score on this"
    )
    parser.add_argument("--keep", type=Path, help="keep the taggers' opinions in a file, and read them from there")
    parser.add_argument("--output", type=Path, help="add the row to this file")
    given = parser.parse_args()
    prepare_process()
    recipe = read_recipe("audit", given.set)
    clean = read_audited(given.file, ReadingOptions())[: given.sentences]
    if given.relabel:
        clean = relabelled(clean, opinions_of(Job(recipe, clean, clean)))
    sentences, planted = plant_errors(clean, given.share, given.seed)
    plan = Plan(recipe, given.folds, given.taggers, given.processes)
    started = time.monotonic()
    opinions, copies = _opinions(sentences, plan, given.keep)
    suspects = rank(Witness(sentences, [opinions], Strings.of(sentences)), copies)
    minutes = (time.monotonic() - started) / 60
    row: dict[str, Any] = {
        "file": given.file.parent.name,
        "sentences": len(sentences),
        "seed": given.seed,
        "share": given.share,
        "folds": given.folds,
        "taggers": given.taggers,
        "set": given.set,
        "relabelled": given.relabel,
        "minutes": round(minutes, 1),
        "audit": measured([(s.sentence, *s.place) for s in suspects], planted),
        "trial": measured(by_posterior(sentences, opinions, True), planted),
    }
    if given.baselines:
        own = opinions_of(Job(recipe, sentences, sentences))
        row["loss"] = measured(by_posterior(sentences, own, False), planted)
        row["crf"] = measured(by_feature_crf(sentences, given.folds), planted)
    if given.repair:
        dev, ranking = read_audited(given.repair, ReadingOptions()), [(s.sentence, *s.place) for s in suspects]
        corrected = reviewed(sentences, ranking[: 2 * len(planted)], planted)
        corpora = {"clean": clean, "planted": sentences, "reviewed": corrected}
        row["f1"] = {name: f1_of(recipe, corpus, dev) for name, corpus in corpora.items()}
    print(json.dumps(row))
    if given.output:
        with open(given.output, "a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


def _opinions(sentences: Sequence[Audited], plan: Plan, keep: Path | None) -> tuple[list[Opinion], list[Copy]]:
    if keep is not None and keep.exists():
        return pickle.loads(keep.read_bytes())  # our own file
    opinions, copies, _ = train_taggers(sentences, plan, (), lambda done, of: print(f"{done} of {of}", flush=True))
    if keep is not None:
        keep.write_bytes(pickle.dumps((opinions, copies)))
    return opinions, copies


if __name__ == "__main__":
    main()
