"""Make openly licensed corpora ready for one tagger of people, places and organisations in thirty languages.

    python benchmarks/prepare_open.py DATA FOLDER [--without en/wikigold,sv/webbnyheter2012]

DATA holds `open/LANGUAGE/CORPUS/` (`train.conll`, `dev.conll`), `uner/SET/` (`train.iob2`, ...) and `ner/fi/`. FOLDER
gets `LANGUAGE/train.iob2`, `LANGUAGE/dev.iob2` and a sample of the latter, `LANGUAGE/few.iob2`, to choose a checkpoint
on; `tried/LANGUAGE/dev.iob2` of languages that are not trained on; and `apart/LANGUAGE-CORPUS/dev.iob2` of corpora to
score a tagger on that was trained without them, which `--without` leaves out of the rest.

Every sentence has its text, so that the tagger learns the words that it will cut raw text into; where a corpus has
words alone, they are joined, with the space before punctuation or, every other time, without. Small languages are
repeated, up to three times, and corpora with reading errors or automatic annotation are cut to 60,000 words. A share
of the training sentences is written otherwise: without capitals, in capitals, without diacritics; Serbian in Cyrillic,
Chinese in traditional characters, by `opencc` of the extra `bench`. All choices come from one seed.
"""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from prepare_uner import LANGUAGES

GOLD = {
    "ar": ["aqmar", "newsfane"],
    "de": ["germeval2014"],
    "en": ["wikigold", "wnut17"],
    "et": ["estner"],
    "fa": ["parstwiner"],
    "gl": ["sli_nerc"],
    "hi": ["hiner"],
    "hu": ["nerkor"],
    "id": ["idner_news_2k"],
    "ja": ["gsd_ne", "stockmark"],
    "kk": ["kaznerd"],
    "lv": ["fullstack"],
    "nb": ["norne"],
    "ne": ["ebiquity"],
    "nn": ["norne"],
    "pl": ["kpwr"],
    "ro": ["ronec"],
    "ru": ["factrueval2016"],
    "sv": ["webbnyheter2012"],
    "th": ["thainer"],
    "tr": ["wikiner_tr"],
}
WEAK = {
    "fr": ["europeana"],
    "he": ["iahltwiki"],
    "ko": ["klue_ner"],
    "nl": ["europeana"],
    "ru": ["wikiner"],
    "sl": ["ssj"],
}
# not trained on: their licences do not let what is made of them ship
TRIED = {"ca": ["ancora"], "cs": ["ehri"], "es": ["ancora"]}
# looked at apart: other kinds of text than the language's other corpora
APART = ("ar/aqmar", "en/wikigold", "en/wnut17", "ja/stockmark", "sv/webbnyheter2012")
LABELS = ("PER", "LOC", "ORG")  # others are written as O
WEAK_WORDS = 60_000
FEW = 120  # dev sentences of a language to choose a checkpoint on
SHARES = {"lower": 0.08, "upper": 0.05, "plain": 0.05}  # of the sentences that a tagger learns first
MORE_SHARES = {"lower": 0.15, "upper": 0.12, "plain": 0.05}  # and of those that it learns when it knows names
LATIN = dict(zip("ABVGDĐEŽZIJKLMNOPRSTĆUFHCČŠ", "АБВГДЂЕЖЗИЈКЛМНОПРСТЋУФХЦЧШ", strict=True))
LETTERS = LATIN | {small.lower(): cyrillic.lower() for small, cyrillic in LATIN.items()}
PAIRS = {"lj": "љ", "nj": "њ", "dž": "џ", "Lj": "Љ", "Nj": "Њ", "Dž": "Џ", "LJ": "Љ", "NJ": "Њ", "DŽ": "Џ"}


class Sentence(NamedTuple):
    """Words with tags and the text that they stand in; None where there is none."""

    words: list[str]
    tags: list[str]
    text: str | None
    opens_document: bool


