"""Tagging files in shards, over one process or many, so that a run that is cut short can continue.

The files, one after the other, are cut into shards of about as many bytes, each of whole lines. The processes take
the shards in turn. A finished shard is a file in the folder `OUTPUT.shards`; a run that finds some there tags only the
others. Of a shard that was under way nothing is kept: that work is done again. When all shards are there, the main
process joins them in order into the output, and removes the folder.

What is written is what would be without shards, up to rounding: where other sentences share a batch, sums are rounded
otherwise, and scores may differ in their seventh digit.
"""

from __future__ import annotations

import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.machine.full_disks import writing
from tagsmith.training.machine.locks import locked
from tagsmith.training.machine.whole_files import put_in_place, whole_file
from tagsmith.training.tagging.redaction import Redaction
from tagsmith.training.tagging.tag_files import check_file, decode_line, not_utf8, write_tagged

_MANIFEST = "manifest.json"
_LOCK = ".lock"
_BLOCK = 1 << 20  # bytes read together where lines are only passed over

# Processes wait for the slowest. Gloo counts milliseconds in 32 bits: more than 24 days would be none.
_PATIENCE = timedelta(days=14)


class Stretch(NamedTuple):
    """Whole lines of a file, from one byte to before another."""

    path: str
    start: int
    end: int


Shard = list[Stretch]


def check_output(
    files: Sequence[str], style: str, output: Path | None, shards: int | None, documents: bool = False
) -> None:
    """See that what is to be written can be.

    Args:
        files: names, "-" for standard input.
        style: the format.
        output: the file to write, standard output if None.
        shards: how many, or None.
        documents: whether several lines are one text.

    Raises:
        InputError: why it cannot.
    """
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if shards is None and processes > 1:
        found = f"each of {processes} processes would tag all of the text"
        raise InputError(found, fix="Give --output and --shards.")
    if shards is not None and output is None:
        raise InputError("--shards is for files, and there is none to write", fix="Give --output.")
    if shards is not None and documents:
        raise InputError("shards are cut between lines, and documents hold several", fix="Leave out --shards.")
    if shards is not None and style == "html":
        raise InputError("a page of HTML cannot be joined from shards", fix="Write jsonl, conll or text.")
    if shards is not None and "-" in files:
        raise InputError("standard input cannot be cut into shards", fix="Give the names of files.")
    if output is None:
        return
    if output.exists() and not output.is_file():
        raise InputError("this is no file", path=output)
    if not output.resolve().parent.is_dir():
        raise InputError("there is no folder for this file", path=output)
    if output.exists() and any(os.path.exists(name) and output.samefile(name) for name in files):
        raise InputError("this file is to be read, and to be written too", path=output, fix="Give another --output.")


def join_processes() -> Any:
    """Accelerate's `PartialState`, by which this process and others that a launcher has started know each other.

    On a machine with GPUs of NVIDIA or AMD each process gets one; elsewhere, or with `ACCELERATE_USE_CPU`, the CPU.
    """
    import torch
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # else Accelerate chooses, with a warning; --threads comes later
    on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
    # The processes only wait for each other: gloo does that on every device, also where two share a GPU, and it
    # notices when one has ended.
    launched = {"backend": "gloo", "timeout": _PATIENCE} if "LOCAL_RANK" in os.environ else {}
    return PartialState(cpu=on_cpu, **launched)


