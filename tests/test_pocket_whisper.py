"""pocket/whisper: the reduced vocabulary, the guidance of attention, and what the pauses taught the weights in git."""

from pathlib import Path

import numpy as np
import pytest
import torch
from whisper.model import Whisper

from pocket.corpus import speech, voices
from pocket.whisper import alignment
from pocket.whisper.batches import letter_of
from pocket.whisper.vocabulary import DIMS, N_VOCAB, CompactVocab
from voz.audio import wav
from voz.model import whisper

ROOT = Path(__file__).parents[1]


def test_the_cut_vocabulary_gives_the_full_models_logits():
    torch.manual_seed(0)
    vocab = CompactVocab(["Che, ¿vos querés mate?"], ["¿Vos?"])
    small = vocab.small_model().eval()
    full = Whisper(DIMS)
    full.load_state_dict({name: value.float() for name, value in vocab.full_state(small.state_dict()).items()})
    tokens = [*vocab.start, *(token for letter in "vos" for token in vocab.tokenizer.encode(letter))]
    features = torch.randn(1, 20, DIMS.n_audio_state)
    with torch.no_grad():
        of_small = small.decoder(torch.from_numpy(vocab.compact[tokens])[None], features)[0, -1]
        of_full = full.eval().decoder(torch.tensor([tokens]), features)[0, -1]
    assert of_full.shape == (N_VOCAB,)
    assert torch.allclose(of_full[vocab.used], of_small[: vocab.other], atol=2e-2)  # half precision in between
    unused = np.setdiff1d(np.arange(N_VOCAB), vocab.used)
    assert torch.allclose(of_full[unused], of_small[vocab.other], atol=2e-2)
    assert vocab.other_log_count == pytest.approx(np.log(len(unused)))


def test_the_model_writes_letters_and_is_prompted_in_word_pieces():
    text = "Che, ¿vos querés un añejo? ¡Dale!"
    vocab = CompactVocab([text], ["¿Vos querés?"])
    letters = vocab.letter_ids(f" {text} ")
    assert vocab.other not in letters and vocab.tokenizer.decode(vocab.used[letters].tolist()) == text
    assert letters[0] != vocab.compact[vocab.tokenizer.encode(" ")[0]]  # whisper's decoding forbids a blank at the start
    assert vocab.used[vocab.prompt_ids("¿Vos querés?")].tolist() == vocab.tokenizer.encode(" ¿Vos querés?")
    assert DIMS.n_text_ctx // 2 >= 11.3 * 18  # whisper writes at most half of its positions: the longest clip at a fast 18 letters a second


def test_a_pause_in_front_of_a_clip_is_not_heard_as_a_letter():
    texts = ["El jefe ni se dio cuenta, por suerte.", "Hola, Yanina, soy yo.", "La verdad, estoy muy cansado.", "Vení a casa el domingo."]
    room = 3e-4 * np.random.default_rng(0).standard_normal(wav.SAMPLE_RATE_HZ // 4).astype(np.float32)
    clips = [np.concatenate([room, speech.speak(each, voices.DEMO_SPEAKER), room]) for each in texts]
    at_16k = [wav.resample(clip, wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ) for clip in clips]
    listener = whisper.load(ROOT / "models" / "pocket" / "whisper.pt", "cpu")
    heard = whisper.transcribe(listener, at_16k, prompt="", temperatures=[0.0], seeds=[0] * len(texts))
    assert [each.text.split()[0] for each in heard] == [each.split()[0] for each in texts]


def test_ctc_finds_each_letter_where_it_is_heard():
    heard = [0, 1, 1, 0, 2, 0, 2, 2, 3, 0]  # "abbc": the two b apart by a blank
    log_letters = np.full((10, 2, 4), -9.0, np.float32)
    log_letters[np.arange(10), 0, heard] = -0.1
    log_letters[np.arange(10), 1, [1, 1, 2, *heard[3:]]] = -0.1
    found = alignment.align(log_letters, np.array([[1, 2, 2, 3], [1, 2, 0, 0]]), np.array([4, 2]), np.array([10, 3]))
    assert found[0].tolist() == [1.5, 4.0, 6.5, 8.0, 9.0]
    assert found[1].tolist() == [0.5, 2.0, 2.0, 2.0, 2.0]


def test_marks_belong_to_the_letter_before_them():
    text = "¿Vos? Sí, che."
    wanted = torch.tensor([[-100, *range(len(text)), 99, -100]])
    found = letter_of([text], wanted)[0].tolist()
    assert found == [-1, 0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10, -1]
