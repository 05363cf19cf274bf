"""Train the DVAE that turns log-mels into 21.5 codes per second.

    python -m pocket.xtts.train_dvae pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed   all voices, both accents
Writes  pocket/build/xtts/dvae.pt                   weights rounded to half precision, so that the exported file gives the same codes

A DVAE trained from its random codebook collapses to one code. Hence three phases: a plain autoencoder, k-means over the
encoder's outputs into the codebook, then training through the codebook, with codes nobody uses moved to where outputs are.

A mel told again is not yet speech that is understood: a reader beside the decoder has to spell the sentence's sounds from the
codes (CTC), and what a phone's noise adds is not to be told again. The reader is thrown away.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans

from pocket.arguments import arguments
from pocket.training import Progress, resume, warm_cosine
from pocket.xtts import base
from pocket.xtts.base import CODE_SAMPLES
from pocket.xtts.packed import PHONE, PackedCorpus, PackedUtterance, mel_transform
from pocket.xtts.phonemes import PHONEMES, phonemes
from voz.model import checkpoint, xtts
from voz.pipeline import command

AUTOENCODER_STEPS = 350
STEPS = 4000
BATCH_SAMPLES = 40 * 22050  # per step
MAX_SAMPLES = 6 * 22050  # of a sentence
COMMITMENT, SPELLING = 0.25, 0.3
REVIVE_EVERY, REVIVE_UNTIL = 100, 2500  # steps; a code that took < 0.05 vectors per batch on average is moved


class Reader(torch.nn.Module):
    """Spells sounds from codes: two guesses per code, since some sounds are shorter than its 46 ms."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv1d(512, width, 3, padding=1), torch.nn.GELU(), torch.nn.Conv1d(width, width, 5, padding=2), torch.nn.GELU()
        )
        self.guess = torch.nn.Conv1d(width, 2 * (len(PHONEMES) + 1), 1)

    def forward(self, sampled: torch.Tensor, lengths: torch.Tensor, spelled: list[str]) -> torch.Tensor:
        """CTC loss per sound. sampled: [B, N, 512]; lengths: codes of each sentence, [B]."""
        guesses = self.guess(self.layers(sampled.transpose(1, 2))).transpose(1, 2)
        guesses = guesses.reshape(len(sampled), -1, len(PHONEMES) + 1).log_softmax(-1).transpose(0, 1)
        target = torch.tensor([PHONEMES.index(sound) + 1 for each in spelled for sound in each])
        counts = torch.tensor([len(each) for each in spelled])
        return torch.nn.functional.ctc_loss(guesses, target, 2 * lengths, counts, zero_infinity=True)


@dataclass(frozen=True)
class Batch:
    """heard, clean: mels with and without added noise [B, 80, T]; lengths in codes [B]; spelled: sounds of each."""

    heard: torch.Tensor
    clean: torch.Tensor
    lengths: torch.Tensor
    spelled: list[str]


