from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from toys import BYTE_MODEL, BYTE_TRAINING, Outcome, card_of, results_of, tagsmith, toy_file

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.cards.card_markdown import as_code, as_table, as_text
from tagsmith.training.cards.model_card import BEGIN, END, write_card

SHAPE = {"word_embedding_size": 8, "character_hidden_size": 4, "hidden_size": 8, "num_hidden_layers": 1}
EPOCHS = {"seed": 3, "num_train_epochs": 2, "per_device_train_batch_size": 8, "learning_rate": 0.02, "use_cpu": True}


def train(folder: Path, recipe: dict[str, Any], *files: str) -> Outcome:
    """A run in `folder`/tagger by the command line, which must succeed."""
    path = folder / "toy recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    done = tagsmith("train", path, *files, "--output-dir", folder / "tagger")
    assert done.code == 0, done
    return done


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tagger of one head that a run wrote. Shared: copy it before you change it."""
    folder = tmp_path_factory.mktemp("one")
    files = (f"--train={toy_file(folder / 'train.conll', 20, 1)}", f"--dev={toy_file(folder / 'dev.conll', 8, 2)}")
    train(folder, {"model": SHAPE, "training": EPOCHS, "description": "Toy."}, *files)
    return folder / "tagger"


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "toy", ignore=shutil.ignore_patterns("checkpoints")))


def rendered(folder: Path) -> str:
    """The card's body as HTML."""
    return MarkdownIt("commonmark").enable("table").render(ModelCard(card_of(folder)).text)


def change_results(folder: Path, **changes: Any) -> None:
    (folder / "results.json").write_text(json.dumps({**results_of(folder), **changes}), encoding="utf-8")


class TestARun:
    def test_facts(self, trained: Path) -> None:
        results = results_of(trained)
        assert results["command"].startswith("tagsmith train 'toy recipe.yaml' --train=train.conll --dev=dev.conll")
        sizes = results["data"][""]
        assert sizes["train"] == {"file": "train.conll", "sentences": 20, "documents": 1, "words": 67, "spans": 28}
        assert sizes["dev"]["sentences"] == 8
        assert 0 < len(sizes["examples"]["LOC"]) <= 5
        assert all(word.isupper() for word in sizes["examples"]["LOC"])
        assert [entry["epoch"] for entry in results["course"]] == [1.0, 2.0]
        assert all({"step", "epoch", "loss", "f1", "accuracy"} == entry.keys() for entry in results["course"])
        assert results["versions"]["torch"] == torch.__version__
        assert results["machine"]["cores"] >= 1

    def test_the_card_says_them(self, trained: Path) -> None:
        assert "examples" not in card_of(trained)  # not unless asked for
        results = results_of(trained)
        change_results(trained, show_examples=True)
        write_card(trained)
        text = card_of(trained)
        for said in (
            "# tagger",
            "Yang et al. 2016",
            f"| LOC | {', '.join(results['data']['']['examples']['LOC'])} |",
            "| train | train.conll | 1 | 20 | 67 | 28 |",
            f"| LOC | {results['dev']['precision'] * 100:.2f} |",
            'tagsmith.pipeline("tagger")',
            "trust_remote_code=True",
            "seed 3",
            "```bash\ntagsmith train",
            "description: Toy.",
            f"{results['parameters']:,} parameters.",
            "1603.06270",
        ):
            assert said in text, said
        assert "1512.00103" not in text and "None" not in text and "{{" not in text
        assert "\n\n\n" not in text and " \n" not in text

    def test_no_folder_leaks(self, trained: Path) -> None:
        assert str(trained.parent) not in card_of(trained) + json.dumps(results_of(trained))

    def test_the_metadata_parses_back(self, trained: Path) -> None:
        data = ModelCard.load(trained / "README.md").data
        assert (data.library_name, data.pipeline_tag, data.model_name) == (
            "tagsmith",
            "token-classification",
            "tagger",
        )
        assert data.tags == ["tagsmith", "hierarchical-tagger", "sequence-tagging"]
        assert data.license is None and data.language is None and data.base_model is None
        scores = {entry.metric_type: entry.metric_value for entry in data.eval_results}
        assert scores == {name: round(results_of(trained)["dev"][name], 4) for name in scores}
        assert scores.keys() == {"precision", "recall", "f1", "accuracy"}
        assert data.eval_results[0].dataset_split == "validation"

    def test_bytes_of_two_languages(self, tmp_path: Path) -> None:
        files = [f"--train={name}={toy_file(tmp_path / f'{name}.conll', 12, 1)}" for name in ("no", "en")]
        files.append(f"--dev=en={toy_file(tmp_path / 'dev.conll', 6, 2)}")
        training = {**BYTE_TRAINING, "max_steps": 4, "eval_steps": 2, "save_steps": 2}
        train(tmp_path, {"model_type": "byte-to-span", "model": BYTE_MODEL, "training": training}, *files)
        text, results = card_of(tmp_path / "tagger"), results_of(tmp_path / "tagger")
        assert [entry["step"] for entry in results["course"]][:2] == [2, 4]
        assert "`recall_bias=0.0`" in text and "1512.00103" in text and "16 bytes" in text
        assert re.search(r"\| no \| train \| no\.conll \| 1 \| 12 \|", text)
        assert ModelCard(text).data.language == ["en", "no"], "corpora are called by languages, one by Norwegian"

    def test_a_card_that_cannot_be_read_does_not_stop_it(self, tmp_path: Path) -> None:
        (tmp_path / "tagger").mkdir()
        (tmp_path / "tagger" / "README.md").write_text("---\na: [\n---\n")
        files = [f"--train={toy_file(tmp_path / 'train.conll', 8, 1)}"]
        done = train(
            tmp_path, {"model": SHAPE, "training": {**EPOCHS, "num_train_epochs": 1}}, *files, "--overwrite-output-dir"
        )
        assert "no model card was written: " in done.err
        assert "dev" not in results_of(tmp_path / "tagger")
        assert card_of(tmp_path / "tagger") == "---\na: [\n---\n"


