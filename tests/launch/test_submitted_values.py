"""What a request says to KFP's API: fields that the API has, and the number of accelerators as text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from kfp_api import RefusedError, kfp_api

from launch.ir import COMPILED
from launch.submit import submit

CREATE = ["run", "create", "-e", "x", "-f", str(COMPILED / "reconstruct.yaml"), "source=s3://bucket/meshes"]


def test_the_number_of_accelerators_goes_as_text() -> None:
    """From ours and from kfp's own command, which reads a value as JSON where it can."""
    with kfp_api() as api:

        def kfp_command(accelerators: str) -> int:
            command = [sys.executable, "-c", "from kfp.cli.__main__ import main; main()", "--endpoint", api.endpoint]
            done = subprocess.run([*command, *CREATE, f"accelerators={accelerators}"], capture_output=True, timeout=120)
            return done.returncode

        submit("reconstruct", "tiny", {"accelerators": "1"}, endpoint=api.endpoint)
        assert api.run["runtime_config"]["parameters"]["accelerators"] == "1"
        api.runs.clear()
        assert kfp_command("1") != 0, "a number, which is refused"
        assert not api.runs
        assert kfp_command('"1"') == 0
        assert api.run["runtime_config"]["parameters"]["accelerators"] == "1"


def test_the_stand_in_knows_the_fields_of_the_api() -> None:
    with kfp_api() as api:
        with pytest.raises(RefusedError, match='unknown field "service_acount" in V2beta1Run'):
            api.answer("POST", "/runs", {}, {}, b'{"experiment_id": "exp-0", "service_acount": "x"}')
        with pytest.raises(RefusedError, match=r"V2beta1Run\.display_name: expected str, got 3"):
            api.answer("POST", "/runs", {}, {}, b'{"experiment_id": "exp-0", "display_name": 3}')
