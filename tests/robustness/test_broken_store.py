"""A prepared data set that was damaged: every command says so, and names the one that mends it."""

from __future__ import annotations

import json
import random
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

RUN = ("run", "--baseline", "gt", "--split", "all", "--dataset", "shapenet", "--limit", "1",
       "--protocol", "r2n2-iou-v1")  # fmt: skip


@pytest.fixture(scope="module")
def prepared(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root in which the fake ShapeNet (two objects) is prepared, and its files."""
    from benchbench.datasets.shapenet.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared")
    for what in ("ShapeNetRendering", "ShapeNetVox32"):
        for model in sorted((source / what / "02691156").iterdir())[:2]:
            shutil.copytree(model, folder / "files" / what / "02691156" / model.name)
    prepare(folder / "home", source=folder / "files", quiet=True)
    return folder


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared / "home", tmp_path / "home")
    return tmp_path / "home"


def keep(share: float) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def other_schema(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 1


def without(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]

    return change


FAULTS: dict[str, Callable[[Path], None]] = {
    "half": keep(0.5),
    "all but the last bytes": keep(0.9999),
    "empty": keep(0.0),
    "text": lambda path: path.write_text("see README"),
    "another schema": other_schema,
    "no objects": without("objects/id"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_command_tells_and_the_hint_mends(
    bench: Any, refused: Any, prepared: Path, home: Path, fault: str
) -> None:
    path = home / "shapenet.h5"
    FAULTS[fault](path)
    for line in (
        RUN,
        ("train", "--baseline", "kato", "--dataset", "shapenet"),
        ("score", "nothing", "--dataset", "shapenet", "--split", "all"),
        ("prepare", "shapenet", "--verify"),
    ):
        if line[0] == "score":
            Path("nothing").mkdir(exist_ok=True)
        hint = refused(bench(*line, "--root", home), 1, f"'{path}'")
        assert hint.startswith(
            f"bench prepare shapenet --root {shlex.quote(str(home))} --overwrite"
        )
    words = shlex.split(hint.partition(" (")[0])[1:]
    done = bench(*words, "--from", prepared / "files", "-q")
    assert done.exit_code == 0, done.stderr
    assert path.read_bytes() == (prepared / "home" / "shapenet.h5").read_bytes()
    assert bench(*RUN, "--root", home).exit_code == 0


def test_the_same_prepare_makes_a_cut_file_again(bench: Any, prepared: Path, home: Path) -> None:
    keep(0.5)(home / "shapenet.h5")
    done = bench("prepare", "shapenet", "--from", prepared / "files", "--root", home, "-q")
    assert done.exit_code == 0, done.stderr
    for name in ("shapenet.h5", "shapenet.json"):
        assert (home / name).read_bytes() == (prepared / "home" / name).read_bytes()


def test_the_demo_names_its_own_command(
    bench: Any, refused: Any, tiny_home: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_home, tmp_path / "home")
    keep(0.5)(tmp_path / "home" / "shapes13-demo.h5")
    hint = refused(
        bench("run", "--baseline", "gt", "--split", "test", "--root", "home"), 1, "shapes13-demo.h5"
    )
    assert hint == "bench prepare shapes13 --size demo --root home --overwrite"


def flip(path: Path, where: int) -> None:
    data = bytearray(path.read_bytes())
    data[where] ^= 0x10
    path.write_bytes(data)


def place_of(path: Path, name: str) -> tuple[int, int]:
    """First byte and length of a contiguous dataset, or of its first chunk."""
    with h5py.File(path) as file:
        dataset = file[name].id
        if dataset.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
            chunk = dataset.get_chunk_info(0)
            return chunk.byte_offset, chunk.size
        return dataset.get_offset(), dataset.get_storage_size()


@pytest.mark.parametrize("name", ["voxels/binvox/bits", "renderings/choy/pixels"])
def test_a_flipped_bit_is_found_by_verify(bench: Any, refused: Any, home: Path, name: str) -> None:
    first, length = place_of(home / "shapenet.h5", name)
    flip(home / "shapenet.h5", first + length // 2)
    done = bench("prepare", "shapenet", "--verify", "--root", home, "-q")
    assert done.exit_code in (1, 5)  # a stream that does not unpack, or a hash that is another
    hint = refused(done, done.exit_code, "shapenet.h5'")
    assert "bench prepare shapenet" in hint and "--overwrite" in hint


def test_a_damaged_picture_ends_a_run_instead_of_counting_as_a_failed_prediction(
    bench: Any, refused: Any, home: Path, weights: Path, prepared: Path
) -> None:
    first, length = place_of(home / "shapenet.h5", "renderings/choy/pixels")
    for step in range(64):
        flip(home / "shapenet.h5", first + step * (length // 64))
    line = ("run", "--baseline", "kato", "--checkpoint", weights, "--split", "all", "--dataset",
            "shapenet", "--protocol", "r2n2-iou-v1", "--root", home)  # fmt: skip
    refused(bench(*line, "-q"), 1, "shapenet.h5' is damaged")
    shutil.copy(prepared / "home" / "shapenet.h5", home)
    done = bench(*line)
    assert done.exit_code == 0, done.stderr  # nothing of the damage was stored


def flips(bench: Any, home: Path, count: int, seed: int) -> None:
    """Single flipped bits anywhere: no command may crash, or say something it cannot explain."""
    path = home / "shapenet.h5"
    whole = path.read_bytes()
    rng = random.Random(seed)
    for _ in range(count):
        place = rng.choice([rng.randrange(len(whole)), rng.randrange(4096)])
        flip(path, place)
        for line, codes in (
            (("prepare", "shapenet", "--verify", "--root", home, "-q"), (0, 1, 3, 5)),
            ((*RUN, "--root", home, "-q", "--overwrite"), (0, 1, 2, 4)),
        ):
            done = bench(*line)
            told = f"byte {place}: exit {done.exit_code}\n{done.stderr}"
            assert done.exit_code in codes, told
            assert "unexpected" not in done.stderr and "Traceback" not in done.stderr, told
        path.write_bytes(whole)


def test_flipped_bits(bench: Any, home: Path) -> None:
    flips(bench, home, 20, 1)


@pytest.mark.slow
def test_flipped_bits_often(bench: Any, home: Path) -> None:
    flips(bench, home, 600, 2)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"id": 3}', '"shapenet"', "\xff"], ids=str
)
def test_a_broken_sidecar_hides_nothing(
    bench: Any, prepared: Path, home: Path, content: str
) -> None:
    """The small JSON beside the file is for listing only; `prepare` writes it again."""
    sidecar = home / "shapenet.json"
    sidecar.write_bytes(content.encode("latin-1"))
    for verb in ("list", "doctor"):
        done = bench(verb, "--root", home)
        assert done.exit_code == 0, (verb, done.stderr)
    done = bench("list", "shapenet", "--json", "--root", home)
    assert json.loads(done.stdout)["record"]["state"] in ("partial", "prepared", "damaged")
    assert bench(*RUN, "--root", home).exit_code == 0
    done = bench("prepare", "shapenet", "--from", prepared / "files", "--root", home, "-q")
    assert done.exit_code == 0, done.stderr
    assert sidecar.read_bytes() == (prepared / "home" / "shapenet.json").read_bytes()
    sidecar.write_bytes(content.encode("latin-1"))
    done = bench("prepare", "shapenet", "--root", home, "-q")  # without the sources
    assert done.exit_code == 0, done.stderr
    assert sidecar.read_bytes() == (prepared / "home" / "shapenet.json").read_bytes()
