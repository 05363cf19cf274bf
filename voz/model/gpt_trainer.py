"""coqui's GPTTrainer, built from a base folder that it never writes, with its prompt mask repaired."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from voz.audio import limits
from voz.model import xtts
from voz.model.batches import STRIDE, Batch, Sample
from voz.model.xtts import gpt_trainer
from voz.pipeline.command import UserError

IGNORED = -1  # target of a position that takes no part in the loss (gpt.py's ignore_index)
STOPS = 4  # stop codes after a clip that count in the loss: gpt.py takes ceil(length / 1024) + 3 codes and one more

_NOTHING = torch.zeros(1, 1, 80, 1)  # as cond_mels beside latents: gpt.py looks at its shape only


class Trainer(gpt_trainer.GPTTrainer):
    """GPTTrainer with a prompt mask for every row of the batch.

    What is wrong upstream (coqui-tts 0.28.0 `gpt.py`; coqui-ai/TTS #3388 and #3631, closed as wontfix): the codes that the
    model has just heard as its conditioning should not count in the loss, but only the last row of a batch is masked, and
    in units of 256 samples where a code has 1024, so that the wrong codes are masked, the stop code may be among them, and
    a batch of one clip may have nothing left: its loss is NaN.
    Here: each row, in units of 1024, never beyond the clip's last code. The stop codes always count, so no loss is NaN.
    """

    def forward(self, batch: Batch, masked: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of a batch as sums over their targets (see `counts`), so that several batches make one mean.

        Args:
            masked: False scores every code, as coqui's eval_step does.

        Returns:
            Cross entropy of the text and of the audio codes, in nats, both scalars.
        """
        text_mean, _, logits = self.xtts.gpt(
            batch.text,
            batch.text_lengths,
            batch.codes,
            batch.wav_lengths,
            **self._voice(batch),
        )  # logits [B, codes + 2, C + 5], their targets are ours
        targets = self.code_targets(batch, masked=masked)
        mel_sum = F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
        return text_mean * int(batch.text_lengths.sum() + len(batch.text)), mel_sum

    def _voice(self, batch: Batch) -> dict[str, torch.Tensor]:
        """What the GPT hears of the voice, as gpt.py's arguments."""
        if batch.latents.numel():
            return {"cond_latents": batch.latents, "cond_mels": _NOTHING.to(batch.latents.device)}
        return {"cond_mels": self.conditioning_mel(batch.conditioning)}

    def counts(self, batch: Batch, *, masked: bool = True) -> tuple[int, int]:
        """Number of targets of a batch: text tokens with one stop token each, and audio codes."""
        return int(batch.text_lengths.sum()) + len(batch.text), int((self.code_targets(batch, masked=masked) != IGNORED).sum())

    def code_targets(self, batch: Batch, *, masked: bool) -> torch.Tensor:
        """The codes to predict: those of each clip and 4 stop codes, `IGNORED` after them and where the prompt was.

        Returns:
            int64 [B, longest clip in codes + 5], gpt.py's own shape.
        """
        lengths = torch.ceil(batch.wav_lengths / STRIDE).long()
        targets = torch.full((len(lengths), int(lengths.max()) + STOPS + 1), IGNORED, device=batch.codes.device)
        for row, length in enumerate(lengths.tolist()):
            targets[row, :length] = batch.codes[row, :length]
            targets[row, length : length + STOPS] = self.xtts.gpt.stop_audio_token
            if masked:
                start, end = (batch.slices[row] // STRIDE).tolist()
                targets[row, start : min(end, length)] = IGNORED
        return targets

    def learning(self, on: bool) -> None:
        """Dropout of the GPT on or off; every other part stays in eval mode, as in coqui's on_train_epoch_start."""
        self.train(False)
        self.xtts.gpt.train(on)

    @torch.no_grad()
    def conditioning_mel(self, conditioning: torch.Tensor) -> torch.Tensor:
        """Log-mel of the conditioning slices. [B, S] -> [B, 1, 80, S // 256 + 1]"""
        return self.torch_mel_spectrogram_style_encoder(conditioning.float()).unsqueeze(1)

    @torch.no_grad()
    def codes(self, pcm: np.ndarray) -> torch.Tensor:
        """What the DVAE hears in a clip, alone: its codes do not depend on the clips beside it. [T] -> int64 [ceil(T / 1024)]"""
        device = next(self.dvae.parameters()).device
        mel = self.torch_mel_spectrogram_dvae(torch.from_numpy(pcm)[None].to(device))
        return self.dvae.get_codebook_indices(mel)[0, : -(-len(pcm) // STRIDE)].cpu()

    @torch.no_grad()
    def latents(self, pcm: np.ndarray) -> torch.Tensor:
        """What the GPT hears of the voice in a clip, as when it speaks with that reference. [T] -> [32, C], on the CPU"""
        return xtts.conditioning(self.xtts, pcm).latents[0].cpu()

    @torch.no_grad()
    def loss_given(self, sample: Sample, latents: torch.Tensor) -> float:
        """Mean cross entropy of a clip's codes when the voice comes from elsewhere, as it does when the model speaks.

        Args:
            latents: conditioning of another recording. [1, 32, C]
        """
        device = latents.device
        lengths = torch.tensor([len(sample.tokens)], device=device), torch.tensor([sample.length], device=device)
        _, loss, _ = self.xtts.gpt(
            sample.tokens[None].to(device),
            lengths[0],
            sample.codes[None].to(device),
            lengths[1],
            cond_mels=_NOTHING.to(device),
            cond_latents=latents,
        )
        return float(loss)


def build(base: Path, *, lr: float, weight_decay: float, betas: list[float], eps: float) -> Trainer:
    """A trainer with the weights of a base folder; only its GPT learns.

    Args:
        lr, weight_decay, betas, eps: of AdamW. As in coqui's recipe weights decay; biases, norms and embeddings do not.

    Raises:
        UserError: a file of the base is missing, damaged, or does not fit the others.
    """
    xtts.require(base)
    config, widths = xtts.read_config(base)
    args = gpt_trainer.GPTArgs(
        **{
            **config.model_args.to_dict(),
            "min_conditioning_length": limits.MIN_CONDITIONING_SAMPLES,
            "max_conditioning_length": limits.MAX_CONDITIONING_SAMPLES,
            "max_wav_length": limits.MAX_SAMPLES,
            "max_text_length": limits.MAX_TEXT_TOKENS,
            "tokenizer_file": str(base / "vocab.json"),
            "mel_norm_file": str(base / "mel_stats.pth"),
            "dvae_checkpoint": str(base / "dvae.pth"),
            "gpt_checkpoint": "",
        }
    )
    settings = gpt_trainer.GPTTrainerConfig(
        model_args=args,
        audio=config.audio,
        languages=config.languages,
        lr=lr,
        optimizer="AdamW",
        optimizer_params={"betas": betas, "eps": eps, "weight_decay": weight_decay},
        optimizer_wd_only_on_weights=True,
    )
    _check_parts(base, xtts.build_dvae(config, widths))
    with xtts.widths_applied(widths):
        trainer = Trainer(settings)
    xtts.load_weights(trainer.xtts, base / "model.pth")
    trainer.requires_grad_(False)
    trainer.xtts.gpt.requires_grad_(True)
    trainer.xtts.gpt.gpt.config.use_cache = False  # a training step never reads the cache it would build
    return trainer


def _check_parts(base: Path, dvae: torch.nn.Module) -> None:
    """coqui loads `dvae.pth` with strict=False: a file of another model would be taken for random weights in silence."""
    try:
        missing, _ = dvae.load_state_dict(xtts.read_checkpoint(base / "dvae.pth"), strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise UserError(f"{base / 'dvae.pth'}: does not fit config.json ({reason})", "use files of one model") from error
    norms = xtts.read_checkpoint(base / "mel_stats.pth")
    if missing or not isinstance(norms, torch.Tensor) or norms.shape != (80,):
        what = f"dvae.pth: {len(missing)} weights missing" if missing else "mel_stats.pth: no 80 numbers"
        raise UserError(f"{base}/{what}", "use files of one model")
