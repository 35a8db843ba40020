"""Names of things in Dagster: asset keys, groups, pools, tags."""

import dagster as dg

RAW, STRUCTURED, PUBLISHED = "raw", "structured", "published"
TRIGGER = "datahub/trigger"
"""Run tag: what asked for the run (``landing``, ``follow``, …). Runs of sensors wait quietly for inputs; a person's do not."""

DATASET = "datahub/dataset"
"""Run tag: the dataset that the run works on; ``*``: on all."""
TOLD = "datahub/told"
"""Run tag: the run has told of its failures itself."""
CAUSE = "datahub/cause"
"""Run tag: why the run was asked for."""
FINAL = "datahub/final"
"""Run tag: the run failed, and trying again cannot help."""
SETTLED = "datahub/settled"
"""Begin of a run tag: a cause that no further run can help."""


def asset_key(layer: str, dataset: str) -> dg.AssetKey:
    """Key of a dataset's asset in a layer: [layer, domain, name]."""
    return dg.AssetKey([layer, *dataset.split("/")])


def dataset_of(key: dg.AssetKey) -> str:
    """The dataset that an asset is of."""
    return "/".join(key.path[1:])


def op_name(layer: str, dataset: str) -> str:
    """Name of the op that makes the asset."""
    return f"{layer}__{dataset.replace('/', '__')}"


def dataset_of_op(name: str) -> str:
    """The dataset whose asset an op of ``op_name`` makes; another op's name as it is."""
    layer, _, rest = name.partition("__")
    return rest.replace("__", "/", 1) if layer in (RAW, STRUCTURED, PUBLISHED) else name


def pool(layer: str, dataset: str) -> str:
    """Pool that lets one run at a time write a dataset's asset."""
    return f"{layer}_{dataset.replace('/', '_')}"
