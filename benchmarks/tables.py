"""The tables of the sources as cells to be run: what `reproduce.py` knows of each.

Sources: the lecture on recurrent taggers that the presets follow, whose figures are Ma and Hovy's (2016) where they
give one; Yang, Salakhutdinov and Cohen (2016); Gillick, Brunk, Vinyals and Subramanya (2016). `source` is a figure of
a test set and `source_dev` one of a dev set: never the one beside the other's. Parts of speech are the Penn Treebank's
in the first two, universal ones here, so that no figure of theirs stands beside ours. A figure that we do not have is
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

NER, POS, PTB, CHUNKING = "ner/en", "pos/en", "ptb", "chunking/en"
_LISTS = {"LOC": "loc", "ORG": "org", "PER": "per", "MISC": "msc"}
GAZETTEERS = tuple(f"gazetteers.files.{label}={{data}}/gazetteers/ner.{name}.lst" for label, name in _LISTS.items())
GAZETTEERS += ("gazetteers.encoding=latin-1",)
VECTORS = ("vectors.path={data}/vectors/glove.6B.100d.250k.txt.gz", "model.word_embedding_size=100")


@dataclass(frozen=True)
class Cell:
    """One figure of a table.

    Attributes:
        name: of the row.
        column: of the table.
        data: folders below the data's root by the name of head or language; "" for a tagger of one.
        recipe: of `tagsmith train`, or a baseline of `baselines.py`.
        settings: of the recipe; `{data}` is the data's root.
        tagging: parameters of the pipeline, where the run's tagger is scored once more with these.
        with_dev: the dev set is trained on too, and still chooses the checkpoint; the test set alone is scored.
        scored: the name whose score is the cell's; None for the mean of all.
        source: the source's figure in percent on its test set, if we have it.
        source_dev: the same on its dev set.
        trained_on: the source's training data, where it is not the training set alone.
        gain: in place of `source`, what the source gains in points over the same without a helper.
    """

    name: str
    column: str
    data: dict[str, str]
    recipe: str
    settings: tuple[str, ...] = ()
    scored: str | None = ""
    source: float | None = None
    source_dev: float | None = None
    trained_on: str = ""
    gain: float | None = None
    tagging: tuple[tuple[str, Any], ...] = ()
    with_dev: bool = False


TRAIN_AND_DEV = "train + dev"
BASELINES = ("hmm", "memm", "memm-greedy", "crf")


# The figures of the lecture and of Ma and Hovy (2016), tables 3, 5 and 6: named entities, test and dev. 80.7 has
# stood in the row of the plain BLSTM without vectors; 80.76 is Ma and Hovy's whole model with random vectors.
_LECTURE_NER: dict[str, tuple[float | None, float | None]] = {
    "hmm": (75.3, None),
    "crf": (88.7, None),
    "blstm + vectors": (87.00, 91.57),
    "blstm-cnn + vectors": (89.36, 93.07),
    "blstm-cnn-crf + vectors": (91.21, 94.74),
    "blstm-cnn-crf": (80.76, None),
}
# Of parts of speech (Penn Treebank), accuracy on test and dev.
LECTURE_PTB: dict[str, tuple[float | None, float | None]] = {
    "hmm": (96.4, None),
    "crf": (97.0, None),
    "blstm": (96.1, None),
    "blstm + vectors": (96.93, 96.88),
    "blstm-cnn + vectors": (97.33, 97.34),
    "blstm-cnn-crf + vectors": (97.55, 97.46),
    "blstm-cnn-crf": (97.13, None),
}


def lecture() -> list[Cell]:
    """Parts of speech and names by the lecture's taggers, in the order in which they grow."""
    rows: list[tuple[str, str, tuple[str, ...]]] = [(name, name, ()) for name in BASELINES]
    rows += [(name, name, ()) for name in ("rnn", "blstm", "blstm-cnn", "blstm-cnn-crf", "sru-crf", "linear-rnn-crf")]
    rows += [(f"{name} + vectors", name, VECTORS) for name in ("blstm", "blstm-cnn", "blstm-cnn-crf")]
    cells = []
    for column, folder, given in (
        ("POS (Penn Treebank)", PTB, LECTURE_PTB),
        ("NER", NER, _LECTURE_NER),
        ("POS", POS, {}),
    ):
        for name, recipe, settings in rows:
            rate = () if folder == NER or not recipe.startswith("blstm") else ("training.learning_rate=0.01",)
            cells.append(Cell(name, column, {"": folder}, recipe, (*settings, *rate), "", *given.get(name, ())))
    return cells