class Sentences:
    """Whole sentences of like length, at random level, some with noise, as a phone would record."""

    def __init__(self, corpus: PackedCorpus) -> None:
        self.corpus, self.mel = corpus, mel_transform(1024)
        self.rows = sorted((row for row in corpus.rows if row.samples <= MAX_SAMPLES), key=lambda row: (row.samples, row.id))

    def batch(self, step: int) -> Batch:
        """The batch of a step; a sentence heard through a phone has its noise already."""
        rng = np.random.default_rng((base.SEED, step))
        rows = self.near(rng)
        samples = (
            max(row.samples for row in rows) // CODE_SAMPLES * CODE_SAMPLES + CODE_SAMPLES - 256
        )  # whole codes: a mel has one frame more
        wav = torch.stack([self.corpus.read(row, 0, samples) for row in rows])
        gain = torch.from_numpy(10 ** (rng.uniform(-4, 4, (len(rows), 1)) / 20)).float()
        noisy = np.array([[not row.voice.endswith(PHONE)] for row in rows]) & (rng.random((len(rows), 1)) < 0.5)
        level = torch.from_numpy(np.where(noisy, 10 ** rng.uniform(-4, -2.3, (len(rows), 1)), 0)).float()
        noise = torch.from_numpy(rng.standard_normal(wav.shape, dtype=np.float32))
        wav = (wav * gain).clamp(-1, 1)
        lengths = torch.tensor([min(-(-row.samples // CODE_SAMPLES), -(-samples // CODE_SAMPLES)) for row in rows])
        return Batch(self.mel(wav + noise * level), self.mel(wav), lengths, [phonemes(row.text, row.accent) for row in rows])

    def near(self, rng: np.random.Generator) -> list[PackedUtterance]:
        """Sentences about as long as one drawn at random."""
        centre = int(rng.integers(0, len(self.rows)))
        count = max(4, BATCH_SAMPLES // self.rows[centre].samples)
        low = max(0, min(centre - 8 * count, len(self.rows) - 16 * count))
        return [self.rows[low + i] for i in rng.choice(16 * count, count, replace=False)]


def reconstruct(
    dvae: torch.nn.Module, mels: torch.Tensor, *, quantized: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Returns (mels again [B, 80, T], what stands for the codes [B, T / 4, 512], commitment loss, codes [B, T / 4] or None)."""
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
    vectors = torch.cat([dvae.encoder(sentences.batch(10**6 + i).heard).permute(0, 2, 1).reshape(-1, 512) for i in range(80)]).numpy()
    found = MiniBatchKMeans(base.CODES, random_state=base.SEED, batch_size=4096, n_init=1, max_iter=30).fit(vectors)
    centres = torch.from_numpy(found.cluster_centers_.astype(np.float32)).T  # [512, CODES]
    dvae.codebook.embed.copy_(centres)
    dvae.codebook.cluster_size.fill_(len(vectors) / 80 / base.CODES)
    dvae.codebook.embed_avg.copy_(centres * dvae.codebook.cluster_size)


@torch.no_grad()
def revive(dvae: torch.nn.Module, mels: torch.Tensor, step: int) -> int:
    """Move unused codes onto random outputs of the encoder; returns how many."""
    book = dvae.codebook
    dead = torch.nonzero(book.cluster_size < 0.05).flatten()
    vectors = dvae.encoder(mels).permute(0, 2, 1).reshape(-1, 512)
    picked = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(step))[: len(dead)]
    dead = dead[: len(picked)]
    book.embed[:, dead] = vectors[picked].T
    book.cluster_size[dead] = 1.0
    book.embed_avg[:, dead] = vectors[picked].T
    return len(dead)


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    base.write_skeleton(args.build)
    corpus = PackedCorpus(args.packed)
    print(f"dvae: {len(corpus.rows)} sentences, {len(corpus.pcm) / 22050 / 3600:.1f} h, {len(corpus.voices)} voices", flush=True)
    torch.manual_seed(base.SEED)
    dvae = xtts.build_dvae(*xtts.read_config(args.build)).train()
    reader, sentences = Reader(), Sentences(corpus)
    optimizer = torch.optim.AdamW([*dvae.parameters(), *reader.parameters()], lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-4)
    path, parts = args.build / "dvae.pt", {"model": dvae, "reader": reader, "optimizer": optimizer}
    done = resume(path, parts)
    progress = Progress("dvae", args.steps, 50)
    used = torch.zeros(base.CODES)
    for step in range(done, args.steps):
        if step == AUTOENCODER_STEPS:
            start_codebook(dvae, sentences)
        for group in optimizer.param_groups:
            group["lr"] = warm_cosine(step, steps=args.steps, warm=50, peak=1e-3)
        batch = sentences.batch(step)
        again, sampled, commitment, codes = reconstruct(dvae, batch.heard, quantized=step >= AUTOENCODER_STEPS)
        l1, spelling = (again - batch.clean).abs().mean(), reader(sampled, batch.lengths, batch.spelled)
        loss = l1 + torch.nn.functional.mse_loss(again, batch.clean) + COMMITMENT * commitment + SPELLING * spelling
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(dvae.parameters(), 1.0)
        optimizer.step()
        if codes is not None:
            used.mul_(0.98).add_(torch.bincount(codes.flatten(), minlength=base.CODES))
            if step % REVIVE_EVERY == 0 and step < REVIVE_UNTIL:
                revive(dvae, batch.heard, step)
        progress.add(step + 1, l1=l1.item(), spelling=spelling.item(), commitment=commitment.item(), used=(used > 0.5).sum().item())
        if (step + 1) % 500 == 0 and step + 1 < args.steps:
            checkpoint.write(path, {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1})
    if done < args.steps:
        dvae.half().float()
        checkpoint.write(path, {name: part.state_dict() for name, part in parts.items()} | {"step": args.steps})


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "packed", "build")
    parser.add_argument("--steps", type=int, default=STEPS)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
