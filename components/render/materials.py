"""What surfaces look like: every material becomes matte and opaque, in the colour or texture that it came with.

Light that comes from all around is worked out in the material: a hemisphere, brighter above, dimmed where other parts
of the object are near (ambient occlusion). Cycles' own world light would take some hundred samples a pixel to be as
free of noise as this is with four.
"""

from __future__ import annotations

from typing import Any

import bpy

from components.render.lighting import AMBIENT_SIDE, AMBIENT_SLOPE

NEUTRAL = (0.5, 0.5, 0.5, 1.0)
"""Linear; where there is no material, or its texture is missing: a texture's colour is a factor that says nothing."""

BLACKEST = 0.03
"""Linear, of every channel: nothing real is darker, and a black object would show no shape at all."""
OCCLUSION_RADIUS = 0.4
"""Canonical units: parts of the object that are farther off don't darken each other."""
OCCLUSION_RAYS = 16
"""A pixel, over all of its samples. They are most of a view's time: 32 take a fifth more of it and are off by 1.1 grey
levels of 255 (root mean square, against 256), 16 by 1.8, 8 by 3.1, at one sample and at four alike."""


def surface_group(samples: int) -> Any:
    """The node group that all materials share: a colour goes in, the surface comes out."""
    group = bpy.data.node_groups.new("surface", "ShaderNodeTree")
    group.use_fake_user = True  # it stays when an object and its materials go
    group.interface.new_socket("Color", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Surface", in_out="OUTPUT", socket_type="NodeSocketShader")
    nodes, links = group.nodes, group.links
    lifted = nodes.new("ShaderNodeVectorMath")
    lifted.operation = "MAXIMUM"
    lifted.inputs[1].default_value = (BLACKEST, BLACKEST, BLACKEST)
    links.new(nodes.new("NodeGroupInput").outputs["Color"], lifted.inputs[0])
    color = lifted.outputs["Vector"]

    diffuse = nodes.new("ShaderNodeBsdfDiffuse")
    emission = nodes.new("ShaderNodeEmission")
    links.new(color, diffuse.inputs["Color"])
    links.new(color, emission.inputs["Color"])
    links.new(_ambient_light(group, samples), emission.inputs["Strength"])

    both = nodes.new("ShaderNodeAddShader")
    links.new(diffuse.outputs["BSDF"], both.inputs[0])
    links.new(emission.outputs["Emission"], both.inputs[1])
    links.new(both.outputs["Shader"], nodes.new("NodeGroupOutput").inputs["Surface"])
    return group


def paint(mesh: Any, surface: Any) -> None:
    """Replace the mesh's materials by matte ones; neutral grey, or the vertices' colours, where there are none.

    Args:
        mesh: a bpy mesh that was just imported.
        surface: what `surface_group` made.
    """
    if not mesh.materials:
        mesh.materials.append(None)
    for index, material in enumerate(mesh.materials):
        if material is None:
            mesh.materials[index] = _vertex_color_material(mesh, surface)
        elif "matte" not in material:
            _make_matte(material, surface)


def _ambient_light(group: Any, samples: int) -> Any:
    """The socket with the light that comes from all around; none for any but the camera's rays: no light is sent on."""
    nodes, links = group.nodes, group.links
    upwards = nodes.new("ShaderNodeVectorMath")
    upwards.operation = "DOT_PRODUCT"
    upwards.inputs[1].default_value = (0, 1, 0)
    links.new(nodes.new("ShaderNodeNewGeometry").outputs["Normal"], upwards.inputs[0])
    hemisphere = _math(group, "MULTIPLY_ADD", upwards.outputs["Value"], AMBIENT_SLOPE)
    hemisphere.inputs[2].default_value = AMBIENT_SIDE
    occlusion = nodes.new("ShaderNodeAmbientOcclusion")
    occlusion.samples = max(1, OCCLUSION_RAYS // samples)
    occlusion.inputs["Distance"].default_value = OCCLUSION_RADIUS
    occluded = _math(group, "MULTIPLY", hemisphere.outputs[0], occlusion.outputs["AO"])
    is_camera_ray = nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"]
    return _math(group, "MULTIPLY", occluded.outputs[0], is_camera_ray).outputs[0]


def _math(group: Any, operation: str, first: Any, second: Any) -> Any:
    node = group.nodes.new("ShaderNodeMath")
    node.operation = operation
    group.links.new(first, node.inputs[0])
    if isinstance(second, float):
        node.inputs[1].default_value = second
    else:
        group.links.new(second, node.inputs[1])
    return node


def _make_matte(material: Any, surface: Any) -> None:
    material["matte"] = True
    material.use_nodes = True
    tree = material.node_tree
    principled = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    base = principled.inputs["Base Color"] if principled else None
    textures = [node for node in _upstream(base) if node.type == "TEX_IMAGE"]
    missing = [node for node in textures if node.image is None or 0 in node.image.size]  # asking for it loads it
    if missing or base is None:
        _finish(material, surface, None, NEUTRAL)
    elif base.links:
        _finish(material, surface, base.links[0].from_socket, NEUTRAL)
    else:
        _finish(material, surface, None, tuple(base.default_value))


def _upstream(socket: Any) -> list[Any]:
    """The nodes that an input's value comes from."""
    found: dict[str, Any] = {}
    waiting = [link.from_node for link in socket.links] if socket else []
    while waiting:
        node = waiting.pop()
        if node.name not in found:
            found[node.name] = node
            waiting += [link.from_node for one in node.inputs for link in one.links]
    return list(found.values())


def _vertex_color_material(mesh: Any, surface: Any) -> Any:
    material = bpy.data.materials.new("neutral")
    material["matte"] = True
    material.use_nodes = True
    color = None
    if mesh.color_attributes:
        vertex_color = material.node_tree.nodes.new("ShaderNodeVertexColor")
        vertex_color.layer_name = mesh.color_attributes[0].name
        color = vertex_color.outputs["Color"]
    _finish(material, surface, color, NEUTRAL)
    return material


def _finish(material: Any, surface: Any, socket: Any, color: tuple[float, ...]) -> None:
    """Let the output show the shared surface, in the colour of `socket` or in `color`."""
    nodes, links = material.node_tree.nodes, material.node_tree.links
    matte = nodes.new("ShaderNodeGroup")
    matte.node_tree = surface
    matte.inputs["Color"].default_value = color
    if socket is not None:
        links.new(socket, matte.inputs["Color"])
    output = next((node for node in nodes if node.type == "OUTPUT_MATERIAL"), None)
    output = output or nodes.new("ShaderNodeOutputMaterial")
    links.new(matte.outputs["Surface"], output.inputs["Surface"])
    material.cycles.emission_sampling = "NONE"  # else Cycles takes the surfaces for lamps, and samples them
