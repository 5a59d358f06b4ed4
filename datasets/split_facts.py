"""Counts and hashes of the lists of `split_lists`, without reading them: cards need no numpy."""

from __future__ import annotations

from benchbench.datasets.spec import SplitFacts

SHIPPED = "list in this package"
_SHIPPED_MEANS = (
    "published, and complete here. A prepared set holds those of its ids that there are files of: "
    "maybe fewer, with counts and a hash of their own; a list that covers none is left out."
)
_NOTHING = (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
_SORTED_TEST = (8762, "cfab5d9a79744fde8bf1f31a13cf32885866d5583d056bdfc362b6306687c83f")

R2N2 = SplitFacts(
    "r2n2-80-20", SHIPPED, _SHIPPED_MEANS,
    train=(35022, "552809e8602e6d955f4b51efe1b952be787b9d433d1bf2f74cee0b91e1de33c1"),
    val=_NOTHING,
    test=_SORTED_TEST,
)  # fmt: skip
R2N2_WITH_VAL = SplitFacts(
    "r2n2-70-10-20", SHIPPED, _SHIPPED_MEANS,
    train=(30638, "faf67dde3ab73eb852926546c5c35228a304985f24cb569eef5f78fc96606bb8"),
    val=(4384, "bc2c02e0a62863df1ff67a21b371aa2a04c3ab580653870f2ff85c40b7becb4e"),
    test=_SORTED_TEST,
)  # fmt: skip
PIXEL2MESH = SplitFacts(
    "pixel2mesh", SHIPPED, _SHIPPED_MEANS,
    train=(35022, "41adb0dbd63f22e7dce47e3c2e7bf36acd136f97d62e4c77670835b5de3dbe75"),
    val=_NOTHING,
    test=(8762, "9da3de70ad1569d469ad8e3cc3de8148f9fb7a9a980a96e4892ec81fa1f58e3e"),
)  # fmt: skip
LSM = SplitFacts(
    "lsm", SHIPPED, _SHIPPED_MEANS,
    train=(30643, "6738843341582c37b63b605d38def64ffc0bf0c1b729c3e69b843c1d8757d035"),
    val=(4371, "ef55c74ac05f5a45524ef3db5aa8857742123158ccf0393ddaa93b5cadd254d6"),
    test=(8770, "92c1bf75dd7be2d3961d7a73f2dbeb7d6e1bd863fcd7c6758863333293819f66"),
)  # fmt: skip
LSM_SPLITS1 = SplitFacts(
    "lsm-splits1", SHIPPED, _SHIPPED_MEANS,
    train=(15515, "76b1742ac3cbe701fa89b540e2b487a402baafeca83a6fd5a52f251ede29b0b4"),
    val=(2213, "313eb30796ed088cc2d8dedf8f8fe17686042062d270a2f5224d35340ed4d5db"),
    test=(4440, "f087a26a970a101de816faa5c427c14752bcfc132a5eebdf1d720b96d0ccae90"),
)  # fmt: skip
LSM_SPLITS2 = SplitFacts(
    "lsm-splits2", SHIPPED, _SHIPPED_MEANS,
    train=(15128, "55741ffdbefc296618206c298b729cd0360f30b566232a7b958e2d7eca250624"),
    val=(2158, "99a88c9b38befb9a240450b32bdf947b12beda41f65df275dd1189032a741ccb"),
    test=(4330, "5e43623111b3fce97f9c211cb48711ee50fb5cc3b5dfd37372f2188531294633"),
)  # fmt: skip
