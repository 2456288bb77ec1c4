from components.train_classifier import TrainClassifierSettings
from shapeyard.contracts.stage import OneOf, settings_of
from shapeyard.networks.classifiers import network_names


def test_the_declared_networks_are_those_that_there_are() -> None:
    declared = settings_of(TrainClassifierSettings)["network"].allowed
    assert isinstance(declared, OneOf)
    assert sorted(map(str, declared.values)) == network_names()