class TestWhatAPersonWrote:
    def test_stays(self, folder: Path) -> None:
        mine = {
            "license": "mit",
            "language": "de",
            "datasets": ["me/mine"],
            "tags": ["mine"],
            "thumbnail": "x.png",
            "base_model": "me/base",
        }
        text = card_of(folder).replace(BEGIN, f"Above.\n\n{BEGIN}").replace("---\n", f"---\n{yaml.safe_dump(mine)}", 1)
        text = text.replace("tags:\n- tagsmith\n- hierarchical-tagger\n- sequence-tagging\n", "")
        (folder / "README.md").write_text(f"{text}\n## More\r\nBelow. ", encoding="utf-8", newline="")
        change_results(folder, seed=77)
        write_card(folder)
        card = ModelCard.load(folder / "README.md")
        assert card.text.startswith(f"\nAbove.\n\n{BEGIN}")
        assert card.text.endswith(f"{END}\n\n## More\r\nBelow. ")
        assert "seed 77" in card.text and "seed 3" not in card.text
        for key in ("license", "datasets", "thumbnail", "base_model"):
            assert card.data[key] == mine[key]
        assert card.data.language == ["de"]
        assert "mine" in card.data.tags and "tagsmith" in card.data.tags

    def test_writing_again_changes_nothing(self, folder: Path) -> None:
        write_card(folder, languages=["en"], license="cc-by-sa-4.0", datasets=["owner/data"], name="owner/tagger")
        before = (folder / "README.md").read_bytes()
        write_card(folder)
        assert (folder / "README.md").read_bytes() == before
        data = ModelCard.load(folder / "README.md").data
        assert (data.language, data.license, data.datasets) == (["en"], "cc-by-sa-4.0", ["owner/data"])
        assert data.model_name == "owner/tagger" and 'tagsmith.pipeline("owner/tagger")' in before.decode()
        assert {entry.dataset_type for entry in data.eval_results} == {"owner/data"}

    def test_a_card_without_our_part_gets_it_at_its_end(self, folder: Path) -> None:
        (folder / "README.md").write_text("# My tagger\n\nIt is mine.\n", encoding="utf-8")
        write_card(folder)
        card = ModelCard.load(folder / "README.md")
        assert card.text.startswith(f"\n# My tagger\n\nIt is mine.\n\n{BEGIN}")

    def test_norwegian_that_yaml_reads_as_false(self, folder: Path) -> None:
        (folder / "README.md").write_text("---\nlanguage: [no, sv]\n---\n", encoding="utf-8")
        write_card(folder)
        assert ModelCard.load(folder / "README.md").data.language == ["no", "sv"]

    def test_scores_of_others_stay_and_ours_are_renewed(self, folder: Path) -> None:
        card = ModelCard.load(folder / "README.md")
        index = card.data.to_dict()["model-index"]
        foreign = json.loads(json.dumps(index[0]["results"][0]))
        foreign["dataset"] |= {"type": "other", "name": "Other"}
        foreign["metrics"] = [{"type": "f1", "value": 0.5, "name": "F1 by me"}]
        text = card_of(folder).replace("  results:\n", f"  results:\n  - {json.dumps(foreign)}\n")
        (folder / "README.md").write_text(text, encoding="utf-8")
        dev = results_of(folder)["dev"]
        change_results(folder, dev={**dev, "f1": 0.25})
        write_card(folder)
        entries = ModelCard.load(folder / "README.md").data.eval_results
        assert sorted((e.metric_name, e.metric_value) for e in entries if e.metric_type == "f1") == [
            ("F1 (tagsmith)", 0.25),
            ("F1 by me", 0.5),
        ]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"---\na: [\n---\n", "metadata cannot be read"),
            (b"---\n- a\n---\n", "metadata cannot be read"),
            (b"---\nmodel-index: 7\n---\n", "metadata cannot be read"),
            (b"\xff\xfe", "metadata cannot be read"),
            (f"---\na: b\n---\n{BEGIN}\n".encode(), "one is missing"),
            (f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n".encode(), "there twice"),
        ],
    )
    def test_broken_cards(self, folder: Path, content: bytes, reason: str) -> None:
        (folder / "README.md").write_bytes(content)
        with pytest.raises(InputError, match=reason):
            write_card(folder)
        assert (folder / "README.md").read_bytes() == content


