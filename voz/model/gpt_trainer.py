"""coqui's GPTTrainer, built from a base folder that it never writes, with its prompt mask repaired."""

from pathlib import Path
from typing import Literal

import torch

from voz.audio import limits
from voz.model import gpt_loss, lora, xtts
from voz.model.batches import Batch
from voz.model.xtts import gpt_trainer
from voz.pipeline.command import UserError

# Of a base's config.json: how it samples, and how much of a recording it listens to.
SPEAKING = ("temperature", "top_p", "top_k", "repetition_penalty", "gpt_cond_len", "gpt_cond_chunk_len", "max_ref_len")


class Trainer(gpt_trainer.GPTTrainer):
    """GPTTrainer with a prompt mask for every row of the batch, and without the DVAE: clips come with their codes.

    Upstream (coqui-tts 0.28.0 `gpt.py`; coqui-ai/TTS #3388 and #3631, closed as wontfix) the codes of the slice that conditions
    the GPT should not count in the loss. But only the last row of a batch is masked, and in units of 256 samples where a code has
    1024: the wrong codes are masked, the stop code may be among them, and a batch of one clip may have no code left, which makes
    its loss NaN. Here every row is masked, in units of 1024, never beyond the clip's last code. The stop codes always count, so no
    loss is NaN.
    """

    def forward(self, batch: Batch, masked: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """The losses of a batch, conditioned on its latents or else on its slices, see `gpt_loss.losses`."""
        return gpt_loss.losses(self.xtts.gpt, batch, self._conditioning(batch), masked=masked)

    def _conditioning(self, batch: Batch) -> torch.Tensor:
        """The latents of what the batch is conditioned on. [B, 32, C]"""
        if batch.latents.numel():
            return batch.latents
        latents: torch.Tensor = self.xtts.gpt.get_style_emb(self.conditioning_mel(batch.conditioning)).transpose(1, 2)
        return latents

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
    """coqui's configuration of a trainer, see `build`, which speaks and conditions as its base does.

    Its AdamW is torch's fused one, the same step in other last digits.
    """
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
        **{name: getattr(config, name) for name in SPEAKING},
        model_args=args,
        audio=config.audio,
        languages=config.languages,
        lr=lr,
        optimizer="AdamW",
        optimizer_params={"betas": betas, "eps": eps, "weight_decay": weight_decay, "fused": True},  # one pass over memory, not eight
        optimizer_wd_only_on_weights=True,
    )
