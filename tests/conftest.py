"""Fixtures that several test files share, and a session without a network."""

from __future__ import annotations

import gc
import ipaddress
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: a second thread only waits for the first

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from loopback_hub import LoopbackHub

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

TINY_TAGS = ["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "B-PER", "I-PER", "E-PER", "S-PER"]
TINY_SENTENCES = [
    ("Ada Lovelace lived in London .", ["B-PER", "E-PER", "O", "O", "S-LOC", "O"]),
    ("Grace went to New York City .", ["S-PER", "O", "O", "B-LOC", "I-LOC", "E-LOC", "O"]),
    ("In Lund it rains .", ["O", "S-LOC", "O", "O", "O"]),
    ("Juan de Vega saw Ada .", ["B-PER", "I-PER", "E-PER", "O", "S-PER", "O"]),
    ("It rains in 1843 .", ["O", "O", "O", "O", "O"]),
]


hypothesis.settings.register_profile("tagsmith", deadline=None)  # no test asserts how long something takes
hypothesis.settings.load_profile("tagsmith")


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):  # a path: a unix socket
        return True
    if address[0] == "localhost":
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return False


def _only_locally(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if not _is_local(address):
            raise OSError(f"A test asked for {address!r}; tests run without a network.")
        return connect(self, address)

    return guarded


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Sockets reach this machine alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _only_locally(getattr(socket.socket, name)))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """What is written need not outlive the machine: a run writes hundreds of files, and waits for each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def imports_are_no_garbage() -> None:
    """What has been imported is not looked through for garbage: each run that trains collects some."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    """A Hub that the client of this process talks to, as ada."""
    with LoopbackHub() as hub, hub.client(tmp_path / "home"):
        yield hub


@pytest.fixture(scope="module")
def datasets_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Corpora are cached in a folder of the module's own, not in the user's."""
    import datasets  # here, for the tests that do without

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture(scope="session")
def tiny_tokenizer() -> HierarchicalTaggerTokenizer:
    """A tokenizer of five sentences. Shared by the whole session: do not change it."""
    return HierarchicalTaggerTokenizer.train(text.split() for text, _ in TINY_SENTENCES)


@pytest.fixture(scope="session")
def tiny_model(tiny_tokenizer: HierarchicalTaggerTokenizer) -> HierarchicalTaggerForTokenClassification:
    """A tagger of PER and LOC in BIOES that knows the five sentences. Shared: copy it before you change it."""
    torch.manual_seed(1)
    config = HierarchicalTaggerConfig.for_tags(
        TINY_TAGS,
        vocab_size=tiny_tokenizer.vocab_size,
        character_vocab_size=tiny_tokenizer.character_vocab_size,
        word_embedding_size=12,
        character_embedding_size=6,
        character_hidden_size=5,
        character_num_layers=1,
        hidden_size=10,
        num_hidden_layers=1,
    )
    model = HierarchicalTaggerForTokenClassification(config)
    features = [
        {**tiny_tokenizer.encode_words(text.split()), "labels": [TINY_TAGS.index(tag) for tag in tags]}
        for text, tags in TINY_SENTENCES
    ]
    batch = {key: torch.from_numpy(value) for key, value in tiny_tokenizer.pad_sentences(features).items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(40):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="session")
def tiny_folder(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: HierarchicalTaggerForTokenClassification,
    tiny_tokenizer: HierarchicalTaggerTokenizer,
) -> Path:
    """The tiny model and its tokenizer, saved. Shared: copy the folder before you change it."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model.save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def byte_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-to-span tagger as it was made, untrained, saved. Shared: copy the folder before you change it."""
    folder = tmp_path_factory.mktemp("byte")
    torch.manual_seed(1)
    labels = ["LOC", "PER"]
    sizes = {"window_size": 16, "embedding_size": 8, "hidden_size": 16, "num_hidden_layers": 1}
    config = ByteToSpanConfig.for_tags(labels, **sizes, initializer_range=1.0)
    ByteToSpanForSpanTagging(config).save_pretrained(folder)
    ByteToSpanTokenizer(16, labels).save_pretrained(folder)
    return folder
