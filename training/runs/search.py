"""A search for the numbers of a recipe that score best on dev data, by optuna, with successive halving.

Trials that do badly after a few evaluations end early (Li et al. 2018), and their time goes to others. What is known
stands in a journal, so that a search that was cut short continues.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.console import Console
from transformers import TrainerCallback

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.strict_parsing import dump_yaml, parse_yaml
from tagsmith.training.families import FAMILIES
from tagsmith.training.machine.whole_files import write_whole
from tagsmith.training.runs.recipe import RunRecipe, read_recipe

JOURNAL, TRIALS, RECIPE = "journal.log", "trials.json", "recipe.yaml"
_FORM = "Write it like training.learning_rate=0.001..0.01, or model.hidden_size=100|200|300."


@dataclass(frozen=True)
class Field:
    """A field of a recipe, and what it may be: one of some choices, or a number between two.

    Attributes:
        name: with dots for inner ones.
        choices: values, if these are listed.
        low: the smallest number, else.
        high: the largest.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0

    @classmethod
    def read(cls, text: str) -> Field:
        """A field as the command line has it.

        Raises:
            InputError: it is none.
        """
        name, equals, values = text.partition("=")
        if not name or not equals or not values:
            raise InputError(f"{text!r} names no values of a field", fix=_FORM)
        if ".." in values:
            low, high = (_value(part, text) for part in values.split("..", 1))
            if any(isinstance(n, bool) or not isinstance(n, int | float) for n in (low, high)) or not low < high:
                raise InputError(f"{text!r} is no range of numbers from a smaller to a larger one", fix=_FORM)
            return cls(name, low=low, high=high)
        choices = tuple(_value(part, text) for part in values.split("|"))
        if len(choices) < 2:
            raise InputError(f"{text!r} leaves nothing to choose", fix=_FORM)
        return cls(name, choices=choices)

    def suggest(self, trial: Trial) -> Any:
        """A value for a trial; numbers over more than one power of ten by their logarithms."""
        if self.choices:
            texts = [json.dumps(choice) for choice in self.choices]
            return json.loads(trial.suggest_categorical(self.name, texts))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, self.low, self.high)
        log = self.low > 0 and self.high / self.low >= 10
        return float(f"{trial.suggest_float(self.name, self.low, self.high, log=log):.3g}")


def _value(part: str, text: str) -> Any:
    try:
        return parse_yaml(part.strip())[0]
    except InputError as error:
        raise InputError(f"{text!r}: {error.message}", fix=_FORM) from error


@dataclass
class Search:
    """A search in its folder.

    Attributes:
        recipe: name or path.
        settings: changes that hold for all trials.
        fields: that are searched.
        folder: for the journal, the trials and the recipe that is found.
    """

    recipe: str
    settings: Sequence[str]
    fields: Sequence[Field]
    folder: Path

    def recipe_of(self, values: Mapping[str, Any]) -> RunRecipe:
        """The recipe with the values of a trial.

        Raises:
            InputError: a field that recipes do not have, or a value that it cannot take.
        """
        chosen = [f"{name}={dump_yaml(value).strip().removesuffix('...').strip()}" for name, value in values.items()]
        return read_recipe(self.recipe, [*self.settings, *chosen])

    def check(self) -> None:
        """See that every field can be set to the ends of what it may be.

        Raises:
            InputError: as `recipe_of`.
        """
        recipe = self.recipe_of({})
        FAMILIES[recipe.model_type].check_names.load()(recipe, [""])
        for field in self.fields:
            for value in field.choices or (field.low, field.high):
                self.recipe_of({field.name: value})

    def described(self, data: Mapping[str, str]) -> str:
        """All that makes a search the same one when it is continued."""
        fields = [[field.name, list(field.choices), field.low, field.high] for field in self.fields]
        return json.dumps([self.recipe_of({}).to_yaml(), fields, dict(sorted(data.items()))])


