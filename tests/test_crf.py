"""The conditional random field against enumeration of all tag sequences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.tag_grammar import legal_transitions

TAGS = {
    "plain": ["NOUN", "VERB", "O"],
    "IOB1": ["O", "B-P", "I-P", "I-Q", "B-Q"],
    "IOB2": ["B-P", "O", "I-P", "I-Q", "B-Q"],
    "BIOES": ["O", "B-P", "I-P", "E-P", "S-P", "S-Q"],
    "BILOU": ["U-P", "B-P", "O", "L-P", "I-P", "U-Q"],
}
SCHEMES = sorted(TAGS)
LETTERS = {"BIOES": "BIES", "BILOU": "BILU"}
LENGTHS = [4, 2, 0, 1, 3]

Spans = frozenset[tuple[int, int, str]]


def every_span_set(start: int, length: int, labels: list[str]) -> Iterator[Spans]:
    """All sets of spans over the words [start, length) that do not overlap."""
    if start >= length:
        yield frozenset()
        return
    yield from every_span_set(start + 1, length, labels)
    for end in range(start + 1, length + 1):
        for rest in every_span_set(end, length, labels):
            for label in labels:
                yield rest | {(start, end, label)}


def write(spans: Spans, length: int, scheme: str) -> tuple[str, ...]:
    """Tags of a span set, from the schemes' definitions."""
    tags = ["O"] * length
    last_end: dict[str, int] = {}
    for start, end, label in sorted(spans):
        if scheme in ("IOB1", "IOB2"):
            opens = "B" if scheme == "IOB2" or last_end.get(label) == start else "I"
            letters = opens + "I" * (end - start - 1)
        else:
            begin, inside, close, single = LETTERS[scheme]
            letters = single if end - start == 1 else begin + inside * (end - start - 2) + close
        tags[start:end] = [f"{letter}-{label}" for letter in letters]
        last_end[label] = end
    return tuple(tags)


def legal_sequences(tags: list[str], scheme: str, length: int) -> dict[tuple[int, ...], Spans]:
    """Every legal sequence of tag ids, and the spans that it stands for."""
    if scheme == "plain":
        every = itertools.product(range(len(tags)), repeat=length)
        return {ids: frozenset((word, word + 1, tags[tag]) for word, tag in enumerate(ids)) for ids in every}
    labels = sorted({tag.split("-", 1)[1] for tag in tags if tag != "O"})
    found = {}
    for spans in every_span_set(0, length, labels):
        names = write(spans, length, scheme)
        if set(names) <= set(tags):
            found[tuple(tags.index(name) for name in names)] = spans
    return found


def score(crf: ConditionalRandomField, emissions: Tensor, ids: tuple[int, ...]) -> float:
    """Score of one sequence under emissions `(time, tags)`, term by term."""
    start, transitions = crf.start.detach(), crf.transitions.detach()
    total = 0.0
    for word, tag in enumerate(ids):
        total += float(emissions[word, tag])
        total += float(transitions[ids[word - 1], tag]) if word else float(start[tag])
    return total


def log_sum(scores: list[float]) -> float:
    top = max(scores)
    return top + math.log(math.fsum(math.exp(value - top) for value in scores))


def make(scheme: str, tags: list[str] | None = None, cost: float = 0.0, spread: float = 1.0) -> ConditionalRandomField:
    names = TAGS[scheme] if tags is None else tags
    crf = ConditionalRandomField(len(names), names, scheme, cost).double()
    nn.init.normal_(crf.start, std=spread)
    nn.init.normal_(crf.transitions, std=spread)
    return crf


