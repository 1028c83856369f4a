"""What the Hub's client raises, as one clear line."""

from __future__ import annotations

from collections.abc import Iterator

from huggingface_hub import is_offline_mode
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tagsmith.tokenization.input_error import InputError

LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN."

_STATUSES = {
    401: ("the Hub does not accept the token", LOG_IN),
    403: (
        "the token gives no right to do this",
        "Use a token with write access (https://huggingface.co/settings/tokens), and a name of your own.",
    ),
    409: ("the repository is being changed at this moment", "Try again."),
    412: ("somebody else has changed the repository meanwhile", "Try again."),
    429: ("the Hub has had too many requests", "Try again in some minutes."),
}


def hub_error(error: BaseException, name: str, before: str = "") -> InputError | None:
    """The clear error for one that comes from the Hub's client, or was raised because of one; None for any other.

    Args:
        error: as it was raised.
        name: of the repository.
        before: what to say first where it is not on the Hub, or the Hub gives no answer.
    """
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, HfHubHTTPError):
            return _of_answer(cause, name, before)
        if isinstance(cause, HFValidationError):
            return InputError("this is no name of a repository", path=name, fix="Write it as owner/name.")
    if is_offline_mode() and any(isinstance(cause, OfflineModeIsEnabled | LocalEntryNotFoundError) for cause in chain):
        fix = "Unset HF_HUB_OFFLINE, or name a folder."
        found = f"{before}this is not in the cache, and HF_HUB_OFFLINE forbids to fetch it"
        return InputError(found, path=name, fix=fix)
    if any(isinstance(cause, HTTPError | ConnectionError | LocalEntryNotFoundError) for cause in chain):
        return InputError(
            f"{before}the Hub cannot be reached", path=name, fix="Look at the name and the network, and try again."
        )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_answer(error: HfHubHTTPError, name: str, before: str) -> InputError:
    """The error for an answer that the Hub gave."""
    if isinstance(error, GatedRepoError):
        return InputError("this repository asks for your consent", path=name, fix=f"Give it on its page. {LOG_IN}")
    if isinstance(error, RepositoryNotFoundError):
        message = f"{before}there is no such repository on the Hub, or it is private and this token may not see it"
        return InputError(message, path=name, fix=f"Look at the name. {LOG_IN}")
    if isinstance(error, RevisionNotFoundError):
        return InputError("the repository has no such revision", path=name)
    if isinstance(error, RemoteEntryNotFoundError):
        missing = str(error.response.url).rpartition("/")[2]
        return InputError(f"this is not the repository of a tagger: {missing} is missing", path=name)
    status = error.response.status_code
    said = " ".join((error.server_message or "").split())
    message, fix = _STATUSES.get(status, ("the Hub has a problem", "Try again later."))
    return InputError(f"{message} ({status}{f': {said}' if said else ''})", path=name, fix=fix)
