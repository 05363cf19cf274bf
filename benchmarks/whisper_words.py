"""Whisper's own word times: from the cross-attention, for its own transcript."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import whisper as openai_whisper
from whisper.timing import WordTiming, find_alignment, merge_punctuations
from whisper.tokenizer import get_tokenizer

from benchmarks.spoken_notes import Word
from voz.audio import wav
from voz.model import whisper
from voz.pipeline import parallel
from voz.text import tokens

POCKET = Path("models/pocket/whisper.pt")
OPENING, CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"  # `whisper.transcribe(word_timestamps=True)` joins these to a word
ENDS = (".", "!", "?")


def of_notes(wavs: Sequence[Path]) -> list[list[Word]]:
    """The words of each note, by the pocket Whisper, on all cores."""
    return list(parallel.map(_of_note, wavs, label="whisper's words"))


def _of_note(path: Path) -> list[Word]:
    return words(pocket_whisper(), wav.resample(wav.read(path), wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ))


@functools.cache
def pocket_whisper() -> whisper.Whisper:
    """The pocket Whisper, loaded once per process.

    Word times come from its alignment heads: the first half of the heads of each layer, which were trained to attend to each
    letter. `whisper.load_model` knows the alignment heads of OpenAI's models by name; for a file it takes all heads of the upper
    layers.
    """
    model = whisper.load(POCKET, "cpu")
    alignment_heads = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
    alignment_heads[:, : model.dims.n_text_head // 2] = True
    model.register_buffer("alignment_heads", alignment_heads.to_sparse(), persistent=False)
    return model


@torch.no_grad()
def words(model: whisper.Whisper, pcm: np.ndarray) -> list[Word]:
    """The words of a note in order. It is transcribed in pieces of at most the model's window, cut where it is quietest. 16 kHz [T]"""
    pieces, found, at = whisper.windows(pcm, whisper.window_s(model)), [], 0
    for piece, timed in zip(pieces, align(model, pieces), strict=True):
        began_s = at / wav.ASR_RATE_HZ
        for each in timed:
            found.append(Word(began_s + each.start, began_s + each.end, each.word.rstrip("\"'”)").endswith(ENDS)))
        at += len(piece)
    return found


def align(model: whisper.Whisper, pieces: list[np.ndarray]) -> list[list[WordTiming]]:
    """Transcribe and align pieces of at most one window. Returns the words of each, with their punctuation. 16 kHz [T]"""
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages, language=tokens.LANGUAGE, task="transcribe")
    window = round(whisper.window_s(model) * wav.ASR_RATE_HZ)
    mels = torch.stack(
        [openai_whisper.log_mel_spectrogram(openai_whisper.pad_or_trim(piece, window), model.dims.n_mels) for piece in pieces]
    )
    results = openai_whisper.decode(
        model, mels, openai_whisper.DecodingOptions(language=tokens.LANGUAGE, without_timestamps=True, fp16=False)
    )
    found = []
    for piece, mel, result in zip(pieces, mels, results, strict=True):
        text_tokens = [token for token in result.tokens if token < tokenizer.eot]
        timed = find_alignment(model, tokenizer, text_tokens, mel, len(piece) // openai_whisper.audio.HOP_LENGTH)
        merge_punctuations(timed, OPENING, CLOSING)
        found.append([word for word in timed if word.word.strip()])
    return found
