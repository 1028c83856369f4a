"""How long it takes to start: `import tagsmith`, its command, a line of text tagged, each in fresh processes.

    python benchmarks/cold_start.py [--times 10] [--output cold_start.json]

All are measured in turn, so that what else the machine does falls on each alike; the median and the least are given,
in seconds of the clock, and which of torch and transformers were imported.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from tagsmith.training.machine.whole_files import write_whole

LINE = "Angela Merkel met Barack Obama in Washington.\n"
HEAVY = "import sys; print('imported', *sorted({'torch', 'transformers'} & sys.modules.keys()), file=sys.stderr)"
STARTS = {
    "python alone": "",
    "import tagsmith": "import tagsmith",
    "tagsmith --version": "import sys; sys.argv = ['tagsmith', '--version']",
    "tagsmith tag, one line": "import sys; sys.argv = ['tagsmith', 'tag']",
    "tagsmith.pipeline(), one line": f"import tagsmith; print(tagsmith.pipeline()({LINE!r}))",
}
COMMAND = """
from tagsmith.training.commands.entry import main
try:
    main()
except SystemExit:
    pass
"""


def program(start: str) -> str:
    """The code of a start, which tells at its end what it imported."""
    return "\n".join([start, COMMAND if "sys.argv" in start else "", HEAVY])


def run(start: str) -> tuple[float, str]:
    """Seconds of the clock, and the heavy libraries that were imported."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program(start)], input=LINE, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - begin, done.stderr.strip().splitlines()[-1].removeprefix("imported").strip()


def main(
    times: Annotated[int, typer.Option(min=1, help="How often each.")] = 10,
    output: Annotated[Path | None, typer.Option(help="A JSON file for the figures.")] = None,
) -> None:
    """Write a table."""
    seconds: dict[str, list[float]] = {name: [] for name in STARTS}
    heavy = {}
    for name, start in STARTS.items():
        heavy[name] = run(start)[1]  # also brings the files into memory
    for _ in range(times):
        for name, start in STARTS.items():
            seconds[name].append(run(start)[0])
    typer.echo("| | median | least | imports |\n|---|---|---|---|")
    for name, own in seconds.items():
        typer.echo(f"| {name} | {statistics.median(own):.2f} | {min(own):.2f} | {heavy[name] or 'neither'} |")
    if output is not None:
        write_whole(output, json.dumps(seconds, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
