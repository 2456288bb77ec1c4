"""The networks, one file each: where they come from, and the shapes of what goes through them.

A module with a `TITLE` describes a network of torch that config.json calls by the module's name:

    TITLE = "U-Net"
    NETWORK = UNet
    def onnx_interface(network: UNet, config: Mapping[str, Any], views: int) -> OnnxInterface: …

`NETWORK` is rebuilt from those values of config.json that its parameters are named after. Nothing else knows the
networks by name: a new one is a new module. Those of Keras are in `classifiers/`, by their modules' names as well.
"""
