"""Find people and places with Presidio, by a tagger: `TaggerRecognizer` beside recognizers of Presidio's own.

Run: pip install presidio-analyzer
     python examples/presidio_recognizer.py
"""

from __future__ import annotations

from typing import Any

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NoOpNlpEngine
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer

import tagsmith

# Presidio's names for a tagger's labels; labels that are not here are left out.
ENTITIES = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}


class TaggerRecognizer(EntityRecognizer):
    """Spans of a tagger as Presidio's results, with their scores."""

    def __init__(self, model: str = tagsmith.DEFAULT_TAGGER, language: str = "en", **options: Any) -> None:
        self.model, self.options = model, options  # of the pipeline's call, like min_score and head
        super().__init__(list(ENTITIES.values()), name="tagsmith", supported_language=language)

    def load(self) -> None:
        """Presidio calls it once."""
        self.tagger = tagsmith.pipeline(self.model)

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Results of those entities that are asked for."""
        spans = self.tagger(text, **self.options)
        named = [(ENTITIES.get(span["entity_group"], ""), span) for span in spans]
        return [RecognizerResult(name, s["start"], s["end"], s["score"]) for name, s in named if name in entities]


def analyzer(*recognizers: EntityRecognizer) -> AnalyzerEngine:
    """Presidio with these recognizers; the tagger splits words itself, so no model of spaCy is loaded."""
    engine = NoOpNlpEngine([{"lang_code": "en", "model_name": "none"}])
    engine.load()
    return AnalyzerEngine(registry=RecognizerRegistry(list(recognizers)), nlp_engine=engine)


def main(text: str) -> list[RecognizerResult]:
    """Print what is found."""
    found = analyzer(TaggerRecognizer(), CreditCardRecognizer()).analyze(text, language="en")
    for result in sorted(found, key=lambda result: result.start):
        print(f"{result.entity_type} {text[result.start : result.end]!r} {result.score:.2f}")
    return list(found)


if __name__ == "__main__":
    main("Angela Merkel met Barack Obama in Washington; the card is 4111 1111 1111 1111.")
