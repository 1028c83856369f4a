"""The byte-to-span model: an LSTM reads a window of bytes and writes its spans as start, length, label, then STOP.

Gillick, Brunk, Vinyals, Subramanya (2016), *Multilingual Language Processing From Bytes*, section 3. In the paper's
shape one stack of LSTMs reads the bytes and GO and writes the symbols, so that training is a single causal pass:

    b_1 ... b_n  GO  y_1 ... y_T-1        ids, one table for bytes and symbols
         |  embedding, LSTM layers
    .  ...  .   y_1  y_2 ... y_T          scores of the next symbol, from GO on

By its configuration the reader is an LSTM of its own, or one that reads both ways, and the writer looks back at the
bytes' states: attention, whose scores also point at start positions. Embeddings of n-grams join those of the bytes,
states of patches, which are about words, those of their bytes; and a layer upon these states tags each byte by itself,
as another loss and another way to tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin, LogitsProcessorList
from transformers import initialization as init
from transformers.modeling_outputs import Seq2SeqLMOutput

from .beam_search import beam_spans
from .byte_states import BytesRead, RecurrentState
from .configuration_byte_to_span import DROP_ID, GO_ID, PAD_ID, ByteToSpanConfig
from .dropout import Dropout
from .exportable import Exportable
from .greedy_search import greedy_spans
from .input_order import turned
from .label_smoothing import summed_cross_entropy
from .ngram_embedding import NgramEmbedding
from .ngram_hashes import PRIME
from .packing import Packing
from .patch_layer import PatchLayer
from .recurrent import RecurrentLayer, RecurrentStack
from .remote_code import SavedModel
from .span_grammar import SpanGrammar
from .symbol_rules import FIRST_START, IMPOSSIBLE
from .tag_average import byte_tags


class ByteToSpanPreTrainedModel(SavedModel):
    """Loading, saving and initialisation, for the reader and the tagger alike."""

    config_class = ByteToSpanConfig
    config: ByteToSpanConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    accepts_loss_kwargs = False  # the loss is a mean over windows: Trainer must divide by accumulation steps
    _no_split_modules = ["RecurrentLayer"]  # noqa: RUF012

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Module:
        """The table as it is: what its rows are of follows from window size and labels.

        Raises:
            ValueError: another size is asked for.
        """
        rows, multiple = self.config.vocab_size, pad_to_multiple_of or 1
        wanted = -(-(new_num_tokens or rows) // multiple) * multiple
        if wanted != rows:
            raise ValueError(
                f"The table has a row for each byte, position and label, {rows:,}, and cannot have {wanted:,}. For "
                "other labels call set_labels([...]) of the tagger; for other windows train another one."
            )
        table: nn.Module = self.get_input_embeddings()
        return table

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # Uniform throughout, as Sutskever et al. (2014), whose recipe the paper takes over.
        bound = self.config.initializer_range
        if isinstance(module, nn.Embedding | nn.Linear | RecurrentLayer):
            for parameter in module.parameters(recurse=False):
                init.uniform_(parameter, -bound, bound)
        if isinstance(module, nn.Embedding) and not getattr(module.weight, "_is_hf_initialized", False):
            module.weight[module.padding_idx].zero_()


class ByteToSpanModel(ByteToSpanPreTrainedModel):
    """The LSTMs: bytes to states, symbols to states."""

    def __init__(self, config: ByteToSpanConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
        self.dropout = Dropout(config.embedding_dropout)
        self.ngrams = self._table(config.ngram_rows) if config.ngram_sizes else None
        width, size, layers = config.embedding_size, config.hidden_size, config.num_hidden_layers
        self.writer = RecurrentStack("lstm", width, size, layers, 1, config.hidden_dropout)
        self.reader, self.patches, self.bridge, self.memory_size = None, None, None, size
        if config.encoder == "separate":
            self.reader = RecurrentStack("lstm", width, size, layers, 1, config.hidden_dropout)
        elif config.encoder == "bidirectional":
            depth = config.encoder_num_layers
            self.reader = RecurrentStack("lstm", width, config.encoder_hidden_size, depth, 2, config.hidden_dropout)
            self.memory_size = ends = self.reader.output_size
            if config.patch_hidden_size:
                self.patches = PatchLayer(ends, config.patch_hidden_size, config.hidden_dropout)
                self.memory_size, ends = self.patches.output_size, self.patches.stack.output_size
            self.bridge = nn.Linear(ends, 2 * layers * size)
        self.post_init()

    def _table(self, rows: int) -> NgramEmbedding:
        config = self.config
        return NgramEmbedding(config.ngram_sizes or [], rows, config.embedding_size, config.ngram_dropout, ways=2)

    @torch.no_grad()
    def add_ngrams(self, hashes: Tensor) -> None:
        """Have rows of these n-grams too, long `(n,)`; known ones keep theirs. An optimizer made before holds the old.

        Raises:
            ValueError: the model has no n-grams.
        """
        if self.ngrams is None:
            raise ValueError("This model reads no n-grams (ngram_sizes).")
        known = self.ngrams.hashes[self.ngrams.hashes < PRIME].to(hashes)
        together, bound = torch.cat([known, hashes]).unique(), self.config.initializer_range
        larger = self._table(len(together)).to(self.ngrams.embedding.weight)
        larger.embedding.weight[1:].uniform_(-bound, bound)
        larger.know(together)
        larger.take_over(self.ngrams)
        self.ngrams, self.config.ngram_rows = larger, len(together)

    def get_input_embeddings(self) -> nn.Module:
        """The table of bytes and symbols."""
        return self.embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Put another table in place."""
        self.embedding = value

    @torch.compiler.disable  # one graph for each length would be slower than none: a compiled model runs as it is
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> BytesRead:
        """Read windows of bytes.

        Args:
            input_ids: `(batch, bytes)`, padded by PAD at the right.
            attention_mask: `(batch, bytes)`, 1 for bytes; by default where ids are not PAD.

        Raises:
            ValueError: the windows are wider than the model's, or one has padding before a byte.
        """
        if input_ids.shape[1] > self.config.window_size:
            raise ValueError(
                f"The windows have {input_ids.shape[1]} bytes; this model reads {self.config.window_size} at a time."
            )
        mask = input_ids.ne(PAD_ID) if attention_mask is None else attention_mask.bool()
        packing = Packing.of(mask)
        backwards = self.config.input_order == "reversed"
        ids = packing.pack(turned(input_ids, mask) if backwards else input_ids)
        if self.training and self.config.byte_dropout:
            dropped = torch.rand(ids.shape, device=ids.device) < self.config.byte_dropout
            ids = ids.masked_fill(dropped, DROP_ID)
        reader = self.writer if self.reader is None else self.reader
        if self.ngrams is None:
            outputs, states = reader.read(self.embedding, self.dropout, ids, packing)
        else:
            codes = packing.unpack(ids).masked_fill(~mask, -1)
            codes = turned(codes, mask) if backwards else codes
            ngrams = self.ngrams.of_bytes(codes.masked_fill(codes >= GO_ID, -1))  # nor of what is dropped
            ngrams = turned(ngrams, mask) if backwards else ngrams
            outputs, states = reader(self.dropout(self.embedding(ids) + packing.pack(ngrams)), packing)
        memory = packing.unpack(outputs)
        memory = turned(memory, mask) if backwards else memory
        if self.patches is not None:
            memory, states = self.patches(memory, input_ids.masked_fill(~mask, -1))
        if self.bridge is not None:
            layers, size = self.config.num_hidden_layers, self.config.hidden_size
            states = self.bridge(states[:, -1, 0]).tanh().unflatten(1, (layers, 2, size))
        return BytesRead(last_hidden_state=memory, mask=mask, states=states)

    def write(
        self, symbols: Tensor, mask: Tensor, states: Tensor, table: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Continue from states over symbols.

        The bytes' end states are where writing starts, so that with a shared LSTM this is the paper's one causal pass.

        Args:
            symbols: `(batch, symbols)` ids, GO first.
            mask: `(batch, symbols)` bool, padding at the right.
            states: `(batch, layers, 2, hidden_size)`.
            table: what the writer makes of all symbols (`writer.project`), where many calls share it.

        Returns:
            The top states `(batch, symbols, hidden_size)`, and the states behind the last symbol.
        """
        packing = Packing.of(mask)
        ids = packing.pack(symbols)
        if table is None:
            outputs, states = self.writer.read(self.embedding, self.dropout, ids, packing, states)
        else:
            outputs, states = self.writer(ids, packing, states, table)
        return packing.unpack(outputs), states


class _Reader:
    """The reading half, as `generate` asks for an encoder; it owns no weights."""

    main_input_name = "input_ids"

    def __init__(self, model: ByteToSpanModel) -> None:
        self.model = model

    def __call__(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any) -> BytesRead:
        return self.model(input_ids, attention_mask)

    forward = __call__


class ByteToSpanForSpanTagging(Exportable, ByteToSpanPreTrainedModel, GenerationMixin):
    """The tagger: the LSTMs, and the scores of the next symbol."""

    graphs_from = "onnx_bytes"
    twin_from = "twin_bytes", "ByteTwin"
    _is_stateful = True  # its state cannot be wound back: no assisted decoding

    def __init__(self, config: ByteToSpanConfig) -> None:
        super().__init__(config)
        self.model = ByteToSpanModel(config)
        self.dropout = Dropout(config.hidden_dropout if config.output_dropout is None else config.output_dropout)
        width = config.hidden_size
        self.query = None
        if config.attention:
            self.query = nn.Linear(width, self.model.memory_size, bias=False)
            width += self.model.memory_size
        # The scores of positions and STOP, and those of labels apart: a label can be added, and they stay.
        self.positions = nn.Linear(width, config.stop_id + 1 - FIRST_START)
        self.label_scores = nn.Linear(width, len(config.id2label))
        self.tag_scores = nn.Linear(self.model.memory_size, len(config.byte_tags)) if config.tag_loss else None
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, labels: Sequence[str] | None = None, **kwargs: Any) -> Any:
        """Load a model; with `labels` given, for these, as `set_labels` does it. Else as in transformers."""
        loaded = super().from_pretrained(*args, **kwargs)
        if labels is not None:
            (loaded[0] if isinstance(loaded, tuple) else loaded).set_labels(labels)
        return loaded

    @torch.no_grad()
    def set_labels(self, labels: Sequence[str]) -> None:
        """Tag by other labels: those known by name keep their weights, new ones start afresh, those left out go.

        The weights of bytes and positions stay as they are. An optimizer made before holds the old tables.

        Raises:
            ValueError: no label, a label is empty or no string, or is given twice.
        """
        if isinstance(labels, str) or not labels or not all(isinstance(label, str) and label for label in labels):
            raise ValueError(f"The labels are {labels!r}. Pass a list of names.")
        if len(set(labels)) < len(labels):
            raise ValueError(f"A label is given twice in {list(labels)}.")
        embedding, first, bound = self.model.embedding, self.config.stop_id + 1, self.config.initializer_range
        of_labels = _sources(self.config.span_labels, labels)

        def rearrange(rows: Tensor, sources: Tensor = of_labels) -> Tensor:
            sources = sources.to(rows.device)
            known = sources >= 0
            fresh = torch.empty(len(sources), *rows.shape[1:], dtype=rows.dtype, device=rows.device)
            fresh.uniform_(-bound, bound)[known] = rows[sources[known]]
            return fresh

        table, scores = embedding.weight, self.label_scores
        embedding.weight = nn.Parameter(torch.cat([table[:first], rearrange(table[first:])]))
        scores.weight, scores.bias = nn.Parameter(rearrange(scores.weight)), nn.Parameter(rearrange(scores.bias))
        embedding.num_embeddings, scores.out_features = len(embedding.weight), len(labels)
        if self.tag_scores is not None:
            layer, of_tags = self.tag_scores, _sources(self.config.byte_tags, byte_tags(labels))
            layer.weight, layer.bias = (nn.Parameter(rearrange(rows, of_tags)) for rows in (layer.weight, layer.bias))
            layer.out_features = len(of_tags)
        self.config.id2label = dict(enumerate(labels))
        self.config.label2id = {label: index for index, label in enumerate(labels)}

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def get_encoder(self, modality: str | None = None) -> Any:
        """The reading half."""
        return _Reader(self.model)

    def generate(self, inputs: Tensor | None = None, logits_processor: Any = None, **kwargs: Any) -> Any:
        """As in transformers, greedily or by beams: within the grammar of spans, unless `span_grammar` is off, and by
        default as long as that takes.

        Args:
            inputs: `(batch, bytes)` ids of windows, padded by PAD; or `input_ids`.
            logits_processor: more processors, behind the grammar.
            **kwargs: what transformers takes. With beams `length_penalty` is 0 unless given: the 1 of transformers
                divides a beam's score by its length, and so favours windows with more spans than are likely.

        Returns:
            `(batch, symbols)`, GO first, padded by PAD behind STOP; or what `return_dict_in_generate` gives.
        """
        windows = kwargs.get("input_ids") if inputs is None else inputs
        if windows is None:
            raise ValueError("Pass the windows' ids.")
        mask = kwargs.get("attention_mask")
        lengths = (windows.ne(PAD_ID) if mask is None else mask).sum(1)
        if not kwargs.keys() & {"generation_config", "max_length", "max_new_tokens"}:
            kwargs["max_new_tokens"] = 3 * self.config.window_size
        settings = kwargs.get("generation_config") or self.generation_config
        unset = settings.length_penalty in (None, GenerationConfig().length_penalty)
        if (kwargs.get("num_beams") or settings.num_beams or 1) > 1 and unset:
            kwargs.setdefault("length_penalty", 0.0)
        grammar = [SpanGrammar(self.config, lengths)] if self.config.span_grammar else []
        processors = LogitsProcessorList([*grammar, *(logits_processor or [])])
        return super().generate(inputs, logits_processor=processors, **kwargs)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        past_key_values: RecurrentState | None = None,
        encoder_outputs: BytesRead | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The next step's inputs: with a state, only the last symbol."""
        if past_key_values is not None:
            input_ids = input_ids[:, -1:]
        return {
            "decoder_input_ids": input_ids,
            "past_key_values": past_key_values,
            "encoder_outputs": encoder_outputs,
        }

    @torch.compiler.disable  # one graph for each length would be slower than none: a compiled model runs as it is
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        encoder_outputs: BytesRead | None = None,
        past_key_values: RecurrentState | None = None,
        tag_labels: Tensor | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        smoothing: float = 0.0,
    ) -> Seq2SeqLMOutput:
        """Score the symbols of windows.

        Args:
            input_ids: `(batch, bytes)`, padded by PAD.
            attention_mask: `(batch, bytes)`, 1 for bytes.
            decoder_input_ids: `(batch, symbols)`, GO first; by default the labels shifted.
            labels: `(batch, symbols)` of the spans and STOP, -100 at padding.
            encoder_outputs: the bytes as read, in place of `input_ids`.
            past_key_values: the state to continue from, in place of the bytes' end states.
            tag_labels: `(batch, bytes)` of the bytes' tags, -100 at padding; taken with labels.
            use_cache: taken for `generate`'s sake; the state always comes back.
            return_dict: taken for transformers' sake; the output always is one.
            output_attentions: taken for transformers' sake; there are none.
            output_hidden_states: taken for transformers' sake; they are not given.
            smoothing: of labels; share of the loss that is the mean over all symbols that can come.

        Returns:
            `loss`, the cross entropy summed over symbols, mean over windows, and with tags `tag_loss` times theirs,
            summed over bytes; `logits` `(batch, symbols, vocabulary)`, of which only starts, lengths, STOP and labels
            can come; `past_key_values`, the state behind the last symbol.
        """
        read = encoder_outputs
        if read is None:
            if input_ids is None:
                raise ValueError("Pass input_ids, or the encoder_outputs made of them.")
            read = self.model(input_ids, attention_mask)
        if decoder_input_ids is None:
            if labels is None:
                raise ValueError("Pass labels to train, or decoder_input_ids; to tag, call generate or decode_spans.")
            go = labels.new_full((len(labels), 1), GO_ID)
            decoder_input_ids = torch.cat([go, labels[:, :-1].masked_fill(labels[:, :-1] < 0, PAD_ID)], dim=1)
        mask = torch.ones_like(decoder_input_ids, dtype=torch.bool) if labels is None else labels >= 0
        states = read.states if past_key_values is None else past_key_values.states
        hidden, states = self.model.write(decoder_input_ids, mask, states)
        logits = self.score_next(self.dropout(hidden), read)
        loss = None
        if labels is not None:
            summed = summed_cross_entropy(logits, labels, smoothing)
            if self.tag_scores is not None and tag_labels is not None:
                tags = self.tag_scores(self.dropout(read.last_hidden_state))
                summed = summed + self.config.tag_loss * summed_cross_entropy(tags, tag_labels, smoothing)
            loss = summed / max(len(labels), 1)
        written = decoder_input_ids.shape[1] + (past_key_values.length if past_key_values is not None else 0)
        return Seq2SeqLMOutput(
            loss=loss,
            logits=logits,
            past_key_values=RecurrentState(states, written),
            encoder_last_hidden_state=read.last_hidden_state,
        )

    def attend(self, hidden: Tensor, read: BytesRead) -> tuple[Tensor, Tensor | None]:
        """What symbols are chosen from: the writer's states, and behind them, with attention, what these attend to.

        Args:
            hidden: `(batch, symbols, hidden_size)`.
            read: the bytes.

        Returns:
            `(batch, symbols, features)`; the attention's scores `(batch, symbols, bytes)`, which point at starts.
        """
        if self.query is None:
            return hidden, None
        memory = read.last_hidden_state
        scores = self.query(hidden) @ memory.transpose(1, 2)
        pointing = scores.masked_fill(~read.mask[:, None], IMPOSSIBLE)
        return torch.cat([hidden, pointing.softmax(-1) @ memory], dim=-1), pointing

    def score_next(self, hidden: Tensor, read: BytesRead) -> Tensor:
        """States `(batch, symbols, hidden_size)` to the scores of the next symbol `(batch, symbols, vocabulary)`."""
        features, pointing = self.attend(hidden, read)
        logits = torch.cat([self.positions(features), self.label_scores(features)], dim=-1)
        if pointing is not None:
            # Nothing points behind the bytes, however wide the batch is padded.
            beyond = self.config.window_size - pointing.shape[-1]
            starts = nn.functional.pad(pointing, (0, beyond), value=IMPOSSIBLE)
            logits = logits + nn.functional.pad(starts, (0, logits.shape[-1] - starts.shape[-1]))
        return nn.functional.pad(logits, (FIRST_START, 0), value=float("-inf"))

    @torch.no_grad()
    def score_tags(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The log probabilities of the bytes' tags, each by itself: `(batch, bytes, tags)`, in float32.

        Args:
            input_ids: `(batch, bytes)`, padded by PAD.
            attention_mask: `(batch, bytes)`, 1 for bytes.

        Raises:
            ValueError: the model was made without `tag_loss`.
        """
        if self.tag_scores is None:
            raise ValueError("This model has no layer of tags (tag_loss is 0). Call decode_spans.")
        read = self.model(input_ids, attention_mask)
        scores: Tensor = self.tag_scores(self.dropout(read.last_hidden_state)).float().log_softmax(-1)
        return scores

    @torch.no_grad()
    def decode_spans(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        recall_bias: float | None = None,
        num_beams: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Write each window's spans: greedily, where windows that have stopped leave the batch.

        Args:
            input_ids: `(batch, bytes)`, padded by PAD.
            attention_mask: `(batch, bytes)`, 1 for bytes.
            recall_bias: taken from STOP's score where a span may begin; by default the configuration's.
            num_beams: above 1, windows are written by beam search.

        Returns:
            Symbols `(batch, symbols)`, whole spans and then STOP to the end, and the log probability of each,
            `(batch, symbols)`, 0 behind a window's first STOP. A window of k bytes writes at most k spans, and no STOP
            if it comes to so many. With `span_grammar` off, symbols may make no span; `SpanCodec` passes over them.
        """
        bias = self.config.recall_bias if recall_bias is None else recall_bias
        mask = input_ids.ne(PAD_ID) if attention_mask is None else attention_mask
        if num_beams > 1 and input_ids.numel():
            return beam_spans(self, input_ids, mask, bias, num_beams)
        return greedy_spans(self, input_ids, mask, bias)


def _sources(before: Sequence[str], after: Sequence[str]) -> Tensor:
    """Where each name was before, -1 for a new one."""
    places = {name: index for index, name in enumerate(before)}
    return torch.tensor([places.get(name, -1) for name in after])