def tag_shards(
    pipeline: Any,
    files: Sequence[str],
    style: str,
    output: Path,
    shards: int,
    state: Any,
    say: Callable[[str], None],
    redaction: Redaction | None = None,
    **options: Any,
) -> None:
    """Tag text files in shards, and join these into the output; continue with what an earlier run has left.

    Args:
        pipeline: a `SpanTaggingPipeline`.
        files: names of text files, a document each line.
        style: "text", "jsonl" or "conll".
        output: the file to write. Where the processes are on several machines, all of them must see its folder.
        shards: how many. The more, the less is done again after an end before time.
        state: what `join_processes` gives.
        say: takes a line on progress, in the main process only.
        redaction: what replaces spans, without numbers: shards know nothing of each other.
        **options: what the pipeline takes.

    Raises:
        InputError: a file cannot be read, or is not UTF-8 (with its line); shards are there of another run, which had
            other files, another tagger, or other options; another process has ended before time.
    """
    if state.use_distributed:  # transformers leaves it to the caller then
        pipeline.device = state.device
        pipeline.model.to(state.device)
    output = output.resolve()
    folder = output.with_name(f"{output.name}.shards")
    with ExitStack() as stack:
        stack.callback(state.destroy_process_group)  # also tells those that wait, if this process fails
        manifest = _manifest(pipeline, files, style, shards, options)
        if redaction is not None:
            manifest["labels to redact"] = redaction.labels
        if state.is_main_process:
            stack.enter_context(_claimed(folder, output))
            _open_folder(folder, manifest)
            say(f"processes: {state.num_processes}; {len(_finished(folder))} of {shards} shards were done before")
        _wait(state)
        _check_manifest(folder, manifest)
        cut = cut_shards(files, shards)
        for number, path in _own(folder, shards, state):
            with whole_file(path) as out:
                write_tagged(pipeline, read_shard(cut[number]), style, out, redaction, **options)
            if state.is_main_process:
                say(f"{len(_finished(folder))} of {shards} shards are done")
        _wait(state)
        if state.is_main_process:
            _join(folder, shards, output)
            say(f"{shards} shards are joined in {output}")


@contextmanager
def _claimed(folder: Path, output: Path) -> Iterator[None]:
    """The folder of shards, made where it is missing, kept from other runs; removed in the end if nothing is in it.

    It is for the user alone where the output is.
    """
    private = output.exists() and not output.stat().st_mode & 0o077
    folder.mkdir(exist_ok=True, mode=0o700 if private else 0o777)
    fix = "Wait for its end, or give another --output."
    with locked(folder / _LOCK, "another run is tagging into this folder", fix):
        yield
    with suppress(OSError):
        folder.rmdir()


def _own(folder: Path, shards: int, state: Any) -> Iterator[tuple[int, Path]]:
    """The shards that this process is to tag, with their files."""
    for number in range(state.process_index, shards, state.num_processes):
        path = folder / _name(number)
        if not path.exists():
            yield number, path


def _name(number: int) -> str:
    return f"{number:05d}"


def _wait(state: Any) -> None:
    try:
        state.wait_for_everyone()
    except RuntimeError as error:  # gloo's, when a connection is closed
        again = "See its message, and start all again: what is done is kept."
        raise InputError("another process has ended before time", fix=again) from error


def _manifest(pipeline: Any, files: Sequence[str], style: str, shards: int, options: dict[str, Any]) -> dict[str, Any]:
    """What must be the same in a run that continues with the shards of another."""
    import tagsmith

    for name in files:
        check_file(name, regular=True)
    status = [(name, os.stat(name)) for name in files]
    return {
        "version of tagsmith": tagsmith.__version__,
        "tagger": _fingerprint(pipeline),
        "files": [[name, of_file.st_size, of_file.st_mtime_ns] for name, of_file in status],
        "format": style,
        # Batches may become smaller where memory has run out.
        "options": {name: value for name, value in options.items() if name != "batch_size"},
        "number of bits of the weights": 8 if pipeline.int8 else 32,
        "number of shards": shards,
    }