def sentences(path: Path) -> Iterator[Sentence]:
    """The sentences of a file of columns: word and tag, or number, word and tag, with `# text`."""
    words: list[str] = []
    tags: list[str] = []
    text, opens = None, False
    for line in [*path.read_bytes().decode("utf-8").split("\n"), ""]:
        fields = line.rstrip("\r").split("\t")
        if line.startswith(("# newdoc", "-DOCSTART-")):
            opens = True
        elif line.startswith("# text = "):
            text = line.removeprefix("# text = ").rstrip("\r")
        elif len(fields) >= 3 and re.fullmatch(r"\d+", fields[0]):
            words.append(fields[1])
            tags.append(fields[2])
        elif len(fields) == 2:
            words.append(fields[0])
            tags.append(fields[1])
        elif not line.strip() and words:
            yield Sentence(words, [tag if tag[2:] in LABELS else "O" for tag in tags], text, opens)
            words, tags, text, opens = [], [], None, False


def joined(words: list[str], close: bool) -> str:
    """Words as a text; with `close`, punctuation without the space before it."""
    text = " ".join(words)
    return closed_up(text) if close else text


def closed_up(text: str) -> str:
    """A text without the spaces before punctuation, and after what opens a bracket or a quotation."""
    text = re.sub(r" (?=[,.;:!?%)\]}»”…،؛؟।]+(?: |$))", "", text)
    return re.sub(r"(?<=[(\[{«„“]) ", "", text)


def plain(character: str) -> str:
    """A Latin letter without its diacritics."""
    parts = unicodedata.normalize("NFD", character)
    return parts[0] if "a" <= parts[0].lower() <= "z" else character


def cyrillic(text: str) -> str:
    """Serbian in Cyrillic; letters that Serbian does not have stay."""
    text = re.sub("lj|nj|dž|L[jJ]|N[jJ]|D[žŽ]", lambda pair: PAIRS[pair.group()], text)
    return "".join(LETTERS.get(character, character) for character in text)


@cache
def traditional() -> Callable[[str], str]:
    """A character of simplified Chinese as a traditional one."""
    from opencc import OpenCC  # not needed to look at what this has written

    characters = [chr(code) for code in range(0x4E00, 0xA000)]
    table = dict(zip(characters, OpenCC("s2tw").convert("\n".join(characters)).split("\n"), strict=True))
    return lambda character: table.get(character, character)


def by_character(change: Callable[[str], str]) -> Callable[[str], str]:
    """A change of texts, one character after the other, so that words stay parts of their text."""
    return lambda text: "".join(map(change, text))


CHANGES = {
    "lower": by_character(str.lower),
    "upper": by_character(str.upper),
    "plain": by_character(plain),
    "closed": closed_up,
}


def changed(sentence: Sentence, change: Callable[[str], str]) -> Sentence:
    """A sentence written otherwise; as it was where its words would not be found in its text."""
    assert sentence.text is not None
    words, text = [change(word) for word in sentence.words], change(sentence.text)
    place = 0
    for word in words:
        place = text.find(word, place)
        if place < 0 or not word.strip():
            return sentence
        place += len(word)
    return sentence._replace(words=words, text=text)


def written(sentence: Sentence, language: str, chance: random.Random, shares: dict[str, float] | None) -> Sentence:
    """A sentence with its text; where there are `shares`, some of them written otherwise."""
    if sentence.text is None:
        sentence = sentence._replace(text=joined(sentence.words, shares is not None and chance.random() < 0.5))
    if shares is None:
        return sentence
    if language == "sr" and chance.random() < 0.4:
        sentence = changed(sentence, cyrillic)
    if language == "zh" and chance.random() < 0.4:
        sentence = changed(sentence, by_character(traditional()))
    (name,) = chance.choices([*shares, ""], [*shares.values(), 1 - sum(shares.values())])
    return changed(sentence, CHANGES[name]) if name else sentence


