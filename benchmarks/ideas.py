"""What each of the ideas that make tagsmith fast is worth: the same work without it, again and again in turn.

    python benchmarks/ideas.py [--only TEXT]... [--text FILE] [--rounds N] [--steps N] [--threads N] [--output FOLDER]

For each idea two pieces of work go step by step beside each other: one as tagsmith does it, one with a plain version
put in the idea's place. It is learnt from the bundled sample; that is tagged too, or the lines of a file. Writes
ideas.json and ideas.md; NOTES.md says what was expected of them.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
import workloads
from datasets import disable_progress_bars
from speed import console, markdown_table, show
from torch import Tensor, nn
from workloads import Case, TaggingWork, TrainingWork

from tagsmith.modeling import recurrent, recurrent_cells
from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.dropout import Dropout
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerModel
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.recurrent import RecurrentStack
from tagsmith.modeling.span_tagging import SpanTagging
from tagsmith.modeling.word_cache import WordCache
from tagsmith.training.batches.length_sampler import LengthGroupedSampler
from tagsmith.training.commands.command_options import Threads, prepare_torch

HEADERS = ["without", "tagger", "work", "times as long (lowest to highest)"]


@dataclass(frozen=True)
class Idea:
    """Something that makes it faster, and how to do without.

    Attributes:
        name: of the idea.
        case: the work, as tagsmith does it.
        plain: fields of the case that are different without it.
        patch: puts a plain version in its place.
    """

    name: str
    case: Case
    plain: dict[str, Any]
    patch: Callable[[], AbstractContextManager[Any]] = nullcontext


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Another value for a name, for a while."""
    original = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


def spell_each(model: HierarchicalTaggerModel, ids: Tensor) -> tuple[Tensor | None, Tensor]:
    """In place of `_spell_once`: every word by itself."""
    return model.spell(ids), torch.arange(len(ids), device=ids.device)


def embed_each(
    stack: RecurrentStack, embedding: nn.Embedding, dropout: nn.Dropout, ids: Tensor, packing: Packing, *states: Any
) -> Any:
    """`RecurrentStack.read` with a product for each step, and not for each distinct byte or character."""
    return stack(dropout(embedding(ids)), packing, *states)


_read_words = WordCache.read


def forget_first(cache: WordCache, words: Iterable[str]) -> None:
    """`WordCache.read` that keeps nothing from one group of sentences to the next."""
    cache.rows.clear()
    _read_words(cache, words)


_outputs = RecurrentStack.outputs


def project_each(stack: RecurrentStack, packed: Tensor, packing: Packing, table: Tensor | None = None) -> Tensor:
    """`RecurrentStack.outputs` with a product for each step, if `project` changes nothing."""
    return _outputs(stack, packed if table is None else table[0][packed], packing)


@contextmanager
def words_projected_each() -> Iterator[None]:
    """The first product of words for each place where they stand, and not for each distinct word."""
    with (
        patched(RecurrentStack, "project", lambda stack, inputs: inputs[None]),
        patched(RecurrentStack, "outputs", project_each),
    ):
        yield


_scan = recurrent.scan


