"""Write down where the datasets of all shards are, so that what comes behind takes one artifact and no list."""

from shapeyard.contracts.stage import Artifact, Resources, Settings, Stage

STAGE = Stage(
    stack="base",
    settings=Settings,
    inputs={"places": Artifact("list", "Where each shard's dataset is, as the stages of the loop return it.")},
    outputs={"datasets": Artifact("Dataset", "File of JSON: the datasets' addresses, counts and hashes.")},
    resources=Resources(cpu=("100m", "1"), memory=("256Mi", "1Gi"), hours=1, retries=3),
)
