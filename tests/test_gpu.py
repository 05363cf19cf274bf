"""What only an accelerator shows: same digits twice, every precision, the stages from end to end. Left out where there is none."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocket.xtts import cuda_graph
from tests import clips, tiny_base, tiny_run, tiny_voice
from tests.test_training_loop import PLAN, kill_after, loop_in, noise_clips
from voz.audio import wav
from voz.model import batches, device, dvae, generation, lora, synthesis, training_loop, whisper, xtts
from voz.model.schedule import Schedule

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA or ROCm device")

POCKET = Path("models/pocket")
ADAPTERS = lora.Settings(rank=4, alpha=8.0, dropout=0.1, seed=1)
# Batches of three and more rows, so that sums over rows have an order.
LONG = replace(PLAN, batch_size=4, epochs=8)


@pytest.fixture
def where() -> torch.device:
    return device.pick("cuda")


@pytest.fixture(autouse=True)
def same_digits() -> Iterator[None]:
    device.seed_everything(1)
    yield
    device.seed_everything(1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base.make(tmp_path_factory.mktemp("gpu") / "base")


def learned(loop: training_loop.TrainingLoop) -> str:
    """The weights, hashed."""
    found = hashlib.sha256()
    for name, weights in sorted(loop.gpt.state_dict().items()):
        found.update(name.encode() + weights.cpu().numpy().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("source", ["tiny", "pocket"])
@pytest.mark.parametrize(
    ("plan", "adapters"),
    [
        (LONG, None),
        (replace(LONG, precision="bf16"), None),
        (replace(LONG, conditioning="other_clip"), None),
        (replace(LONG, precision="bf16", conditioning="other_clip", max_grad_norm=1.0), None),
        (replace(LONG, conditioning="other_clip"), ADAPTERS),
    ],
)
def test_a_training_gives_the_same_bytes_again_and_after_a_kill(
    base: Path, tmp_path: Path, where: torch.device, plan: Schedule, adapters: lora.Settings | None, source: str
) -> None:
    folder = base if source == "tiny" else POCKET / "xtts"
    whole = loop_in(folder, tmp_path / "whole", plan, adapters=adapters, device=where)
    losses = whole.run().updates
    again = loop_in(folder, tmp_path / "again", plan, adapters=adapters, device=where)
    assert again.run().updates == losses and learned(again) == learned(whole)
    kill_after(loop_in(folder, tmp_path / "killed", plan, adapters=adapters, device=where), 3)
    resumed = loop_in(folder, tmp_path / "killed", plan, adapters=adapters, device=where)
    assert resumed.run().updates == losses and learned(resumed) == learned(whole)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_learns_nearly_what_a_cpu_learns(base: Path, tmp_path: Path, where: torch.device, precision: str) -> None:
    """A GPU draws other dropout, so that it is not the same."""
    plan = replace(PLAN, epochs=2, precision=precision)
    there = loop_in(base, tmp_path / "gpu", plan, device=where).run().eval_losses(plan)
    here = loop_in(base, tmp_path / "cpu", replace(plan, precision="fp32")).run().eval_losses(plan)
    assert [row["loss"] for row in there] == pytest.approx([row["loss"] for row in here], abs=0.02)


def test_codes_are_those_of_a_cpu(tmp_path: Path, where: torch.device) -> None:
    pcms = [clips.pcm(f"mine-{number}") for number in range(3)]
    here, there = (dvae.Dvae(POCKET / "xtts", each) for each in (torch.device("cpu"), where))
    same = [float((here.encode(pcm) == there.encode(pcm)).float().mean()) for pcm in pcms]
    assert min(same) > 0.99
    assert all(torch.equal(there.encode(pcm), there.encode(pcm)) for pcm in pcms)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_lines_are_spoken_the_same_again_and_heard_as_those_of_a_cpu(where: torch.device, precision: str) -> None:
    texts = ["che, ¿vos sabés a qué hora llega?", "ayer llovió toda la noche.", "yo ya te dije que la llave está arriba."]
    sampling = generation.Sampling(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=1.0, precision=precision)
    lines = synthesis.number(texts, seed=1)
    asr = whisper.load(POCKET / "whisper.pt", where)
    heard = []
    for place in (where, where, torch.device("cpu")):
        model = xtts.load_model(POCKET / "xtts", device=place)
        spoken = synthesis.speak(model, xtts.conditioning(model, clips.pcm("mine-0")), lines, sampling)
        heard.append((spoken, transcribed(asr, spoken)))
    assert all(np.array_equal(*pair) for pair in zip(heard[0][0], heard[1][0], strict=True))
    lengths = [[len(pcm) for pcm in spoken] for spoken, _ in heard]
    assert lengths[0] == pytest.approx(lengths[2], rel=0.5) and all(heard[0][1])


def transcribed(model: whisper.Whisper, pcms: list[np.ndarray]) -> list[str]:
    """What Whisper hears of sound at 24 000 Hz."""
    resampled = [wav.resample(pcm, wav.OUTPUT_RATE_HZ, wav.ASR_RATE_HZ) for pcm in pcms]
    return [each.text for each in whisper.transcribe(model, resampled, prompt="", temperatures=[0.0], seeds=list(range(len(pcms))))]


def test_clips_are_transcribed_as_on_a_cpu(where: torch.device) -> None:
    pcms = [wav.resample(clips.pcm(f"mine-{number}"), wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ) for number in range(3)]
    found = [
        whisper.transcribe(whisper.load(POCKET / "whisper.pt", place), pcms, prompt="", temperatures=[0.0], seeds=[1, 2, 3])
        for place in (where, where, torch.device("cpu"))
    ]
    assert found[0] == found[1] and [each.text for each in found[0]] == [each.text for each in found[2]]


def test_a_stream_is_the_whole(tmp_path: Path, where: torch.device) -> None:
    model = xtts.load_model(tiny_voice.make(tmp_path / "voice", stop_bias=2.0), device=where)
    given = xtts.conditioning(model, clips.pcm("mine-0"))
    sampling = generation.Sampling(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=1.0)
    (line,) = synthesis.number(["hola, ¿cómo andás vos?"], seed=1)
    (whole,) = synthesis.speak(model, given, [line], sampling)
    assert np.abs(np.concatenate(list(synthesis.stream(model, given, line, sampling))) - whole).max() < 1e-3


def test_an_epoch_reads_its_clips_ahead(base: Path, tmp_path: Path, where: torch.device) -> None:
    train, _ = noise_clips(tmp_path)
    planned = batches.epoch(train, batch_size=2, seed=1, number=1, other_clip=False)
    assert [tuple(batch.read().to(where).codes.shape) for batch in planned] == [tuple(batch.read().codes.shape) for batch in planned]


def test_all_stages_run(tmp_path: Path) -> None:
    tiny_run.make(tmp_path, device="cuda")


def test_a_captured_step_gives_the_gradients_of_each_batch(where: torch.device) -> None:
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Conv1d(3, 8, 3, padding=1), torch.nn.Conv1d(8, 1, 3, padding=1)).to(where)

    def compute(given: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = module(given).square().mean()
        loss.backward()
        return {"loss": loss.detach()}

    replay = cuda_graph.GradientGraph(compute, module)
    for _ in range(3):
        given = torch.randn(2, 3, 50, device=where)
        wanted = compute(given)["loss"].item()
        expected = [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
        module.zero_grad(set_to_none=True)
        assert replay(given)["loss"].item() == pytest.approx(wanted, rel=1e-5)
        for parameter, gradient in zip(module.parameters(), expected, strict=True):
            assert parameter.grad is not None and torch.allclose(parameter.grad, gradient, atol=1e-5)
        module.zero_grad(set_to_none=True)