def scan_apart(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: list[int],
    cell: str,
    initial: list[Tensor] | None,
    _: None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Both directions, one after the other."""
    hidden, final = [], []
    for one in (slice(number, number + 1) for number in range(len(x))):
        start = None if initial is None else [state[one] for state in initial]
        states, last = _scan(x[one], weight[one], None if bias is None else bias[one], sizes, cell, start)
        hidden.append(states)
        final.append(last)
    return torch.cat(hidden), [torch.cat(states) for states in zip(*final, strict=True)]


def scan_by_autograd(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: list[int],
    cell: str,
    initial: list[Tensor] | None,
    _: None = None,
) -> tuple[Tensor, list[Tensor]]:
    """A loop that autograd follows, one node an operation."""
    size = weight.shape[1]
    if initial is None:
        initial = [x.new_zeros(len(x), sizes[0], size) for _ in range(recurrent.CELLS[cell].states)]
    state, hidden, final = list(initial), [], [[], []]
    for now, n in zip(x.split(sizes, 1), sizes, strict=True):
        for ended, states in zip(final, state, strict=False):
            ended.append(states[:, n:])
        state = [states[:, :n] for states in state]
        product = torch.bmm(state[0], weight)
        if bias is not None:
            product = product + bias
        if cell == "lstm":
            enter, forget, inner, leave = (now + product).chunk(4, -1)
            inner = forget.sigmoid() * state[1] + enter.sigmoid() * inner.tanh()
            state = [leave.sigmoid() * inner.tanh(), inner]
        else:
            reset, update, candidate = now.chunk(3, -1)
            of_reset, of_update, of_candidate = product.chunk(3, -1)
            update = (update + of_update).sigmoid()
            candidate = (candidate + (reset + of_reset).sigmoid() * of_candidate).tanh()
            state = [candidate + update * (state[0] - candidate)]
        hidden.append(state[0])
    ends = [torch.cat([states, *ended[::-1]], 1) for states, ended in zip(state, final, strict=False)]
    return torch.cat(hidden, 1), ends


def partition_by_logarithms(layer: Any, emissions: Tensor, mask: Tensor) -> Tensor:
    """The log partition by log-sum-exp over (batch, tags, tags), in float32 and followed by autograd."""
    scores = emissions.float()
    total = layer.start + scores[:, 0]
    for step in range(1, scores.shape[1]):
        onward = torch.logsumexp(total.unsqueeze(2) + layer.transitions, 1) + scores[:, step]
        total = torch.where(mask[:, step, None], onward, total)
    return total.logsumexp(1).to(emissions.dtype)


def ideas(text: str | None = None) -> list[Idea]:
    """What is measured; lines of `text` are tagged, or the sample's."""
    learn, read = Case(mode="train"), Case(mode="tag", lines=1024, batch_size=64, text=text)
    long = replace(read, lines=3072)
    windows = Case(recipe="byte-ner", mode="train", batch_size=128)
    read_bytes = Case(recipe="byte-ner", mode="tag", batch_size=512, text=text)
    each_byte = partial(patched, RecurrentStack, "read", embed_each)
    apart = partial(patched, recurrent, "scan", scan_apart)
    plain_loop = partial(patched, recurrent, "scan", scan_by_autograd)
    every_word = partial(patched, HierarchicalTaggerModel, "_spell_once", spell_each)
    by_steps = partial(patched, recurrent, "fits_fused", lambda like, packing, ends: False)
    tanh = partial(patched, recurrent_cells, "_tanh", lambda x, out: torch.tanh(x, out=out))
    logarithms = partial(patched, ConditionalRandomField, "_partition", partition_by_logarithms)
    one_batch = partial(patched, SpanTagging, "_BUFFERED", 1)
    random = partial(
        patched, workloads, "LengthGroupedSampler", lambda lengths, size, seed: LengthGroupedSampler(lengths, 1, seed)
    )
    return [
        Idea("each distinct word of a batch spelled once", learn, {}, every_word),
        Idea("dropout by 16 random bits", learn, {}, partial(patched, Dropout, "forward", nn.Dropout.forward)),
        Idea("a distinct word's first product made once", read, {}, words_projected_each),
        Idea("words read in groups of 16 batches, not of one", read, {}, one_batch),
        Idea("words kept from group to group", long, {}, partial(patched, WordCache, "read", forget_first)),
        Idea("the first product of each byte made once", windows, {}, each_byte),
        Idea("the first product of each byte made once", read_bytes, {}, each_byte),
        Idea("tagging in batches of 64, not 32", read, {"batch_size": 32}),
        Idea("tagging in batches of 64, not 8", read, {"batch_size": 8}),
        Idea("weights of 8 bits", replace(read, dtype="int8"), {"dtype": "float32"}),
        Idea("both directions in one product", learn, {}, apart),
        Idea("both directions in one product", read, {}, apart),
        Idea("both directions in one product", windows, {}, apart),
        Idea("LSTM layers by PyTorch's own operator", learn, {}, by_steps),
        Idea("LSTM layers by PyTorch's own operator", read, {}, by_steps),
        Idea("LSTM layers by PyTorch's own operator", windows, {}, by_steps),
        Idea("the recurrence's gradient by hand", learn, {}, plain_loop),
        Idea("the recurrence's gradient by hand", windows, {}, plain_loop),
        Idea("tanh by the logistic function", learn, {}, tanh),
        Idea("tanh by the logistic function", windows, {}, tanh),
        Idea("the CRF in scaled probabilities, its gradient by recursion", learn, {}, logarithms),
        Idea("sentences of similar length together", learn, {}, random),
        Idea("the optimizer in one kernel", learn, {"settings": ("training.optim=adamw_torch",)}),
        Idea("bfloat16 products", replace(windows, dtype="bfloat16"), {"dtype": "float32"}),
    ]


def measured(idea: Idea, rounds: int, steps: int) -> list[float]:
    """How many times as long the work takes without the idea, in each round."""
    kind: Any = TrainingWork if idea.case.mode == "train" else TaggingWork
    with idea.patch():  # what is put together differently, as the order of sentences
        plain = kind(replace(idea.case, **idea.plain))
        plain.warm_up()
    ours = kind(idea.case)
    ours.warm_up()
    ratios = []
    for _ in range(rounds):
        took = _seconds(ours, steps)
        with idea.patch():
            ratios.append(_seconds(plain, steps) / took)
    return ratios


def _seconds(work: Any, steps: int) -> float:
    started = time.perf_counter()
    for _ in range(steps):
        work.step()
    return time.perf_counter() - started


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only ideas with this in their names.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of steps with and without.")] = 7,
    steps: Annotated[int, typer.Option(min=1, help="Of training in a round; tagging has one.")] = 8,
    threads: Threads = 1,
    text: Annotated[Path | None, typer.Option(help="Lines to tag.", exists=True, dir_okay=False)] = None,
    output: Annotated[Path, typer.Option(help="Folder of ideas.json and ideas.md.")] = Path("ideas"),
) -> None:
    """Measure what ideas are worth, on the CPU."""
    prepare_torch(threads)
    disable_progress_bars()
    output.mkdir(parents=True, exist_ok=True)
    report, rows = [], []
    for idea in ideas(None if text is None else str(text)):
        if only and not any(part in idea.name for part in only):
            continue
        console.print(f"{idea.name}: {idea.case.recipe}, {idea.case.mode}", highlight=False)
        ratios = measured(idea, rounds, steps if idea.case.mode == "train" else 1)
        report.append({"idea": idea.name, "recipe": idea.case.recipe, "mode": idea.case.mode, "ratios": ratios})
        found = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        rows.append([idea.name, idea.case.recipe, "training" if idea.case.mode == "train" else "tagging", found])
        (output / "ideas.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        (output / "ideas.md").write_text(markdown_table(HEADERS, rows), encoding="utf-8")
    show("Ideas", HEADERS, rows)


if __name__ == "__main__":
    typer.run(main)
