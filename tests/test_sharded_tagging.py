from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import TINY_SENTENCES
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Outcome, assert_one_line, tagsmith

from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.locks import locked
from tagsmith.training.tagging import sharded_tagging
from tagsmith.training.tagging.sharded_tagging import cut_shards, read_shard
from tagsmith.training.tagging.tag_files import read_texts

LINES = [text for text, _ in TINY_SENTENCES]


@pytest.fixture
def corpus(tmp_path: Path) -> list[Path]:
    """Files with all that a file may have; 60 documents."""
    bom = b"\xef\xbb\xbf"
    contents = [
        bom + "\r\n".join(LINES * 4).encode() + b"\r\n",  # 20 lines
        b"",
        "\n".join([*LINES, "", "Tab\there , Ada .", *LINES, "Ada " * 50, *LINES]).encode(),  # 18
        bom + ("\n" + "\n\n".join(LINES * 2) + "\n\n").encode() + "In Zürich Ada\r .".encode(),  # 22
    ]
    files = [tmp_path / f"{number}.txt" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def assert_same(output: Path, outcome: Outcome) -> None:
    """Equal in all but the rounding of scores."""
    found, expected = output.read_text(encoding="utf-8").split("\n"), outcome.out.split("\n")
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if one != other:
            assert without_scores(one) == without_scores(other)
            assert scores(one) == pytest.approx(scores(other), abs=1e-5)


def without_scores(line: str) -> Any:
    document = json.loads(line)
    return document["text"], [{**entity, "score": None} for entity in document["entities"]]


def scores(line: str) -> list[float]:
    return [entity["score"] for entity in json.loads(line)["entities"]]


# Cutting.

PIECES = [b"a", b"b c", b"\n", b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", "é𝄞".encode(), b"long" * 10]


@given(
    contents=st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), min_size=1, max_size=4),
    count=st.integers(1, 12),
    block=st.integers(1, 8),
)
@settings(deadline=None)
def test_shards_hold_every_line_once_and_in_order(contents: list[bytes], count: int, block: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharded_tagging, "_BLOCK", block)
        files = [str(Path(folder, str(number))) for number in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            Path(file).write_bytes(content)
        shards = cut_shards(files, count)
        assert len(shards) == count
        assert [text for shard in shards for text in read_shard(shard)] == list(read_texts(files))


def test_shards_are_of_like_size(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"0123456789abcde\n" * 500)
    shards = cut_shards([str(tmp_path / "a"), str(tmp_path / "b")], 7)
    sizes = [sum(stretch.end - stretch.start for stretch in shard) for shard in shards]
    assert sum(sizes) == 16_000
    assert max(sizes) - min(sizes) <= 32


def test_a_long_line_makes_empty_shards(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\n" + b"b" * 1000 + b"\nc\n")
    shards = cut_shards([str(tmp_path / "a")], 10)
    assert [list(read_shard(shard)) for shard in shards] == [["a", "b" * 1000], *[[]] * 8, ["c"]]


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a\n" * 10)
    shards = cut_shards([str(file)], 2)
    file.write_bytes(b"a\n" * 8)
    assert len(list(read_shard(shards[0]))) == 5
    with pytest.raises(InputError, match="not as it was"):
        list(read_shard(shards[1]))


# One process.


@pytest.mark.parametrize("shards", [1, 3, 100])
def test_shards_are_joined_as_without(tiny_folder: Path, corpus: list[Path], tmp_path: Path, shards: int) -> None:
    whole = tagsmith("tag", tiny_folder, *corpus, "--format", "jsonl")
    assert whole.code == 0, whole.err
    assert whole.out.count("\n") == 60
    output = tmp_path / "out.jsonl"
    outcome = tagsmith("tag", tiny_folder, *corpus, "--format", "jsonl", "--output", output, "--shards", shards)
    assert (outcome.code, outcome.out) == (0, ""), outcome.err
    assert_same(output, whole)
    lines = outcome.err.splitlines()
    assert lines[0] == f"processes: 1; 0 of {shards} shards were done before"
    assert lines[1:-1] == [f"{done} of {shards} shards are done" for done in range(1, shards + 1)]
    assert lines[-1] == f"{shards} shards are joined in {output}"
    assert sorted(tmp_path.iterdir()) == sorted([*corpus, output])


def test_what_the_tagger_does_not_know_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Η Αθήνα είναι πρωτεύουσα της Ελλάδας.\n" * 20, encoding="utf-8")
    outcome = tagsmith("tag", tmp_path / "a.txt", "--output", tmp_path / "out", "--shards", 4)
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("tagger: ner-multilingual") == 1
    assert outcome.err.count("Greek, which this tagger was not trained on") == 1


@pytest.mark.parametrize("style", ["conll", "text"])
def test_other_formats(
    tiny_folder: Path, corpus: list[Path], tmp_path: Path, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tagsmith("tag", tiny_folder, *corpus, "--format", style)
    monkeypatch.setenv("FORCE_COLOR", "1")  # a file is no terminal
    for options in ([], ["--shards", 4]):
        output = tmp_path / "out"
        assert tagsmith("tag", tiny_folder, *corpus, "--format", style, "--output", output, *options).code == 0
        assert output.read_text(encoding="utf-8") == whole.out


def test_html_to_a_file(tiny_folder: Path, corpus: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "page.html"
    arguments = ("tag", tiny_folder, *corpus, "--format", "html")
    outcome = tagsmith(*arguments, "--output", output)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert output.read_bytes().decode() == tagsmith(*arguments).out


def test_an_output_is_whole_or_not_there(tiny_folder: Path, corpus: list[Path], tmp_path: Path) -> None:
    corpus[3].write_bytes(b"Ada\n\xff\n")
    output = tmp_path / "out"
    output.write_text("old", encoding="utf-8")
    outcome = tagsmith("tag", tiny_folder, *corpus, "--output", output)
    assert_one_line(outcome, f"{corpus[3]}:2:1: byte 0xFF")
    assert output.read_text(encoding="utf-8") == "old"
    assert sorted(tmp_path.iterdir()) == sorted([*corpus, output])


def test_an_output_behind_a_link(tiny_folder: Path, corpus: list[Path], tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "out")
    for options in ([], ["--shards", 2]):
        assert tagsmith("tag", tiny_folder, *corpus, "--output", link, *options).code == 0
        assert link.is_symlink()
        assert [path.name for path in (tmp_path / "real").iterdir()] == ["out"]


# Going on.


def run_that_ends(patch: pytest.MonkeyPatch, batches: int) -> None:
    """Let the model fail after so many batches."""
    forward = SpanTaggingPipeline._forward
    calls = iter(range(batches))

    def failing(self: SpanTaggingPipeline, *args: Any, **kwargs: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return forward(self, *args, **kwargs)

    patch.setattr(SpanTaggingPipeline, "_forward", failing)


def test_a_run_goes_on(tiny_folder: Path, corpus: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, folder = tmp_path / "out.jsonl", tmp_path / "out.jsonl.shards"
    arguments = ("tag", tiny_folder, *corpus, "--format", "jsonl", "--batch-size", 4)
    sharded = (*arguments, "--output", output, "--shards", 6)
    whole = tagsmith(*arguments)
    with monkeypatch.context() as patch:
        run_that_ends(patch, 8)
        assert tagsmith(*sharded).code == 130
    assert not output.exists()
    done = sorted(path.name for path in folder.iterdir() if path.name != "manifest.json")
    assert 1 <= len(done) < 6 and done == [f"{number:05d}" for number in range(len(done))]
    (folder / "00004.12345678.part").write_bytes(b"half a li")  # what a kill leaves
    documents = sum((folder / name).read_bytes().count(b"\n") for name in done)

    read = []
    preprocess = SpanTaggingPipeline.preprocess

    def counted(self: SpanTaggingPipeline, text: str, **kwargs: Any) -> Any:
        read.append(text)
        return preprocess(self, text, **kwargs)

    monkeypatch.setattr(SpanTaggingPipeline, "preprocess", counted)
    outcome = tagsmith(*sharded)
    assert outcome.code == 0, outcome.err
    assert f"{len(done)} of 6 shards were done before" in outcome.err
    assert len(read) == 60 - documents
    assert_same(output, whole)
    assert not folder.exists()


@pytest.fixture
def cut_short(tiny_folder: Path, corpus: list[Path], tmp_path: Path) -> Iterator[list[Any]]:
    """The command of a run that was cut short, with a finished shard."""
    command = ["tag", tiny_folder, *corpus, "--format", "jsonl", "--output", tmp_path / "out", "--shards", 3]
    with pytest.MonkeyPatch.context() as patch:
        run_that_ends(patch, 9)
        assert tagsmith(*command, "--batch-size", 4).code == 130
    assert (tmp_path / "out.shards" / "00000").exists()
    yield command


def test_a_second_run_is_refused_while_the_first_is_under_way(cut_short: list[Any], tmp_path: Path) -> None:
    folder = tmp_path / "out.shards"
    (folder / "00001.12345678.part").write_bytes(b"half a li")
    with locked(folder / ".lock", "", ""):
        assert_one_line(tagsmith(*cut_short), "another run is tagging into this folder", "Wait for its end")
    assert (folder / "00001.12345678.part").read_bytes() == b"half a li"
    assert (folder / "00000").exists() and not (tmp_path / "out").exists()
    assert tagsmith(*cut_short).code == 0, "the lock of a process that has ended keeps nothing"
    assert not folder.exists()


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_output_keeps_its_permissions(tiny_folder: Path, corpus: list[Path], tmp_path: Path, mode: int) -> None:
    output, folder = tmp_path / "out", tmp_path / "out.shards"
    output.touch()
    output.chmod(mode)
    command = ["tag", tiny_folder, *corpus, "--format", "jsonl", "--output", output, "--shards", 3]
    with pytest.MonkeyPatch.context() as patch:
        run_that_ends(patch, 9)
        assert tagsmith(*command, "--batch-size", 4).code == 130
    assert (folder.stat().st_mode & 0o077 == 0) == (mode == 0o600), "what is private is so from the start"
    assert tagsmith(*command).code == 0
    assert output.stat().st_mode & 0o777 == mode and output.read_bytes()


def test_a_run_with_another_output_format(cut_short: list[Any], tmp_path: Path) -> None:
    cut_short[cut_short.index("jsonl")] = "conll"
    assert_one_line(tagsmith(*cut_short), tmp_path / "out.shards", "another format.", "remove the folder")


def test_a_run_with_other_options(cut_short: list[Any]) -> None:
    assert_one_line(tagsmith(*cut_short, "--min-score", 0.5), "another options")
    assert_one_line(tagsmith(*cut_short, "--int8"), "another number of bits of the weights")


def test_a_run_with_another_number_of_shards(cut_short: list[Any]) -> None:
    assert_one_line(tagsmith(*cut_short, "--shards", 4), "another number of shards")


def test_a_run_with_another_file(cut_short: list[Any], corpus: list[Path]) -> None:
    os.utime(corpus[0], (1, 1))
    assert_one_line(tagsmith(*cut_short), "another files")


def test_a_run_with_another_tagger(cut_short: list[Any], tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    model = type(tiny_model)(tiny_model.config)  # the same except for the weights
    model.save_pretrained(tmp_path / "other")
    tiny_tokenizer.save_pretrained(tmp_path / "other")
    cut_short[1] = tmp_path / "other"
    assert_one_line(tagsmith(*cut_short), "another tagger")


def test_a_run_with_the_same_tagger_elsewhere(
    cut_short: list[Any], tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    tiny_model.save_pretrained(tmp_path / "copy")
    tiny_tokenizer.save_pretrained(tmp_path / "copy")
    cut_short[1] = tmp_path / "copy"
    assert tagsmith(*cut_short, "--batch-size", 2).code == 0  # and smaller batches, for one after lack of memory


def test_a_folder_without_its_manifest(cut_short: list[Any], tmp_path: Path) -> None:
    (tmp_path / "out.shards" / "manifest.json").unlink()
    assert_one_line(tagsmith(*cut_short), "there is no manifest.json", "Several machines")


@pytest.mark.parametrize("content", ["", "[1]", "\xff"])
def test_a_manifest_that_is_none(cut_short: list[Any], tmp_path: Path, content: str) -> None:
    (tmp_path / "out.shards" / "manifest.json").write_text(content, encoding="latin-1")
    assert_one_line(tagsmith(*cut_short), "manifest.json cannot be read")


def test_a_run_without_finished_shards_binds_nothing(tiny_folder: Path, corpus: list[Path], tmp_path: Path) -> None:
    corpus[0].write_bytes(b"\xff\n")
    command = ("tag", tiny_folder, *corpus, "--output", tmp_path / "out", "--shards", 2)
    outcome = tagsmith(*command)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith(f"error: {corpus[0]}:1:1: byte 0xFF is not UTF-8")
    corpus[0].write_bytes(b"Ada\n")
    assert tagsmith(*command, "--format", "conll").code == 0


def test_a_folder_of_something_else(tiny_folder: Path, corpus: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out.shards").mkdir()
    (tmp_path / "out.shards" / "thesis.tex").touch()
    command = ("tag", tiny_folder, *corpus, "--output", tmp_path / "out", "--shards", 2)
    assert_one_line(tagsmith(*command), "thesis.tex", "Give another --output")


# Bad input.


def test_a_line_that_is_not_utf8_is_counted_from_the_start_of_its_file(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].write_bytes(b"x\n" * 50)
    files[1].write_bytes(b"x\n" * 40 + b"ab\xe9\n" + b"x\n" * 9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharded_tagging, "_BLOCK", 7)
        with pytest.raises(InputError) as caught:
            for shard in cut_shards([str(file) for file in files], 9):
                list(read_shard(shard))
    assert (caught.value.path, caught.value.line, caught.value.column) == (str(files[1]), 41, 3)
    with pytest.raises(InputError) as unsharded:
        list(read_texts(map(str, files)))
    assert str(caught.value) == str(unsharded.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--shards", 2], "Give --output"),
        (["--output", "out", "--shards", 2, "--format", "html"], "HTML cannot be joined"),
        (["--output", "out", "--shards", 2, "-"], "standard input cannot be cut"),
        (["--output", "."], "this is no file"),
        (["--output", "/dev/null"], "this is no file"),
        (["--output", "no/out"], "there is no folder for this file"),
        (["--output", "0.txt"], "to be read, and to be written too"),
        (["--output", "out", "--shards", 2, "no.txt"], "no.txt: there is no such file"),
    ],
)
def test_what_cannot_be_written(
    tiny_folder: Path, corpus: list[Path], monkeypatch: pytest.MonkeyPatch, options: list[Any], words: str
) -> None:
    monkeypatch.chdir(corpus[0].parent)
    assert_one_line(tagsmith("tag", tiny_folder, *corpus, *options), words)
    assert sorted(Path().glob("*")) == sorted(Path(file.name) for file in corpus)


def test_standard_input_by_default_cannot_be_cut(tiny_folder: Path, tmp_path: Path) -> None:
    outcome = tagsmith("tag", tiny_folder, "--output", tmp_path / "out", "--shards", 2)
    assert_one_line(outcome, "standard input cannot be cut")


def test_several_processes_need_shards(tiny_folder: Path, corpus: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert_one_line(tagsmith("tag", tiny_folder, *corpus), "each of 2 processes", "--shards")


# Several processes.


def start(rank: int, port: int, *arguments: Any) -> subprocess.Popen[str]:
    """One of two processes as a launcher starts them."""
    launched = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    environment = {**os.environ, **{name: str(value) for name, value in launched.items()}, "ACCELERATE_USE_CPU": "1"}
    command = [sys.executable, "-m", "tagsmith", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def run_two(*arguments: Any) -> list[tuple[int, str]]:
    """The exit codes and messages of two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [start(rank, port, *arguments) for rank in range(2)]
    try:
        messages = [process.communicate(timeout=200)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, message) for process, message in zip(processes, messages, strict=True)]


@pytest.mark.slow
def test_two_processes(tiny_folder: Path, corpus: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    command = ("tag", tiny_folder, *corpus, "--format", "jsonl", "--output", output, "--shards", 5)
    good = corpus[2].read_bytes()
    corpus[2].write_bytes(good[:-1] + b"\xff")  # in a shard of one process: both end, and neither waits for ever
    codes, messages = zip(*run_two(*command), strict=True)
    assert codes == (2, 2), messages
    assert sum("18:" in message and "byte 0xFF is not UTF-8" in message for message in messages) == 1
    assert sum("another process has ended before time" in message for message in messages) == 1
    assert not output.exists()

    corpus[2].write_bytes(good)
    (tmp_path / "out.jsonl.shards").rename(tmp_path / "away")
    codes, messages = zip(*run_two(*command), strict=True)
    assert codes == (0, 0), messages
    assert messages[0].startswith("processes: 2;")
    assert messages[0].count("shards are done\n") == 3  # 0, 2 and 4
    assert messages[1] == ""
    assert_same(output, tagsmith("tag", tiny_folder, *corpus, "--format", "jsonl"))
    assert not (tmp_path / "out.jsonl.shards").exists()


# python -m tagsmith.


def test_the_command_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tagsmith", "tag", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "--shards" in done.stdout