class TestOtherFolders:
    def test_without_a_run(self, tiny_folder: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))
        write_card(folder)
        text = card_of(folder)
        assert "made with tagsmith" in text and re.search(r"\n[\d,]+ parameters\. \d+\.\d kB on disk\.\n", text)
        for heading in ("## Training", "## Scores", "examples", "words a second", "```bash"):
            assert heading not in text
        data = ModelCard(text).data
        assert data.eval_results is None and data.metrics is None

    def test_heads(self, tmp_path: Path) -> None:
        heads = {
            "pos": {"tags": ["NOUN", "X"], "tag_scheme": "plain"},
            "ner": {"tags": ["O", "S-PER"], "tag_scheme": "BIOES"},
        }
        config = HierarchicalTaggerConfig(
            sharing="encoder", heads=heads, id2label={}, label2id={}, character_encoder="cnn"
        )
        config.save_pretrained(tmp_path)
        HierarchicalTaggerTokenizer.train([["Angela"]], lowercase=False).save_pretrained(tmp_path)
        scores = {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "accuracy": 0.9}
        labels = {name: {**scores, "support": 2} for name in ("NOUN", "PER")}
        dev = {
            "pos": {**scores, "labels": {"NOUN": labels["NOUN"]}},
            "ner": {**scores, "labels": {"PER": labels["PER"]}},
        }
        data = {"ner": {"examples": {"PER": ["Angela"]}}, "pos": {"dev": {"words": 1234}}}
        (tmp_path / "results.json").write_text(
            json.dumps({"dev": dev, "data": data, "words_per_second": 12345, "show_examples": True})
        )
        write_card(tmp_path)
        text = card_of(tmp_path)
        for said in (
            "It has 2 heads, ner and pos, which share everything but the output.",
            "gives spans and words their labels",
            "A convolution (30 filters over 3 characters)",
            'tagger(text, head="ner")',
            "| ner | PER | Angela |",
            "| pos | NOUN |  |",
            "| ner | PER | 100.00 | 50.00 | 66.67 | 2 |",
            "| **pos** | **all** |",
            "| pos | dev | 1,234 |",
            "12,345 words a second",
            "as they are written",
        ):
            assert said in text, said
        configs = {entry.dataset_config for entry in ModelCard(text).data.eval_results}
        assert configs == {"ner", "pos"}

    def test_the_paper_s_bytes(self, tmp_path: Path) -> None:
        ByteToSpanConfig(id2label={0: "PER"}, label2id={"PER": 0}, recall_bias=0.5).save_pretrained(tmp_path)
        ByteToSpanTokenizer(60, ["PER"]).save_pretrained(tmp_path)
        write_card(tmp_path)
        assert '"roughly 900k"' in card_of(tmp_path) and "`recall_bias=0.5`" in card_of(tmp_path)

    def test_where_it_comes_from(self, folder: Path) -> None:
        recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
        recipe["vectors"]["path"] = "/home/me/my vectors/glove.txt"
        recipe["training"]["hub_token"] = "hf_secret"
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        write_card(folder)
        assert "from the word vectors glove.txt" in card_of(folder)
        assert "/home/me" not in card_of(folder) and "hf_secret" not in card_of(folder)
        change_results(folder, base_model="owner/base")
        write_card(folder)
        assert "from the tagger owner/base" in card_of(folder)
        assert ModelCard.load(folder / "README.md").data.base_model == "owner/base"

    @pytest.mark.parametrize(
        ("file", "content"),
        [("results.json", "[1]"), ("recipe.yaml", "a: ["), ("config.json", '{"model_type": "bert"}')],
    )
    def test_broken_files(self, folder: Path, file: str, content: str) -> None:
        (folder / file).write_text(content)
        with pytest.raises(InputError, match=re.escape(str(folder))):
            write_card(folder)

    @pytest.mark.parametrize(
        "options", [{"languages": ["English!"]}, {"license": "My License"}, {"datasets": ["a b"]}, {"languages": [""]}]
    )
    def test_names_that_the_hub_would_refuse(self, folder: Path, options: Any) -> None:
        with pytest.raises(InputError, match="cannot be a"):
            write_card(folder, **options)


