"""Where the command `tagsmith` begins. `tag` and `serve` come without what others import."""

from __future__ import annotations

import os
import sys

from tagsmith.training.commands.streams import quiet_end, run

_SMALL = 1 << 20  # bytes of files that are tagged before a bar would show anything


def main() -> None:
    """The entry point: bad input ends as one line and exit code 2."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        from tagsmith.training.commands.serve_app import app
    elif arguments[:1] != ["tag"]:
        from tagsmith.training.commands.command_line import app
    elif _is_plain(arguments[1:]):
        run(lambda: _tag_plainly(arguments[1:] or ["-"]))
        return
    else:
        from tagsmith.training.commands.tag_app import app
    run(app)


def _is_plain(files: list[str]) -> bool:
    """Whether there are no options, but small files or standard input to be tagged by the bundled tagger.

    Then nothing has to be parsed, and the libraries for that stay out: they take as long as all else together.
    """
    launched = {"WORLD_SIZE", "RANK", "LOCAL_RANK", "_TAGSMITH_COMPLETE"} & os.environ.keys()
    texts = all(name == "-" or (os.path.isfile(name) and os.path.getsize(name) < _SMALL) for name in files)
    return texts and not launched and os.environ.get("OMP_NUM_THREADS", "1") == "1"


def _tag_plainly(files: list[str]) -> None:
    from tagsmith.training.commands.tagger_notice import print_line, print_warning, with_notice
    from tagsmith.training.tagging.runtimes import load_without_torch
    from tagsmith.training.tagging.tag_files import read_texts, write_tagged
    from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

    try:
        with quiet_end():
            tagger = load_without_torch(DEFAULT_TAGGER)
            tagger.says_shortened = False  # until all is tagged
            texts = with_notice(tagger, DEFAULT_TAGGER, read_texts(files), print_line, print_warning)
            write_tagged(tagger, texts, "text")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if tagger.shortened:
        from tagsmith.training.commands.command_options import warn

        warn(tagger.tokenizer.describe_shortened(tagger.shortened))
