"""Train the pocket Whisper on the corpus as a phone's listener hears it. Resumes from its checkpoint.

    python -m pocket.whisper.train pocket/build/corpus pocket/build/whisper models/pocket/whisper.pt

Reads   pocket/build/corpus/manifest.jsonl             its texts say which tokens there are
        pocket/build/whisper/shard-*.i16, *.jsonl      (pocket/whisper/shards.py)
Writes  pocket/build/whisper/checkpoint.pt             weights, optimizer, step: the batch of a step depends on the step alone
        pocket/build/whisper/newest.pt                 every five minutes, as the last line
        pocket/build/whisper/curve.jsonl               step, cross-entropy, CER on the dev voices, hours of wall clock
        models/pocket/whisper.pt                       at the end: what `whisper.load_model(path)` reads, half precision

The encoder sees a batch cut to its longest clip (plus some silence) with the first rows of its positions, and in a tenth of the
steps, and in all of the last ones, the full 12 s that inference pads to.
"""

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import jiwer
import numpy as np
import torch
import torch.nn.functional as F
import whisper
from whisper.decoding import DecodingOptions, decode
from whisper.model import MultiHeadAttention, Whisper, disable_sdpa

from pocket.corpus.manifest import read_manifest
from pocket.corpus.sentences import fold
from pocket.whisper import alignment
from pocket.whisper.batches import LETTERS, SEED, WINDOW_S, Batch, Batches, log_mel, prompt_texts
from pocket.whisper.shards import RATE_HZ, HeardClip, Sound, read_clips
from pocket.whisper.vocabulary import DIMS, LANGUAGE, CompactVocab
from voz.model import checkpoint

STEPS = 8400
CTC_WEIGHT, GUIDANCE = 0.4, 1.0
DIAGONAL_STEPS = 1000  # attention is drawn to the diagonal at first, then to where CTC finds the letters
WARMUP_STEPS = 250
PEAK_RATE, FINAL_RATE, WEIGHT_DECAY, CLIP_NORM, SMOOTHING = 1.5e-3, 3e-5, 0.02, 1.0, 0.05
SAVE_EVERY_S = 300
DEV_CLIPS = 40
PARTS = ("model", "letters", "optimizer")  # of a Run, in its checkpoint
MEASURE_BELOW = 3.0  # cross-entropy under which the dev CER is worth its time


def encode_part(model: Whisper, mel: torch.Tensor) -> torch.Tensor:
    """model.encoder for fewer than n_audio_ctx positions. [B, 80, 2 T] -> [B, T, C]"""
    encoder = model.encoder
    x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).permute(0, 2, 1)
    x = x + encoder.positional_embedding[: x.shape[1]]
    for block in encoder.blocks:
        x = block(x)
    return encoder.ln_post(x)


