"""coqui's GPTTrainer, built from a base folder that it never writes, with its prompt mask repaired."""

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F

from voz.audio import limits
from voz.model import lora, xtts
from voz.model.batches import Batch, Sample
from voz.model.dvae import STRIDE
from voz.model.xtts import gpt_trainer
from voz.pipeline.command import UserError

IGNORED = -1  # target of a position that does not count in the loss (gpt.py's ignore_index)
STOPS = 4  # stop codes after a clip that count in the loss: gpt.py takes ceil(length / 1024) + 3 codes and one more

_NO_MEL = torch.zeros(1, 1, 80, 1)  # gpt.py wants `cond_mels` beside latents too, but reads only its shape


class Trainer(gpt_trainer.GPTTrainer):
    """GPTTrainer with a prompt mask for every row of the batch, and without the DVAE: clips come with their codes.

    Upstream (coqui-tts 0.28.0 `gpt.py`; coqui-ai/TTS #3388 and #3631, closed as wontfix) the codes of the slice that conditions
    the GPT should not count in the loss. But only the last row of a batch is masked, and in units of 256 samples where a code has
    1024: the wrong codes are masked, the stop code may be among them, and a batch of one clip may have no code left, which makes
    its loss NaN. Here every row is masked, in units of 1024, never beyond the clip's last code. The stop codes always count, so no
    loss is NaN. Lengths stay on the CPU: reading one from an accelerator, as gpt.py's forward does for each clip, makes it wait.
    """

    def forward(self, batch: Batch, masked: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of a batch as sums over its targets (see `counts`), from which a mean over several batches can be made.

        Args:
            masked: False counts every code, as coqui's eval_step does.

        Returns:
            Cross entropy of the text and of the audio codes, in nats, both scalars.
        """
        gpt, device = self.xtts.gpt, batch.text.device
        lengths, stop = self.code_lengths(batch), gpt.stop_audio_token
        texts = F.pad(batch.text, (1, 1), value=gpt.stop_text_token)
        codes = F.pad(_filled(batch.codes[:, : int(lengths.max())], lengths, stop), (1, STOPS), value=stop)
        texts[:, 0], codes[:, 0] = gpt.start_text_token, gpt.start_audio_token
        text_logits, code_logits = gpt.get_logits(
            gpt.text_embedding(texts) + gpt.text_pos_embedding(texts),
            gpt.text_head,
            gpt.mel_embedding(codes) + gpt.mel_pos_embedding(codes),
            gpt.mel_head,
            prompt=self._conditioning(batch),
            attn_mask_text=_before(batch.text_lengths + 1, texts.shape[1]).to(device),
            attn_mask_mel=_before(lengths + STOPS, codes.shape[1]).to(device),
        )  # [B, tokens, L + 2], [B, codes, C + 5]
        text_targets = _filled(texts[:, 1:], batch.text_lengths + 1, IGNORED)
        code_targets = self.code_targets(batch, masked=masked)
        text_sum = F.cross_entropy(text_logits[..., :-1], text_targets, ignore_index=IGNORED, reduction="sum")
        return text_sum, F.cross_entropy(code_logits, code_targets, ignore_index=IGNORED, reduction="sum")

    def _conditioning(self, batch: Batch) -> torch.Tensor:
        """The latents of what the batch is conditioned on. [B, 32, C]"""
        if batch.latents.numel():
            return batch.latents
        latents: torch.Tensor = self.xtts.gpt.get_style_emb(self.conditioning_mel(batch.conditioning)).transpose(1, 2)
        return latents

    def counts(self, batch: Batch, *, masked: bool = True) -> tuple[int, int]:
        """Number of targets of a batch: text tokens with one stop token per clip, and audio codes."""
        return int(batch.text_lengths.sum()) + len(batch.text), int(self._counted(batch, masked=masked).sum())

    def code_targets(self, batch: Batch, *, masked: bool) -> torch.Tensor:
        """The codes to predict: those of each clip and 4 stop codes; `IGNORED` after them and, if masked, in the clip's slice.

        Returns:
            int64 [B, longest clip in codes + 5], which is gpt.py's shape.
        """
        stop, lengths = self.xtts.gpt.stop_audio_token, self.code_lengths(batch)
        codes = F.pad(_filled(batch.codes[:, : int(lengths.max())], lengths, stop), (0, STOPS + 1), value=stop)
        return codes.masked_fill(~self._counted(batch, masked=masked).to(codes.device), IGNORED)

    def _counted(self, batch: Batch, *, masked: bool) -> torch.Tensor:
        """Which of `code_targets` count in the loss. bool [B, C + 5], on the CPU"""
        lengths = self.code_lengths(batch)
        width = int(lengths.max()) + STOPS + 1
        counted = _before(lengths + STOPS, width)
        if masked:
            starts, ends = (batch.slices // STRIDE).T
            counted &= _before(starts, width) | ~_before(torch.minimum(ends, lengths), width)
        return counted

    @staticmethod
    def code_lengths(batch: Batch) -> torch.Tensor:
        """The codes of each clip. int64 [B], on the CPU"""
        return torch.ceil(batch.wav_lengths / STRIDE).long()

    def get_optimizer(self) -> torch.optim.Optimizer:
        """coqui's optimizer, for those weights alone that learn."""
        optimizer = super().get_optimizer()
        for group in optimizer.param_groups:
            group["params"] = [weight for weight in group["params"] if weight.requires_grad]
        return optimizer

    def learning(self, on: bool) -> None:
        """Put the GPT in training mode (dropout) or not. Every other part stays in eval mode, as in coqui's on_train_epoch_start."""
        self.train(False)
        self.xtts.gpt.train(on)

    @torch.no_grad()
    def conditioning_mel(self, conditioning: torch.Tensor) -> torch.Tensor:
        """Log-mel of the conditioning slices. [B, S] -> [B, 1, 80, S // 256 + 1]"""
        return self.torch_mel_spectrogram_style_encoder(conditioning.float()).unsqueeze(1)


def _before(ends: torch.Tensor, width: int) -> torch.Tensor:
    """Which places of each row come before its end. int64 [B] -> bool [B, width], on the CPU"""
    return torch.arange(width) < ends[:, None]


def _filled(rows: torch.Tensor, ends: torch.Tensor, value: int) -> torch.Tensor:
    """The rows with a value from their ends on. int64 [B, N] -> [B, N]"""
    return rows.masked_fill(~_before(ends, rows.shape[1]).to(rows.device), value)


@torch.no_grad()
def code_loss(model: xtts.Xtts, sample: Sample, latents: torch.Tensor) -> float:
    """Mean cross entropy of a clip's codes, in nats, when the GPT is conditioned as in synthesis: on another recording.

    Args:
        latents: conditioning of that recording. [1, 32, C]
    """
    device = latents.device
    text_lengths, wav_lengths = torch.tensor([len(sample.tokens)], device=device), torch.tensor([sample.length], device=device)
    _, loss, _ = model.gpt(
        sample.tokens[None].to(device),
        text_lengths,
        sample.codes[None].to(device),
        wav_lengths,
        cond_mels=_NO_MEL.to(device),
        cond_latents=latents,
    )
    return float(loss)


def build(
    base: Path,
    *,
    lr: float,
    weight_decay: float,
    betas: list[float],
    eps: float,
    layers: Literal["all"] | int = "all",
    adapters: lora.Settings | None = None,
) -> Trainer:
    """A trainer with the weights of a base folder, of which only the GPT's are trained.

    Args:
        lr, weight_decay, betas, eps: of AdamW. As in coqui's recipe, only weights decay, not biases, norms and embeddings.
        layers: how many of the GPT's upper layers learn, with the heads above them; "all" = all of the GPT.
        adapters: in these layers learn instead of their weights, and nothing else does.

    Raises:
        UserError: a file of the base is missing, damaged, or does not fit the others; the GPT has fewer layers.
    """
    xtts.require(base)
    config, widths = xtts.read_config(base)
    with xtts.widths_applied(widths):
        trainer = Trainer(settings(base, config, lr=lr, weight_decay=weight_decay, betas=betas, eps=eps))
    del trainer.dvae, trainer.torch_mel_spectrogram_dvae  # voz/model/dvae.py encodes, and checks the weights
    xtts.load_weights(trainer.xtts, base / "model.pth")
    trainer.requires_grad_(False)
    modules = _learning(trainer.xtts.gpt, layers)
    if adapters:
        lora.inject(trainer.xtts.gpt, adapters, layers)
    else:
        for module in modules:
            module.requires_grad_(True)
    trainer.xtts.gpt.gpt.config.use_cache = False  # a training step never reads the key-value cache that it would build
    for block in trainer.xtts.gpt.gpt.h:
        block.mlp.act = torch.nn.GELU(approximate="tanh")  # the same function as GPT-2's own, which makes eight passes over memory
    return trainer


def _learning(gpt: torch.nn.Module, layers: Literal["all"] | int) -> list[torch.nn.Module]:
    """The parts of a GPT that learn, see `build`."""
    if layers == "all":
        return [gpt]
    stack = gpt.gpt.h
    if layers > len(stack):
        raise UserError(
            "params.yaml: train.layers: {layers}, and the base has {count}", "write fewer, or all", layers=layers, count=len(stack)
        )
    return [*stack[-layers:], gpt.gpt.ln_f, gpt.final_norm, gpt.text_head, gpt.mel_head]


def settings(
    base: Path, config: xtts.XttsConfig, *, lr: float, weight_decay: float, betas: list[float], eps: float
) -> gpt_trainer.GPTTrainerConfig:
    """coqui's configuration of a trainer, see `build`. Its AdamW is torch's fused one, the same step in other last digits."""
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
    return gpt_trainer.GPTTrainerConfig(
        model_args=args,
        audio=config.audio,
        languages=config.languages,
        lr=lr,
        optimizer="AdamW",
        optimizer_params={"betas": betas, "eps": eps, "weight_decay": weight_decay, "fused": True},  # one pass over memory, not eight
        optimizer_wd_only_on_weights=True,
    )