def _fingerprint(pipeline: Any) -> str:
    """A checksum of a tagger's configuration, weights and tokenizer, wherever it was loaded from."""
    import torch

    config = pipeline.model.config.to_dict()
    for name in ("_name_or_path", "transformers_version"):
        config.pop(name, None)
    digest = sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(pipeline.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    with TemporaryDirectory() as folder:
        pipeline.tokenizer.save_pretrained(folder)
        for path in sorted(Path(folder).iterdir()):
            if path.suffix != ".py":  # of the code it is the version that counts
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _open_folder(folder: Path, manifest: dict[str, Any]) -> None:
    """Ready the folder of an earlier run; its manifest counts if there is a finished shard."""
    for path in folder.iterdir():
        if path.suffix == ".part":
            path.unlink()
        elif path.name not in (_MANIFEST, _LOCK) and not path.name.isdecimal():
            raise InputError("this is in the folder for shards, and is none", path=path, fix="Give another --output.")
    if not _finished(folder):
        with whole_file(folder / _MANIFEST) as file:
            json.dump(manifest, file, indent=2)
    _check_manifest(folder, manifest)


def _check_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    again = "Start it as before, or remove the folder to start over."
    try:
        found = read_json(folder / _MANIFEST)
    except FileNotFoundError:
        shared = "Several machines need one folder that all of them see; else remove this one to start over."
        raise InputError(f"there is no {_MANIFEST}", path=folder, fix=shared) from None
    except InputError as error:
        raise InputError(f"{_MANIFEST} cannot be read: {error.message}", path=folder, fix=again) from error
    if other := [name for name, value in json.loads(json.dumps(manifest)).items() if found.get(name) != value]:
        raise InputError(f"this is of a run with another {', '.join(other)}", path=folder, fix=again)


def _finished(folder: Path) -> set[str]:
    # A folder is listed rather than its files looked up: a network file system remembers for a while that one was not.
    return {name for name in os.listdir(folder) if name.isdecimal()}


def _join(folder: Path, shards: int, output: Path) -> None:
    """Put the shards together as the output, and remove them; the manifest last, for a run that ends here."""
    names = [_name(number) for number in range(shards)]
    if missing := sorted(set(names) - _finished(folder)):
        raise InputError(f"shard {missing[0]} is missing", path=folder, fix="Start all again: what is done is kept.")
    joined = folder / "joined.part"  # in the folder, so that the next run removes it if this one ends here
    with writing(output.parent):
        with open(joined, "wb") as out:
            for name in names:
                with open(folder / name, "rb") as shard:
                    shutil.copyfileobj(shard, out, _BLOCK)
        put_in_place(joined, output)
    for name in names:
        (folder / name).unlink()
    (folder / _MANIFEST).unlink()


def cut_shards(files: Sequence[str], count: int) -> list[Shard]:
    """Cut files, one after the other, into shards of about as many bytes, without reading them through.

    Each shard begins with the first line that begins at its share of the bytes or behind, so that one is empty where
    a line is longer than a share.

    Args:
        files: names of files.
        count: the number of shards.
    """
    starts = list(accumulate(map(os.path.getsize, files), initial=0))
    cuts = [0]
    for number in range(1, count):
        share = starts[-1] * number // count
        # A cut behind this share already was sought from further ahead: no line begins between.
        cuts.append(cuts[-1] if share <= cuts[-1] else _line_start(files, starts, share))
    cuts.append(starts[-1])
    return [_shard(files, starts, begin, end) for begin, end in pairwise(cuts)]


def _line_start(files: Sequence[str], starts: Sequence[int], position: int) -> int:
    """Where the first line begins at a position in the files, one after the other, or behind it."""
    at = bisect_right(starts, position) - 1
    if starts[at] == position:
        return position
    with open(files[at], "rb") as file:
        file.seek(position - starts[at] - 1)  # a line feed right before makes the position the start of a line
        while (piece := file.readline(_BLOCK)) and not piece.endswith(b"\n"):
            pass
        return min(starts[at] + file.tell(), starts[at + 1])


def _shard(files: Sequence[str], starts: Sequence[int], begin: int, end: int) -> Shard:
    shard = []
    at = bisect_right(starts, begin) - 1
    while begin < end:
        stop = min(end, starts[at + 1])
        if begin < stop:
            shard.append(Stretch(files[at], begin - starts[at], stop - starts[at]))
        begin, at = stop, at + 1
    return shard


def read_shard(shard: Iterable[Stretch]) -> Iterator[str]:
    """The lines of a shard as `read_texts` gives them.

    Raises:
        InputError: a line is not UTF-8, with its number in the file; or a file is being changed.
    """
    for name, start, end in shard:
        with open(name, "rb") as file:
            file.seek(start)
            at = start
            while at < end and (line := file.readline()):
                try:
                    yield decode_line(line, first=at == 0)
                except UnicodeDecodeError as error:
                    raise not_utf8(error, name, _line_number(file, at)) from error
                at += len(line)
        if at != end:
            raise InputError(f"the file is not as it was when shards were cut at byte {end:,}", path=name)


def _line_number(file: BinaryIO, position: int) -> int:
    file.seek(0)
    blocks = [_BLOCK] * (position // _BLOCK) + [position % _BLOCK]
    return 1 + sum(file.read(size).count(b"\n") for size in blocks)
