"""spaCy's component finds what the pipeline finds, and fits into spaCy's documents."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

import tagsmith

spacy: Any = pytest.importorskip("spacy")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

HEADS = Path(__file__).parent / "frozen" / "heads"
WORDS = ["Ada", "Lovelace", "went", "to", "Lund", ".", "saw", "Grace", "in", "New", "York", "City", "it", "rains"]


def texts(count: int) -> list[str]:
    chance = random.Random(1)
    return [" ".join(chance.choices(WORDS, k=chance.randint(0, 20))) for _ in range(count)]


def make(folder: Path, **settings: Any) -> Any:
    from tagsmith.training.integrations import spacy_component  # noqa: F401 (as its entry point does)

    nlp = spacy.blank("en")
    nlp.add_pipe("tagsmith", config={"model": str(folder), "alignment_mode": "expand", **settings})
    return nlp


def check(folder: Path, count: int) -> None:
    given = texts(count)
    expected: Any = tagsmith.pipeline(folder)(given)
    found = list(make(folder).pipe(given))
    for doc, entities in zip(found, expected, strict=True):
        spans = [(span.start_char, span.end_char, span.label_) for span in doc.ents]
        assert spans == [(entity["start"], entity["end"], entity["entity_group"]) for entity in entities]
        assert [span._.tagsmith_score for span in doc.ents] == pytest.approx([e["score"] for e in entities], abs=1e-5)
    assert sum(map(len, expected)) > count


def test_the_pipelines_spans(tiny_folder: Path) -> None:
    check(tiny_folder, 100)


@pytest.mark.slow
def test_the_pipelines_spans_of_many_texts(tiny_folder: Path) -> None:
    check(tiny_folder, 2000)


def test_groups_of_spans_saved_with_the_weights(tiny_folder: Path, tmp_path: Path) -> None:
    nlp = make(tiny_folder, spans_key="names")
    text = "Ada Lovelace lived in London ."
    nlp.to_disk(tmp_path / "saved")
    assert (tmp_path / "saved" / "tagsmith" / "tagger" / "model.safetensors").is_file()
    for other in (nlp, spacy.load(tmp_path / "saved")):
        doc = other(text)
        assert [(span.text, span.label_) for span in doc.spans["names"]] == [
            ("Ada Lovelace", "PER"),
            ("London", "LOC"),
        ]
        assert not doc.ents
    shown = spacy.displacy.render(doc, style="span", options={"spans_key": "names"})
    assert "PER" in shown


def places(spans: Any) -> list[tuple[int, int, str]]:
    return [(span.start_char, span.end_char, span.label_) for span in spans]


@pytest.mark.parametrize("head", ["en", "da"])
def test_one_of_several_heads(head: str) -> None:
    text = "Angela Merkel and Barack Obama met at the White House in Washington ."
    expected: Any = tagsmith.pipeline(HEADS)(text, head=head)
    assert expected
    own = [(span["start"], span["end"], span["entity_group"]) for span in expected]
    assert places(make(HEADS, head=head)(text).ents) == own
    doc = make(HEADS, head=head, spans_key="names")(text)
    assert places(doc.spans["names"]) == own


def test_all_of_several_heads() -> None:
    given = ["Angela Merkel and Barack Obama met in Washington .", "", "Peter Hansen rejste til Aarhus ."]
    expected: Any = tagsmith.pipeline(HEADS)(given)
    for doc, found in zip(make(HEADS, spans_key="names").pipe(given), expected, strict=True):
        assert set(doc.spans) == {"names_en", "names_da"}
        for head in ("en", "da"):
            own = [(span["start"], span["end"], span["entity_group"]) for span in found[head]]
            assert places(doc.spans[f"names_{head}"]) == own
    for wrong in ({}, {"head": "fr"}):
        with pytest.raises(tagsmith.InputError, match=r"da, en|en, da"):
            make(HEADS, **wrong)


def test_as_bytes(tiny_folder: Path, tmp_path: Path) -> None:
    """The weights travel: neither the folder of the one nor that of the other is needed any more."""
    shutil.copytree(tiny_folder, tmp_path / "own")
    nlp = make(tmp_path / "own")
    packed = nlp.to_bytes()
    shutil.rmtree(tmp_path / "own")
    other = make(HEADS, head=None, spans_key="names")
    other.get_pipe("tagsmith").settings["spans_key"] = None
    text = "Ada Lovelace lived in London ."
    assert places(other.from_bytes(packed)(text).ents) == places(nlp(text).ents) == [(0, 12, "PER"), (22, 28, "LOC")]


def test_a_saved_pipeline_needs_no_other_folder(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "own")
    nlp = make(tmp_path / "own")
    nlp.to_disk(tmp_path / "saved")
    shutil.rmtree(tmp_path / "own")
    text = "Ada Lovelace lived in London ."
    loaded = spacy.load(tmp_path / "saved")  # of which the settings name the first folder
    assert places(loaded(text).ents) == places(nlp(text).ents)
    loaded.to_disk(tmp_path / "again")
    shutil.rmtree(tmp_path / "saved")
    assert places(spacy.load(tmp_path / "again")(text).ents) == places(nlp(text).ents)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    nlp = make(tmp_path / "missing")
    with pytest.raises(tagsmith.InputError, match="missing"):
        nlp("Ada")


@pytest.mark.parametrize(("existing", "label"), [("keep", "MINE"), ("replace", "PER")])
def test_entities_that_are_there(tiny_folder: Path, existing: str, label: str) -> None:
    nlp = make(tiny_folder, existing=existing)
    doc = nlp.make_doc("Ada Lovelace lived in London .")
    doc.ents = [doc.char_span(4, 12, label="MINE")]
    doc = nlp.get_pipe("tagsmith")(doc)
    assert [span.label_ for span in doc.ents] == [label, "LOC"]
    assert nlp.get_pipe("tagsmith").counts["overlapping"] == 1


def test_spans_inside_tokens_are_counted(tiny_folder: Path) -> None:
    doc_of = {}
    for mode in ("strict", "expand"):
        nlp = make(tiny_folder, alignment_mode=mode)
        words = ["Ada", "Lovelace", "lived", "in", "London."]  # tokens of others, not those of the tagger
        doc = spacy.tokens.Doc(nlp.vocab, words=words, spaces=[True] * 4 + [False])
        component = nlp.get_pipe("tagsmith")
        doc_of[mode] = [span.text for span in component(doc).ents], component.counts["moved"], component.counts
    assert doc_of["strict"][0] == ["Ada Lovelace"] and doc_of["strict"][2]["unaligned"] == 1
    assert doc_of["expand"][0] == ["Ada Lovelace", "London."] and doc_of["expand"][1] == 1


@pytest.mark.parametrize("setting", ["alignment_mode", "existing"])
def test_settings_that_are_none(tiny_folder: Path, setting: str) -> None:
    with pytest.raises(tagsmith.InputError, match=setting):
        make(tiny_folder, **{setting: "other"})
