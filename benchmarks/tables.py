"""The tables of the sources as cells to be run: what `reproduce.py` knows of each.

Sources: the lecture on recurrent taggers that the presets follow; Yang, Salakhutdinov and Cohen (2016); Gillick,
Brunk, Vinyals and Subramanya (2016). Their figures are of test sets, ours of dev sets, where no test file is given; a
figure is left out where we do not have it.
"""

from __future__ import annotations

from dataclasses import dataclass

NER, POS, CHUNKING = "ner/en", "pos/en", "chunking/en"
_LISTS = {"LOC": "loc", "ORG": "org", "PER": "per", "MISC": "msc"}
GAZETTEERS = tuple(f"gazetteers.files.{label}={{data}}/gazetteers/ner.{name}.lst" for label, name in _LISTS.items())
GAZETTEERS += ("gazetteers.encoding=latin-1",)
VECTORS = ("vectors.path={data}/vectors/glove50_merged.txt", "model.word_embedding_size=50")


@dataclass(frozen=True)
class Cell:
    """One figure of a table.

    Attributes:
        name: of the row.
        column: of the table.
        data: folders below the data's root by the name of head or language; "" for a tagger of one.
        recipe: of `tagsmith train`, or a baseline of `baselines.py`.
        settings: of the recipe; `{data}` is the data's root.
        scored: the name whose score is the cell's; None for the mean of all.
        source: the source's figure in percent, if we have it.
    """

    name: str
    column: str
    data: dict[str, str]
    recipe: str
    settings: tuple[str, ...] = ()
    scored: str | None = ""
    source: float | None = None


BASELINES = ("hmm", "memm", "crf")


def lecture() -> list[Cell]:
    """Parts of speech and names by the lecture's taggers, in the order in which they grow."""
    cells = []
    given = {"blstm": (None, 80.7), "blstm + vectors": (None, 87.0)}
    given |= {"blstm-cnn + vectors": (None, 89.4), "blstm-cnn-crf + vectors": (None, 91.2)}
    rows: list[tuple[str, str, tuple[str, ...]]] = [(name, name, ()) for name in BASELINES]
    rows += [(name, name, ()) for name in ("rnn", "blstm", "blstm-cnn", "blstm-cnn-crf", "sru-crf", "linear-rnn-crf")]
    rows += [(f"{name} + vectors", name, VECTORS) for name in ("blstm", "blstm-cnn", "blstm-cnn-crf")]
    for place, (column, folder) in enumerate((("POS", POS), ("NER", NER))):
        for name, recipe, settings in rows:
            source = given.get(name, (None, None))[place]
            cells.append(Cell(name, column, {"": folder}, recipe, settings, "", source))
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


def yang() -> list[Cell]:
    """Yang et al., tables 2 to 7: the whole model and what it loses without its parts; joint training."""
    languages = {name: f"ner/{name}" for name in ("en", "es", "nl")}
    tasks = {"pos": POS, "chunking": CHUNKING, "ner": NER}
    full = {"English NER": 91.20, "Spanish NER": 84.69, "Dutch NER": 85.00, "chunking": 94.66, "POS": 97.55}
    lookup = {"English NER": 77.20, "Spanish NER": 73.34, "Dutch NER": 67.36, "chunking": 88.13}
    names = {"English NER": "en", "Spanish NER": "es", "Dutch NER": "nl"}
    folders = {**{column: languages[name] for column, name in names.items()}, "chunking": CHUNKING, "POS": POS}
    without = ("model.character_encoder=none",), ("model.word_embedding_size=0",)
    cells = []
    for column, folder in folders.items():
        recipe = {"chunking": "chunking", "POS": "pos"}.get(column, "ner")
        data = {"": folder}
        cells += [
            Cell("separate", column, data, recipe, source=full.get(column)),
            Cell("no characters", column, data, recipe, without[0]),
            Cell("no word embeddings", column, data, recipe, without[1], source=lookup.get(column)),
        ]
    cells.append(Cell("gazetteers", "English NER", {"": NER}, "ner", GAZETTEERS))
    joint = {"Spanish NER": ("es", 85.77), "Dutch NER": ("nl", 85.19), "English NER": ("en", None)}
    cells += [Cell("joint", column, languages, "joint-languages", (), *given) for column, given in joint.items()]
    together = {"chunking": ("chunking", 95.41), "POS": ("pos", None)}
    cells += [Cell("joint", column, tasks, "joint-tasks", (), *given) for column, given in together.items()]
    cells.append(Cell("joint, tasks", "English NER", tasks, "joint-tasks", (), "ner"))
    return cells


# Target and helper of each pair, and at a rate of 0.1 what joint training gains in the source.
PAIRS: list[tuple[str, str, float | None]] = [
    ("ner/es", "ner/en", 1.99),
    ("ner/nl", "ner/en", None),
    ("ner/en", "ner/es", 0.30),
    ("ner/en", "ner/nl", None),
    (NER, POS, 0.81),
    (NER, CHUNKING, None),
    (CHUNKING, NER, 0.51),
    (CHUNKING, POS, None),
    (POS, NER, None),
    (POS, CHUNKING, None),
]


def transfer(rates: tuple[float, ...] = (0.1, 0.3)) -> list[Cell]:
    """Yang et al., table 8: a target with few labelled sentences, alone and with all of a helper's."""
    cells = []
    for rate in rates:
        for target, helper, _ in PAIRS:
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
            cells.append(Cell(f"{target} ({helper})", f"joint, {rate}", data, joint, shared, name))
            if same_task:  # words and their encoder too, beyond the source
                whole = (*shared, "model.sharing=encoder")
                cells.append(Cell(f"{target} ({helper})", f"joint encoder, {rate}", data, joint, whole, name))
    return cells


# Over the target's sentences, alone and jointly: so many that its dev score no longer rises.
PASSES = {0.1: 20, 0.3: 15}


def gillick() -> list[Cell]:
    """Gillick et al., tables 1 to 4: one model for all languages or one each; dropout; width and depth."""
    given = {"en": 86.50, "de": 76.22, "es": 82.95, "nl": 82.84}
    ner = {name: f"ner/{name}" for name in given}
    pos = {
        name: f"pos/{name}" for name in ["bg", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "id", "it", "sv"]
    }
    cells = [Cell("all", f"NER {name}", ner, "byte-ner", ("balance=true",), name, given[name]) for name in ner]
    cells += [Cell("one", f"NER {name}", {"": folder}, "byte-ner") for name, folder in ner.items()]
    cells += [Cell("all", f"POS {name}", pos, "byte-pos", ("balance=true",), name) for name in pos]
    cells.append(Cell("all", "POS, mean", pos, "byte-pos", ("balance=true",), None, 95.85))
    dropout, byte_dropout = ("model.embedding_dropout=0.2", "model.hidden_dropout=0.2"), "model.byte_dropout=0.2"
    for name, settings in {
        "byte-dropout": (byte_dropout,),
        "dropout": dropout,
        "dropout and byte-dropout": (*dropout, byte_dropout),
        "half the width": ("model.hidden_size=128", "model.encoder_hidden_size=64"),
        "one layer": ("model.encoder_num_layers=1",),
    }.items():
        cells.append(Cell(name, "NER en", {"": NER}, "byte-ner", settings))
    return cells


TABLES = {"lecture": lecture, "encoders": encoders, "yang": yang, "transfer": transfer, "gillick": gillick}
