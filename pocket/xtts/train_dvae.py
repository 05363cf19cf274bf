"""Train the DVAE that turns log-mels into 21.5 codes per second.

    python -m pocket.xtts.train_dvae pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed                   all voices, both accents
Writes  pocket/build/xtts/dvae.pt, dvae.jsonl    the weights rounded to half precision at the end, so that the export gives the same codes

A DVAE trained from its random codebook collapses to one code. Hence three phases: a plain autoencoder, k-means over the
encoder's outputs into the codebook, then training through the codebook, with unused codes moved onto outputs of the encoder.

A good reconstruction is not yet intelligible speech: a second head must spell the sentence's phonemes from the codes (CTC),
and noise that a phone adds is not to be reconstructed. That head is not exported.
"""

import argparse
import functools
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans

from pocket.arguments import arguments
from pocket.training import Numbers, Training, set_rate, warm_cosine
from pocket.xtts import base
from pocket.xtts.base import CODE_SAMPLES
from pocket.xtts.packed import FRAME, PHONE, PackedCorpus, PackedRecording, mel_transform
from pocket.xtts.phonemes import PHONEMES, phonemes
from voz.model import xtts
from voz.pipeline import command

AUTOENCODER_STEPS = 350
STEPS = 4000
SAVE_EVERY = 500  # steps, about three minutes
BATCH_SAMPLES = 40 * 22050  # per step
MAX_SAMPLES = 6 * 22050  # of a sentence
COMMITMENT_WEIGHT, SPELLING_WEIGHT = 0.25, 0.3
REVIVE_EVERY, REVIVE_UNTIL = 100, 2500  # steps; a code that took < 0.05 vectors per batch on average is moved


class Speller(torch.nn.Module):
    """Spells phonemes from codes: two guesses per code, since some phonemes are shorter than its 46 ms."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv1d(512, width, 3, padding=1), torch.nn.GELU(), torch.nn.Conv1d(width, width, 5, padding=2), torch.nn.GELU()
        )
        self.guess = torch.nn.Conv1d(width, 2 * (len(PHONEMES) + 1), 1)

    def forward(self, sampled: torch.Tensor, lengths: torch.Tensor, spelled: list[str]) -> torch.Tensor:
        """CTC loss per phoneme. sampled: [B, N, 512]; lengths: codes of each sentence, [B]."""
        guesses = self.guess(self.layers(sampled.transpose(1, 2))).transpose(1, 2)
        guesses = guesses.reshape(len(sampled), -1, len(PHONEMES) + 1).log_softmax(-1).transpose(0, 1)
        target = torch.tensor([PHONEMES.index(phoneme) + 1 for each in spelled for phoneme in each])
        counts = torch.tensor([len(each) for each in spelled])
        return torch.nn.functional.ctc_loss(guesses, target, 2 * lengths, counts, zero_infinity=True)


@dataclass(frozen=True)
class DvaeBatch:
    """noisy, clean: mels with and without added noise [B, 80, T]; lengths in codes [B]; spelled: phonemes of each."""

    noisy: torch.Tensor
    clean: torch.Tensor
    lengths: torch.Tensor
    spelled: list[str]


class Sentences:
    """Whole sentences of similar length, at random levels, half of them with noise."""

    def __init__(self, corpus: PackedCorpus) -> None:
        self.corpus, self.mel = corpus, mel_transform(1024)
        self.rows = sorted((row for row in corpus.rows if row.samples <= MAX_SAMPLES), key=lambda row: (row.samples, row.id))

    def batch(self, step: int) -> DvaeBatch:
        """The batch of a step. A sentence that came through a phone has its noise already."""
        rng = np.random.default_rng((base.SEED, step))
        rows = self.near(rng)
        longest = max(row.samples for row in rows)
        samples = longest // CODE_SAMPLES * CODE_SAMPLES + CODE_SAMPLES - FRAME  # whole codes: a mel has one frame more
        wav = torch.stack([self.corpus.read(row, 0, samples) for row in rows])
        gain = torch.from_numpy(10 ** (rng.uniform(-4, 4, (len(rows), 1)) / 20)).float()
        noisy = np.array([[not row.voice.endswith(PHONE)] for row in rows]) & (rng.random((len(rows), 1)) < 0.5)
        level = torch.from_numpy(np.where(noisy, 10 ** rng.uniform(-4, -2.3, (len(rows), 1)), 0)).float()
        noise = torch.from_numpy(rng.standard_normal(wav.shape, dtype=np.float32))
        wav = (wav * gain).clamp(-1, 1)
        lengths = torch.tensor([min(-(-row.samples // CODE_SAMPLES), -(-samples // CODE_SAMPLES)) for row in rows])
        return DvaeBatch(self.mel(wav + noise * level), self.mel(wav), lengths, [phonemes(row.text, row.accent) for row in rows])

    def near(self, rng: np.random.Generator) -> list[PackedRecording]:
        """Sentences about as long as one drawn at random."""
        centre = int(rng.integers(0, len(self.rows)))
        count = max(4, BATCH_SAMPLES // self.rows[centre].samples)
        low = max(0, min(centre - 8 * count, len(self.rows) - 16 * count))
        return [self.rows[low + i] for i in rng.choice(16 * count, count, replace=False)]


def reconstruct(
    dvae: torch.nn.Module, mels: torch.Tensor, *, quantized: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Returns (reconstruction [B, 80, T], the codes' vectors [B, T / 4, 512], commitment loss, codes [B, T / 4] or None)."""
    with torch.autocast("cpu", torch.bfloat16):
        encoded = dvae.encoder(mels).permute(0, 2, 1)
    encoded = encoded.float()  # distances to the codebook need full precision
    sampled, commitment, codes = encoded, encoded.new_zeros(()), None
    if quantized:
        sampled, codes, commitment = dvae.codebook(encoded)
    with torch.autocast("cpu", torch.bfloat16):
        again = dvae.decoder(sampled.permute(0, 2, 1))
    return again.float(), sampled, commitment, codes