def batch(num_tags: int, lengths: list[int] = LENGTHS, scale: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    """Emissions, tags (-100 at padding) and mask; padding emissions are wild, to show that nobody looks."""
    time = max(lengths)
    mask = torch.arange(time) < torch.tensor(lengths).unsqueeze(1)
    emissions = torch.randn(len(lengths), time, num_tags, dtype=torch.float64) * scale
    emissions[~mask] = 1e8
    tags = torch.randint(num_tags, mask.shape).masked_fill(~mask, -100)
    return emissions, tags, mask


def enumerate_losses(crf: ConditionalRandomField, emissions: Tensor, tags: Tensor) -> list[float]:
    losses = []
    for row, gold in zip(emissions, tags.tolist(), strict=True):
        gold = tuple(tag for tag in gold if tag != -100)
        scores = [
            score(crf, row, ids) + crf.cost * sum(a != b for a, b in zip(ids, gold, strict=True))
            for ids in itertools.product(range(crf.num_tags), repeat=len(gold))
        ]
        losses.append(log_sum(scores) - score(crf, row, gold))
    return losses


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


class TestLegalTransitions:
    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("length", [1, 2, 3, 4])
    def test_allow_exactly_the_sequences_that_span_sets_write(self, scheme: str, length: int) -> None:
        start, transitions, end = legal_transitions(TAGS[scheme], scheme)
        allowed = {
            ids
            for ids in itertools.product(range(len(TAGS[scheme])), repeat=length)
            if start[ids[0]] and end[ids[-1]] and all(transitions[a, b] for a, b in itertools.pairwise(ids))
        }
        assert allowed == set(legal_sequences(TAGS[scheme], scheme, length))


class TestLoss:
    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("cost", [0.0, 2.5])
    def test_equals_enumeration(self, scheme: str, cost: float) -> None:
        crf = make(scheme, cost=cost)
        emissions, tags, mask = batch(crf.num_tags)
        expected = torch.tensor(enumerate_losses(crf, emissions, tags), dtype=torch.float64)
        assert expected[LENGTHS.index(0)] == 0
        losses = crf(emissions, tags, reduction="none")
        assert losses.dtype == torch.float64
        torch.testing.assert_close(losses, expected)
        torch.testing.assert_close(crf(emissions, tags, mask, reduction="none"), expected)
        torch.testing.assert_close(crf(emissions, tags, reduction="sum"), expected.sum())
        torch.testing.assert_close(crf(emissions, tags), expected.sum() / 4)
        torch.testing.assert_close(crf(emissions, tags, reduction="token_mean"), expected.sum() / sum(LENGTHS))

    def test_mask_and_ignored_tags_both_count(self) -> None:
        crf = make("plain")
        emissions, tags, _ = batch(3, [4, 4])
        shortened = tags.clone()
        shortened[0, 2:] = -100
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
        losses = crf(emissions, shortened, mask, reduction="none")
        torch.testing.assert_close(losses[0], crf(emissions[:1, :2], tags[:1, :2]))
        torch.testing.assert_close(losses[1], crf(emissions[1:, :3], tags[1:, :3]))

    def test_cost_leaves_the_gold_score_alone(self) -> None:
        crf = make("plain", cost=3.0)
        emissions, tags, _ = batch(3, [1])
        others = [score(crf, emissions[0], (tag,)) + (3.0 if tag != tags[0, 0] else 0.0) for tag in range(3)]
        expected = log_sum(others) - score(crf, emissions[0], (int(tags[0, 0]),))
        assert crf(emissions, tags).item() == pytest.approx(expected)

    @pytest.mark.parametrize("reduction", ["sum", "mean", "token_mean"])
    @pytest.mark.parametrize("shape", [(2, 3), (0, 3), (2, 0)])
    def test_of_no_words_is_zero_with_a_gradient(self, reduction: str, shape: tuple[int, int]) -> None:
        crf = make("plain", cost=1.0)
        emissions = torch.randn(*shape, 3, requires_grad=True)
        loss = crf(emissions, torch.full(shape, -100), reduction=reduction)
        loss.backward()
        assert loss.item() == 0
        assert emissions.grad is not None and not emissions.grad.any()
        assert crf.transitions.grad is not None and not crf.transitions.grad.any()

    def test_of_one_tag_is_zero(self) -> None:
        crf = ConditionalRandomField(1)
        assert abs(crf(torch.randn(2, 5, 1), torch.zeros(2, 5, dtype=torch.long)).item()) < 1e-6


class TestLogPartition:
    def test_equals_enumeration_of_all_sequences_legal_or_not(self) -> None:
        crf = make("BIOES")
        emissions, _, mask = batch(6)
        expected = [
            log_sum([score(crf, row, ids) for ids in itertools.product(range(6), repeat=n)])
            for row, n in zip(emissions, LENGTHS, strict=True)
        ]
        torch.testing.assert_close(crf.log_partition(emissions, mask), torch.tensor(expected, dtype=torch.float64))

    @pytest.mark.parametrize("tags", [1, 3])
    def test_gradient_passes_gradcheck(self, tags: int) -> None:
        crf = ConditionalRandomField(tags).double()
        emissions, _, mask = batch(tags)
        emissions[~mask] = 0.5

        def partition(emissions: Tensor, start: Tensor, transitions: Tensor) -> Tensor:
            return torch.func.functional_call(
                Partition(crf), {"crf.start": start, "crf.transitions": transitions}, (emissions, mask)
            )

        assert torch.autograd.gradcheck(partition, (emissions.requires_grad_(), crf.start, crf.transitions))

    def test_loss_gradient_passes_gradcheck(self) -> None:
        crf = make("plain", cost=1.5)
        emissions, tags, mask = batch(3)
        emissions[~mask] = 0.5

        def loss(emissions: Tensor, start: Tensor, transitions: Tensor) -> Tensor:
            return torch.func.functional_call(crf, {"start": start, "transitions": transitions}, (emissions, tags))

        assert torch.autograd.gradcheck(loss, (emissions.requires_grad_(), crf.start, crf.transitions))

    def test_gradient_equals_that_of_the_plain_recursion(self) -> None:
        crf = make("plain")
        emissions = torch.randn(1, 60, 3, dtype=torch.float64, requires_grad=True)
        inputs = (emissions, crf.start, crf.transitions)
        found = torch.autograd.grad(crf.log_partition(emissions)[0], inputs)
        alpha = crf.start + emissions[0, 0]
        for word in emissions[0, 1:]:
            alpha = (alpha.unsqueeze(1) + crf.transitions).logsumexp(0) + word
        for gradient, expected in zip(found, torch.autograd.grad(alpha.logsumexp(0), inputs), strict=True):
            torch.testing.assert_close(gradient, expected)

    def test_large_parameters_stay_exact(self) -> None:
        crf = make("plain", spread=60.0)
        emissions, _, mask = batch(3, scale=60.0)
        expected = [
            log_sum([score(crf, row, ids) for ids in itertools.product(range(3), repeat=n)])
            for row, n in zip(emissions, LENGTHS, strict=True)
        ]
        torch.testing.assert_close(crf.log_partition(emissions, mask), torch.tensor(expected, dtype=torch.float64))


class Partition(nn.Module):
    """`log_partition` as a forward, for functional_call."""

    def __init__(self, crf: ConditionalRandomField) -> None:
        super().__init__()
        self.crf = crf

    def forward(self, emissions: Tensor, mask: Tensor) -> Tensor:
        return self.crf.log_partition(emissions, mask)


class TestPadding:
    def test_changes_neither_loss_nor_gradients(self) -> None:
        crf = make("BIOES", cost=1.0)
        emissions, tags, _ = batch(6)
        emissions.requires_grad_()
        crf(emissions, tags, reduction="sum").backward()
        gradients = {name: parameter.grad.clone() for name, parameter in crf.named_parameters()}
        crf.zero_grad()
        for row, length in enumerate(LENGTHS):
            if length:
                alone = emissions.detach()[row : row + 1, :length].requires_grad_()
                crf(alone, tags[row : row + 1, :length], reduction="sum").backward()
                torch.testing.assert_close(emissions.grad[row, :length], alone.grad[0])
            assert not emissions.grad[row, length:].any()
        for name, parameter in crf.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[name])

    def test_emissions_at_padding_may_be_anything(self) -> None:
        crf = make("BIOES", cost=1.0)
        emissions, tags, mask = batch(6)
        expected = crf(emissions, tags), crf.decode(emissions, mask), crf.marginals(emissions, mask)
        emissions[~mask] = float("nan")
        for found, value in zip(
            (crf(emissions, tags), crf.decode(emissions, mask), crf.marginals(emissions, mask)), expected, strict=True
        ):
            torch.testing.assert_close(found, value)

    def test_wide_padding_changes_nothing(self) -> None:
        crf = make("IOB2")
        emissions, _, mask = batch(5)
        wide, wide_mask = nn.functional.pad(emissions, (0, 0, 0, 9)), nn.functional.pad(mask, (0, 9))
        torch.testing.assert_close(crf.decode(wide, wide_mask)[:, :4], crf.decode(emissions, mask))
        torch.testing.assert_close(crf.marginals(wide, wide_mask)[:, :4], crf.marginals(emissions, mask))

    @pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
    def test_batches_of_nothing_decode_to_nothing(self, shape: tuple[int, int]) -> None:
        crf = make("plain")
        emissions = torch.randn(*shape, 3)
        assert crf.decode(emissions).shape == shape
        assert crf.marginals(emissions).shape == (*shape, 3)
        assert crf.log_partition(emissions).tolist() == [0.0] * shape[0]
        assert crf.span_posteriors(emissions, None, torch.empty(0, 4, dtype=torch.long)).shape == (0,)


