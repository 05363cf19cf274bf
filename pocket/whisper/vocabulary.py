"""A Whisper vocabulary cut down to the tokens a corpus uses, and back to the 51 865 rows that `whisper.load_model` expects.

The model writes letter by letter, with the tokenizer's tokens of single characters: 22 hours are too few to learn thousands of
word pieces from, and the text that the tokenizer reads back is the same. A prompt comes in word pieces, as whisper encodes it.

While it trains, the model has one row per used token and one "other" row that stands for all the rest: their number is added
to that row's logit as a logarithm, so the loss is exactly that of the full model with the unused rows tied. The output layer is
then far smaller, which saves a third of a step on a CPU.
"""

from dataclasses import replace

import numpy as np
import torch
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import Tokenizer, get_tokenizer

LANGUAGE = "es"
N_VOCAB = 51_865  # the package's multilingual tokenizer
DIMS = ModelDimensions(
    n_mels=80, n_audio_ctx=600, n_audio_state=128, n_audio_head=4, n_audio_layer=4,  # 600 = 12 s at 20 ms
    n_vocab=N_VOCAB, n_text_ctx=448, n_text_state=128, n_text_head=4, n_text_layer=3,
)  # fmt: skip


def tokenizer() -> Tokenizer:
    return get_tokenizer(multilingual=True, language=LANGUAGE, task="transcribe")


class CompactVocab:
    """Used token ids, sorted; compact id = position; the last compact id is "other"."""

    def __init__(self, texts: list[str], prompts: list[str]) -> None:
        self.tokenizer = tokenizer()
        used = {token for letter in sorted(set("".join(texts))) for token in self.tokenizer.encode(letter)}
        used |= {token for text in prompts for token in self.tokenizer.encode(f" {text}")}
        self.start = [*self.tokenizer.sot_sequence_including_notimestamps]
        used |= {*self.start, self.tokenizer.eot, self.tokenizer.sot_prev}
        self.used = np.array(sorted(used))
        self.other = len(self.used)
        self.compact = np.full(N_VOCAB, self.other)
        self.compact[self.used] = np.arange(len(self.used))

    @property
    def size(self) -> int:
        return len(self.used) + 1

    @property
    def other_log_count(self) -> float:
        """What to add to the logit of "other"."""
        return float(np.log(N_VOCAB - len(self.used)))

    def letter_ids(self, text: str) -> list[int]:
        """Compact ids of the characters of `text`, without start or end. No leading space: whisper forbids one as first token."""
        return self.compact[[token for letter in text.strip() for token in self.tokenizer.encode(letter)]].tolist()

    def prompt_ids(self, text: str) -> list[int]:
        """Compact ids of the word pieces of ` text`, as whisper encodes a prompt."""
        return self.compact[self.tokenizer.encode(f" {text.strip()}")].tolist()

    def small_model(self) -> Whisper:
        """The model to train, its decoder's embedding of width `size`. Random weights from torch's generator."""
        model = Whisper(replace(DIMS, n_vocab=self.size))
        torch.nn.init.normal_(model.decoder.token_embedding.weight, std=0.02)
        torch.nn.init.normal_(model.decoder.positional_embedding, std=0.01)
        return model

    def full_state(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The state of the 51 865-row model that gives the same logits, in half precision."""
        rows = state["decoder.token_embedding.weight"]
        full = rows[torch.from_numpy(self.compact)]
        return {name: (full if name == "decoder.token_embedding.weight" else value).half().clone() for name, value in state.items()}
