"""The pocket Whisper's training loss: cross-entropy, CTC on the encoder, guided cross-attention."""

import torch
import torch.nn.functional as F
from whisper.model import MultiHeadAttention, Whisper, disable_sdpa

from pocket.whisper import alignment
from pocket.whisper.batches import WhisperBatch
from pocket.whisper.vocabulary import CompactVocab

CTC_WEIGHT, GUIDANCE_WEIGHT = 0.4, 1.0
SMOOTHING = 0.05


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
    model: Whisper, letters: torch.nn.Linear, vocab: CompactVocab, batch: WhisperBatch, *, diagonal: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """(loss to descend, mean cross-entropy over the wanted tokens).

    Two aids that are not exported: CTC over letters on the encoder (dense, and monotonic by nature), and guidance of half of the
    cross-attention heads to the position of each letter: first to the diagonal (speech and text run side by side), then to CTC's own
    alignment. Without the second, attention lost its place in long clips: at step 3 100 CTC had 11 % of the letters wrong, attention 21 %.
    """
    # Plain attention: on a CPU the backward pass of torch's fused attention takes half of the step.
    with torch.autocast("cpu", torch.bfloat16), disable_sdpa():
        audio_features = encode_part(model, batch.mel)
        log_letters = letters(audio_features).float().log_softmax(-1).transpose(0, 1)
        distance = alignment.distance(batch, None if diagonal else log_letters.detach())
        decoder = model.decoder
        x = decoder.token_embedding(batch.given) + decoder.positional_embedding[: batch.given.shape[1]]
        guidance = torch.zeros(())
        for block in decoder.blocks:
            x = x + block.attn(block.attn_ln(x), mask=decoder.mask)[0]
            attended, weights = attend(block.cross_attn, block.cross_attn_ln(x), audio_features)
            x = x + attended
            x = x + block.mlp(block.mlp_ln(x))
            guidance = guidance + (weights[:, : block.attn.n_head // 2] * distance[:, None]).sum(-1).mean()
        counted = batch.wanted >= 0
        logits = decoder.ln(x)[counted] @ decoder.token_embedding.weight.T
    logits = logits.float()
    logits = torch.cat([logits[:, :-1], logits[:, -1:] + vocab.other_log_count], dim=1)
    cross_entropy = F.cross_entropy(logits, batch.wanted[counted], label_smoothing=SMOOTHING)
    ctc = F.ctc_loss(log_letters, batch.letters, batch.frames, batch.letter_counts, zero_infinity=True)
    return cross_entropy + CTC_WEIGHT * ctc + GUIDANCE_WEIGHT * guidance, cross_entropy.detach()
