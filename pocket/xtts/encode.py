"""Codes, text tokens and expected alignments of the corpus, computed once from the trained DVAE.

    python -m pocket.xtts.encode pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed, pocket/build/xtts/{dvae.pt,config.json,vocab.json}
Writes  pocket/build/xtts/codes-{ye,she}.pt    per sentence: id, voice, role, accent, split, codes [N], text tokens [n],
                                               expected text place per code [N]

The expected place comes from a least-squares fit of each character's length over the corpus: a sentence's places are the
running sum of its characters' lengths, scaled to the part of the clip that is not silent. It is good to a character or two, which is
what a guided-attention loss (Tachibana et al. 2017, arXiv:1710.08969) needs.
"""

import argparse
from typing import Any

import numpy as np
import torch

from pocket.arguments import arguments
from pocket.xtts import base
from pocket.xtts.base import CODE_SAMPLES
from pocket.xtts.packed import PackedCorpus, PackedRecording, mel_transform
from voz.model import checkpoint, xtts
from voz.model.xtts import VoiceBpeTokenizer
from voz.pipeline import command

SILENCE = 0.01  # of full scale, peak within one code's 46 ms
NO_SOUND = [len(base.SPECIAL) + base.CHARACTERS.index(mark) for mark in "¡¿"]
MAX_CODES = 560  # the GPT has 605 places


@torch.no_grad()
def encode(corpus: PackedCorpus, rows: list[PackedRecording], dvae: torch.nn.Module) -> list[torch.Tensor]:
    """Codes of each sentence, ceil(samples / 1024) of them, as coqui's trainer keeps. Sentences of similar length share a batch."""
    mel, codes = mel_transform(1024), [torch.empty(0)] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: rows[i].samples)
    for first in range(0, len(order), 16):
        batch = order[first : first + 16]
        longest = max(rows[i].samples for i in batch)
        found = dvae.get_codebook_indices(mel(torch.stack([corpus.read(rows[i], 0, longest) for i in batch])))
        for i, row_codes in zip(batch, found, strict=True):
            codes[i] = row_codes[: -(-rows[i].samples // CODE_SAMPLES)].to(torch.int16)
    return codes


def spoken_span(corpus: PackedCorpus, row: PackedRecording) -> tuple[int, int]:
    """First and one past the last code that is not silent."""
    pcm = np.abs(corpus.read(row).numpy())
    peaks = np.array([pcm[i : i + CODE_SAMPLES].max() for i in range(0, len(pcm), CODE_SAMPLES)])
    loud = np.nonzero(peaks > SILENCE)[0]
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(peaks))


def character_lengths(tokens: list[list[int]], spans: list[tuple[int, int]], voices: list[str], vocabulary: int) -> np.ndarray:
    """Mean length of each token in codes, relative to its voice's pace: non-negative least squares by clipping. [vocabulary]"""
    counts = np.stack([np.bincount(ids, minlength=vocabulary) for ids in tokens]).astype(np.float64)
    counts[:, NO_SOUND] = 0  # opening marks: their closing partners hold the pause
    lengths = np.array([end - start for start, end in spans], dtype=np.float64)
    for voice in set(voices):
        own = np.array([v == voice for v in voices])
        lengths[own] /= lengths[own].sum() / counts[own].sum()  # so that a token of any voice is 1 long on average
    fitted = np.linalg.solve(counts.T @ counts + 5 * np.eye(vocabulary), counts.T @ lengths + 5 * 0.5)
    fitted[NO_SOUND] = 0.0
    return np.clip(fitted, 0.02, 8.0)


def places(ids: list[int], span: tuple[int, int], codes: int, length: np.ndarray) -> np.ndarray:
    """Expected place in [START] ids [STOP] of each code: START is 0, ids[0] is 1. float32 [codes]"""
    edges = np.concatenate([[0.0], np.cumsum(length[ids])])
    edges = edges / edges[-1] * (span[1] - span[0]) + span[0]  # code time at which token i begins
    return np.interp(np.arange(codes) + 0.5, edges, np.arange(len(ids) + 1) + 0.5).astype(np.float32)


def describe(
    corpus: PackedCorpus, rows: list[PackedRecording], tokenizer: VoiceBpeTokenizer, dvae: torch.nn.Module
) -> list[dict[str, Any]]:
    """Everything the GPT learns from, per sentence."""
    ids = [tokenizer.encode(row.text, lang="es") for row in rows]
    codes = encode(corpus, rows, dvae)
    spans = [spoken_span(corpus, row) for row in rows]
    length = character_lengths(ids, spans, [row.voice for row in rows], len(tokenizer))
    print({tokenizer.tokenizer.id_to_token(i): round(float(x), 2) for i, x in enumerate(length)})
    print(f"{sum(1 in tokens for tokens in ids)} of {len(rows)} sentences hold unknown characters")
    return [
        {key: getattr(row, key) for key in ("id", "voice", "role", "accent", "split")}
        | {"codes": c, "text": torch.tensor(t, dtype=torch.int16), "places": torch.from_numpy(places(t, s, len(c), length))}
        for row, c, t, s in zip(rows, codes, ids, spans, strict=True)
    ]


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    corpus = PackedCorpus(args.packed, splits=("train", "dev"))
    dvae = xtts.build_dvae(*xtts.read_config(args.build))
    dvae.load_state_dict(torch.load(args.build / "dvae.pt", weights_only=True)["model"])
    for accent in ("ye", "she"):  # in two files, so that the GPT, which is trained on the first alone, need not wait for the second
        rows = [row for row in corpus.rows if row.accent == accent and row.samples <= MAX_CODES * CODE_SAMPLES]
        found = describe(corpus, rows, xtts.read_tokenizer(args.build), dvae.eval())
        checkpoint.write(args.build / f"codes-{accent}.pt", {"rows": found})
        codes = torch.cat([row["codes"] for row in found]).long()
        share = torch.bincount(codes, minlength=base.CODES) / len(codes)
        entropy = -(share[share > 0] * share[share > 0].log()).sum()
        print(
            f"{accent}: {len(rows)} sentences, {len(codes)} codes, {int((share > 0).sum())} kinds, entropy {entropy:.2f} nats", flush=True
        )


def parse_args() -> argparse.Namespace:
    return arguments(__doc__, "packed", "build").parse_args()


if __name__ == "__main__":
    command.run(main)
