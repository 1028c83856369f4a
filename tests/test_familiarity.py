"""What is said of texts whose script or language a tagger does not know."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tagsmith.training.batches import script_counts
from tagsmith.training.tagging.familiarity import Familiarity, script_of

ENGLISH = [f"word{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(200)]
TEXT = "the cat sat on a mat and the dog ran to it in the rain as we saw from our house by the sea with them"
KNOWN = TEXT.split()
CYRILLIC = [f"{first}{second}" for first in "абвгдежзик" for second in "абвгдежзик"]


def heard(*texts: str | None, words: list[str] | None = None, most_unknown: float | None = 0.6) -> list[str]:
    """What is said of texts, which come out as they were."""
    said: list[str] = []
    tokenizer = SimpleNamespace(vocabularies={None: [*ENGLISH, *KNOWN, *(words or [])]})
    assert list(Familiarity(tokenizer, most_unknown, said.append).watch(iter(texts))) == list(texts)
    return said


@pytest.mark.parametrize(
    "text, script",
    [
        ("Ο Αλέξης Τσίπρας μίλησε χθες στην Αθήνα.", "Greek"),
        ("Владимир Зеленский прибыл в Варшаву.", "Cyrillic"),
        ("나는 서울에서 살고 있습니다", "Hangul"),
        ("ประเทศไทยอยู่ในเอเชีย", "Thai"),
        ("Angela: ანგელა მერკელი ბერლინში", "Georgian"),
    ],
)
def test_an_unknown_script_is_named_once(text: str, script: str) -> None:
    (said,) = heard("the cat", text, text, None, text)
    assert script in said and "not trained on" in said


@pytest.mark.parametrize(
    "text",
    [
        *(
            "The word λόγος is Greek for a word, and the letter ж is not.",
            "",
            "1 234 € – § ☃ 👍",
            "Łódź ﬁne ＡＢＣ １２",
        ),
        "Zoe\u0308 and Nae\u0308ls",
    ],
)
def test_a_few_letters_and_signs_are_not_a_script(text: str) -> None:
    assert heard(text, most_unknown=None) == []


def test_a_script_of_the_vocabulary_is_known() -> None:
    assert heard("Владимир прибыл в Варшаву.", words=CYRILLIC, most_unknown=None) == []
    assert len(heard("Владимир прибыл в Варшаву.", words=CYRILLIC[:2], most_unknown=None)) == 1


def test_an_unknown_language_is_noticed_by_its_words() -> None:
    finnish = "hän asuu pienessä talossa järven rannalla ja kalastaa joka aamu kun sää on kaunis"
    (said,) = heard(*[finnish] * 3)
    assert "words are unknown" in said
    assert heard(*[finnish] * 3, most_unknown=None) == []
    assert len(heard(finnish)) == 1, "at the end fewer words must do"
    assert heard("hän asuu pienessä talossa") == []


def test_names_and_first_words_say_nothing() -> None:
    assert heard(*[f"Zyx Abcde {' '.join(KNOWN)} Qwert Uiop"] * 9) == []
    assert heard(" ".join(KNOWN), "XYLOPHONE ZEBRA " * 50) == []


def test_a_tagger_without_a_vocabulary_knows_all() -> None:
    said: list[str] = []
    assert list(Familiarity(SimpleNamespace(), 0.1, said.append).watch(["Αθήνα και Θεσσαλονίκη"])) and said == []


@pytest.mark.parametrize(
    "letters, count", [({"GREEK": 1000}, 0), ({"GREEK": 999, "LATIN": 10**6}, 1), ({"GREEK": 1}, 0)]
)
def test_a_tagger_without_a_vocabulary_knows_the_scripts_of_its_data(letters: dict[str, int], count: int) -> None:
    said: list[str] = []
    texts = ["Αθήνα και Θεσσαλονίκη", "rain and snow " * 200]
    assert list(Familiarity(SimpleNamespace(), 0.1, said.append, letters).watch(texts)) == texts
    assert len(said) == count


def test_letters_are_counted_by_script(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Ada Łódź: 習近平, Минск 🙂 12"
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    for size in (1, 2, 5, 1000):
        monkeypatch.setattr(script_counts, "_BYTES", size)
        assert script_counts.letters_by_script(data) == {"LATIN": 7, "CJK": 3, "CYRILLIC": 5}


def test_scripts() -> None:
    assert [script_of(character) for character in "aж中あ１ﬁＡ-"] == [
        *("LATIN", "CYRILLIC", "CJK", "HIRAGANA", "", "LATIN", "LATIN", ""),
    ]
