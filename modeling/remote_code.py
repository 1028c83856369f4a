"""The code that travels with a checkpoint, for those who have transformers and torch, but not this package.

transformers copies the file of a configuration class into the folder where it is saved, and with it all files that
this one imports by a relative import, wherever in the file it stands. So the configuration imports what is its
family's just before it is saved, and names it in config.json.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedConfig
from transformers.utils import TRANSFORMERS_DYNAMIC_MODULE_NAME

# Whether this file itself came with a checkpoint.
IS_REMOTE = __name__.startswith(f"{TRANSFORMERS_DYNAMIC_MODULE_NAME}.")


def save_with_code(
    config: PreTrainedConfig,
    folder: str | os.PathLike[str],
    classes: Mapping[str, type],
    pipeline: type,
    **kwargs: Any,
) -> None:
    """Save a configuration that names its family's classes, by Auto class, and its pipeline.

    The configuration itself stays as it is.
    """
    named = copy.deepcopy(config)
    named.auto_map = {auto: _reference(cls) for auto, cls in classes.items()}
    pipelines = {"impl": _reference(pipeline), "pt": ["AutoModelForTokenClassification"], "type": "text"}
    named.custom_pipelines = {"span-tagging": pipelines}
    PreTrainedConfig.save_pretrained(named, folder, **kwargs)


def known_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a config.json, but for those that name its code where the code is installed.

    transformers finds the installed classes without them; at the name of a pipeline it would insist on running the
    code of the checkpoint.
    """
    ours = () if IS_REMOTE else ("auto_map", "custom_pipelines")
    return {name: value for name, value in fields.items() if name not in ours}


def _reference(cls: type) -> str:
    return f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
