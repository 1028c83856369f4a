"""What a trainer saves, says of it in a card, and sends to the Hub: what belongs to a tagger, and nothing else."""

from __future__ import annotations

import warnings
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub import HfApi, ModelCard
from transformers import Trainer
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import HubStrategy
from transformers.utils import CONFIG_NAME, PushInProgress

from tagsmith.training.cards.model_card import emissions_said, write_card
from tagsmith.training.cards.publish import LEFT_BY_TRAINERS, left_by_trainers, revoke_advice, stage_tagger
from tagsmith.training.cards.run_facts import machine_facts
from tagsmith.training.machine.whole_files import staged_files, write_whole
from tagsmith.training.tagging.tagger_files import check_tagger_files
from tagsmith.training.trainers.emissions import EmissionsCallback


class PublishingTrainer(Trainer):
    """`Trainer` that saves whole files, writes our card, and publishes as `tagsmith push` does."""

    push_in_progress: PushInProgress | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._emissions = EmissionsCallback()
        self.add_callback(self._emissions)

    @property
    def emissions(self) -> float | None:
        """Grams of CO2 equivalent that the last training emitted, where codecarbon is installed and measured them."""
        return self._emissions.grams

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """As `Trainer._save`, but whole, over files of a tagger only, and without the pickle of the arguments.

        That has no place in what is published.

        Raises:
            FileExistsError: the folder has files by these names that are not a tagger's.
        """
        if not self.args.should_save:
            super()._save(output_dir, state_dict)
            return
        folder = output_dir or str(self.args.output_dir)
        check_tagger_files(folder)
        with staged_files(folder, CONFIG_NAME) as staged:
            super()._save(str(staged), state_dict)
            Path(staged, TRAINING_ARGS_NAME).unlink()

    def create_model_card(
        self,
        language: str | list[str] | None = None,
        license: str | None = None,
        tags: str | list[str] | None = None,
        model_name: str | None = None,
        dataset: str | list[str] | None = None,
        **others: Any,
    ) -> None:
        """Write our own card, `README.md`, into the output folder: transformers' names local data and folders.

        Args:
            language: a code or several, as `en`.
            license: as the Hub names it.
            tags: more tags of the card.
            model_name: `owner/name`; by default the Hub's name of the model.
            dataset: names of data sets on the Hub.
            **others: must be empty or None.

        Raises:
            TypeError: something that our card does not take.
        """
        if given := sorted(name for name, value in others.items() if value is not None):
            raise TypeError(f"A tagger's card takes no {', '.join(given)}. Write that into its README.md.")
        if not self.is_world_process_zero():
            return
        path = write_card(
            self.args.output_dir,
            name=self.hub_model_id or model_name,
            license=license,
            languages=_listed(language),
            datasets=_listed(dataset),
            tags=_listed(tags),
        )
        if self.emissions is not None:
            card = ModelCard.load(path)
            card.data["co2_eq_emissions"] = emissions_said(self.emissions, machine_facts(self.args.device))
            write_whole(path, str(card))

    def init_hf_repo(self, token: str | None = None, **kwargs: Any) -> None:
        """As in `Trainer`; warns of what an earlier trainer left in the repository, which pushes remove.

        Warns:
            UserWarning: there are files with a trainer's arguments, state or logs.
        """
        super().init_hf_repo(token=token, **kwargs)
        if self.is_world_process_zero() and self.hub_model_id is not None:
            there = HfApi().list_repo_files(self.hub_model_id, token=token or self.args.hub_token)
            if left := left_by_trainers(there):
                warnings.warn(revoke_advice(self.hub_model_id, left), stacklevel=2)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Publish the model as `tagsmith push` does: what belongs to a tagger, and nothing else of the output folder.

        Args:
            commit_message: of the commit.
            blocking: wait until all is sent.
            token: in place of the arguments' `hub_token`.
            revision: the branch, in place of `hub_revision`.
            private: make a new repository private.
            **kwargs: what `create_model_card` takes.

        Returns:
            The commit, or with `blocking=False` a future of it; None in processes other than the main one.
        """
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        token = token if token is not None else self.args.hub_token
        if self.hub_model_id is None:
            if private is not None:
                self.args.hub_private_repo = private
            self.init_hf_repo(token=token)
        self.save_model(_internal_call=True)
        if not self.is_world_process_zero():
            return None
        self.create_model_card(**kwargs)
        self._finish_current_push()
        sent = self._publish(str(self.args.output_dir), commit_message or "Upload tagger", token, revision)
        return sent.result() if blocking else sent

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        """As in `Trainer`, but of the checkpoint only what `tagsmith push` sends."""
        args = self.args
        if not self.is_world_process_zero() or args.hub_strategy == HubStrategy.END:
            return
        if not args.hub_always_push and self.push_in_progress is not None and not self.push_in_progress.is_done():
            return
        self.callback_handler.on_push_begin(args, self.state, self.control)
        message = f"Training in progress, step {self.state.global_step}"
        sent = self._publish(checkpoint_folder, message, args.hub_token, None)
        if self.push_in_progress is None or self.push_in_progress.is_done():
            self.push_in_progress = PushInProgress([sent])
        else:
            self.push_in_progress.jobs.append(sent)

    def _publish(self, folder: str, message: str, token: str | None, revision: str | None) -> Future[Any]:
        staged = TemporaryDirectory()
        with torch.random.fork_rng(devices=[]):  # the check that it loads must not change what training draws
            stage_tagger(Path(folder), Path(staged.name), self.hub_model_id)
        sent: Future[Any] = HfApi(library_name="tagsmith").upload_folder(
            repo_id=self.hub_model_id,
            folder_path=staged.name,
            delete_patterns=LEFT_BY_TRAINERS,
            commit_message=message,
            token=token,
            revision=revision if revision is not None else self.args.hub_revision,
            run_as_future=True,
        )
        sent.add_done_callback(lambda _: staged.cleanup())
        return sent


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
