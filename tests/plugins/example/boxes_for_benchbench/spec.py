"""What the package offers; light, so that `bench list` stays fast."""

from dataclasses import dataclass, replace

from benchbench.baselines.spec import BaselineSpec
from benchbench.datasets.spec import DatasetSpec, Licence
from benchbench.protocols.specs import MetricSpec
from benchbench.protocols.specs_voxels import VOXEL_PROTOCOLS


@dataclass(frozen=True)
class BoxParameters:
    """What `--set` takes."""

    block_size: int = 8


BOX = BaselineSpec(
    id="box", title="The box around the true shape", paper="", licence="MIT", takes="truth",
    output="mesh", renderings=(), datasets=("cubes",), input=None, parameters=BoxParameters,
    loader="boxes_for_benchbench.model:load",
)  # fmt: skip
CUBES = DatasetSpec(
    id="cubes", title="One cube", licence=Licence("MIT", "", "do as you like"), stores=("cubes",),
    prepare="boxes_for_benchbench.model:prepare", splits=("all",), classes=1, objects=1,
)  # fmt: skip
VOLUME = replace(
    VOXEL_PROTOCOLS[0], id="volume-v1", title="ratio of the volumes of the boxes", house=False,
    scorer="boxes_for_benchbench.model:score", truth="mesh", accepts={"mesh": ""},
    metrics=(MetricSpec("ratio", "volume ratio", "smaller / larger", "ratio", True, 3, 0.0),),
)  # fmt: skip