class TestDecode:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_finds_the_best_legal_sequence(self, scheme: str) -> None:
        crf = make(scheme)
        for _ in range(5):
            emissions, _, mask = batch(crf.num_tags)
            paths = crf.decode(emissions, mask)
            assert paths.dtype == torch.long
            assert torch.equal(paths == -100, ~mask)
            for row, path, length in zip(emissions, paths.tolist(), LENGTHS, strict=True):
                legal = legal_sequences(TAGS[scheme], scheme, length)
                best = max(legal, key=lambda ids, row=row: score(crf, row, ids))
                assert tuple(path[:length]) == best

    def test_needs_no_mask(self) -> None:
        crf = make("BIOES")
        emissions, _, _ = batch(6, [4, 4])
        assert torch.equal(crf.decode(emissions), crf.decode(emissions, torch.ones(2, 4, dtype=torch.bool)))

    def test_breaks_ties_by_the_lowest_ids_from_the_end(self) -> None:
        crf = make("plain")
        nn.init.zeros_(crf.start)
        nn.init.zeros_(crf.transitions)
        assert crf.decode(torch.zeros(1, 4, 3)).tolist() == [[0, 0, 0, 0]]
        emissions = torch.zeros(1, 3, 3)
        emissions[0, 1, 0] = -1.0
        assert crf.decode(emissions).tolist() == [[0, 1, 0]]
        tied = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 2.0, 2.0]]])
        assert crf.decode(tied).tolist() == [[0, 1]]

    @settings(max_examples=25, deadline=None)
    @given(
        st.sampled_from(["IOB1", "IOB2", "BIOES", "BILOU"]),
        st.lists(st.integers(1, 12), min_size=1, max_size=4),
        st.sampled_from([1.0, 1e3, 1e6, 1e12]),
        st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
        st.integers(0, 10**6),
    )
    def test_is_legal_whatever_the_emissions(
        self, scheme: str, lengths: list[int], scale: float, dtype: torch.dtype, seed: int
    ) -> None:
        torch.manual_seed(seed)
        crf = make(scheme, spread=5.0)
        emissions, _, mask = batch(crf.num_tags, lengths, scale)
        emissions = emissions.to(dtype)
        paths = crf.decode(emissions, mask)
        start, transitions, end = legal_transitions(TAGS[scheme], scheme)
        for path, length in zip(paths.tolist(), lengths, strict=True):
            path = path[:length]
            assert start[path[0]] and end[path[-1]]
            assert all(transitions[a, b] for a, b in itertools.pairwise(path))
        for posteriors in (crf.marginals(emissions, mask), all_posteriors(crf, emissions, mask)[1]):
            assert ((posteriors >= 0) & (posteriors <= 1 + 1e-6)).all()

    def test_where_nothing_is_legal_breaks_few_rules_and_posteriors_are_zero(self) -> None:
        crf = make("BIOES", ["B-P", "E-P"])
        emissions, _, mask = batch(2, [3, 2, 1])
        paths = crf.decode(emissions, mask).tolist()
        assert paths[1] == [0, 1, -100]
        assert all(tag in (0, 1) for tag in paths[0])
        marginals = crf.marginals(emissions, mask)
        assert not marginals[0].any() and not marginals[2].any()
        assert marginals[1].tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
        spans = torch.tensor([[0, 0, 2, 0], [1, 0, 2, 0], [2, 0, 1, 0]])
        assert crf.span_posteriors(emissions, mask, spans).tolist() == [0.0, 1.0, 0.0]
        assert torch.isfinite(crf(emissions, torch.zeros(3, 3, dtype=torch.long)))


