"""Which clips coqui's XTTS trainer takes (`GPTArgs` of the recipe). Lengths in samples at 22 050 Hz, text in tokens.

coqui's own dataset silently replaces a clip outside these limits by another one.
"""

from voz.audio.wav import SAMPLE_RATE_HZ

MIN_SAMPLES = SAMPLE_RATE_HZ // 2  # XTTSDataset's own: half a second
MAX_SAMPLES = 255_995  # max_wav_length
MAX_S = MAX_SAMPLES / SAMPLE_RATE_HZ  # 11.6 s
MIN_CONDITIONING_SAMPLES = 66_150  # min_conditioning_length: 3 s
MAX_CONDITIONING_SAMPLES = 132_300  # max_conditioning_length: 6 s
MAX_TEXT_TOKENS = 200  # max_text_length
