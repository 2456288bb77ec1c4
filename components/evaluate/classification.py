"""What a classifier said of each shape that it was shown."""

from __future__ import annotations

import numpy as np

from components.evaluate.averages import Row
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.errors import DatasetError


def recognized_rows(predictions: Dataset, samples: list[Sample]) -> list[Row]:
    """A row for each view (or the one grid) of the samples: `predicted`, the most probable class, and `right`, 0 or 1.

    Raises:
        DatasetError: if the probabilities are not one number for each of the dataset's classes.
    """
    names = [str(name) for name in predictions.attributes.get("classes", [])]
    rows: list[Row] = []
    for sample in samples:
        probabilities = predictions.read(sample.id, "probabilities")
        if probabilities.ndim != 2 or probabilities.shape[1] != len(names) or not np.isfinite(probabilities).all():
            raise DatasetError(
                f"{predictions.paths[0]}: sample {sample.id}: expected finite probabilities of {len(names)} classes, "
                f"got shape {probabilities.shape}"
            )
        for view, best in enumerate(probabilities.argmax(axis=1)):
            row: Row = {"id": sample.id, "class": sample.class_name, "view": view, "predicted": names[best]}
            rows.append(row | {"right": float(names[best] == sample.class_name)})
    return rows
