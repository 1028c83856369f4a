from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.runs.recipe import Recipe, read_recipe


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("training:\n  max_steps: 1\n  max_stpes: 2\n", r"r\.yaml:3: a recipe has no training\.max_stpes"),
        ("average_decay: often\n", r"r\.yaml:1: average_decay is 'often', and must be a number"),
        ("early_stopping_patience: 1.5\n", r"r\.yaml:1: early_stopping_patience is 1\.5, and must be a whole number"),
        ("start_from: 3\n", r"r\.yaml:1: start_from is 3, and must be text in quotes"),
        ("tokenizer:\n  lowercase: yes\n", r"r\.yaml:2: tokenizer\.lowercase is 'yes', and must be true or false"),
        ("training:\n  bf16: no\n", r"r\.yaml:2: training\.bf16 is 'no', and must be true or false"),
        ("training:\n  learning_rate: 1:30\n", r"r\.yaml:2: training\.learning_rate is '1:30', and must be a number"),
        ("training:\n  seed: 010\n", r"r\.yaml:2:9: 010 is octal to some"),
        ("training:\n  seed: 1\ntraining:\n  seed: 2\n", r"r\.yaml:3:1: the key 'training' is given twice"),
        ("model_type: none\n", r"r\.yaml:1: model_type is 'none'"),
        ("average_decay: .inf\n", "not a finite number"),
        ("\naverage_decay: 1.0\n", r"r\.yaml:2: average_decay is 1\.0, and must be at least 0, and below 1"),
        ("mention_replacement: 1.1\n", r"r\.yaml:1: mention_replacement is 1\.1, and must be from 0 to 1"),
        ("consistency: -1\n", r"r\.yaml:1: consistency is -1, and must be a number that is not negative"),
        ("model_type: byte-to-span\nline_share: 2\n", r"r\.yaml:2: line_share is 2, and must be from 0 to 1"),
        ("tokenizer:\n  case_fallback: true\n", r"r\.yaml:2: tokenizer\.case_fallback has no effect"),
        ("tokenizer: 3\n", r"r\.yaml:1: tokenizer must be a mapping"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=found):
        read_recipe(path)


def test_an_error_in_a_base_names_the_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("description: a\nlabelling_rat: 1\n")
    (tmp_path / "r.yaml").write_text("base: base.yaml\n\n\naverage_decay: 0.5\n")
    with pytest.raises(InputError, match=r"base\.yaml:2: a recipe has no labelling_rat"):
        read_recipe(tmp_path / "r.yaml")


def test_numbers_in_files_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("training:\n  learning_rate: 1e-3\n  eval_strategy: no\naverage_decay: 5e-1\nlanguages: {a: no}\n")
    recipe = read_recipe(path, ["epoch_decay=1e-2", "training.weight_decay=2E-2"])
    assert (recipe.average_decay, recipe.epoch_decay) == (0.5, 0.01)
    assert recipe.training == {"learning_rate": 0.001, "eval_strategy": "no", "weight_decay": 0.02}
    path.write_text(recipe.to_yaml())
    assert read_recipe(path) == recipe
    with pytest.raises(InputError, match=r"the setting 'epoch_decay=\.nan': \.nan is not a finite number"):
        read_recipe(path, ["epoch_decay=.nan"])
    with pytest.raises(InputError, match="epoch_decay is 'soon', and must be a number"):
        read_recipe(path, ["epoch_decay=soon"])


def test_a_recipe_can_leave_text_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("tokenizer:\n  normalization: null\n")
    recipe = read_recipe(path)
    assert isinstance(recipe, Recipe) and recipe.tokenizer.normalization is None
    path.write_text(recipe.to_yaml())
    assert read_recipe(path) == recipe
    with pytest.raises(InputError, match=r"r\.yaml:1: tokenizer\.normalization is 3, and must be text in quotes"):
        path.write_text("tokenizer: {normalization: 3}\n")
        read_recipe(path)


def test_the_papers_recipes_follow_their_papers() -> None:
    names, pos = (read_recipe(name) for name in ("byte-ner-paper", "byte-pos-paper"))
    rates = ("embedding_dropout", "output_dropout", "hidden_dropout", "byte_dropout")
    assert [names.model[rate] for rate in rates] == [0.3, 0.3, 0.0, 0.3]
    assert [pos.model[rate] for rate in rates] == [0.2, 0.2, 0.0, 0.2]
    for recipe in (names, pos):
        assert recipe.training["bf16"] is False
        assert (recipe.model["merge"], recipe.model["span_grammar"]) == ("paper", False)
    for name in ("ner-paper", "pos-paper", "chunking-paper"):
        recipe = read_recipe(name)
        assert isinstance(recipe, Recipe)
        assert recipe.tokenizer.zero_digits and recipe.tokenizer.zero_character_digits
        assert recipe.model["gru_reset"] == "before"
    usual = read_recipe("ner")
    assert isinstance(usual, Recipe) and not usual.tokenizer.zero_character_digits
