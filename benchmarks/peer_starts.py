"""Cold starts of the taggers that peers.py compares: from the start of a process to the first spans of one line."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

LINE = "Angela Merkel met Barack Obama in Washington ."
STARTS = {  # the shortest program of each library, run in this folder
    "tagsmith": "import tagsmith; print(tagsmith.pipeline({folder!r}, device='cpu')({line!r}))",
    "runtime": "from tagsmith.runtime import load; print(load({folder!r})({line!r}))",
    "spacy": "import spacy; print(spacy.load({folder!r})({line!r}).ents)",
    "crfsuite": """
from pycrfsuite import Tagger
from crf_features import sentence_features
tagger = Tagger()
tagger.open({folder!r} + "/model")
print(tagger.tag(sentence_features({line!r}.split())))
""",
    "udpipe": """
from ufal.udpipe import Model, Sentence
model, sentence = Model.load({folder!r} + "/tagger.udpipe"), Sentence()
for word in {line!r}.split():
    sentence.addWord(word)
model.tag(sentence, Model.DEFAULT)
print([word.upostag for word in sentence.words])
""",
}
MEMORY = """
from pathlib import Path
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def starts(python: str, adapter: str, folder: Path, times: int, threads: int = 1) -> list[tuple[float, float]]:
    """Seconds of the clock and the peak of memory in MiB of each start; one before them brings the files into memory.

    Raises:
        CalledProcessError: the program failed.
    """
    program = STARTS[adapter].format(folder=str(folder.resolve()), line=LINE) + MEMORY
    found = []
    for _ in range(times + 1):
        started = time.perf_counter()
        done = subprocess.run(
            [python, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        found.append((time.perf_counter() - started, int(done.stdout.split()[-1]) / 1024))
    return found[1:]
