"""Train the DVAE that turns log-mels into 21.5 codes per second.

    python -m pocket.train_xtts_dvae pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed   all voices, both accents
Writes  pocket/build/xtts/dvae.pt                   weights rounded to half precision, so that the exported file gives the same codes

A DVAE trained from its random codebook collapses to one code. Hence three phases: a plain autoencoder, k-means over the
encoder's outputs into the codebook, then training through the codebook, with codes nobody uses moved to where outputs are.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans

from pocket import xtts_base
from pocket.xtts_data import Corpus, Progress, mel_transform, resume, save, warm_cosine
from voz import command, xtts

AUTOENCODER_STEPS = 350
STEPS = 1500
BATCH, SAMPLES = 16, 127 * 256  # 128 mel frames, 1.5 s
COMMITMENT = 0.25
REVIVE_EVERY, REVIVE_UNTIL = 100, 1100  # steps; a code that took < 0.05 vectors per batch on average is moved


def batch_mels(corpus: Corpus, step: int, mel) -> torch.Tensor:
    """Random stretches at random level, some with faint noise, as a phone would record. [BATCH, 80, 128]"""
    rng = np.random.default_rng((xtts_base.SEED, step))
    wav = corpus.slices(rng, BATCH, SAMPLES)
    gain = torch.from_numpy(10 ** (rng.uniform(-8, 4, (BATCH, 1)) / 20)).float()
    noise_level = torch.from_numpy(np.where(rng.random((BATCH, 1)) < 0.3, 10 ** rng.uniform(-4, -2.5, (BATCH, 1)), 0)).float()
    noise = torch.from_numpy(rng.standard_normal(wav.shape, dtype=np.float32))
    return mel((wav * gain).clamp(-1, 1) + noise * noise_level)


def reconstruct(dvae: torch.nn.Module, mels: torch.Tensor, *, quantized: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Returns (mels again [B, 80, T], commitment loss, codes [B, T / 4] or None)."""
    with torch.autocast("cpu", torch.bfloat16):
        encoded = dvae.encoder(mels).permute(0, 2, 1)
    encoded = encoded.float()  # distances to the codebook need full precision
    sampled, commitment, codes = encoded, encoded.new_zeros(()), None
    if quantized:
        sampled, codes, commitment = dvae.codebook(encoded)
    with torch.autocast("cpu", torch.bfloat16):
        again = dvae.decoder(sampled.permute(0, 2, 1))
    return again.float(), commitment, codes


@torch.no_grad()
def start_codebook(dvae: torch.nn.Module, corpus: Corpus, mel) -> None:
    """Put k-means centres of the encoder's outputs into the codebook."""
    vectors = torch.cat([dvae.encoder(batch_mels(corpus, 10**6 + i, mel)).permute(0, 2, 1).reshape(-1, 512) for i in range(80)]).numpy()
    found = MiniBatchKMeans(xtts_base.CODES, random_state=xtts_base.SEED, batch_size=4096, n_init=1, max_iter=30).fit(vectors)
    centres = torch.from_numpy(found.cluster_centers_.astype(np.float32)).T  # [512, CODES]
    dvae.codebook.embed.copy_(centres)
    dvae.codebook.cluster_size.fill_(len(vectors) / 80 / xtts_base.CODES)
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
    xtts_base.write_skeleton(args.build)
    corpus = Corpus(args.packed)
    print(f"dvae: {len(corpus.rows)} sentences, {len(corpus.pcm) / 22050 / 3600:.1f} h, {len(corpus.voices)} voices", flush=True)
    torch.manual_seed(xtts_base.SEED)
    dvae = xtts.build_dvae(*xtts.read_config(args.build)).train()
    optimizer = torch.optim.AdamW(dvae.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-4)
    path, mel = args.build / "dvae.pt", mel_transform(1024)
    done = resume(path, {"model": dvae, "optimizer": optimizer})
    progress = Progress("dvae", args.steps, 50)
    used = torch.zeros(xtts_base.CODES)
    for step in range(done, args.steps):
        if step == AUTOENCODER_STEPS:
            start_codebook(dvae, corpus, mel)
        for group in optimizer.param_groups:
            group["lr"] = warm_cosine(step, steps=args.steps, warm=50, peak=1e-3)
        mels = batch_mels(corpus, step, mel)
        again, commitment, codes = reconstruct(dvae, mels, quantized=step >= AUTOENCODER_STEPS)
        l1 = (again - mels).abs().mean()
        loss = l1 + torch.nn.functional.mse_loss(again, mels) + COMMITMENT * commitment
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(dvae.parameters(), 1.0)
        optimizer.step()
        if codes is not None:
            used.mul_(0.98).add_(torch.bincount(codes.flatten(), minlength=xtts_base.CODES))
            if step % REVIVE_EVERY == 0 and step < REVIVE_UNTIL:
                revive(dvae, mels, step)
        progress.add(step + 1, l1=l1.item(), commitment=commitment.item(), used=(used > 0.5).sum().item())
        if (step + 1) % 500 == 0 and step + 1 < args.steps:
            save(path, {"model": dvae.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})
    if done < args.steps:
        dvae.half().float()
        save(path, {"model": dvae.state_dict(), "optimizer": optimizer.state_dict(), "step": args.steps})


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packed", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