def encoders() -> list[Cell]:
    """The word encoders at the same width, all else as in the recipe `ner`."""
    cells = [Cell("lstm", "NER", {"": NER}, "ner")]  # the recipe's own
    for kind in ("gru", "rnn", "sru", "linear-rnn"):
        cells.append(Cell(kind, "NER", {"": NER}, "ner", (f"model.word_encoder={kind}",)))
    for kind, option in (("gru", "gru_reset=before"), ("sru", "sru_gates=state"), ("linear-rnn", "linear_rnn=plain")):
        settings = (f"model.word_encoder={kind}", f"model.{option}")
        cells.append(Cell(f"{kind}, {option}", "NER", {"": NER}, "ner", settings))
    return cells


# Yang et al., tables 2 to 6, test: the whole model, without the character GRU, without word embeddings. The first two
# have pretrained vectors. Parts of speech are of the Penn Treebank. English names are trained on training and dev set.
YANG: dict[str, tuple[float | None, ...]] = {
    "English NER": (90.96, 88.00, 77.20),
    "Spanish NER": (84.69, 83.03, 73.34),
    "Dutch NER": (85.00, 77.76, 67.36),
    "chunking": (94.66, 94.44, 88.13),
    "POS (Penn Treebank)": (97.55, 96.69, 95.43),
}
_YANG_GAZETTEERS = 91.20, 90.94  # of the training and dev set, of the training set alone
_PARTS = {
    "": (),
    ", no characters": ("model.character_encoder=none", "model.ngram_sizes=[]"),
    ", no word embeddings": ("model.word_embedding_size=0",),
}


def yang() -> list[Cell]:
    """Yang et al., tables 2 to 7: the whole model and what it loses without its parts; joint training.

    Each by the recipe of today and by the paper's, from random word embeddings and, in English, from vectors.
    """
    languages = {name: f"ner/{name}" for name in ("en", "es", "nl")}
    tasks = {"pos": POS, "chunking": CHUNKING, "ner": NER}
    folders = {"English NER": NER, "chunking": CHUNKING, "POS (Penn Treebank)": PTB, "POS": POS}
    folders |= {"Spanish NER": "ner/es", "Dutch NER": "ner/nl"}
    cells = []
    for column, folder in folders.items():
        recipe = "chunking" if folder == CHUNKING else "ner" if folder.startswith("ner") else "pos"
        given = YANG.get(column, (None, None, None))
        english = not column.startswith(("Spanish", "Dutch"))
        for begin, name in (("separate", recipe), ("the paper's recipe", f"{recipe}-paper")):
            for (part, change), source in zip(_PARTS.items(), given, strict=True):
                without_words = "word embeddings" in part
                known = source if without_words or not english else None
                cells.append(_of_yang(f"{begin}{part}", column, folder, name, change, known))
                if english and not without_words:
                    settings = (*VECTORS, *change)
                    cells.append(_of_yang(f"{begin}, vectors{part}", column, folder, name, settings, source))
    both, alone = _YANG_GAZETTEERS
    for begin, name in (("separate", "ner"), ("the paper's recipe", "ner-paper")):
        cells.append(_of_yang(f"{begin}, gazetteers", "English NER", NER, name, GAZETTEERS, None))
        whole = Cell(
            f"{begin}, vectors, gazetteers", "English NER", {"": NER}, name, (*VECTORS, *GAZETTEERS), "", alone
        )
        cells.append(whole)
        again = replace(
            whole, name=f"{whole.name}, of train + dev", source=both, trained_on=TRAIN_AND_DEV, with_dev=True
        )
        cells.append(again)
    joint = {"Spanish NER": ("es", 85.77), "Dutch NER": ("nl", 85.19), "English NER": ("en", None)}
    for column, own in joint.items():
        cells.append(Cell("joint", column, languages, "joint-languages", (), *own))
        shared = ("model.sharing=encoder",)  # words and their encoder too, beyond the source
        cells.append(Cell("joint encoder", column, languages, "joint-languages", shared, own[0]))
    cells += [Cell("joint", "chunking", tasks, "joint-tasks", (), "chunking", 95.41)]
    cells += [Cell("joint", "POS", tasks, "joint-tasks", (), "pos")]
    cells.append(Cell("joint, tasks", "English NER", tasks, "joint-tasks", (), "ner"))
    return cells


