"""Train the pocket Whisper on the corpus as a phone's listener hears it. Resumes from its checkpoint; exports every five minutes.

    python -m pocket.train_whisper pocket/build/corpus pocket/build/whisper models/pocket/whisper.pt --steps 12000

Reads   pocket/build/corpus/manifest.jsonl             its texts say which tokens there are
        pocket/build/whisper/shard-*.i16, *.jsonl      (pocket/whisper_data.py)
Writes  pocket/build/whisper/checkpoint.pt             weights, optimizer, step: the batch of a step depends on the step alone
        pocket/build/whisper/curve.jsonl               step, cross-entropy, CER on the dev voices, hours of wall clock
        models/pocket/whisper.pt                       what `whisper.load_model(path)` reads, half precision

The encoder sees a batch cut to its longest clip (plus some silence) with the first rows of its positions, and in a tenth of the
steps, and in all of the last ones, the full 12 s that inference pads to.
"""

import argparse
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from whisper.audio import HOP_LENGTH, N_FFT, mel_filters
from whisper.decoding import DecodingOptions, decode
from whisper.model import MultiHeadAttention, Whisper, disable_sdpa

from pocket.corpus import read_manifest
from pocket.sentences import fold
from pocket.whisper_data import RATE_HZ, HeardClip, Sound, read_clips
from pocket.whisper_vocab import DIMS, LANGUAGE, CompactVocab

SEED = 7
WINDOW_S = DIMS.n_audio_ctx * 2 * HOP_LENGTH / RATE_HZ  # 12.0
BATCH_S, MAX_BATCH = 60.0, 32  # padded seconds and clips per step
CTC_WEIGHT, GUIDANCE, GUIDED_STEPS, DIAGONAL_WIDTH = 0.4, 1.0, 2500, 0.12
WARMUP_STEPS, SHORT_STEPS, FULL_SHARE = 250, 900, 0.08  # SHORT_STEPS: clips under 3 s, so that attention finds its way
SHORT_S = 3.0
PEAK_RATE, FINAL_RATE, WEIGHT_DECAY, CLIP_NORM, SMOOTHING = 1.5e-3, 3e-5, 0.02, 1.0, 0.05
PROMPT_SHARE, JOIN_SHARE, TEMPO_SHARE, HISS_SHARE, MASK_SHARE = 0.25, 0.25, 0.5, 0.3, 0.4
SAVE_EVERY_S = 300
MEASURE_BELOW = 3.0  # cross-entropy under which the dev CER is worth its time
PROMPT = "Che, ¿vos qué querés? Dale, mirá, yo ya llegué. No sabés lo que pasó ayer en la calle."  # the product's, among others


