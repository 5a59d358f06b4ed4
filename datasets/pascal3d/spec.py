"""PASCAL3D+ release 1.1: what it is and where it lies."""

from __future__ import annotations

from benchbench.datasets.spec import Archive, DatasetSpec, Licence, PictureSize, VoxelSize

# Synset: RenderForCNN's table. The order is PASCAL3D+'s.
CLASSES = {
    "02691156": "aeroplane",
    "02834778": "bicycle",
    "02858304": "boat",
    "02876657": "bottle",
    "02924116": "bus",
    "02958343": "car",
    "03001627": "chair",
    "04379243": "diningtable",
    "03790512": "motorbike",
    "04256520": "sofa",
    "04468005": "train",
    "03211117": "tvmonitor",
}

CITE = (
    "Xiang, Mottaghi, Savarese, Beyond PASCAL: A Benchmark for 3D Object Detection in the Wild, "
    "WACV 2014",
    "Everingham et al., The PASCAL Visual Object Classes Challenge 2012",
    "Deng et al., ImageNet: A Large-Scale Hierarchical Image Database, CVPR 2009",
)

SHARED_MODELS = (
    "Train and test of the splits 'imagenet', 'pascal' and 'drc-like' share the same CAD models "
    "(4 to 10 a class, 79 in all): naming the right model is enough for IoU .74 / .76 / .46 on "
    "aeroplane / car / chair (DRC, appendix A2.2). Only 'disjoint' keeps models apart."
)

SPEC = DatasetSpec(
    id="pascal3d",
    title="PASCAL3D+ 1.1: photographs of 12 classes with aligned CAD models, cropped to 224x224",
    licence=Licence(
        name="PASCAL3D+ (no licence published)",
        url="https://cvgl.stanford.edu/projects/pascal3d.html",
        text=(
            "No licence is published with PASCAL3D+. Its photographs are those of PASCAL VOC 2012 "
            "(Flickr's terms of use)\n"
            "and of ImageNet (non-commercial research and education only, no rights in the "
            "pictures are given).\n"
            "The CAD models come from public collections; rights stay with their makers."
        ),
        cite=CITE,
    ),
    prepare="benchbench.datasets.pascal3d.prepare:prepare",
    stores=("pascal3d",),
    archives=(
        Archive(
            name="PASCAL3D+_release1.1.zip",
            # By analogy with the ShapeNet archives of the same host; not confirmed. The published
            # address is ftp, which is not fetched here. The md5 decides.
            mirrors=("http://ftp.cs.stanford.edu/cs/cvgl/PASCAL3D+_release1.1.zip",),
            md5="28c2d7dac539cf5f2592cbc06299f895",
            about_bytes=7_500_000_000,
            by_hand=(
                "fetch ftp://cs.stanford.edu/cs/cvgl/PASCAL3D+_release1.1.zip, or open "
                "https://drive.google.com/file/d/0B9P1L--7Wd2vcndfcElOT1d2a0E in a browser "
                "(md5 28c2d7dac539cf5f2592cbc06299f895)"
            ),
        ),
    ),
    renderings=("crop",),
    picture_sizes=(PictureSize("crop", 224, 224, "rgb+mask"),),
    voxel_sizes=(VoxelSize("kato", 32),),
    truth="mesh",
    splits=("disjoint", "imagenet", "pascal", "drc-like"),
    classes=len(CLASSES),
    store_bytes=4_500_000_000,
    made_by="Xiang, Mottaghi, Savarese (Stanford), 2014; release 1.1",
    release="PASCAL3D+ 1.1",
    renderer="photographs: PASCAL VOC 2012 and ImageNet",
    voxelisation=(
        "made here from the CAD models by Kato's voxeliser, 32^3, once a model; not DRC's or "
        "VPL's grids (pascal3d-vpl has those)"
    ),
    faults=(
        SHARED_MODELS,
        "The CAD model of an instance is the nearest of 4 to 10, not its own shape: even a perfect "
        "reconstruction of the photograph does not score 1.",
        "Boxes may leave the picture; they are rounded and clipped. Annotated pixels are taken as "
        "MATLAB's (the middle of the first pixel is 1): confirmed for boxes, not for px and py.",
        "Masks are VOC's where an object of VOC's segmentation fits the box, else the silhouette "
        "of the CAD model, which ignores what stands in front; each object says which.",
        "Size of the archive and equality of its image sets with the usual counts (11045 / 10812 "
        "pictures of ImageNet) are unconfirmed.",
    ),
    export="benchbench.datasets.pascal3d.export:export",
    notes=(
        "One object is one annotated instance: '<synset>/<pascal|imagenet>-<image>-<k>', k from 1 "
        "as in the record.\n"
        "Splits: 'imagenet': train and test are the release's Image_sets train and val lists. "
        "'pascal': train and test are VOC 2012 train and val. 'drc-like': aeroplane, car, chair, "
        "neither truncated nor occluded; test is VOC val, train is VOC train and all ImageNet "
        "pictures (DRC's further filter, reconstructions of its own, is not published). "
        "'disjoint': of every class the CAD models number 3, 6 and 9 are test, in any picture; of "
        "the others' pictures those on a val list are val, the rest train. In the first three val "
        "is empty: the literature tests on the val lists."
    ),
)
