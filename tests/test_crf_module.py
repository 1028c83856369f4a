"""A conditional random field as a part of a model of transformers, and in numbers of other kinds."""

from __future__ import annotations

import math

import pytest
import torch
from test_crf import TAGS, batch, make
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.modeling.tag_grammar import legal_transitions


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


class TestPrecision:
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
    def test_half_emissions_give_the_results_of_their_values(self, dtype: torch.dtype) -> None:
        crf = make("BIOES", cost=1.0).float()
        emissions, tags, mask = batch(6)
        emissions = emissions.masked_fill(~mask.unsqueeze(2), 0).to(dtype).requires_grad_()
        exact = emissions.detach().double()
        loss = crf(emissions, tags)
        loss.backward()
        assert loss.dtype == torch.float32
        assert emissions.grad is not None and emissions.grad.dtype == dtype
        torch.testing.assert_close(loss, crf(exact, tags).float())
        assert torch.equal(crf.decode(emissions, mask), crf.decode(exact, mask))
        torch.testing.assert_close(crf.marginals(emissions, mask), crf.marginals(exact, mask).float())

    def test_autocast_takes_nothing_away(self) -> None:
        crf = make("BIOES").float()
        emissions, tags, mask = batch(6)
        emissions = emissions.float().requires_grad_()
        expected, *_ = torch.autograd.grad(crf(emissions, tags), emissions)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found, *_ = torch.autograd.grad(crf(emissions, tags), emissions)
            marginals = crf.marginals(emissions, mask)
        assert torch.equal(found, expected)
        assert torch.equal(marginals, crf.marginals(emissions, mask))

    def test_half_parameters_work(self) -> None:
        crf = make("BIOES").bfloat16()
        emissions, tags, _ = batch(6)
        crf(emissions.bfloat16(), tags).backward()
        assert crf.transitions.grad is not None and crf.transitions.grad.dtype == torch.bfloat16

    @pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
    def test_long_sentences_stay_finite(self, scale: float) -> None:
        crf = make("BIOES", cost=5.0).float()
        emissions = (torch.randn(2, 2000, 6) * scale).requires_grad_()
        tags = torch.randint(6, (2, 2000))
        loss = crf(emissions, tags)
        loss.backward()
        assert torch.isfinite(loss) and loss > 0
        assert emissions.grad is not None and torch.isfinite(emissions.grad).all()
        # The gradient is marginals less gold tags, over the two rows.
        sums = (emissions.grad * 2).sum(2)
        torch.testing.assert_close(sums, torch.zeros(2, 2000), atol=1e-5, rtol=0)


class TinyConfig(PreTrainedConfig):
    model_type = "tiny-crf-test"


class TinyModel(PreTrainedModel):
    config_class = TinyConfig
    _keep_in_fp32_modules_strict = ["crf"]  # noqa: RUF012

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.crf = ConditionalRandomField(6, TAGS["BIOES"], "BIOES", cost=1.0)
        self.linear = nn.Linear(2, 2)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ConditionalRandomField):
            module.reset_parameters()


class TestModule:
    def test_saves_start_and_transitions_only(self) -> None:
        assert sorted(make("BIOES").state_dict()) == ["start", "transitions"]

    def test_draws_parameters_in_glorot_bounds(self) -> None:
        crf = ConditionalRandomField(50)
        assert 0.2 < float(crf.start.detach().abs().max()) <= math.sqrt(6 / 51)
        assert 0.2 < float(crf.transitions.detach().abs().max()) <= math.sqrt(6 / 100)

    def test_builds_on_the_meta_device(self) -> None:
        with torch.device("meta"):
            crf = ConditionalRandomField(6, TAGS["BIOES"], "BIOES")
        assert crf.transitions.is_meta and crf.legal_transitions.is_meta

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_from_pretrained_brings_back_weights_and_masks(self, tmp_path: str, dtype: str) -> None:
        model = TinyModel(TinyConfig())
        model.save_pretrained(tmp_path)
        loaded = TinyModel.from_pretrained(tmp_path, dtype=dtype).crf
        assert loaded.start.dtype == torch.float32
        assert torch.equal(loaded.start, model.crf.start)
        assert torch.equal(loaded.transitions, model.crf.transitions)
        for name, legal in zip(
            ("legal_start", "legal_transitions", "legal_end"), legal_transitions(TAGS["BIOES"], "BIOES"), strict=True
        ):
            assert torch.equal(getattr(loaded, name), legal)

    def test_missing_weights_are_drawn_and_present_ones_kept(self, tmp_path: str) -> None:
        model = TinyModel(TinyConfig())
        state = {name: tensor for name, tensor in model.state_dict().items() if name != "crf.transitions"}
        model.save_pretrained(tmp_path, state_dict=state)
        loaded = TinyModel.from_pretrained(tmp_path).crf
        assert torch.equal(loaded.start, model.crf.start)
        assert 0 < float(loaded.transitions.detach().abs().max()) <= math.sqrt(6 / 12)
