"""A hierarchical tagger without its CRF, as `torch.export` and `torch.compile(fullgraph=True)` take it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from .ngram_embedding import word_codes
from .onnx_names import emissions_of, words_of
from .twin_layers import check_inputs, ends_of_words, mask_of, read_stack, sum_of_rows
from .word_memory import elsewhere_padded

_AXES = {
    "lengths": ("batch",),
    "spelling": ("batch", "time"),
    "characters": ("distinct", "characters"),
    "character_lengths": ("distinct",),
    "ngrams": ("distinct", "n"),
    "gazetteer": ("batch", "time"),
}
_SIZES = {"batch": 2, "time": 3, "distinct": 4, "characters": 5, "n": 6}  # of an example: a size of 1 would be fixed


class WordTwin(nn.Module):
    """From words to emissions, for inference: nothing is dropped out. The weights are the tagger's own.

    Args:
        model: a `HierarchicalTaggerForTokenClassification`.

    Attributes:
        names: of its inputs: those of the graph of ONNX (`onnx_graph.py`) that the tagger has a use for.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.config, self.encoder = model.config, model.encoder
        self.outputs = nn.ModuleDict({key: head.output for key, head in model.heads.items()})
        self._shapes = {key: head.word_shape for key, head in model.heads.items()}
        characters, ngrams = self.encoder.characters, self.encoder.ngrams
        used = {
            "lengths": True,
            "spelling": characters is not None or ngrams is not None,
            "characters": characters is not None,
            "character_lengths": characters is not None and characters.recurrent is not None,
            "ngrams": ngrams is not None,
            "gazetteer": self.config.gazetteer_size > 0,
        }
        languages = self.config.vocabularies if self.config.word_embedding_size else ()
        self.names = (*map(words_of, languages), *(name for name, there in used.items() if there))

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Emissions of sentences.

        Args:
            inputs: by `names`.

                - `words`: ids `(batch, time)`; `words.LANGUAGE` where languages have words of their own
                - `lengths`: of sentences, `(batch,)`; what stands behind the end of one changes nothing
                - `spelling`: `(batch, time)`, for each word its row among the distinct words
                - `characters`: of distinct words, ids `(distinct, characters)`, 0 where one is shorter
                - `character_lengths`: `(distinct,)`
                - `ngrams`: `(distinct, n)`, rows of their table, 0 for none
                - `gazetteer`: `(batch, time, features)`

        Returns:
            `emissions`, of several heads `emissions.HEAD`, `(batch, time, tags)`, zeros at padding. With
            `transitions: state` scores of pairs of tags, `(batch, time, 1 + tags, tags)`, as `logits` has them.

        Raises:
            ValueError: other inputs than those of `names`.
        """
        check_inputs(inputs, self.names)
        by_word = inputs["spelling" if "spelling" in inputs else self.names[0]]
        mask, spelled = mask_of(inputs["lengths"], by_word.shape[1]), self._spell(inputs)
        tops = {}
        for language in self.config.vocabularies:
            reader, parts = self.encoder.reader(language), [part[inputs["spelling"]] for part in spelled]
            if reader.words is not None:
                parts.insert(0, reader.look_up(inputs[words_of(language)]))
            states = read_stack(reader.recurrent, torch.cat(parts, -1), mask)
            if self.config.word_memory:
                states = torch.cat([states, elsewhere_padded(states, inputs["spelling"], mask)], -1)
            features = [inputs["gazetteer"].to(states)] if self.config.gazetteer_size else []
            tops[language] = torch.cat([states, *features], -1)
        emissions = {}
        for key, output in self.outputs.items():
            language = None if self.config.languages is None else self.config.head(key).language
            found = output(tops[language]).detach().masked_fill(~mask[..., None], 0)
            emissions[emissions_of(key)] = found.unflatten(-1, self._shapes[key])
        return emissions

    def _spell(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """What is made of distinct words' characters and n-grams: `(distinct, width)` each."""
        parts, characters = [], self.encoder.characters
        if characters is not None:
            ids = inputs["characters"]
            embedded = characters.embedding(ids)
            if characters.recurrent is None:
                parts.append(characters.filtered(embedded, ids > 0))
            else:
                mask = mask_of(inputs["character_lengths"], ids.shape[1])
                parts.append(ends_of_words(read_stack(characters.recurrent, embedded, mask), mask))
        if self.encoder.ngrams is not None:
            rows = inputs["ngrams"]
            count = (rows > 0).sum(1, keepdim=True).clamp(min=1)
            summed = sum_of_rows(self.encoder.ngrams.embedding, rows)
            parts.append(summed / count.sqrt().to(summed))
        return parts

    @torch.no_grad()
    def inputs(
        self,
        input_ids: Tensor,
        character_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        gazetteer_features: Tensor | None = None,
        language: str | None = None,
    ) -> dict[str, Tensor]:
        """The inputs for a batch as the tagger's `forward` takes it, which its tokenizer gives.

        Args:
            input_ids: `(batch, words)`.
            character_ids: `(batch, words, characters)`.
            attention_mask: `(batch, words)`, right-padded by 0.
            gazetteer_features: `(batch, words, gazetteer_size)`.
            language: of the sentences, where each has its own words: those of the others are PAD, and what comes out
                for their heads means nothing.
        """
        mask = self.encoder.valid(input_ids, attention_mask)
        found = {"lengths": mask.sum(1)}
        for own in self.config.vocabularies:
            found[words_of(own)] = input_ids if own == language else torch.zeros_like(input_ids)
        if character_ids is not None:
            distinct, rows = torch.unique(character_ids[mask], dim=0, return_inverse=True)
            lengths = (distinct > 0).sum(1)
            found["spelling"] = torch.zeros_like(input_ids).masked_scatter(mask, rows)
            found["characters"], found["character_lengths"] = distinct, lengths
            if (ngrams := self.encoder.ngrams) is not None:
                found["ngrams"] = ngrams.word_rows(word_codes(ngrams.points[distinct].long(), lengths))
        if gazetteer_features is not None:
            found["gazetteer"] = gazetteer_features
        return {name: found[name] for name in self.names if name in found}

    def example(self) -> dict[str, Tensor]:
        """Inputs to trace it with, small ones."""
        made = {}
        for name in self.names:
            shape = [_SIZES[axis] for axis in _axes(name)]
            made[name] = torch.ones(shape, dtype=torch.long, device=self.encoder.device)
        if "gazetteer" in made:
            made["gazetteer"] = made["gazetteer"][..., None].repeat(1, 1, self.config.gazetteer_size).float()
        return made

    def dynamic_shapes(self) -> tuple[dict[str, dict[int, Any]]]:
        """The axes that may have any size, for `torch.export.export`."""
        dims = {axis: Dim(axis) for axis in _SIZES}
        return ({name: {place: dims[axis] for place, axis in enumerate(_axes(name))} for name in self.names},)


def _axes(name: str) -> tuple[str, ...]:
    """Of an input, those of any size."""
    return _AXES.get(name, _AXES["spelling"])