LETTERS = " abcdefghijklmnopqrstuvwxyzáéíóúüñ"  # CTC's symbols 1…; 0 is its blank


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one step needs. B clips, T encoder positions, N tokens."""

    mel: torch.Tensor  # [B, 80, 2 T]
    given: torch.Tensor  # compact token ids, [B, N]
    wanted: torch.Tensor  # compact token ids, -100 where there is no loss, [B, N]
    off_diagonal: torch.Tensor  # 0 on the diagonal of text and speech, towards 1 away from it; 0 where there is no loss, [B, N, T]
    frames: torch.Tensor  # encoder positions with sound, [B]
    letters: torch.Tensor  # [B, most letters]
    letter_counts: torch.Tensor  # [B]


class Batches:
    """Batch of step n: a pure function of n, so that a resumed run sees what an unbroken one would have seen."""

    def __init__(self, folder: Path, vocab: CompactVocab, clips: list[HeardClip]) -> None:
        self.sound = Sound(folder)
        self.clips = sorted((clip for clip in clips if clip.split == "train"), key=lambda clip: (clip.length, clip.id))
        self.lengths = np.array([clip.length for clip in self.clips])
        self.vocab = vocab

    def make(self, step: int, steps: int) -> Batch:
        rng = np.random.default_rng((SEED, step))
        full = step >= steps * (1 - FULL_SHARE) or (step > SHORT_STEPS and rng.random() < 0.1)
        samples, texts = self._draw(rng, step, full)
        pcm = [_disturb(row, rng) for row in samples]
        longest = max(len(row) for row in pcm)
        length = int(WINDOW_S * RATE_HZ) if full else min(int(WINDOW_S * RATE_HZ), longest + int(rng.uniform(0, 1) * RATE_HZ))
        length = math.ceil(length / (2 * HOP_LENGTH)) * 2 * HOP_LENGTH
        mel = log_mel(torch.from_numpy(np.stack([np.pad(row, (0, length - len(row))) for row in pcm])))
        if rng.random() < MASK_SHARE:
            low = rng.integers(0, 70, size=len(mel))
            for row, band in enumerate(low):
                mel[row, band : band + rng.integers(3, 10)] = mel[row].mean()
        given, wanted = self._tokens(texts, rng, rng.random() < PROMPT_SHARE)
        frames = torch.tensor([math.ceil(len(row) / (2 * HOP_LENGTH)) for row in pcm]).clamp(max=mel.shape[2] // 2)
        spelled = [torch.tensor([LETTERS.index(letter) + 1 for letter in fold(text)]) for text in texts]
        return Batch(
            mel=mel, given=given, wanted=wanted, off_diagonal=off_diagonal(wanted, frames, mel.shape[2] // 2), frames=frames,
            letters=torch.nn.utils.rnn.pad_sequence(spelled, batch_first=True), letter_counts=torch.tensor([len(row) for row in spelled]),
        )  # fmt: skip

    def _draw(self, rng: np.random.Generator, step: int, full: bool) -> tuple[list[np.ndarray], list[str]]:
        """Clips of about one length; sometimes each is two shorter ones in a row."""
        top = np.searchsorted(self.lengths, SHORT_S * RATE_HZ) if step < SHORT_STEPS else len(self.clips)
        anchor = int(rng.integers(top))
        join = self.lengths[anchor] < 5 * RATE_HZ and step >= SHORT_STEPS and rng.random() < JOIN_SHARE
        each_s = WINDOW_S if full else self.lengths[anchor] * 1.15 * (2 if join else 1) / RATE_HZ
        count = int(np.clip(BATCH_S // each_s, 4, MAX_BATCH))
        picked = rng.integers(max(0, anchor - 10 * count), min(top, anchor + 2 * count), size=(count, 2 if join else 1))
        samples, texts = [], []
        for row in picked:
            parts = [self.clips[index] for index in row]
            pause = np.zeros(int(rng.uniform(0.1, 0.7) * RATE_HZ), np.float32)
            pieces = [piece for part in parts for piece in (self.sound.read(part), pause)][:-1]
            samples.append(np.concatenate(pieces)[: int(11.4 * RATE_HZ)])
            texts.append(" ".join(part.text for part in parts))
        return samples, texts

    def _tokens(self, texts: list[str], rng: np.random.Generator, prompted: bool) -> tuple[torch.Tensor, torch.Tensor]:
        given, wanted = [], []
        for text in texts:
            prefix = self._prompt(rng) if prompted else []
            ids = self.vocab.ids(text)
            start = [*self.vocab.compact[self.vocab.start]]
            end = int(self.vocab.compact[self.vocab.tokenizer.eot])
            given.append([*prefix, *start, *ids])
            wanted.append([-100] * (len(prefix) + len(start) - 1) + ids + [end])
        width = max(len(row) for row in given)
        return (
            torch.tensor([row + [0] * (width - len(row)) for row in given]),
            torch.tensor([row + [-100] * (width - len(row)) for row in wanted]),
        )

    def _prompt(self, rng: np.random.Generator) -> list[int]:
        before = int(self.vocab.compact[self.vocab.tokenizer.sot_prev])
        text = PROMPT if rng.random() < 0.4 else self.clips[int(rng.integers(len(self.clips)))].text
        return [before, *self.vocab.ids(text)]


def off_diagonal(wanted: torch.Tensor, frames: torch.Tensor, positions: int) -> torch.Tensor:
    """How far each wanted token and each encoder position are from running side by side. [B, N], [B] -> [B, N, T]"""
    here = wanted >= 0
    through_text = here.cumsum(1) / here.sum(1, keepdim=True)
    through_speech = torch.arange(positions)[None] / frames[:, None]
    away = 1 - torch.exp(-((through_text[:, :, None] - through_speech[:, None]) ** 2) / (2 * DIAGONAL_WIDTH**2))
    return away * here[:, :, None]


def _disturb(pcm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another tempo and pitch (a voice more), another level, a little hiss."""
    if rng.random() < TEMPO_SHARE:
        count = int(len(pcm) / rng.uniform(0.9, 1.12))
        pcm = np.interp(np.linspace(0, len(pcm) - 1, count), np.arange(len(pcm)), pcm)
    if rng.random() < HISS_SHARE:
        pcm = pcm + rng.standard_normal(len(pcm)) * np.sqrt(np.mean(pcm**2)) * 10 ** (-rng.uniform(15, 40) / 20)
    return (pcm[: int(WINDOW_S * RATE_HZ)] * 10 ** (-rng.uniform(0, 14) / 20)).astype(np.float32)


