"""voz/model/processes.py, updates.py: several processes train as one does, and none is lost in silence."""

import hashlib
import json
import signal
import socket
from pathlib import Path

import pytest
import yaml

from tests import tiny_base, tiny_dataset, tiny_whisper
from tests.test_training_loop import noise_clips
from tests.train_stage import digests, finish, lay, start, wait_for_state
from tests.training_together import broken, loop_of
from voz.model import processes, training_loop, updates
from voz.model.batches import PlannedBatch
from voz.pipeline.command import UserError


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    tiny_whisper.make(folder / "whisper.pt")
    return tiny_base.make(folder / "base")


def together(base: Path, folder: Path) -> None:
    """The training of tests/training_together.py by two processes."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    arguments = ["-m", "tests.training_together", str(base), str(folder / "clips"), str(folder / "training")]
    processes.run(arguments, count=2, nodes=1, logs=folder / "logs")


def result(folder: Path) -> tuple[object, str]:
    """Losses, and a hash of the best weights."""
    losses = json.loads((folder / "training" / "losses.json").read_text())
    return losses, hashlib.sha256((folder / "training" / training_loop.BEST).read_bytes()).hexdigest()


def test_the_clips_of_an_update_are_shared_out(tmp_path: Path) -> None:
    clips = noise_clips(tmp_path)[0]
    group = [PlannedBatch([(clip, (0, 1)) for clip in clips[:3]]), PlannedBatch([(clips[3], (0, 1))])]
    shares = [[[clip.id for clip, _ in batch.clips] for batch in updates.share(group, rank, 3)] for rank in range(3)]
    assert shares == [[[clips[0].id, clips[3].id]], [[clips[1].id]], [[clips[2].id]]]
    assert updates.share(group, 0, 1) == group and updates.share(group, 4, 5) == []


@pytest.mark.parametrize("asked", [{}, {"ACCUMULATE": "1"}, {"BREAK": "2"}], ids=["plain", "accumulated", "not finite"])
def test_two_processes_train_as_one_does(base: Path, tmp_path: Path, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dropout, whose masks are drawn by each process for its own clips."""
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    together(base, tmp_path)
    (two_updates, two_evals), _ = result(tmp_path)
    (tmp_path / "alone").mkdir()
    loop = loop_of(base, tmp_path / "alone", tmp_path / "alone" / "training")
    if "BREAK" in asked:
        broken(loop, 2)
    one = loop.run()
    for ours, theirs in zip(one.updates, two_updates, strict=True):
        assert theirs == (pytest.approx(ours, abs=2e-5) if ours else None)
    assert one.skipped() == len(asked.keys() & {"BREAK"})
    assert two_evals == pytest.approx([row["loss"] for row in one.eval_losses(loop.schedule)], abs=2e-5)


@pytest.fixture(scope="module")
def undisturbed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, str]:
    """The result of a training by two processes that nobody kills."""
    folder = tmp_path_factory.mktemp("undisturbed")
    together(base, folder)
    return result(folder)


@pytest.mark.parametrize("rank", [0, 1], ids=["which writes the state", "the other"])
def test_a_process_that_is_killed_is_named_and_the_training_goes_on_exactly(
    rank: int,
    undisturbed: tuple[object, str],
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KILL", f"{rank}:3")
    named = rf"process {rank + 1} of 2 ended with signal 9; see above, and .*logs; then run the same command again"
    with pytest.raises(UserError, match=named):
        together(base, tmp_path)
    assert "Traceback" not in capfd.readouterr().err
    assert (tmp_path / "training" / training_loop.STATE).is_file()
    monkeypatch.delenv("KILL")
    together(base, tmp_path)
    assert result(tmp_path) == undisturbed


def test_the_stage_trains_with_several_processes_and_goes_on_after_a_signal(base: Path, tmp_path: Path) -> None:
    tiny_dataset.make(tmp_path / "dataset")
    found = []
    for name, stopped in (("whole", False), ("stopped", True)):
        folder = lay(tmp_path / name, base, tmp_path / "dataset")
        values = yaml.safe_load((folder / "params.yaml").read_text())
        values["compute"] |= {"processes": 2}
        (folder / "params.yaml").write_text(yaml.safe_dump(values))
        if stopped:
            running = start(folder)
            wait_for_state(folder, 0.0)
            running.send_signal(signal.SIGTERM)
            status, _, err = finish(running)
            assert status == 128 + signal.SIGTERM and "terminated; run the same command again to go on" in err
            assert "Traceback" not in err and "Error" not in err
        status, out, err = finish(start(folder))
        assert status == 0, err
        assert "train: epoch" in out and out.count("of training speech") + out.count("; 12 updates") == 1
        found.append(digests(folder))
    assert found[0].keys() == found[1].keys()
    assert {name for name in found[0] if found[0][name] != found[1][name]} <= {name for name in found[0] if "live" in name}


@pytest.mark.slow
def test_two_machines_train_together_and_the_first_exports(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Played by two stages on this one, with a folder in common."""
    tiny_dataset.make(tmp_path / "dataset")
    folder = lay(tmp_path / "work", base, tmp_path / "dataset")
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["compute"] |= {"nodes": 2}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    running = []
    for number in range(2):
        monkeypatch.setenv("NODE_RANK", str(number))
        running.append(start(folder))
    (first, out, err), (second, said, trouble) = (finish(each) for each in running)
    assert (first, second) == (0, 0), err + trouble
    assert "train: epoch" in out and "the first machine exports the voice" in said and "train: epoch" not in said
    assert (folder / "models/voice/model.pth").is_file()