def balanced(corpus: list[Sentence], chance: random.Random) -> list[Sentence]:
    """All sentences, a small language's up to three times: as many words as the root of theirs times 100,000."""
    words = sum(len(sentence.words) for sentence in corpus)
    times = min(max(math.sqrt(100_000 / words), 1.0), 3.0)
    whole, rest = int(times), times - int(times)
    return [*corpus * whole, *chance.sample(corpus, round(rest * len(corpus)))]


def limited(corpus: list[Sentence], words: int, chance: random.Random) -> list[Sentence]:
    """Sentences at random, of at most so many words."""
    kept, left = [], words
    for sentence in chance.sample(corpus, len(corpus)):
        left -= len(sentence.words)
        if left < 0:
            break
        kept.append(sentence)
    return kept


def write(path: Path, corpus: list[Sentence]) -> None:
    """Write sentences with their texts."""
    lines = []
    for number, sentence in enumerate(corpus):
        lines += ["# newdoc"] if sentence.opens_document or not number else []
        lines.append(f"# text = {sentence.text}")
        pairs = zip(sentence.words, sentence.tags, strict=True)
        lines += [f"{index}\t{word}\t{tag}" for index, (word, tag) in enumerate(pairs, 1)]
        lines.append("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def sources(data: Path, split: str, without: list[str]) -> Iterator[tuple[str, Path, bool]]:
    """The files of a split: their language, and whether they are weak."""
    for language, name in LANGUAGES.items():
        yield language, data / "uner" / name / f"{split}.iob2", False
    yield "fi", data / "ner" / "fi" / f"{split}.conll", False
    for corpora, weak in ((GOLD, False), (WEAK, True)):
        for language, names in corpora.items():
            for name in names:
                if f"{language}/{name}" not in without:
                    yield language, data / "open" / language / name / f"{split}.conll", weak


def write_others(data: Path, folder: Path, chance: random.Random) -> None:
    """Write the dev data of languages that are tried and of corpora that are looked at apart."""
    others = {f"tried/{language}": f"{language}/{name}" for language, names in TRIED.items() for name in names}
    others |= {f"apart/{name.replace('/', '-')}": name for name in APART}
    for place, name in others.items():
        corpus = sentences(data / "open" / name / "dev.conll")
        write(folder / place / "dev.iob2", [written(one, name[:2], chance, None) for one in corpus])


def main(
    data: Annotated[Path, typer.Argument(help="The corpora.")],
    folder: Annotated[Path, typer.Argument(help="Where a folder for each language is made.")],
    seed: Annotated[int, typer.Option(help="Of all choices.")] = 1,
    without: Annotated[str, typer.Option(help="Open corpora to leave out, with commas: en/wikigold.")] = "",
    more: Annotated[bool, typer.Option("--more", help="Write more sentences in capitals and without.")] = False,
) -> None:
    """Write train and dev of each language."""
    chance = random.Random(seed)
    shares = MORE_SHARES if more else SHARES
    corpora: dict[str, dict[str, list[Sentence]]] = {}
    for split in ("train", "dev"):
        for language, path, weak in sources(data, split, without.split(",")):
            found = list(sentences(path))
            if weak and split == "train":
                found = limited(found, WEAK_WORDS, chance)
            corpora.setdefault(language, {}).setdefault(split, []).extend(found)
    write_others(data, folder, random.Random(seed))
    total = 0
    for language, splits in sorted(corpora.items()):
        train = [written(one, language, chance, shares) for one in balanced(splits["train"], chance)]
        dev = [written(one, language, chance, None) for one in splits["dev"]]
        write(folder / language / "train.iob2", train)
        write(folder / language / "dev.iob2", dev)
        write(folder / language / "few.iob2", chance.sample(dev, min(FEW, len(dev))))
        words = sum(len(sentence.words) for sentence in train)
        total += words
        typer.echo(f"{language}: {len(train):,} sentences, {words:,} words to train on, {len(dev):,} dev sentences")
    typer.echo(f"{len(corpora)} languages, {total:,} words")


if __name__ == "__main__":
    typer.run(main)