def all_posteriors(crf: ConditionalRandomField, emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Every span of every row, in every label, and its posterior."""
    spans = torch.tensor(
        [
            (row, start, end, label)
            for row, length in enumerate(mask.sum(1).tolist())
            for start, end in itertools.combinations(range(length + 1), 2)
            for label in range(len(crf.span_labels))
        ],
        dtype=torch.long,
    ).reshape(-1, 4)
    return spans, crf.span_posteriors(emissions, mask, spans)


class TestValidation:
    def test_names_the_row_with_padding_before_a_word(self) -> None:
        crf = make("plain")
        emissions, tags, _ = batch(3, [3, 3])
        mask = torch.tensor([[True, True, False], [True, False, True]])
        for call in (crf.decode, crf.marginals, crf.log_partition):
            with pytest.raises(ValueError, match=r"Row 1 .* padding at position 1 .* position 2\. Move all padding"):
                call(emissions, mask)
        tags[1, 0] = -100
        with pytest.raises(ValueError, match=r"Row 1 .* padding at position 0"):
            crf(emissions, tags)

    @pytest.mark.parametrize("tag", [3, -1, -99])
    def test_names_the_tag_out_of_range(self, tag: int) -> None:
        crf = make("plain")
        emissions, tags, _ = batch(3, [3, 3])
        tags[1, 2] = tag
        with pytest.raises(ValueError, match=f"Row 1 .* id {tag} at position 2.*0 to 2, and -100"):
            crf(emissions, tags)
        crf(emissions, tags, torch.tensor([[True] * 3, [True, True, False]]))

    def test_states_shapes_that_disagree(self) -> None:
        crf = make("plain")
        emissions, tags, mask = batch(3, [3, 3])
        with pytest.raises(ValueError, match=r"tags: \(2, 2\), not \(2, 3\)"):
            crf(emissions, tags[:, :2])
        with pytest.raises(ValueError, match=r"mask: \(1, 3\), not \(2, 3\)"):
            crf.decode(emissions, mask[:1])
        with pytest.raises(ValueError, match=r"\(2, 3, 2\), not \(batch, time, 3 tags\)"):
            crf.marginals(emissions[:, :, :2])
        with pytest.raises(ValueError, match=r"\(2, 3\), not"):
            crf.log_partition(emissions[0, :2])

    def test_knows_the_reductions(self) -> None:
        emissions, tags, _ = batch(3)
        with pytest.raises(ValueError, match=r"'avg'.*none, sum, mean, token_mean"):
            make("plain")(emissions, tags, reduction="avg")

    def test_wants_one_distinct_label_for_each_tag(self) -> None:
        with pytest.raises(ValueError, match="3 tags, 2 labels, 2 distinct"):
            ConditionalRandomField(3, ["O", "S-P"], "BIOES")
        with pytest.raises(ValueError, match="2 tags, 2 labels, 1 distinct"):
            ConditionalRandomField(2, ["O", "O"], "BIOES")
        with pytest.raises(ValueError, match="0 tags"):
            ConditionalRandomField(0)
        with pytest.raises(ValueError, match="Pass labels"):
            ConditionalRandomField(3, scheme="BIOES")
        with pytest.raises(ValueError, match="does not belong"):
            ConditionalRandomField(2, ["O", "U-P"], "BIOES")
