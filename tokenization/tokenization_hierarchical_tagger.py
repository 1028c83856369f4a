"""Words and their characters as ids, for the hierarchical tagger.

A text is split into words with exact offsets; each word becomes the id of its normalised form (digits to 0, case
folded) and the ids of its characters as they stand, or in the Unicode form that `normalization` names, or with their
digits to 0 too. A very long word is read as its first and last characters, so that memory does not grow with it; no
text is truncated, and offsets are those of whole words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from transformers import BatchEncoding
from transformers.tokenization_utils_base import AddedToken

from .encodings import (
    Padding,
    TaggerEncoding,
    Truncation,
    is_padded,
    limit,
    refuse_special_tokens_mask,
)
from .gazetteers import Gazetteer
from .saved_tokenizer import SavedTokenizer
from .sentence_padding import SentencePadding
from .word_lookup import (
    MAX_WORD_CHARACTERS,
    PAD_ID,
    UNK_ID,
    WordReading,
    Words,
    normalize,
    read_gazetteer,
    read_vocabulary,
    spelled,
)
from .word_vocabulary import count_words
from .words import check_words


class HierarchicalTaggerTokenizer(WordReading, SentencePadding, SavedTokenizer):
    """Splits text into words and gives word ids and character ids.

    Args:
        vocab_file: JSON with "words" and "characters", each in the order of their ids, which begin at 2. For a tagger
            whose languages have words of their own, "words" has such a list for each language.
        gazetteer_file: JSON of a `Gazetteer`; None for a tagger without.
        words: the vocabulary itself, in place of a file; normalised, most frequent first; or one for each language.
        characters: the characters themselves, most frequent first.
        gazetteer: the gazetteer itself, in place of a file.
        lowercase: fold case in words (characters always keep it).
        case_fallback: without `lowercase`, read a word that has no id as its lower-cased form, if that has one.
        zero_digits: replace each digit of a word by 0.
        zero_character_digits: replace them in the characters of a word too; taggers saved without this do not.
        normalization: "nfc" looks words and characters up in Unicode's composed form, so that one word gets the same
            ids however its accents are written; None as they stand. Words and offsets stay those of the text.
        splitter: how text becomes words: "words", "punctuation" or "whitespace" (see `split_words`).
        rare_word_id: the first id of words that were rare in training, for the model's `rare_word_dropout`; or one for
            each language.
        rare_character_id: the first id of characters that were rare in training.
        frozen_word_id: the first id of words that the training data do not have, for the model's field of this name;
            or one for each language.
        max_word_characters: a word with more is read, looked up and matched as its first and last characters, half of
            so many each, as if no others stood between; taggers that were saved without this number have 128.
        lower_capitals: read a sentence that is all in capitals (see `in_capitals`) in lower case.
        passage_words: lines of a text that have no more words than this together are read together, as a passage; 0
            for each line by itself.

    Raises:
        InputError: a file that is not what `save_pretrained` wrote.
        ValueError: no vocabulary, an unknown splitter or normalization, `max_word_characters` below 2,
            `passage_words` below 0, or above it beside `lower_capitals`.
    """

    vocab_files_names = {"vocab_file": "vocab.json", "gazetteer_file": "gazetteer.json"}  # noqa: RUF012
    model_input_names = ["input_ids", "character_ids", "attention_mask"]  # noqa: RUF012
    padding_side = "right"

    def __init__(
        self,
        vocab_file: str | None = None,
        gazetteer_file: str | None = None,
        *,
        words: Words | None = None,
        characters: Sequence[str] | None = None,
        gazetteer: Gazetteer | None = None,
        lowercase: bool = True,
        case_fallback: bool = False,
        zero_digits: bool = True,
        zero_character_digits: bool = False,
        normalization: str | None = None,
        splitter: str = "words",
        rare_word_id: int | Mapping[str, int] | None = None,
        rare_character_id: int | None = None,
        frozen_word_id: int | Mapping[str, int] | None = None,
        max_word_characters: int = MAX_WORD_CHARACTERS,
        lower_capitals: bool = False,
        passage_words: int = 0,
        pad_token: str = "[PAD]",
        unk_token: str = "[UNK]",
        **kwargs: Any,
    ) -> None:
        if vocab_file is not None:
            words, characters = read_vocabulary(vocab_file)
        if words is None or characters is None:
            raise ValueError(
                f"{type(self).__name__} needs its vocabulary: {self.vocab_files_names['vocab_file']} is missing from "
                "the model's folder, and no words and characters were given."
            )
        if gazetteer_file is not None:
            gazetteer = read_gazetteer(gazetteer_file)
        self.lowercase, self.zero_digits, self.splitter = lowercase, zero_digits, splitter
        self.case_fallback, self.zero_character_digits = case_fallback, zero_character_digits
        self.normalization, self.lower_capitals = normalization, lower_capitals
        self.rare_word_id, self.rare_character_id = rare_word_id, rare_character_id
        self.frozen_word_id = frozen_word_id
        self.max_word_characters, self.passage_words = max_word_characters, passage_words
        self._check_reading()
        # By language; under None where all texts have the same words.
        self.vocabularies: dict[str | None, list[str]] = (
            {name: list(own) for name, own in words.items()} if isinstance(words, Mapping) else {None: list(words)}
        )
        self.characters, self.gazetteer = list(characters), gazetteer
        self._index()
        self._added_tokens_decoder = {
            PAD_ID: AddedToken(str(pad_token), special=True),
            UNK_ID: AddedToken(str(unk_token), special=True),
        }
        super().__init__(
            pad_token=pad_token,
            unk_token=unk_token,
            lowercase=lowercase,
            zero_digits=zero_digits,
            # Not in the files of older taggers, which read words as they stand; they stay as they are.
            **({"normalization": normalization} if normalization else {}),
            **({"case_fallback": True} if case_fallback else {}),
            **({"zero_character_digits": True} if zero_character_digits else {}),
            **({"lower_capitals": True} if lower_capitals else {}),
            **({"passage_words": passage_words} if passage_words else {}),
            splitter=splitter,
            rare_word_id=rare_word_id,
            rare_character_id=rare_character_id,
            **({} if frozen_word_id is None else {"frozen_word_id": frozen_word_id}),
            max_word_characters=max_word_characters,
            **kwargs,
        )

    @classmethod
    def train(
        cls,
        sentences: Iterable[Sequence[str]] | Mapping[str, Iterable[Sequence[str]]],
        *,
        min_count: int = 1,
        rare_count: int = 1,
        extra_words: Iterable[str] | Mapping[str, Iterable[str]] = (),
        lowercase: bool = True,
        case_fallback: bool = False,
        zero_digits: bool = True,
        zero_character_digits: bool = False,
        normalization: str | None = "nfc",
        max_word_characters: int = MAX_WORD_CHARACTERS,
        earlier: HierarchicalTaggerTokenizer | None = None,
        **kwargs: Any,
    ) -> HierarchicalTaggerTokenizer:
        """Build the vocabularies from training sentences, each a sequence of words.

        Args:
            sentences: the training data's words; or those of each language, for a vocabulary each and characters of
                all.
            min_count: how often a word must occur to get an id; characters always get one.
            rare_count: how often a word may occur and still be rare; a character is, that occurs once.
            extra_words: words to add after them, from `frozen_word_id` on, of a vectors file for one; or those of each
                language.
            lowercase: as in the constructor.
            case_fallback: as in the constructor.
            zero_digits: as in the constructor.
            zero_character_digits: as in the constructor.
            normalization: as in the constructor, but on where it is not given.
            max_word_characters: as in the constructor.
            earlier: a tokenizer whose words and characters are to stay, beside new ones; its characters alone where it
                has one vocabulary and this one has languages, or the other way round. Of its extra words those that
                the training data have become words like others.
            **kwargs: the constructor's other options.
        """
        counted = count_words(
            sentences if isinstance(sentences, Mapping) else {None: sentences},
            lambda word: normalize(word, lowercase, zero_digits, normalization),
            lambda word: spelled(word, normalization, zero_character_digits),
            max_word_characters,
            min_count,
            rare_count,
            earlier=earlier,
        )
        extra: Mapping[Any, Iterable[str]] = extra_words if isinstance(extra_words, Mapping) else {None: extra_words}
        shared = None in counted.words
        tokenizer = cls(
            words=counted.words[None] if shared else counted.words,
            characters=counted.characters,
            lowercase=lowercase,
            case_fallback=case_fallback,
            zero_digits=zero_digits,
            zero_character_digits=zero_character_digits,
            normalization=normalization,
            rare_word_id=counted.rare_word_id[None] if shared else counted.rare_word_id,
            rare_character_id=counted.rare_character_id,
            max_word_characters=max_word_characters,
            **kwargs,
        )
        tokenizer.add_extra_words(
            {language: [*frozen, *extra.get(language, ())] for language, frozen in counted.frozen.items()}
        )
        return tokenizer

    def split_vocabulary(self, language: str | None) -> tuple[list[str], list[str], list[str]]:
        """A language's words: frequent, rare (from `rare_word_id`) and extra (from `frozen_word_id`); none if new."""
        words = self.vocabularies.get(language, [])
        frozen = _of_language(self.frozen_word_id, language, len(words) + 2) - 2
        rare = min(_of_language(self.rare_word_id, language, len(words) + 2) - 2, frozen)
        return words[:rare], words[rare:frozen], words[frozen:]

    def add_extra_words(self, extra: Mapping[Any, Iterable[str]]) -> None:
        """Give words the ids after all others, from `frozen_word_id` on; those of each language, or under None."""
        first: dict[Any, int] = {}
        for language, words in self.vocabularies.items():
            known = self._word_ids[language]
            first[language] = _of_language(self.frozen_word_id, language, len(words) + 2)
            new = [word for word in dict.fromkeys(map(self.normalize, extra.get(language, ()))) if word not in known]
            known.update(zip(new, range(len(words) + 2, len(words) + len(new) + 2), strict=True))
            words += new
        first = {language: place for language, place in first.items() if place < len(self.vocabularies[language]) + 2}
        self.frozen_word_id = (first.get(None) if None in self.vocabularies else first) or None
        if first:
            self.init_kwargs["frozen_word_id"] = self.frozen_word_id

    def encode_words(self, words: Sequence[str], language: str | None = None) -> dict[str, Any]:
        """One sentence, already split, to `input_ids` `(words,)`, `character_ids` `(words, characters)` and features.

        Raises:
            InputError: a word with a lone surrogate.
            ValueError: an empty word, or a language without words here; the message has those that are.
        """
        words = self._read(words)
        encoded: dict[str, Any] = {
            "input_ids": self.look_up(words, language),
            "character_ids": list(map(self.character_ids, words)),
        }
        if self.gazetteer is not None:
            encoded["gazetteer_features"] = self.gazetteer.match(words)
        return encoded

    def _read(self, words: Sequence[str]) -> Sequence[str]:
        """Given words as they are read, after a look at all of each."""
        check_words(words)
        return self.read(words)[0]

    def __call__(
        self,
        text: str | Sequence[str] | Sequence[Sequence[str]],
        *,
        is_split_into_words: bool = False,
        add_special_tokens: bool = True,
        padding: Padding = True,
        truncation: Truncation = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        return_tensors: str | None = None,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        return_special_tokens_mask: bool = False,
        language: str | None = None,
    ) -> BatchEncoding:
        """Encode a text or a batch of texts (or, if split, a sentence or a batch of sentences of words).

        Args:
            text: one text or several; with `is_split_into_words`, one list of words or several.
            is_split_into_words: the text is already split.
            add_special_tokens: taken as transformers does; there are none to add.
            padding: pad a batch to its longest sentence and longest word, as arrays; "max_length" to so many words.
            truncation: cut longer sentences to `max_length` words, with a warning.
            max_length: a number of words; longer sentences are warned about.
            pad_to_multiple_of: pad to a multiple of so many words.
            return_tensors: "pt" or "np"; None leaves lists.
            return_offsets_mapping: give each word's `(start, end)` in characters too; not for words given split.
            return_length: give each sentence's number of words, as `length`.
            return_special_tokens_mask: refused; there are none.
            language: whose words these are, where each language has its own.

        Returns:
            `input_ids` `(batch, words)`, `character_ids` `(batch, words, characters)`, `attention_mask`
            `(batch, words)` and, with a gazetteer, `gazetteer_features`; without the batch axis for a single text as
            lists. Its `word_ids()` are those of the words.
        """
        refuse_special_tokens_mask(return_special_tokens_mask)
        single = isinstance(text, str) or (is_split_into_words and bool(text) and isinstance(text[0], str))
        batch: Sequence[Any] = [text] if single else text
        offsets = None
        if is_split_into_words:
            if return_offsets_mapping:
                raise ValueError("Words given split have no offsets. Pass the text itself, or leave the offsets out.")
        else:
            split = [self.split(item) for item in batch]
            offsets = [[(word.start, word.end) for word in words] for words in split]
            batch = [[word.text for word in words] for words in split]
        end = limit(list(map(len, batch)), truncation, max_length, "words")
        features = [self._feature(words[:end], language) for words in batch]
        if single and return_tensors is None and padding != "max_length" and pad_to_multiple_of is None:
            data: dict[str, Any] = features[0]
        elif is_padded(padding):
            data = {**self.pad_sentences(features, padding, max_length, pad_to_multiple_of)}
            if single and return_tensors is None:
                data = {key: value[0].tolist() for key, value in data.items()}
        else:
            keys = features[0] if features else self.model_input_names
            data = {key: [feature[key] for feature in features] for key in keys}
        if return_length:
            lengths = [len(feature["input_ids"]) for feature in features]
            data["length"] = lengths[0] if single and return_tensors is None else lengths
        encoding = TaggerEncoding(data, tensor_type=return_tensors)
        if return_offsets_mapping and offsets is not None:
            offsets = [own[:end] for own in offsets]
            encoding["offset_mapping"] = offsets[0] if single else offsets
        return encoding

    def _feature(self, words: Sequence[str], language: str | None) -> dict[str, Any]:
        return {**self.encode_words(words, language), "attention_mask": [1] * len(words)}

    def encode(
        self, text: str | Sequence[str], language: str | None = None, add_special_tokens: bool = True
    ) -> list[int]:
        """The word ids of a text, or of words already split; there are no special tokens to add."""
        words = self.tokenize(text) if isinstance(text, str) else text
        return self.look_up(self._read(words), language)

    # What PreTrainedTokenizer asks of every tokenizer.

    @property
    def words(self) -> list[str]:
        """The words in the order of their ids, from 2 on; where each language has its own, see `vocabularies`."""
        self._check_language(None)
        return self.vocabularies[None]

    @property
    def vocab_size(self) -> int:
        """How many word ids there are, PAD and UNK among them; of the largest vocabulary where there are several."""
        return max(map(len, self.vocabularies.values())) + 2

    def get_vocab(self) -> dict[str, int]:
        """Words, behind their language where each has its own, and special tokens, with their ids."""
        ids = {
            word if language is None else f"{language}:{word}": index
            for language, own in self._word_ids.items()
            for word, index in own.items()
        }
        return {**ids, str(self.pad_token): PAD_ID, str(self.unk_token): UNK_ID}

    def __len__(self) -> int:
        return self.vocab_size

    def _add_tokens(self, new_tokens: Sequence[str | AddedToken], special_tokens: bool = False) -> int:
        for token in map(str, new_tokens):
            if token not in self.added_tokens_encoder:
                raise ValueError(
                    f"This tokenizer cannot take the token {token!r}: its words are those of its training. "
                    "Train another one, with extra_words."
                )
        return 0

    def tokenize(self, text: str) -> list[str]:
        """The words of a text, as they stand in it."""
        return [word.text for word in self.split(text)]

    def _convert_token_to_id(self, token: str) -> int:
        self._check_language(None)
        return self._word_ids[None].get(self.normalize(token), UNK_ID)

    def _convert_id_to_token(self, index: int) -> str:
        if not 2 <= index < self.vocab_size:
            raise ValueError(f"There is no word of the id {index}; ids run from 0 to {self.vocab_size - 1}.")
        return self.words[index - 2]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Words joined by spaces: how the text of a corpus given only as words is made."""
        return " ".join(tokens)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Write vocab.json and, if there is one, gazetteer.json."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        words = self.vocabularies if self.languages else self.words
        vocabulary = {"words": words, "characters": self.characters}
        contents = {"vocab_file": json.dumps(vocabulary, ensure_ascii=False, indent=0)}
        if self.gazetteer is not None:
            contents["gazetteer_file"] = self.gazetteer.to_json()
        paths = []
        for key, content in contents.items():
            paths.append(Path(save_directory) / (prefix + self.vocab_files_names[key]))
            paths[-1].write_text(content, encoding="utf-8")
        return tuple(map(str, paths))

    def stored_bytes(self) -> int:
        """How many bytes of words and characters `save_vocabulary` writes, except for what it escapes."""
        entries = chain(*self.vocabularies.values(), self.characters)
        return sum(len(entry.encode(errors="surrogatepass")) + 4 for entry in entries)


def _of_language(ids: int | Mapping[Any, int] | None, language: str | None, default: int) -> int:
    """An id that is the same for all words, or each language's own."""
    found = ids.get(language) if isinstance(ids, Mapping) else ids
    return default if found is None else found