HOSTILE = [
    "<script>alert(1)</script>",
    "a|b",
    "`code` **bold** _it_ [x](http://x.org) ![y](z)",
    f"{END}",
    "--- \n# heading\n\n- item",
    "&lt; &amp; &#42;",
    "{{ 7 * 7 }}{% raw %}",
    "www.example.org http://example.org",
    "\\| \\",
    "$x$ ~~no~~ :smile: @me #1",
    "می‌خواهم क्‍ष \u202eevil",
]


class TestMarkup:
    def test_hostile_labels_words_and_files(self, tmp_path: Path) -> None:
        names = dict(enumerate(HOSTILE))
        sizes = {"window_size": 16, "embedding_size": 4, "hidden_size": 4, "num_hidden_layers": 1}
        config = ByteToSpanConfig(id2label=names, label2id={name: i for i, name in names.items()}, **sizes)
        ByteToSpanForSpanTagging(config).save_pretrained(tmp_path)
        ByteToSpanTokenizer(16, HOSTILE).save_pretrained(tmp_path)
        scores = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "accuracy": 0.5}
        labels = {label: {**scores, "support": 1} for label in HOSTILE}
        data = {
            name: {"train": {"file": name, "words": 1}, "examples": {label: [name] for label in HOSTILE}}
            for name in HOSTILE
        }
        results = {
            "dev": {name: {**scores, "labels": labels} for name in HOSTILE},
            "data": data,
            "command": f"tagsmith train '```\n{END}\n<b>'",
            "machine": {"processor": HOSTILE[0]},
            "versions": {HOSTILE[0]: HOSTILE[1]},
        }
        (tmp_path / "results.json").write_text(json.dumps(results))
        (tmp_path / "recipe.yaml").write_text(
            yaml.safe_dump({"description": f"```\n{END}\n</details><b>", "start_from": HOSTILE[0]})
        )
        write_card(tmp_path, name=HOSTILE[0])
        write_card(tmp_path)
        text = ModelCard.load(tmp_path / "README.md").text
        assert text.count(END) == text.count(BEGIN) == 1
        page = MarkdownIt("commonmark").enable("table").render(text)
        tags = set(re.findall(r"</?([a-zA-Z]+)", re.sub(r"<code.*?</code>", "", page, flags=re.S)))
        known = {
            "h1",
            "h2",
            "p",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "ul",
            "li",
            "strong",
            "pre",
            "details",
            "summary",
        }
        assert tags <= {re.sub(r"\d", "", tag) for tag in known}
        cells = [" ".join(html.unescape(cell).split()) for cell in re.findall(r"<td>(.*?)</td>", page, flags=re.S)]
        for label in HOSTILE[:-1]:
            assert " ".join(label.split()) in cells

    @given(st.text())
    def test_text_shows_as_it_is(self, text: str) -> None:
        shown = as_text(text)
        page = MarkdownIt("commonmark").enable("table").render(as_table(["a", "b"], [[shown, "end"]]))
        (cell, end) = re.findall(r"<td>(.*?)</td>", page, flags=re.S)
        expected = "".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)
        assert html.unescape(cell) == " ".join(expected.split()) and end == "end"

    def test_code_has_no_control_characters(self) -> None:
        assert as_code("a\x1b[31mb\x07\u202e\n\tc", "bash") == "```bash\na\ufffd[31mb\ufffd\ufffd\n\tc\n```"

    @given(st.text(alphabet="`~ab\n<!-"))
    def test_code_stays_within_its_fence(self, text: str) -> None:
        page = MarkdownIt("commonmark").render(f"{as_code(text)}\n\n# After")
        assert page.count("<pre>") == 1 and page.endswith("<h1>After</h1>\n")


def test_a_card_that_is_a_link_is_not_written_through(tiny_folder: Path, tmp_path: Path) -> None:
    folder, own = tmp_path / "tagger", tmp_path / "own.md"
    shutil.copytree(tiny_folder, folder)
    own.write_text("mine", encoding="utf-8")
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "README.md").symlink_to(own)
    with pytest.raises(InputError, match="the card is a link"):
        write_card(folder)
    assert own.read_text(encoding="utf-8") == "mine"
