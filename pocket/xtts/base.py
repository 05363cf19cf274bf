"""The pocket XTTS base: its configuration, its characters, its model with random weights.

Everything is coqui-tts's own class at a reduced width; `voz.model.xtts` reads the widths from `config.json`.
"""

import math
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from voz.model import xtts

# A decoder of one frame per code: 1 120 samples of 24 kHz for 1 024 of 22.05 kHz, which makes speech half a percent slower.
WIDTHS = xtts.Widths(dvae_hidden=128, decoder_channels=256, decoder_upsampling=(10, 7, 4, 4), speaker_filters=(16, 32, 64, 128))
CODES = 1024  # XTTS_v2's number
CODE_SAMPLES = 1024  # of 22 050 Hz per code: 46 ms
DECODED_SAMPLES = math.prod(WIDTHS.decoder_upsampling)  # of 24 kHz per code; coqui's nominal rates make it 1 114.6
WIDTH = 256  # of the GPT, hence of the latents that the decoder reads
SEED = 1
SPECIAL = ("[STOP]", "[UNK]", "[SPACE]", "[START]", "[es]")  # XTTS_v2 has STOP at 0 too
# What coqui's Spanish cleaner leaves of Spanish text: lower case, numbers and symbols spelled out. Punctuation that the corpus
# does not hold is left out on purpose: an untrained embedding is noise, whereas an unknown token is reported by the lint.
CHARACTERS = "abcdefghijklmnopqrstuvwxyzáéíóúüñ" + ".,;:!?¡¿'-…()"
# Mean size of the log-mel per band over the corpus would do; one constant serves as well and needs no corpus.
MEL_NORM = 4.0


def config() -> xtts.XttsConfig:
    """The configuration of XTTS_v2 with a small GPT and one language."""
    made = xtts.XttsConfig()
    args = made.model_args
    args.gpt_layers, args.gpt_n_model_channels, args.gpt_n_heads = 6, WIDTH, 4
    args.gpt_max_text_tokens, args.gpt_max_audio_tokens, args.gpt_max_prompt_tokens = 402, 605, 70
    args.gpt_num_audio_tokens, args.gpt_start_audio_token, args.gpt_stop_audio_token = CODES + 2, CODES, CODES + 1
    args.gpt_use_perceiver_resampler, args.gpt_code_stride_len = True, CODE_SAMPLES
    args.decoder_input_dim, args.d_vector_dim = WIDTH, 512
    args.output_hop_length, args.input_sample_rate = args.gpt_code_stride_len, args.output_sample_rate  # latents as they are
    args.gpt_number_text_tokens = len(SPECIAL) + len(CHARACTERS)
    args.gpt_start_text_token, args.gpt_stop_text_token = SPECIAL.index("[START]"), SPECIAL.index("[STOP]")
    made.languages = ["es"]
    made.gpt_cond_len, made.gpt_cond_chunk_len, made.max_ref_len = 30, 4, 30  # XTTS_v2's
    made.temperature, made.repetition_penalty = 0.7, 1.0  # many codes recur in every sentence; a penalty garbles them
    return made


def write_vocab(path: Path) -> None:
    """Write a character-level `vocab.json` that coqui's VoiceBpeTokenizer loads: BPE without merges."""
    vocab = {token: number for number, token in enumerate((*SPECIAL, *CHARACTERS))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(path), pretty=True)


def write_skeleton(build: Path) -> None:
    """Write what holds no learnt weight: `config.json`, `vocab.json`, `mel_stats.pth`."""
    build.mkdir(parents=True, exist_ok=True)
    xtts.write_config(build, config(), WIDTHS)
    write_vocab(build / "vocab.json")
    torch.save(torch.full((80,), MEL_NORM), build / "mel_stats.pth")


def random_model(build: Path) -> xtts.Xtts:
    """The model of a build folder with seeded random weights, in training mode, its mel statistics set."""
    torch.manual_seed(SEED)
    settings, widths = xtts.read_config(build)
    model = xtts.build_model(settings, widths, xtts.read_tokenizer(build))
    model.mel_stats.copy_(torch.load(build / "mel_stats.pth", weights_only=True))
    return model
