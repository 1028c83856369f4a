"""What is refused before a trainer begins: arguments that would do something else than they seem to say."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import Trainer, TrainingArguments
from transformers.integrations import get_available_reporting_integrations
from transformers.trainer_utils import HubStrategy

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig

# Where the package to install has another name than `report_to` has for it.
_PACKAGES = {"azure_ml": "azureml-sdk", "comet_ml": "comet_ml", "kubeflow": "kubeflow"}
# What transformers does not count among those that it looks for.
_NOT_LOOKED_FOR = ("flyte",)


def given_arguments(positional: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """What a trainer was made with, by the names that `Trainer` gives its arguments."""
    return dict(inspect.signature(Trainer).bind_partial(*positional, **named).arguments)


def order_seed(arguments: TrainingArguments) -> int:
    """The seed of the order of training data."""
    return int(arguments.seed if arguments.data_seed is None else arguments.data_seed)


def check_arguments(given: Mapping[str, Any]) -> None:
    """See that a trainer can do what its arguments say.

    Args:
        given: what `given_arguments` gives.

    Raises:
        ValueError: checkpoints are to be published, which hold the arguments and the optimizer by definition; or
            reports to a tracker that is not installed.
    """
    arguments = given.get("args")
    if arguments is None:
        return
    if arguments.push_to_hub and arguments.hub_strategy in (HubStrategy.CHECKPOINT, HubStrategy.ALL_CHECKPOINTS):
        raise ValueError(
            f"hub_strategy {arguments.hub_strategy.value!r} would publish the training arguments and the optimizer's "
            "state, with this machine's paths. Use 'every_save' or 'end'; checkpoints stay in the output folder."
        )
    check_reporting(arguments)


def check_reporting(arguments: TrainingArguments) -> None:
    """See that what `report_to` names is installed; transformers finds out when half of a trainer stands.

    Raises:
        ValueError: a tracker that is not.
    """
    names = arguments.report_to or []
    available = [*get_available_reporting_integrations(), *_NOT_LOOKED_FOR]
    for name in [names] if isinstance(names, str) else names:
        if name not in available and name not in ("none", "all"):
            here = f"here are {', '.join(sorted(available[: -len(_NOT_LOOKED_FOR)])) or 'none'}"
            raise ValueError(
                f"report_to names {name!r}, which is not installed ({here}). Install it with "
                f"`pip install {_PACKAGES.get(name, name)}`, or set report_to to 'none'."
            )


def check_consistency(config: Any) -> None:
    """Refuse `consistency` for what has no distribution over tags by words or by pairs of them.

    Raises:
        ValueError: the tagger is byte-to-span, or its transitions depend on the state.
    """
    if not isinstance(config, HierarchicalTaggerConfig):
        raise ValueError(
            f"consistency is for hierarchical taggers, and this one is {config.model_type}. Leave it out."
        )
    if config.output == "crf" and config.transitions == "state":
        raise ValueError("consistency does not go with transitions that depend on the state. Take static ones.")


def check_smoothing(arguments: TrainingArguments, model: Any) -> None:
    """Refuse `label_smoothing_factor` where it would replace the loss of a CRF, of whichever head.

    Raises:
        ValueError: the tagger has a CRF, or the factor is not at least 0 and below 1.
    """
    if not 0 <= arguments.label_smoothing_factor < 1:
        raise ValueError(
            f"label_smoothing_factor is {arguments.label_smoothing_factor}; it must be at least 0, below 1"
        )
    if arguments.label_smoothing_factor and any(getattr(part, "crf", None) is not None for part in model.modules()):
        raise ValueError(
            "label_smoothing_factor would replace the loss of the CRF, so that its transitions are never trained. "
            "Leave it out: against overconfidence set embedding_dropout and hidden_dropout of the model, or take "
            "output='softmax'."
        )