def search(
    plan: Search,
    corpora: Any,
    data: Mapping[str, str],
    trials: int,
    minutes: float | None,
    seed: int,
    console: Console,
    resume: bool = False,
) -> dict[str, Any]:
    """Search, and write the best recipe.

    Args:
        plan: what is searched.
        corpora: as the family's training takes them, with dev data.
        data: what tells these data from others.
        trials: how many there are to be in all, those of a search that is continued among them.
        minutes: after which the search ends, whatever is running.
        seed: of the choices.
        console: where it is said how far it is.
        resume: continue the search in the folder.

    Returns:
        "best" with the values and the F1, "trials" with those of all, "recipe" with the path.

    Raises:
        InputError: another search is in the folder, or no trial came to its end.
    """
    study = _study(plan, data, seed, resume)
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes

    def objective(trial: Trial) -> float:
        values = {field.name: field.suggest(trial) for field in plan.fields}
        trial.set_user_attr("values", values)
        recipe = plan.recipe_of(values)
        folder = plan.folder / f"trial-{trial.number}"
        try:
            train = FAMILIES[recipe.model_type].train.load()
            run = train(
                recipe,
                corpora,
                folder,
                console=Console(quiet=True),
                overwrite_output_dir=True,
                callbacks=[_Judge(trial, end)],
            )
            return max(entry["eval_f1"] for entry in run.trainer.state.log_history if "eval_f1" in entry)
        finally:
            rmtree(folder, ignore_errors=True)

    def said(_: Any, trial: FrozenTrial) -> None:
        score = trial.value if trial.value is not None else max(trial.intermediate_values.values(), default=0.0)
        ended = " (ended early)" if trial.state == TrialState.PRUNED else ""
        values = ", ".join(f"{name.split('.')[-1]} {value}" for name, value in trial.user_attrs["values"].items())
        console.print(
            f"trial {trial.number + 1}: F1 {score * 100:.2f}{ended}: {values}", markup=False, highlight=False
        )
        if time.monotonic() >= end:
            study.stop()

    left = trials - sum(trial.state.is_finished() and trial.state != TrialState.FAIL for trial in study.trials)
    if left > 0 and end > time.monotonic():
        study.optimize(objective, n_trials=left, callbacks=[said])
    return _finish(plan, study)


class _Judge(TrainerCallback):
    """Tells a trial how it does, and ends it where others do better or time is over."""

    def __init__(self, trial: Trial, end: float) -> None:
        self.trial, self.end, self.step = trial, end, 0

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        self.step += 1
        self.trial.report(float(metrics["eval_f1"]), self.step)
        if self.trial.should_prune():
            raise optuna.TrialPruned

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if time.monotonic() >= self.end:
            raise optuna.TrialPruned


def _study(plan: Search, data: Mapping[str, str], seed: int, resume: bool) -> optuna.Study:
    journal = plan.folder / JOURNAL
    if journal.exists() and not resume:
        fix = "Continue it with --resume, or name another --output-dir."
        raise InputError("an earlier search is here", path=plan.folder, fix=fix)
    plan.folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    earlier = optuna.get_all_study_names(storage)
    done = len(optuna.load_study(study_name=earlier[0], storage=storage).trials) if earlier else 0
    study = optuna.create_study(
        storage=storage,
        study_name="search",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed + done, multivariate=False),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        load_if_exists=True,
    )
    described = plan.described(data)
    known = study.user_attrs.setdefault("search", described) if study.user_attrs else described
    if known != described:
        fix = "Continue it with the same recipe, fields and data, or name another --output-dir."
        raise InputError("the search in this folder is another one", path=plan.folder, fix=fix)
    study.set_user_attr("search", described)
    for trial in study.trials:
        if trial.state == TrialState.RUNNING:  # cut short: the same values come again
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params)
    return study


def _finish(plan: Search, study: optuna.Study) -> dict[str, Any]:
    finished = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    if not finished:
        fix = "Continue with --resume and more --minutes."
        raise InputError("no trial came to its end in this time", path=plan.folder, fix=fix)
    rows = [
        {
            "trial": trial.number + 1,
            "state": trial.state.name.lower(),
            "f1": trial.value,
            "values": trial.user_attrs.get("values", {}),
            "by_evaluation": list(trial.intermediate_values.values()),
        }
        for trial in study.trials
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    ]
    best = max(finished, key=lambda trial: trial.value or 0.0)
    values = best.user_attrs["values"]
    write_whole(plan.folder / TRIALS, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    write_whole(plan.folder / RECIPE, plan.recipe_of(values).to_yaml())
    return {"best": {"f1": best.value, "values": values}, "trials": rows, "recipe": str(plan.folder / RECIPE)}
