"""Training shared by two processes: they stay one network, and end with a file that loads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchbench.baselines import load_baseline
from benchbench.core.files import read_json

SCRIPT = """
import sys
import torch
from safetensors.torch import save_file
from benchbench.baselines.dibr.spec import DibrOptions
from benchbench.baselines.dibr.train import DibrTask, train
from benchbench.datasets.store import Store
torch.set_num_threads(1)
options = DibrOptions(steps=3, batch=4, learning_rate=1e-3, stages=(4, 4, 4, 4), units=(1, 1, 1, 1),
    code=8, hidden=8, blocks=2, level=1, image_size=64, validate_every=0, save_every=1)
step = DibrTask.step
def kept(self, number):
    logged = step(self, number)
    if number == 3:
        state = {name: value.clone() for name, value in self.learned.items()}
        save_file(state, f"{sys.argv[2]}/{self.group.index}.safetensors")
    return logged
DibrTask.step = kept
train(Store(sys.argv[1]), sys.argv[2], options, quiet=True)
"""


def test_two_processes_train_one_network(little_store: Any, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = []
    for rank in range(2):
        place = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1",
                 "MASTER_PORT": port, "OMP_NUM_THREADS": 1}  # fmt: skip
        command = [sys.executable, "-c", SCRIPT, str(little_store.path), str(tmp_path)]
        environment = {**os.environ, **{name: str(value) for name, value in place.items()}}
        running.append(
            subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        )
    for process in running:
        text = process.communicate(timeout=900)[1]
        assert process.returncode == 0, text
    # The same gradients reached both, so both have the same weights.
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first) and len(first) > 50
    record = read_json(tmp_path / "model.json")
    assert record["settings"]["processes"] == 2 and record["history"][-1]["step"] == 3
    assert (
        len(load_baseline("dibr", checkpoint=tmp_path / "model.safetensors").training.digests) == 8
    )
