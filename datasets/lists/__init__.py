"""Published lists of ids, read by `benchbench.datasets.split_lists`.

``shapenet13.csv.gz``: the 43,784 models of the field's 13 classes in the order of LSM's
``splits.json`` (by class, part, place in the list). Columns: ``synset``; ``model``; ``lsm``, its
part there; ``pixel2mesh_test_views``, the views of Pixel2Mesh's test list, one digit each.
"""
