"""pocket/xtts: the speaker encoder, and the decoder with its targets."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from pocket.corpus import speech, voices
from pocket.xtts import base, decoder_losses, export, pitch_grid, train_decoder, train_speaker, unpack, yin
from voz.audio import wav
from voz.metrics import espeak, measures
from voz.model import checkpoint, xtts


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> xtts.Xtts:
    build = tmp_path_factory.mktemp("build")
    base.write_skeleton(build)
    return base.random_model(build)


def test_norm_of_the_embedding_is_folded_exactly(model: xtts.Xtts) -> None:
    encoder = model.hifigan_decoder.speaker_encoder.eval()
    norm = torch.nn.BatchNorm1d(512, affine=False).eval()
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.1, 2)
    wav = torch.randn(2, 16_000) * 0.1
    with torch.no_grad():
        wanted = norm(encoder(wav.clone()))
        state = train_speaker.folded(encoder, norm)
        encoder.load_state_dict(state)
        assert torch.allclose(encoder(wav.clone()), wanted, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("rates", [None, (256, 22_050)])
def test_the_decoder_trains_on_what_coquis_forward_makes(
    model: xtts.Xtts, rates: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hifi = model.hifigan_decoder
    if rates:
        monkeypatch.setattr(hifi, "output_hop_length", rates[0])
        monkeypatch.setattr(hifi, "input_sample_rate", rates[1])
    latents, voice = torch.randn(1, 5, base.WIDTH), torch.randn(1, 512, 1)
    made = train_decoder.generate(hifi, latents, voice)
    assert torch.allclose(made, hifi(latents, g=voice).flatten()[None], atol=1e-6)
    assert rates or made.shape == (1, 5 * base.DECODED_SAMPLES)


def test_a_vocoded_voice_keeps_its_spectrum_and_loses_its_phases() -> None:
    speaker = espeak.Speaker(rate_wpm=150, pitch=40)
    spoken, rate_hz, _ = espeak.synthesize("mañana llega la lluvia", speaker, espeak.PHONEME)
    given = torch.from_numpy(wav.resample(spoken, rate_hz, wav.SAMPLE_RATE_HZ))[None, :20_000].repeat(2, 1)
    made = train_speaker.vocoded(given, np.random.default_rng(1), share=0.5)
    kept = [torch.equal(a, b) for a, b in zip(made, given, strict=True)]
    assert sorted(kept) == [False, True]
    other = made[kept.index(False)]
    assert torch.nn.functional.cosine_similarity(other, given[0], dim=0) < 0.9
    assert measures.mcd_db(other.numpy(), given[0].numpy()) < 4


def test_the_speaker_distance_is_0_for_the_voice_itself_and_has_a_gradient(model: xtts.Xtts) -> None:
    distance_of = decoder_losses.SpeakerDistance(model.hifigan_decoder.speaker_encoder, torch.device("cpu"))
    wanted = torch.randn(2, 24_000) * 0.1
    made = (torch.randn(2, 24_000) * torch.linspace(0, 0.2, 24_000)).requires_grad_()
    voices = distance_of.encoder(distance_of.resample(wanted), l2_norm=True)[..., None].detach()
    assert distance_of(wanted, voices).item() == pytest.approx(0, abs=1e-5)
    distance = distance_of(made, voices)
    distance.backward()
    assert distance > 0 and made.grad is not None and made.grad.abs().sum() > 0


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Two sentences for the decoder: sample number n of each has the value n."""
    codes, samples = 40, base.DECODED_SAMPLES
    said = torch.arange(codes * samples) % 2**15
    latents = {name: torch.arange(codes + 1.0).half()[:, None].expand(-1, 3) for name in ("a", "b")}
    torch.save({"latents": latents, "voices": dict.fromkeys(latents, "ana")}, tmp_path / "latents.pt")
    torch.save({"targets": {name: {5: said.short()} for name in latents}}, tmp_path / "targets.pt")
    torch.save({"voices": {"ana": torch.zeros(2, 4)}, "periods": {"ana": torch.tensor([5, 5]).int()}}, tmp_path / "voices.pt")
    return tmp_path