def log_mel(pcm: torch.Tensor) -> torch.Tensor:
    """whisper.log_mel_spectrogram of each row by itself. [B, T] -> [B, 80, T / 160]"""
    stft = torch.stft(pcm, N_FFT, HOP_LENGTH, window=torch.hann_window(N_FFT), return_complex=True)
    mel = (mel_filters(pcm.device, 80) @ stft[..., :-1].abs() ** 2).clamp(min=1e-10).log10()
    return (torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


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
    model: Whisper, letters: torch.nn.Linear, vocab: CompactVocab, batch: Batch, *, guidance: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(loss to descend, mean cross-entropy over the wanted tokens).

    Two aids that the exported model does not hold: CTC over letters on the encoder (dense, and monotonic by nature), and
    half of the cross-attention heads are drawn to the diagonal, by `guidance`: speech and text run side by side.
    """
    # Plain attention: on a CPU the backward pass of torch's fused one takes half of the step.
    with torch.autocast("cpu", torch.bfloat16), disable_sdpa():
        audio_features = encode_part(model, batch.mel)
        spelled = letters(audio_features)
        decoder = model.decoder
        x = decoder.token_embedding(batch.given) + decoder.positional_embedding[: batch.given.shape[1]]
        off_diagonal = torch.zeros(())
        for block in decoder.blocks:
            x = x + block.attn(block.attn_ln(x), mask=decoder.mask)[0]
            heard, weights = attend(block.cross_attn, block.cross_attn_ln(x), audio_features)
            x = x + heard
            x = x + block.mlp(block.mlp_ln(x))
            off_diagonal = off_diagonal + (weights[:, : decoder.blocks[0].attn.n_head // 2] * batch.off_diagonal[:, None]).sum(-1).mean()
        here = batch.wanted >= 0
        logits = decoder.ln(x)[here] @ decoder.token_embedding.weight.T
    logits = logits.float()
    logits = torch.cat([logits[:, :-1], logits[:, -1:] + vocab.other_log_count], dim=1)
    cross_entropy = F.cross_entropy(logits, batch.wanted[here], label_smoothing=SMOOTHING)
    log_letters = spelled.float().log_softmax(-1).transpose(0, 1)
    ctc = F.ctc_loss(log_letters, batch.letters, batch.frames, batch.letter_counts, zero_infinity=True)
    return cross_entropy + CTC_WEIGHT * ctc + guidance * off_diagonal, cross_entropy.detach()


def rate_at(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to FINAL_RATE."""
    if step < WARMUP_STEPS:
        return PEAK_RATE * (step + 1) / WARMUP_STEPS
    done = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return FINAL_RATE + (PEAK_RATE - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def export(model: Whisper, vocab: CompactVocab, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save({"dims": asdict(DIMS), "model_state_dict": vocab.full_state(model.state_dict())}, path)


def save(content: dict, path: Path) -> None:
    draft = path.with_suffix(".part")
    torch.save(content, draft)
    os.replace(draft, path)


@torch.no_grad()
def error_rate(path: Path, sound: Sound, clips: list[HeardClip], *, prompt: str | None = None, batch: int = 20) -> float:
    """CER over `clips` (letters only, lower case) of the exported model, at 12 s of padding and greedy, as the product runs it."""
    import jiwer
    import whisper

    model = whisper.load_model(str(path), device="cpu").eval()
    options = DecodingOptions(language=LANGUAGE, without_timestamps=True, fp16=False, prompt=prompt)
    said: list[str] = []
    for at in range(0, len(clips), batch):
        rows = [sound.read(clip) for clip in clips[at : at + batch]]
        padded = np.stack([np.pad(row[: int(WINDOW_S * RATE_HZ)], (0, max(0, int(WINDOW_S * RATE_HZ) - len(row)))) for row in rows])
        said += [result.text for result in decode(model, log_mel(torch.from_numpy(padded)), options)]
    return float(jiwer.cer([fold(clip.text) for clip in clips], [fold(text) for text in said]))


def train(args: argparse.Namespace) -> None:
    clips = read_clips(args.data)
    vocab = CompactVocab([PROMPT, *(row.text for row in read_manifest(args.corpus))])
    torch.manual_seed(SEED)
    model = vocab.small_model().train()
    letters = torch.nn.Linear(DIMS.n_audio_state, len(LETTERS) + 1)
    weights = [*model.parameters(), *letters.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY, fused=True)
    checkpoint, step = args.data / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        letters.load_state_dict(state["letters"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    if args.export_only or step == 0:
        export(model, vocab, args.out)
    batches, dev = Batches(args.data, vocab, clips), [clip for clip in clips if clip.split == "dev"]
    print(f"{vocab.size} tokens, {len(batches.clips)} clips, from step {step}", flush=True)
    started, saved, recent = time.monotonic(), time.monotonic(), []
    while step < args.steps and not args.export_only:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, args.steps)
        guidance = GUIDANCE * max(0.0, 1 - step / GUIDED_STEPS)
        loss, cross_entropy = loss_of(model, letters, vocab, batches.make(step, args.steps), guidance=guidance)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)
        optimizer.step()
        step += 1
        recent.append((cross_entropy.item(), loss.item()))
        if step % 50 == 0:
            print(
                f"step {step}/{args.steps} cross-entropy, loss {np.mean(recent[-50:], axis=0).round(3)} {time.monotonic() - started:.0f} s",
                flush=True,
            )
        if time.monotonic() - saved > SAVE_EVERY_S or step == args.steps:
            saved = time.monotonic()
            save(
                {"model": model.state_dict(), "letters": letters.state_dict(), "optimizer": optimizer.state_dict(), "step": step},
                checkpoint,
            )
            export(model, vocab, args.out)
            row = {"step": step, "cross_entropy": round(float(np.mean([row[0] for row in recent[-100:]])), 4)}
            if row["cross_entropy"] < MEASURE_BELOW:
                row["cer_dev"] = round(error_rate(args.out, batches.sound, dev[:40]), 4)
            print(row, flush=True)
            with open(args.data / "curve.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps({**row, "hours": round((time.monotonic() - started) / 3600, 3)}) + "\n")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--export-only", action="store_true", help="write the checkpoint's weights and stop")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    train(args)


if __name__ == "__main__":
    main()
