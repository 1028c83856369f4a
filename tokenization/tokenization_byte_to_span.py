"""Texts as bytes, for the byte-to-span family: no vocabulary, no splitting, nothing unknown, nothing cut off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from transformers import BatchEncoding
from transformers.tokenization_utils_base import AddedToken

from .byte_windows import Bytes, Merge, window_bytes
from .encodings import (
    ByteEncoding,
    Padding,
    Truncation,
    is_padded,
    limit,
    padded_length,
    refuse_special_tokens_mask,
)
from .saved_tokenizer import SavedTokenizer
from .span_codec import DROP_ID, GO_ID, PAD_ID, ByteText, SpanCodec, SymbolLayout
from .text_stream import TextStream


class ByteToSpanTokenizer(SavedTokenizer):
    """Gives a text's UTF-8 bytes as ids, and knows the symbols that a byte-to-span model writes.

    A text that spells a special token, as `<go>` or `[PAD]`, is only text: the ids of special tokens never come from
    one. No text is truncated; one that is longer than a window is read as a `stream` of windows.

    Args:
        window_size: k, the bytes of a window.
        labels: what spans are labelled by, in the order of their ids.
        **kwargs: of `PreTrainedTokenizer`.

    Attributes:
        layout: which id stands for what.
        codec: spans to symbols and back.
    """

    vocab_files_names: dict[str, str] = {}  # noqa: RUF012
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012
    padding_side = "right"

    def __init__(
        self,
        window_size: int = 60,
        labels: Sequence[str] = (),
        *,
        bos_token: str = "<go>",
        mask_token: str = "<drop>",
        pad_token: str = "<pad>",
        eos_token: str = "<stop>",
        **kwargs: Any,
    ) -> None:
        self.layout = SymbolLayout(window_size, labels)
        self.codec = SpanCodec(self.layout)
        special = {GO_ID: bos_token, DROP_ID: mask_token, PAD_ID: pad_token, self.layout.stop: eos_token}
        self._tokens = self._name_tokens(special)
        self._ids = {token: index for index, token in enumerate(self._tokens)}
        # Where they stand follows from the layout, also when a saved tokenizer is loaded with another one.
        added = kwargs.pop("added_tokens_decoder", None) or {}
        self._added_tokens_decoder = {
            index: AddedToken(str(token), special=True, normalized=False) for index, token in special.items()
        } | {int(index): token for index, token in added.items() if int(index) >= self.layout.vocab_size}
        super().__init__(
            window_size=window_size,
            labels=list(self.layout.labels),
            bos_token=bos_token,
            mask_token=mask_token,
            pad_token=pad_token,
            eos_token=eos_token,
            **kwargs,
        )

    def _name_tokens(self, special: dict[int, str]) -> list[str]:
        """A name for each id: for a byte the one character of its number, for a symbol what it says."""
        positions = range(self.layout.window_size + 1)
        names = [chr(byte) for byte in range(GO_ID)]
        names += [str(special[index]) for index in (GO_ID, DROP_ID, PAD_ID)]
        names += [f"<start {position}>" for position in positions[:-1]]
        names += [f"<length {position}>" for position in positions]
        names += [str(special[self.layout.stop])]
        return names + [f"<label {label}>" for label in self.layout.labels]

    @property
    def window_size(self) -> int:
        """k, the bytes of a window."""
        return self.layout.window_size

    @property
    def labels(self) -> Sequence[str]:
        """What spans are labelled by, in the order of their ids."""
        return self.layout.labels

    def __call__(
        self,
        text: str | Bytes | Sequence[str] | Sequence[Bytes],
        *,
        add_special_tokens: bool = True,
        padding: Padding = True,
        truncation: Truncation = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        return_tensors: str | None = None,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        return_special_tokens_mask: bool = False,
        errors: str = "strict",
    ) -> BatchEncoding:
        """Encode a text or a batch of texts.

        Args:
            text: one text or several, or their bytes.
            add_special_tokens: taken as transformers does; there are none to add.
            padding: pad a batch to its longest text, as arrays; "max_length" to so many bytes.
            truncation: cut longer texts to `max_length` bytes, before the character that would exceed it, with a
                warning.
            max_length: a number of bytes; longer texts are warned about.
            pad_to_multiple_of: pad to a multiple of so many bytes.
            return_tensors: "pt" or "np"; None leaves lists for a single text.
            return_offsets_mapping: give `(start, end)`, in characters, of each byte's character too.
            return_length: give each text's number of bytes, as `length`.
            return_special_tokens_mask: refused; there are none.
            errors: what is done about what is not UTF-8: "strict" raises, "replace" reads U+FFFD.

        Returns:
            `input_ids` and `attention_mask` `(batch, bytes)`, without the batch axis for a single text as lists; on
            demand `offset_mapping`, int64 `(bytes, 2)` for each text. Its `word_ids()` number what white space parts.

        Raises:
            InputError: what is not UTF-8, with its offset.
        """
        refuse_special_tokens_mask(return_special_tokens_mask)
        single = isinstance(text, str | Bytes)
        texts: Any = [text] if single else text
        batch = [ByteText(item, errors) for item in texts]
        end = limit(list(map(len, batch)), truncation, max_length, "bytes")
        rows = [item.data if end is None else item.data[: _whole(item, end)] for item in batch]
        lengths = np.array(list(map(len, rows)), dtype=np.int64)
        data: dict[str, Any]
        if not is_padded(padding) or (
            single and return_tensors is None and padding is True and not pad_to_multiple_of
        ):
            lists = [row.tolist() for row in rows]
            data = {"input_ids": lists, "attention_mask": [[1] * len(row) for row in lists]}
        else:
            ends = np.cumsum(lengths)
            joined = np.concatenate([np.empty(0, dtype=np.uint8), *rows])
            input_ids = window_bytes(joined, ends - lengths, ends)
            width = padded_length(input_ids.shape[1], padding, max_length, pad_to_multiple_of)
            input_ids = np.pad(input_ids, ((0, 0), (0, width - input_ids.shape[1])), constant_values=PAD_ID)
            mask = np.arange(width) < lengths[:, None]
            data = {"input_ids": input_ids, "attention_mask": mask.astype(np.int64)}
        if return_length:
            data["length"] = lengths.tolist()
        if single and return_tensors is None:
            data = {key: list(map(int, own)) if np.ndim(own := value[0]) else own for key, value in data.items()}
        encoding = ByteEncoding(data, tensor_type=return_tensors)
        if return_offsets_mapping:
            offsets = [_offsets(item)[: len(row)] for item, row in zip(batch, rows, strict=True)]
            encoding["offset_mapping"] = offsets[0] if single else offsets
        return encoding

    def encode(self, text: str | Bytes, *, errors: str = "strict", return_tensors: str | None = None) -> Any:
        """The ids of one text."""
        return self(text, errors=errors, return_tensors=return_tensors)["input_ids"]

    def stream(
        self,
        text: str | Bytes | Iterable[str] | Iterable[Bytes],
        *,
        overlap: int | None = None,
        errors: str = "strict",
        merge: Merge = "middle",
    ) -> TextStream:
        """A text of any length as windows, and what they predict as spans of it: constant memory, see `TextStream`."""
        return TextStream(text, self.window_size, overlap, errors, merge)

    # What PreTrainedTokenizer asks of every tokenizer.

    @property
    def vocab_size(self) -> int:
        """How many ids there are: bytes, special tokens, starts, lengths, STOP and labels."""
        return self.layout.vocab_size

    def get_vocab(self) -> dict[str, int]:
        """Every id by its name, and those of tokens that were added; no text gives these, and no model writes them."""
        return {**self._ids, **self.added_tokens_encoder}

    def tokenize(self, text: str, **kwargs: Any) -> list[str]:
        """The bytes of a text, each as the character of its number."""
        return list(ByteText(text).data.tobytes().decode("latin-1"))

    def _convert_token_to_id(self, token: str) -> int:
        if token not in self._ids:
            raise KeyError(f"{token!r} is no token: a byte is one character from U+0000 to U+00FF.")
        return self._ids[token]

    def _convert_id_to_token(self, index: int) -> str:
        if not 0 <= index < len(self._tokens):
            raise IndexError(f"{index} is no id: there are {len(self._tokens)}.")
        return self._tokens[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Bytes as the text they spell, U+FFFD where they are not UTF-8; other symbols by their names."""
        data = b"".join(token.encode("latin-1") if len(token) == 1 else token.encode() for token in tokens)
        return data.decode(errors="replace")

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Nothing to write: window size and labels stand in tokenizer_config.json."""
        return ()


def _whole(text: ByteText, size: int) -> int:
    """The most bytes up to `size` that are whole characters."""
    return int(text.bounds[np.searchsorted(text.bounds, size, side="right") - 1])


def _offsets(text: ByteText) -> np.ndarray:
    characters = np.repeat(np.arange(len(text.text)), np.diff(text.bounds))
    return np.stack([characters, characters + 1], axis=1)