def _of_yang(
    name: str, column: str, folder: str, recipe: str, settings: tuple[str, ...], source: float | None
) -> Cell:
    trained_on = TRAIN_AND_DEV if folder == NER and source else ""
    return Cell(name, column, {"": folder}, recipe, settings, "", source, None, trained_on)


# Target and helper of each pair, and at a rate of 0.1 what joint training gains in the source, where we know it.
PAIRS: list[tuple[str, str, float | None]] = [
    ("ner/es", "ner/en", 1.99),
    ("ner/nl", "ner/en", None),
    ("ner/en", "ner/es", 0.30),
    ("ner/en", "ner/nl", None),
    (NER, POS, 0.81),
    (NER, CHUNKING, None),
    (CHUNKING, NER, 0.51),
    (CHUNKING, POS, None),
    (POS, NER, 0.20),
    (POS, CHUNKING, None),
]


def transfer(rates: tuple[float, ...] = (0.1, 0.3)) -> list[Cell]:
    """Yang et al., table 8: a target with few labelled sentences, alone and with all of a helper's."""
    cells = []
    for rate in rates:
        for target, helper, gain in PAIRS:
            same_task = target.split("/")[0] == helper.split("/")[0]
            recipe = target.split("/")[0]
            data = {target.replace("/", "-"): target, helper.replace("/", "-"): helper}
            name = next(iter(data))
            passes = f"training.num_train_epochs={PASSES[rate]}"
            alone = (f"labelling_rate={rate}", passes)
            shared = (f"labelling_rate.{name}={rate}", passes, f"epoch_head={name}")
            shared += (f"training.metric_for_best_model={name}_f1",)
            joint = "joint-languages" if same_task else "joint-tasks"
            cells.append(Cell(f"{target} ({helper})", f"alone, {rate}", {"": target}, recipe, alone))
            known = gain if rate == 0.1 else None
            cells.append(Cell(f"{target} ({helper})", f"joint, {rate}", data, joint, shared, name, gain=known))
            if same_task:  # words and their encoder too, beyond the source
                whole = (*shared, "model.sharing=encoder")
                cells.append(Cell(f"{target} ({helper})", f"joint encoder, {rate}", data, joint, whole, name))
    return cells


# Over the target's sentences, alone and jointly: so many that its dev score no longer rises.
PASSES = {0.1: 20, 0.3: 15}