def test_processes_share_a_step_whose_batch_depends_on_its_number_alone(built: Path) -> None:
    whole = train_decoder.Segments(built, rank=0, world=1)[7]
    shares = [train_decoder.Segments(built, rank=rank, world=2)[7] for rank in (0, 1)]
    for all_of_it, *parts in zip(whole, *shares, strict=True):
        assert torch.equal(all_of_it[0::2], parts[0]) and torch.equal(all_of_it[1::2], parts[1])


def test_the_decoders_target_is_one_code_late(built: Path) -> None:
    latents, _, wavs = train_decoder.Segments(built, rank=0, world=1)[3]
    for heard, said in zip(latents, wavs, strict=True):
        first = round(float(heard.mean(dim=1).sub(torch.arange(len(heard))).mean()))  # each latent holds its own number, and some noise
        expected = (first - 1) * base.DECODED_SAMPLES
        assert first == 0 or float(said[1] * 32768) == (expected + 1) % 2**15
    start = train_decoder.segment(torch.ones(50_000, dtype=torch.int16), -base.DECODED_SAMPLES)
    assert int((start == 0).sum()) == base.DECODED_SAMPLES and len(start) == train_decoder.CODES * base.DECODED_SAMPLES


@pytest.mark.parametrize("spectra", [False, True])
def test_the_decoder_learns_a_batch(model: xtts.Xtts, spectra: bool) -> None:
    hifi = copy.deepcopy(model.hifigan_decoder)
    torch.manual_seed(1)
    times = torch.arange(train_decoder.CODES * base.DECODED_SAMPLES) / 24_000
    tone = 0.3 * torch.sin(2 * np.pi * 200 * times)
    batch = (torch.randn(2, train_decoder.CODES, base.WIDTH), torch.randn(2, 512, 1), tone.expand(2, -1))
    learner = train_decoder.Learner(hifi, torch.device("cpu"), steps=2000, lr=1e-3)
    first = 1000 if spectra else 60
    found = [learner.advance(iter([batch]), first + step) for step in range(6)]
    assert found[-1]["wave"] < found[0]["wave"]
    assert set(found[0]) == ({"wave", "spectral", "mel", "speaker"} if spectra else {"wave"})


def test_the_average_of_the_decoders_weights_is_exported(model: xtts.Xtts) -> None:
    hifi = copy.deepcopy(model.hifigan_decoder)
    batch = (torch.randn(1, train_decoder.CODES, base.WIDTH), torch.randn(1, 512, 1), torch.rand(1, train_decoder.CODES * 1120) - 0.5)
    learner = train_decoder.Learner(hifi, torch.device("cpu"), steps=2000, lr=1e-3)
    weights = []
    for step in range(2):
        learner.advance(iter([batch]), 60 + step)
        weights.append({name: value.clone() for name, value in learner.decoder.state_dict().items()})
    first, second = weights
    exported = export.trained_weights({"model": second, "average": learner.average.state_dict()})
    assert exported.keys() == second.keys()
    for name, value in exported.items():
        assert torch.allclose(value, torch.lerp(second[name], first[name], train_decoder.AVERAGE_DECAY), atol=1e-7), name
    assert any(not torch.equal(value, second[name]) for name, value in exported.items())
    assert export.trained_weights({"model": second}) is second  # the other trainings keep no average, nor does unpack.py


def test_a_decoder_from_exported_weights_begins_with_the_loss_of_the_waveform_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: xtts.Xtts
) -> None:
    monkeypatch.setattr("sys.argv", ["unpack", str(Path(__file__).parents[1] / "models" / "pocket" / "xtts"), str(tmp_path)])
    unpack.main()
    decoder = checkpoint.read(tmp_path / "decoder.pt")
    assert decoder["step"] == 0 < train_decoder.SPECTRAL_FROM < train_decoder.STEPS
    assert decoder["model"].keys() == model.hifigan_decoder.waveform_decoder.state_dict().keys()


