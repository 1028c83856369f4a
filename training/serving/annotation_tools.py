"""What a tagger finds, as annotation tools ask for it: Label Studio's predictions and Prodigy's tasks."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from tagsmith.training.serving.request_bodies import Refused

VERSION = "tagsmith"


def spans_of(found: Any) -> list[dict[str, Any]]:
    """The spans of one text; those of all heads together."""
    if isinstance(found, dict):
        found = sorted((span for spans in found.values() for span in spans), key=lambda span: span["start"])
    return list(found)


def prodigy_task(text: str, found: Any) -> dict[str, Any]:
    """A text as a task of Prodigy, whose lowest score is in `meta`."""
    spans = spans_of(found)
    rows = [{"start": s["start"], "end": s["end"], "label": s["entity_group"], "score": s["score"]} for s in spans]
    meta = {"meta": {"score": round(min(span["score"] for span in spans), 4)}} if spans else {}
    return {"text": text, "spans": rows, **meta}


class Labelling:
    """Which names a project's labelling interface has for its texts and labels.

    Args:
        config: XML of the interface; empty for `<Labels name="label" toName="text">` and
            `<Text name="text" value="$text"/>`.

    Raises:
        Refused: it is not XML, or has no `Labels` of a `Text`.
    """

    def __init__(self, config: str) -> None:
        self.labels, self.text, self.key = "label", "text", "text"
        self.known: set[str] | None = None  # labels of the interface
        if not config.strip():
            return
        if re.search(r"<!(DOCTYPE|ENTITY)", config, flags=re.IGNORECASE):
            raise Refused(400, "the labelling interface declares entities, which are not read")
        try:
            root = ElementTree.fromstring(config)
        except ElementTree.ParseError as error:
            raise Refused(400, f"the labelling interface is not XML: {error}") from None
        texts = {tag.get("name"): tag.get("value", "") for tag in root.iter("Text")}
        for tag in root.iter("Labels"):
            if tag.get("toName") in texts:
                self.labels, self.text = str(tag.get("name")), str(tag.get("toName"))
                self.key = texts[self.text].removeprefix("$")
                self.known = {str(label.get("value")) for label in tag.iter("Label")} or None
                return
        raise Refused(400, 'the labelling interface has no <Labels toName="..."> of a <Text name="...">')

    def text_of(self, task: Any, number: int) -> str:
        """The text of a task.

        Raises:
            Refused: it has none.
        """
        data = task.get("data") if isinstance(task, dict) else None
        text = data.get(self.key) if isinstance(data, dict) else None
        if not isinstance(text, str):
            raise Refused(422, f"task {number + 1} has no text under data.{self.key}")
        return text

    def prediction(self, found: Any) -> dict[str, Any]:
        """What Label Studio shows of one text: labels that the interface has."""
        results = []
        for number, span in enumerate(spans_of(found)):
            if self.known is not None and span["entity_group"] not in self.known:
                continue
            value = {name: span[name] for name in ("start", "end")}
            value |= {"text": span["word"], "labels": [span["entity_group"]]}
            names = {"id": f"s{number + 1}", "from_name": self.labels, "to_name": self.text, "type": "labels"}
            results.append({**names, "value": value, "score": span["score"]})
        lowest = min((result["score"] for result in results), default=None)
        return {"result": results, "model_version": VERSION, **({} if lowest is None else {"score": lowest})}