def attend(attention: MultiHeadAttention, x: torch.Tensor, audio_features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-attention that also gives its weights, with their gradient. [B, N, C], [B, T, C] -> [B, N, C], [B, H, N, T]"""
    query, key, value = (
        part.unflatten(2, (attention.n_head, -1)).transpose(1, 2)
        for part in (attention.query(x), attention.key(audio_features), attention.value(audio_features))
    )
    weights = torch.softmax((query @ key.transpose(2, 3)).float() * query.shape[-1] ** -0.5, dim=-1)
    return attention.out((weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)), weights


def loss_of(
    model: Whisper, letters: torch.nn.Linear, vocab: CompactVocab, batch: Batch, *, diagonal: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """(loss to descend, mean cross-entropy over the wanted tokens).

    Two aids that the exported model does not hold: CTC over letters on the encoder (dense, and monotonic by nature), and
    half of the cross-attention heads are drawn to where each letter is heard: first to the diagonal (speech and text run
    side by side), then to CTC's own alignment. Without the second, long clips lost their place: at step 3 100 CTC read 11 % of
    the letters wrong and attention 21 %.
    """
    # Plain attention: on a CPU the backward pass of torch's fused one takes half of the step.
    with torch.autocast("cpu", torch.bfloat16), disable_sdpa():
        audio_features = encode_part(model, batch.mel)
        log_letters = letters(audio_features).float().log_softmax(-1).transpose(0, 1)
        away = alignment.away(batch, None if diagonal else log_letters.detach())
        decoder = model.decoder
        x = decoder.token_embedding(batch.given) + decoder.positional_embedding[: batch.given.shape[1]]
        astray = torch.zeros(())
        for block in decoder.blocks:
            x = x + block.attn(block.attn_ln(x), mask=decoder.mask)[0]
            heard, weights = attend(block.cross_attn, block.cross_attn_ln(x), audio_features)
            x = x + heard
            x = x + block.mlp(block.mlp_ln(x))
            astray = astray + (weights[:, : block.attn.n_head // 2] * away[:, None]).sum(-1).mean()
        here = batch.wanted >= 0
        logits = decoder.ln(x)[here] @ decoder.token_embedding.weight.T
    logits = logits.float()
    logits = torch.cat([logits[:, :-1], logits[:, -1:] + vocab.other_log_count], dim=1)
    cross_entropy = F.cross_entropy(logits, batch.wanted[here], label_smoothing=SMOOTHING)
    ctc = F.ctc_loss(log_letters, batch.letters, batch.frames, batch.letter_counts, zero_infinity=True)
    return cross_entropy + CTC_WEIGHT * ctc + GUIDANCE * astray, cross_entropy.detach()


def rate_at(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to FINAL_RATE."""
    if step < WARMUP_STEPS:
        return PEAK_RATE * (step + 1) / WARMUP_STEPS
    done = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return FINAL_RATE + (PEAK_RATE - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def export(model: Whisper, vocab: CompactVocab, path: Path) -> None:
    checkpoint.write(path, {"dims": asdict(DIMS), "model_state_dict": vocab.full_state(model.state_dict())})


@torch.no_grad()
def error_rate(path: Path, sound: Sound, clips: list[HeardClip], *, batch: int = 20) -> float:
    """CER over `clips` (letters only, lower case) of the exported model, at 12 s of padding and greedy, as the product runs it."""
    model = whisper.load_model(str(path), device="cpu").eval()
    options = DecodingOptions(language=LANGUAGE, without_timestamps=True, fp16=False)
    said: list[str] = []
    for at in range(0, len(clips), batch):
        rows = [sound.read(clip) for clip in clips[at : at + batch]]
        padded = np.stack([np.pad(row[: int(WINDOW_S * RATE_HZ)], (0, max(0, int(WINDOW_S * RATE_HZ) - len(row)))) for row in rows])
        said += [result.text for result in decode(model, log_mel(torch.from_numpy(padded)), options)]
    return float(jiwer.cer([fold(clip.text) for clip in clips], [fold(text) for text in said]))


class Run:
    """What a training is made of, and where it stands."""

    def __init__(self, vocab: CompactVocab) -> None:
        torch.manual_seed(SEED)
        self.vocab, self.step = vocab, 0
        self.model = vocab.small_model().train()
        self.letters = torch.nn.Linear(DIMS.n_audio_state, len(LETTERS) + 1)
        self.weights = [*self.model.parameters(), *self.letters.parameters()]
        self.optimizer = torch.optim.AdamW(self.weights, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY, fused=True)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one."""
        if path.exists():
            state = torch.load(path, weights_only=True)
            for name in PARTS:
                getattr(self, name).load_state_dict(state[name])
            self.step = state["step"]

    def save(self, path: Path) -> None:
        checkpoint.write(path, {name: getattr(self, name).state_dict() for name in PARTS} | {"step": self.step})

    def advance(self, batch: Batch, steps: int) -> tuple[float, float]:
        """One step; gives the cross-entropy and the whole loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.step, steps)
        loss, cross_entropy = loss_of(self.model, self.letters, self.vocab, batch, diagonal=self.step < DIAGONAL_STEPS)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, CLIP_NORM)
        self.optimizer.step()
        self.step += 1
        return cross_entropy.item(), loss.item()


def train(run: Run, batches: Batches, dev: list[HeardClip], folder: Path, steps: int) -> None:
    """Run to `steps`, saving and measuring now and then."""
    started, saved, recent = time.monotonic(), time.monotonic(), []
    while run.step < steps:
        recent.append(run.advance(batches.make(run.step, steps), steps))
        passed_s = time.monotonic() - started
        if run.step % 50 == 0:
            left_s = passed_s / len(recent) * (steps - run.step)
            print(
                f"step {run.step}/{steps} cross-entropy, loss {np.mean(recent[-50:], axis=0).round(3)} ETA {left_s / 60:.0f} min",
                flush=True,
            )
        if time.monotonic() - saved > SAVE_EVERY_S or run.step == steps:
            saved = time.monotonic()
            run.save(folder / "checkpoint.pt")
            export(run.model, run.vocab, folder / "newest.pt")
            row = {"step": run.step, "cross_entropy": round(float(np.mean([row[0] for row in recent[-100:]])), 4)}
            if row["cross_entropy"] < MEASURE_BELOW:
                row["cer_dev"] = round(error_rate(folder / "newest.pt", batches.sound, dev), 4)
            print(row, flush=True)
            with open(folder / "curve.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps({**row, "hours": round(passed_s / 3600, 3)}) + "\n")


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    clips = read_clips(args.data)
    prompts = prompt_texts([clip.text for clip in clips if clip.split == "train"])
    run = Run(CompactVocab([row.text for row in read_manifest(args.corpus)], prompts))
    run.resume(args.data / "checkpoint.pt")
    if not args.export_only:
        batches = Batches(args.data, run.vocab, clips)
        print(f"{run.vocab.size} tokens, {len(batches.clips)} clips, from step {run.step}", flush=True)
        train(run, batches, [clip for clip in clips if clip.split == "dev"][:DEV_CLIPS], args.data, args.steps)
    export(run.model, run.vocab, args.out)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--export-only", action="store_true", help="write the checkpoint's weights to OUT and stop")
    return parser.parse_args()


if __name__ == "__main__":
    main()
