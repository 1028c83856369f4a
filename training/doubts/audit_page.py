"""The suspects of an audit as one page of HTML, to be looked through and accepted without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.annotation_audit import Audit
from tagsmith.training.doubts.audited import Audited
from tagsmith.training.doubts.suspects import Suspect
from tagsmith.training.tagging.rendering import generate_page, pieces


def audit_page(audit: Audit, suspects: Sequence[Suspect], title: str) -> Iterator[str]:
    """The page, in pieces: each suspect in its sentence, as it stands there and as it should, with a box to accept it.

    The boxes' rows are saved by the page itself as the file that `--accept` takes.

    Args:
        audit: of the corpus.
        suspects: that are shown, worst first.
        title: of the page.
    """
    shown = (_shown(audit, suspect) for suspect in suspects)
    return generate_page("tagsmith.training.doubts", "audit.html.jinja", {"title": title, "suspects": shown})


def _shown(audit: Audit, suspect: Suspect) -> dict[str, Any]:
    sentence, row = audit.sentences[suspect.sentence], audit.row(suspect)
    sides = [_side(sentence, row[name]) for name in ("found", "expected")]
    return {"row": row, "sides": sides}


def _side(sentence: Audited, spans: Sequence[Mapping[str, Any]]) -> Any:
    placed = [Span(span["start"] - sentence.offset, span["end"] - sentence.offset, span["label"]) for span in spans]
    return pieces(
        sentence.text,
        [
            {"entity_group": label, "word": sentence.text[start:end], "start": start, "end": end}
            for start, end, label in sorted(placed)
        ],
    )
