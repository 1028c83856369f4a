"""The command `tagsmith serve`: taggers behind HTTP."""

from __future__ import annotations

import ipaddress
import os
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import Threads, say, warn
from tagsmith.training.commands.runtime_option import Runtime, RuntimeOption, load_by_runtime
from tagsmith.training.serving.limits import KEEP_ALIVE, Limits
from tagsmith.training.tagging.runtimes import usual_runtime
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

TOKEN = "TAGSMITH_TOKEN"


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]MODEL...",
            help="Folders of taggers, or names on the Hub; the first is the default. Where none is named, what comes "
            "with tagsmith.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to bind; 0.0.0.0 for all of the machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8000,
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes of a body; more are answered 413.")] = Limits.max_bytes,
    max_batch: Annotated[
        int, typer.Option(min=1, help="Texts of several requests tagged together.")
    ] = Limits.max_batch,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Texts that may wait; more are answered 503.")
    ] = Limits.max_waiting,
    max_wait: Annotated[
        float, typer.Option(min=0.001, help="Seconds a request may wait, and a body arrive in.")
    ] = Limits.max_wait,
    runtime: RuntimeOption = Runtime.auto,
    threads: Threads = 1,
) -> None:
    """Serve taggers over HTTP; a bearer token is read from TAGSMITH_TOKEN."""
    if missing := [name for name in ("fastapi", "uvicorn", "prometheus_client") if find_spec(name) is None]:
        raise InputError(f"{', '.join(missing)} is not installed", fix="pip install 'tagsmith[serve]'.")
    import uvicorn

    from tagsmith.training.serving.web_app import make_app

    token = os.environ.get(TOKEN, "")
    if not token and not _is_loopback(host):
        warn(f"{host} can be reached from other machines, and {TOKEN} is not set: anyone may use this server")
    taggers = {name: _load(model, runtime, threads) for name, model in _names(models or [DEFAULT_TAGGER]).items()}
    limits = Limits(max_bytes, max_batch, max_waiting, max_wait)
    app = make_app(taggers, limits, token)
    quiet: dict[str, Any] = {
        "access_log": False,
        "log_level": "warning",
        "server_header": False,
        "proxy_headers": False,
    }
    config = uvicorn.Config(app, host=host, port=port, timeout_keep_alive=KEEP_ALIVE, **quiet)
    listening = config.bind_socket()
    listening.listen(config.backlog)  # before it is said: who reads it may ask at once
    address = f"[{host}]" if ":" in host else host
    say(f"serving {', '.join(taggers)} at http://{address}:{listening.getsockname()[1]}")
    uvicorn.Server(config).run([listening])


def _names(models: list[str]) -> dict[str, str]:
    """Models by the names that requests give them: what stands before `=`, or the last part of the path.

    Raises:
        InputError: two have the same name.
    """
    named: dict[str, str] = {}
    for argument in models:
        name, equals, path = argument.partition("=")
        if not equals or os.path.exists(argument):
            name, path = os.path.basename(os.path.realpath(argument)), argument
        if not name or not path:
            raise InputError(f"{argument!r} is not NAME=MODEL", fix="Give a name and a folder.")
        if name in named:
            raise InputError(f"two models are named {name!r}", path=path, fix="Name one of them, like other=FOLDER.")
        named[name] = path
    return named


def _load(model: str, runtime: Runtime, threads: int) -> Any:
    """A tagger of the runtime on numpy or ONNX; where that does not have it, by torch if this is installed."""
    if runtime is not Runtime.auto:
        return load_by_runtime(model, runtime, threads)
    try:
        by_onnx = usual_runtime(model) == Runtime.onnx
        return load_by_runtime(model, Runtime.onnx if by_onnx else Runtime.numpy, threads)
    except InputError as error:
        if find_spec("torch") is None:
            raise
        tagger = load_by_runtime(model, Runtime.torch, threads)  # raises too, where the tagger is not one
        warn(f"{model}: served by torch: {error.message}")
        return tagger


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