_ONE_MODEL = {"en": 86.50, "de": 76.22, "es": 82.95, "nl": 82.84}
_ONE_EACH = {"en": 84.57, "de": 72.08, "es": 81.83, "nl": 78.08}
_POS = ("bg", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "id", "it", "sv")
_DROPOUT = ("model.embedding_dropout=0.2", "model.hidden_dropout=0.2")
_NO_DROPOUT = ("model.embedding_dropout=0", "model.hidden_dropout=0")
_BYTE_DROPOUT = ("model.byte_dropout=0.2",)
# The source's model writes spans and has no more than bytes.
_SPANS_OF_BYTES = ("model.decode=spans", "model.tag_loss=0", "model.ngram_sizes=[]", "model.patch_hidden_size=0")
_SPANS_OF_BYTES += ("model.encoder_num_layers=2",)
_SIXTY = ("model.window_size=60",)
_NO_ATTENTION = ("model.attention=false",)
# What the source changes, and the mean of its test scores over four languages (names) and thirteen (parts of speech).
_LADDER: dict[str, tuple[tuple[str, ...], float | None, float | None]] = {
    "as it is: two-way, attention, windows of 120": ((), None, None),
    "no dropout": (_NO_DROPOUT, 74.75, 94.78),
    "byte-dropout": ((*_NO_DROPOUT, *_BYTE_DROPOUT), None, None),
    "dropout": (_DROPOUT, 78.76, 95.35),
    "dropout and byte-dropout": ((*_DROPOUT, *_BYTE_DROPOUT), 82.13, 95.85),
    "one layer": (("model.encoder_num_layers=1",), 76.15, None),
    "two layers": ((), 79.40, None),
    "four layers": (("model.encoder_num_layers=4",), 82.13, None),
    "half the width": (("model.hidden_size=128", "model.encoder_hidden_size=80"), None, None),
    "twice the width": (("model.hidden_size=512", "model.encoder_hidden_size=320"), None, None),
    "windows of 30": (("model.window_size=30",), None, None),
    "windows of 60": (_SIXTY, None, None),
    "shared, without attention": (("model.encoder=shared", *_NO_ATTENTION), None, None),
    "shared, attention": (("model.encoder=shared",), None, None),
    "separate, without attention": (("model.encoder=separate", *_NO_ATTENTION), None, None),
    "separate, attention": (("model.encoder=separate",), None, None),
    "two-way, without attention": (_NO_ATTENTION, None, None),
    "span order, first first": ((*_SIXTY, "model.span_order=first_first"), None, None),
    "input order, reversed": ((*_SIXTY, "model.input_order=reversed"), None, None),
}
# Of one tagger with windows of 60, tagged in several ways.
_TAGGING: dict[str, tuple[tuple[str, Any], ...]] = {
    "overlap 0": (("overlap", 0),),
    "overlap 30": (("overlap", 30),),
    "overlap 0, merge paper": (("overlap", 0), ("merge", "paper")),
    "overlap 30, merge paper": (("overlap", 30), ("merge", "paper")),
    "2 beams": (("num_beams", 2),),
    "4 beams": (("num_beams", 4),),
}
# About what an hour of one core allows: the paper's shape by its recipe, and the recipe of today.
_HOUR = {"byte-ner-paper": 1000, "byte-ner": 1500}


def gillick() -> list[Cell]:
    """Gillick et al., tables 1 to 4: one model for all languages or one each; dropout, width, windows, orders."""
    ner = {name: f"ner/{name}" for name in _ONE_MODEL}
    pos = {name: f"pos/{name}" for name in _POS}
    balance = ("balance=true",)
    cells = [Cell("all", f"NER {name}", ner, "byte-ner", balance, name, _ONE_MODEL[name]) for name in ner]
    cells += [Cell("one", f"NER {name}", {"": ner[name]}, "byte-ner", (), "", _ONE_EACH[name]) for name in ner]
    cells += [Cell("all", f"POS {name}", pos, "byte-pos", balance, name) for name in pos]
    cells += [Cell("one", f"POS {name}", {"": pos[name]}, "byte-pos") for name in pos]
    for name, (own, of_names, of_pos) in _LADDER.items():
        settings = (*_SPANS_OF_BYTES, *own)
        cells.append(Cell(name, "NER en", {"": NER}, "byte-ner", settings))
        cells.append(Cell(name, "NER, mean", ner, "byte-ner", (*balance, *settings), None, of_names))
        if of_pos is not None:
            cells.append(Cell(name, "POS, mean", pos, "byte-pos", (*balance, *settings), None, of_pos))
    settings = (*_SPANS_OF_BYTES, *_SIXTY)
    cells += [
        Cell(f"windows of 60, {name}", "NER en", {"": NER}, "byte-ner", settings, tagging=tagging)
        for name, tagging in _TAGGING.items()
    ]
    cells.append(Cell("the paper's recipe", "NER en", {"": NER}, "byte-ner-paper"))
    cells.append(Cell("the paper's recipe", "POS en", {"": POS}, "byte-pos-paper"))
    cells += [
        Cell(f"an hour of {recipe}", "NER en", {"": NER}, recipe, (f"training.max_steps={steps}",))
        for recipe, steps in _HOUR.items()
    ]
    return cells


TABLES = {"lecture": lecture, "encoders": encoders, "yang": yang, "transfer": transfer, "gillick": gillick}
