"""The taggers that peers.py compares: by speed, by F1 against time, and what those learn that tag for speed."""

from __future__ import annotations

from typing import Any

from peer_runs import Tagger

_FLAIR_SHAPE = ["word_embedding_size=300", "character_embedding_size=25", "character_encoder=lstm"]
_FLAIR_SHAPE += ["character_hidden_size=25", "character_num_layers=1", "word_encoder=lstm", "hidden_size=256"]
_FLAIR_SHAPE += ["num_hidden_layers=1", "cost=0", "ngram_sizes=[]"]
FLAIR_SHAPE = [*(f"model.{choice}" for choice in _FLAIR_SHAPE), "tokenizer.min_count=3"]

# What today's recipes must be told so as to be those of 721f221.
NER_THEN = ["model.ngram_sizes=[]"]
PAPER_THEN = ["tokenizer.zero_character_digits=false", "model.gru_reset=after"]
_BYTES_THEN = ["window_size=60", "ngram_sizes=[]", "tag_loss=0", "decode=spans", "encoder_hidden_size=128"]
_BYTES_THEN += ["encoder_num_layers=2", "patch_hidden_size=0"]
BYTES_THEN = [f"model.{choice}" for choice in (*_BYTES_THEN, "embedding_dropout=0", "hidden_dropout=0")]

_NER, _PAPER = {"recipe": "ner"}, {"recipe": "ner-paper"}
_BYTES = {"recipe": "byte-ner", "batch_size": 128}
_SHORT = {**_BYTES, "dtype": "bfloat16"}
_INT8 = {**_NER, "int8": True}


def _then(name: str, job: dict[str, Any], works: tuple[str, ...], note: str, settings: list[str]) -> list[Tagger]:
    """Today's code with the recipe of then, and the code of then: `then-NAME` and `before-NAME`."""
    ours, theirs = f"then{name}", f"before{name}"
    choices: dict[str, Any] = {"works": works, "many": name in ("", "-paper")}
    learnt = "text" in works
    return [
        Tagger(
            ours,
            "tagsmith",
            job={**job, "settings": settings},
            learnt="ner-then" if learnt else "",
            note=f"{note}, with the recipe of 721f221",
            **choices,
        ),
        Tagger(
            theirs,
            "tagsmith",
            ours,
            job,
            python="before",
            learnt="ner-before" if learnt else "",
            note="the same by tagsmith at 721f221, in an environment of its own (`--python before=PATH`)",
            **choices,
        ),
    ]


ALL = ("train", "tokens", "text", "one", "start")
SPEED = [
    Tagger("tagsmith", "tagsmith", job=_NER, works=ALL, learnt="ner", note="recipe `ner`"),
    Tagger(
        "tagsmith-int8", "tagsmith", job=_INT8, works=("tokens", "text", "one"), learnt="ner", note="with `--int8`"
    ),
    Tagger("runtime", "runtime", works=("text", "one", "start"), learnt="ner", many=False, note="the same on numpy"),
    *_then("", _NER, ("train", "text", "one", "start"), "recipe `ner`", NER_THEN),
    *_then("-int8", _INT8, ("text", "one"), "the same, tagging with `--int8`", NER_THEN),
    *_then("-paper", _PAPER, ("train",), "recipe `ner-paper`", PAPER_THEN),
    *_then("-bytes", _BYTES, ("train",), "recipe `byte-ner`, 128 windows, bytes for words", BYTES_THEN),
    *_then("-bytes-bfloat16", _SHORT, ("train",), "the same in bfloat16", BYTES_THEN),
    Tagger("crf", "crf", "crf", works=("crf",), many=False, note="the CRF layer: 32 sentences of 50 words, 17 tags"),
    Tagger("before-crf", "crf", "crf", works=("crf",), python="before", many=False, note="the same at 721f221"),
    Tagger("tagsmith-paper", "tagsmith", job=_PAPER, note="recipe `ner-paper`"),
    Tagger(
        "tagsmith-lstm",
        "tagsmith",
        job={**_PAPER, "settings": ["model.character_encoder=lstm", "model.word_encoder=lstm"]},
        note="the same with LSTMs for GRUs",
    ),
    Tagger("naive", "naive", "tagsmith-paper", note="the network of `ner-paper` in plain torch, packed"),
    Tagger("naive-padded", "naive", "tagsmith-paper", {"padded": True}, note="the same, padding read like words"),
    Tagger(
        "naive-fused",
        "naive",
        "tagsmith-lstm",
        {"padded": True, "cell": "lstm", "alike": True},
        works=("train", "tokens", "one"),
        note="the same with LSTMs, which oneDNN has fused layers for, and batches of like lengths",
    ),
    Tagger("tagsmith-flair", "tagsmith", job={**_NER, "settings": FLAIR_SHAPE}, note="the shape of `flair`"),
    Tagger(
        "flair",
        "flair",
        "tagsmith-flair",
        works=("train", "tokens", "one"),
        note="BiLSTM-CRF over one-hot words and characters",
    ),
    Tagger("spacy", "spacy", works=ALL, learnt="spacy", note="default `ner` for the CPU"),
    Tagger(
        "spacy-1000",
        "spacy",
        job={"batch_words": 1000},
        works=("train",),
        many=False,
        note="batches of 1,000 words, where its schedule ends",
    ),
    Tagger(
        "crfsuite",
        "crfsuite",
        works=("tokens", "one", "start"),
        learnt="crfsuite",
        many=False,
        note="feature CRF, trained to its end; one thread by itself",
    ),
    Tagger(
        "pos",
        "tagsmith",
        "pos",
        job={"recipe": "pos"},
        works=("tokens", "one", "start"),
        learnt="pos",
        corpus="tags",
        many=False,
        note="recipe `pos`, parts of speech",
    ),
    Tagger(
        "udpipe",
        "udpipe",
        "pos",
        works=("tokens", "one", "start"),
        learnt="udpipe",
        corpus="tags",
        many=False,
        note="UDPipe 1, parts of speech without lemmas and features, five passes; one thread by itself",
    ),
]
LEARNERS = [
    Tagger("ner", "tagsmith", job=_NER),
    Tagger("ner-then", "tagsmith", job={**_NER, "settings": NER_THEN}),
    Tagger("ner-before", "tagsmith", job=_NER, python="before"),
    Tagger("pos", "tagsmith", job={"recipe": "pos"}, corpus="tags"),
    Tagger("crfsuite", "crfsuite"),
    Tagger("spacy", "spacy"),
    Tagger("udpipe", "udpipe", job={"iterations": 5}, corpus="tags"),
]
F1 = [
    Tagger("tagsmith", "tagsmith", job={"recipe": "ner"}, note="recipe `ner`, twelve passes"),
    Tagger(
        "tagsmith-6",
        "tagsmith",
        job={"recipe": "ner", "settings": ["training.num_train_epochs=6"]},
        note="the same, six passes",
    ),
    Tagger("crfsuite", "crfsuite", note="100 passes of L-BFGS, one evaluation"),
    Tagger("spacy", "spacy", note="default `ner` for the CPU, evaluated every 200 steps"),
    Tagger("naive", "naive", job={"batch_size": 10}, note="the network of `ner-paper` in plain torch"),
    Tagger("flair", "flair", job={"batch_size": 32}, note="BiLSTM-CRF over one-hot words and characters"),
]


def legend(taggers: list[Tagger]) -> str:
    """What each peer is, as a list."""
    return "".join(f"- `{tagger.name}`: {tagger.note}\n" for tagger in taggers)
