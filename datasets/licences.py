"""Terms that several data sets share."""

from __future__ import annotations

from benchbench.datasets.spec import Licence


def shapenet_terms(what: str, *cite: str) -> Licence:
    """ShapeNet's terms of use, for what is made from its models.

    Args:
        what: What the set holds, "pictures and voxels".
        cite: Who must be cited besides ShapeNet.

    Example:
        >>> shapenet_terms("pictures", "Kato, 2018").text.split(". ")[0]
        'The pictures are made from ShapeNetCore v1 models'
        >>> len(shapenet_terms("pictures", "Kato, 2018").cite)
        2
    """
    return Licence(
        name="ShapeNet terms of use",
        url="https://shapenet.org/terms",
        text=(
            f"The {what} are made from ShapeNetCore v1 models. They are for "
            "non-commercial research and teaching only,\n"
            "come without any warranty, and may not be passed on to people who have not agreed "
            "to the same terms.\n"
            "Rights in single models stay with their makers."
        ),
        cite=("Chang et al., ShapeNet: An Information-Rich 3D Model Repository, 2015", *cite),
    )