def test_pitch_moves_to_whole_periods_per_code_and_words_stay() -> None:
    speaker = espeak.Speaker(rate_wpm=150, pitch=40)
    spoken, rate_hz, _ = espeak.synthesize("mañana llega la lluvia a la playa", speaker, espeak.PHONEME)
    pcm = wav.resample(spoken, rate_hz, wav.SAMPLE_RATE_HZ)
    [moved] = pitch_grid.on_grid(pcm, [None])
    assert len(moved) == len(pcm) and moved.dtype == np.float32
    grid_hz = wav.SAMPLE_RATE_HZ / base.CODE_SAMPLES
    away = [np.abs(hz / grid_hz - np.round(hz / grid_hz)) for hz in (yin.pitch_hz(pcm), yin.pitch_hz(moved))]
    before, after = (each[np.isfinite(each)] for each in away)
    assert np.median(before) > 0.15 and np.median(after) < 0.05
    assert measures.mcd_db(moved, pcm) < 1.5  # formants and timing are where they were
    quiet = np.zeros(5000, np.float32)
    assert pitch_grid.on_grid(quiet, [None])[0] is quiet


def test_a_pulse_follows_from_its_spectrum_alone() -> None:
    pcm = speech.speak("la luna mira a la nena", voices.DEMO_SPEAKER)
    upright, reversed_ = (pitch_grid.on_grid(way, [None])[0] for way in (pcm, -pcm))  # polarity is inaudible
    codes = len(pcm) // base.CODE_SAMPLES
    pairs = zip(*(np.array_split(each[: codes * base.CODE_SAMPLES], codes) for each in (upright, reversed_)), strict=True)
    alike = [np.corrcoef(a, b)[0, 1] > 0.9 for a, b in pairs]
    assert np.mean(alike) > 0.7  # all but its silent ends; the strict pass alone took few of its codes for voiced
    ringing = np.random.default_rng(1).standard_normal(200).astype(np.float32) * np.hanning(200)
    grain = np.pad(ringing, (0, pitch_grid.FFT - len(ringing)))[None]
    [pulse] = pitch_grid._resynthesized(grain, np.ones_like(grain), np.zeros(1, int), np.array([60]))
    assert (pulse[:100] ** 2).sum() > 0.95 * (pulse**2).sum()
    kept_db = 10 * np.log10((np.abs(np.fft.rfft(pulse, 2048)) ** 2).mean() / (np.abs(np.fft.rfft(ringing, 2048)) ** 2).mean())
    assert kept_db == pytest.approx(0, abs=3)  # of noise, whose ripples the lifter takes away


def test_noise_follows_from_its_spectrum_alone() -> None:
    """A decoder trained on the noise of recordings renders [ʃ] as a train of clicks."""
    spoken, rate_hz, _ = espeak.synthesize("ama", espeak.Speaker(rate_wpm=150, pitch=40), espeak.PHONEME)
    vowel = wav.resample(spoken, rate_hz, wav.SAMPLE_RATE_HZ)
    hisses = [0.05 * np.random.default_rng(seed).standard_normal(8 * base.CODE_SAMPLES).astype(np.float32) for seed in (1, 2)]
    hisses = [np.convolve(hiss, (1, -0.9), mode="same") for hiss in hisses]
    first = -(-len(vowel) // base.CODE_SAMPLES) + 1  # code
    inside = slice((first + 1) * base.CODE_SAMPLES, (first + 6) * base.CODE_SAMPLES)
    whole = [np.concatenate([vowel, np.zeros(first * base.CODE_SAMPLES - len(vowel)), hiss]).astype(np.float32) for hiss in hisses]
    one, other = (pitch_grid.on_grid(pcm, [5])[0][inside] for pcm in whole)
    assert abs(np.corrcoef(whole[0][inside], whole[1][inside])[0, 1]) < 0.1
    assert np.corrcoef(one, other)[0, 1] > 0.65
    assert np.abs(one).max() < 5 * one.std()
    assert measures.mcd_db(one, whole[0][inside]) < 2.5
    assert 20 * np.log10(one.std() / whole[0][inside].std()) == pytest.approx(0, abs=1.5)
