"""An audit of annotated data: taggers trained on the rest of the corpus, and a ranking of what they doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.folds import cut_folds
from tagsmith.training.doubts.opinions import Job, Opinion, all_opinions
from tagsmith.training.doubts.planting import plant_errors
from tagsmith.training.doubts.ranking import PLANTED, Copy, rank
from tagsmith.training.doubts.strings import Strings, same_place
from tagsmith.training.doubts.suspects import Suspect, Witness
from tagsmith.training.runs.recipe import RunRecipe


@dataclass(frozen=True)
class Plan:
    """How an audit is done.

    Attributes:
        recipe: of the taggers.
        folds: into how many parts the corpus is cut.
        taggers: how many learn the whole corpus, each with a seed and with planted errors of its own.
        processes: how many taggers train at a time.
        seed: of the first tagger and of the planted errors.
    """

    recipe: RunRecipe
    folds: int = 5
    taggers: int = 2
    processes: int = 1
    seed: int = 1


@dataclass
class Audit:
    """What an audit found.

    Attributes:
        sentences: that were audited.
        suspects: of these, the most probable errors first.
        by_document: whether no document was cut apart.
    """

    sentences: Sequence[Audited]
    suspects: list[Suspect]
    by_document: bool

    def row(self, suspect: Suspect) -> dict[str, Any]:
        """A suspect as `tagsmith audit --json` prints it."""
        sentence = self.sentences[suspect.sentence]
        start, end = suspect.place
        found = [span for span in sentence.spans if same_place(span, start, end)]
        kept = [span for span in found if span != suspect.present and not _touches(span, suspect.expected)]
        found = [span for span in found if span not in kept]
        start = min([start, *(span.start for span in found)])
        end = max([end, *(span.end for span in found)])
        return {
            "file": sentence.path,
            "line": sentence.lines[start],
            "end_line": sentence.lines[end - 1],
            "kind": suspect.kind,
            "found": [as_json(sentence, span) for span in found],
            "expected": [as_json(sentence, span) for span in suspect.expected],
            "score": round(suspect.score, 6),
        }


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(same_place(span, other.start, other.end) for other in others)


def as_json(sentence: Audited, span: Span) -> dict[str, Any]:
    """A span of words as characters of its row's text."""
    start, end = sentence.starts[span.start], sentence.ends[span.end - 1]
    text = sentence.text[start:end]
    return {"start": start + sentence.offset, "end": end + sentence.offset, "label": span.label, "text": text}


def audit(
    sentences: Sequence[Audited],
    plan: Plan,
    evidence: Sequence[Audited] = (),
    done: Callable[[int, int], Any] = lambda finished, all_of_them: None,
) -> Audit:
    """Rank the annotations of a corpus by how probable it is that they are wrong.

    Args:
        sentences: of the corpus.
        plan: how it is done.
        evidence: sentences that are trusted: every tagger learns from them, and they are not audited.
        done: is told how many of how many taggers are trained.

    Raises:
        InputError: nothing to audit, or too little to be cut into folds.
    """
    if not sentences or not any(sentence.spans for sentence in sentences):
        found = "there are no spans to audit" if sentences else "there are no sentences with words to audit"
        raise InputError(found, path=sentences[0].path if sentences else None)
    opinions, copies, by_document = train_taggers(sentences, plan, evidence, done)
    strings = Strings.of([*sentences, *evidence])
    suspects = rank(Witness(sentences, [opinions], strings), copies)
    return Audit(sentences, suspects, by_document)


def rare_labels(sentences: Sequence[Audited], folds: int) -> list[str]:
    """Labels of fewer spans than there are folds: a tagger has hardly any to learn them from."""
    counts = Counter(span.label for sentence in sentences for span in sentence.spans)
    return sorted(label for label, number in counts.items() if number < folds)


def train_taggers(
    sentences: Sequence[Audited], plan: Plan, evidence: Sequence[Audited], done: Callable[[int, int], Any]
) -> tuple[list[Opinion], list[Copy], bool]:
    """The taggers of an audit, and what they say.

    Args:
        sentences: of the corpus.
        plan: how many taggers there are, and which.
        evidence: what every tagger is trained on too.
        done: as `audit` has it.

    Returns:
        The opinion on each sentence of a tagger that was not trained on it; copies of the corpus with planted errors,
        each with the opinions of a tagger that was trained on just that; and whether all documents stayed whole.
    """
    words = [len(sentence.words) for sentence in sentences]
    folds = cut_folds([(sentence.path, sentence.document) for sentence in sentences], words, plan.folds)
    jobs, places = [], []
    for fold in range(plan.folds):
        held, rest = (np.flatnonzero((folds.numbers == fold) == own).tolist() for own in (True, False))
        training = [*(sentences[place] for place in rest), *evidence]
        if not any(sentence.spans for sentence in training):
            fix = "Give more data, or data that are to be trusted as --evidence."
            raise InputError("all spans are in one fold, and nothing could be learnt from the others", fix=fix)
        jobs.append(Job(_seeded(plan, 0), training, [sentences[place] for place in held]))
        places.append(held)
    planted = [plant_errors(sentences, PLANTED, 1000 * plan.seed + number) for number in range(plan.taggers)]
    for number, (spoiled, _) in enumerate(planted):
        jobs.append(Job(_seeded(plan, number), [*spoiled, *evidence], spoiled))
    found = list(all_opinions(jobs, plan.processes, lambda finished: done(finished, len(jobs))))
    by_place = {
        place: own for held, part in zip(places, found, strict=False) for place, own in zip(held, part, strict=True)
    }
    opinions = [by_place[place] for place in range(len(sentences))]
    copies = [Copy(*own, said) for own, said in zip(planted, found[plan.folds :], strict=True)]
    return opinions, copies, folds.by_document


def _seeded(plan: Plan, number: int) -> RunRecipe:
    return replace(plan.recipe, training={**plan.recipe.training, "seed": plan.seed + number})