@torch.no_grad()
def start_codebook(dvae: torch.nn.Module, sentences: Sentences) -> None:
    """Put k-means centres of the encoder's outputs into the codebook."""
    vectors = torch.cat([dvae.encoder(sentences.batch(10**6 + i).noisy).permute(0, 2, 1).reshape(-1, 512) for i in range(80)]).numpy()
    found = MiniBatchKMeans(base.CODES, random_state=base.SEED, batch_size=4096, n_init=1, max_iter=30).fit(vectors)
    centres = torch.from_numpy(found.cluster_centers_.astype(np.float32)).T  # [512, CODES]
    dvae.codebook.embed.copy_(centres)
    dvae.codebook.cluster_size.fill_(len(vectors) / 80 / base.CODES)
    dvae.codebook.embed_avg.copy_(centres * dvae.codebook.cluster_size)


@torch.no_grad()
def revive(dvae: torch.nn.Module, mels: torch.Tensor, step: int) -> None:
    """Move unused codes onto random outputs of the encoder."""
    book = dvae.codebook
    unused = torch.nonzero(book.cluster_size < 0.05).flatten()
    vectors = dvae.encoder(mels).permute(0, 2, 1).reshape(-1, 512)
    picked = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(step))[: len(unused)]
    unused = unused[: len(picked)]
    book.embed[:, unused] = vectors[picked].T
    book.cluster_size[unused] = 1.0
    book.embed_avg[:, unused] = vectors[picked].T


@dataclass
class Learner:
    """The DVAE, what it learns with, and how often each code was used of late [CODES]."""

    dvae: torch.nn.Module
    speller: Speller
    optimizer: torch.optim.Optimizer
    used: torch.Tensor

    def advance(self, sentences: Sentences, steps: int, step: int) -> Numbers:
        """One step of `steps`."""
        if step == AUTOENCODER_STEPS:
            start_codebook(self.dvae, sentences)
        set_rate(self.optimizer, warm_cosine(step, steps=steps, warm=50, peak=1e-3))
        batch = sentences.batch(step)
        again, sampled, commitment, codes = reconstruct(self.dvae, batch.noisy, quantized=step >= AUTOENCODER_STEPS)
        l1, spelling = (again - batch.clean).abs().mean(), self.speller(sampled, batch.lengths, batch.spelled)
        loss = l1 + torch.nn.functional.mse_loss(again, batch.clean) + COMMITMENT_WEIGHT * commitment + SPELLING_WEIGHT * spelling
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.dvae.parameters(), 1.0)
        self.optimizer.step()
        if codes is not None:
            self.used.mul_(0.98).add_(torch.bincount(codes.flatten(), minlength=base.CODES))
            if step % REVIVE_EVERY == 0 and step < REVIVE_UNTIL:
                revive(self.dvae, batch.noisy, step)
        if step + 1 == steps:
            self.dvae.half().float()
        used = (self.used > 0.5).sum().item()
        return {"l1": l1.item(), "spelling": spelling.item(), "commitment": commitment.item(), "used": used}


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    base.write_skeleton(args.build)
    corpus = PackedCorpus(args.packed)
    print(f"dvae: {len(corpus.rows)} sentences, {len(corpus.pcm) / 22050 / 3600:.1f} h, {len(corpus.voices)} voices", flush=True)
    torch.manual_seed(base.SEED)
    dvae, speller = xtts.build_dvae(*xtts.read_config(args.build)).train(), Speller()
    optimizer = torch.optim.AdamW([*dvae.parameters(), *speller.parameters()], lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-4)
    learner = Learner(dvae, speller, optimizer, torch.zeros(base.CODES))
    parts = {"model": dvae, "speller": speller, "optimizer": optimizer}
    training = Training(args.build / "dvae.pt", parts, steps=args.steps, save_every=SAVE_EVERY, print_every=50)
    training.resume()
    training.run(functools.partial(learner.advance, Sentences(corpus), args.steps))


def parse_args() -> argparse.Namespace:
    return arguments(__doc__, "packed", "build", steps=STEPS).parse_args()


if __name__ == "__main__":
    command.run(main)
