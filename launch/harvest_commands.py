"""`shapeyard harvest`: bring meshes from services into a folder or bucket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from shapeyard.contracts.progress import stage
from shapeyard.errors import ParameterError

if TYPE_CHECKING:
    from shapeyard.harvest.collect import Outcome

TO = click.option("--to", "target", required=True, metavar="URI", help="A folder, or s3://bucket/prefix.")


@click.group()
def harvest() -> None:
    """Bring meshes with their licences from where they are offered into a folder or bucket.

    What was interrupted goes on when it is called again. samples.jsonl lists what is there, harvest.json what is
    missing.
    """


@harvest.command()
@click.option("--categories", required=True, help="With commas between: household, household/pets, 103, … or all.")
@click.option("--per-category", type=click.IntRange(min=1), default=500, show_default=True,
              help="Things of a category, most popular first.")  # fmt: skip
@click.option("--max-megabytes", type=click.IntRange(min=1), default=1000, show_default=True,
              help="Of a thing, packed and unpacked: larger ones are left out.")  # fmt: skip
@click.option("--api", default="https://api.thingiverse.com", show_default=True, help="Where the API is.")
@TO
def thingiverse(categories: str, per_category: int, max_megabytes: int, api: str, target: str) -> None:
    """Bring popular things of Thingiverse: their STL, OBJ and 3MF files, licence, creator, title and tags.

    The token is read from THINGIVERSE_TOKEN, or from where `shapeyard harvest login` keeps it. Thingiverse's limit of
    300 requests in 5 minutes allows about 150 things in that time.
    """
    from shapeyard.harvest.credentials import read_token
    from shapeyard.harvest.target import Target
    from shapeyard.harvest.thingiverse_harvest import ThingsRequest, harvest_thingiverse

    with stage("harvest"):
        token = read_token(_configuration())
        request = ThingsRequest(categories, per_category, max_megabytes)
        outcome = harvest_thingiverse(request, Target(target, _state()), token, api)
    _say(outcome, target)


@harvest.command()
@click.option("--list", "listed", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
              help="CSV with the columns path, url, sha256; license, creator, title, date if known.")  # fmt: skip
@click.option("--max-megabytes", type=click.IntRange(min=1), default=1000, show_default=True, help="Of an object.")
@TO
def http(listed: Path, max_megabytes: int, target: str) -> None:
    """Bring the files of a list of addresses and checksums."""
    from shapeyard.harvest.listed_files import harvest_list
    from shapeyard.harvest.target import Target

    with stage("harvest"):
        outcome = harvest_list(listed, Target(target, _state()), max_megabytes)
    _say(outcome, target)


@harvest.command()
@click.option("--from", "source", required=True, metavar="URI",
              help="ModelNet10.zip, ModelNet40.zip or modelnet40_manually_aligned.tar, local or s3://.")  # fmt: skip
@TO
def modelnet(source: str, target: str) -> None:
    """Bring ModelNet's meshes out of its archive, with the official split."""
    _unpack("modelnet", source, target)


@harvest.command()
@click.option("--from", "source", required=True, metavar="URI",
              help="ShapeNetCore.v2.zip, a synset's ZIP, or a folder of them, local or s3://; v1 as well.")  # fmt: skip
@TO
def shapenet(source: str, target: str) -> None:
    """Bring ShapeNet's meshes with their materials and textures out of its archives."""
    _unpack("shapenet", source, target)


def _unpack(family: Literal["modelnet", "shapenet"], source: str, target: str) -> None:
    from shapeyard.harvest.archived_sets import harvest_archives
    from shapeyard.harvest.target import Target

    with stage("harvest"):
        outcome = harvest_archives(family, source, Target(target, _state()))
    _say(outcome, target)


@harvest.command()
@click.option("--client-id", help="Of your app at https://www.thingiverse.com/apps.")
@click.option("--app-token", is_flag=True, help="Ask for the app's own token instead, and keep it.")
@click.option("--port", type=click.IntRange(1024, 65535), default=8976, show_default=True,
              help="The app's callback URL has to be http://127.0.0.1:PORT/callback.")  # fmt: skip
def login(client_id: str | None, app_token: bool, port: int) -> None:
    """Keep a token for Thingiverse in your configuration folder, where nobody else can read it.

    A browser asks you to allow the app; its secret is read from THINGIVERSE_CLIENT_SECRET or asked for.
    """
    from shapeyard.harvest.credentials import write_token
    from shapeyard.harvest.login import log_in

    if app_token == bool(client_id):
        raise ParameterError("login: expected either --client-id or --app-token")
    if app_token:
        click.echo(write_token(_configuration(), click.prompt("App token", hide_input=True)))
        return
    secret = os.environ.get("THINGIVERSE_CLIENT_SECRET") or click.prompt("Client secret", hide_input=True)
    click.echo(log_in(str(client_id), secret, _configuration(), _open_browser, port=port))


def _open_browser(url: str) -> None:
    click.echo(f"Allow it at {url}", err=True)
    click.launch(url)


def _say(outcome: Outcome, target: str) -> None:
    """What changed since the last harvest, one line on the whole, and exit status 1 if anything is missing."""
    from launch.verify_commands import print_changes

    count = len(outcome.missing)
    if outcome.changes.gone or outcome.changes.changed or outcome.changes.same:
        print_changes(outcome.changes)
        click.echo(f"since the last harvest: {outcome.changes.counts}")
    click.echo(
        f"{outcome.objects} objects in {target}, version {outcome.version}"
        + (f", {count} missing: see harvest.json there" if count else "")
    )
    if count:
        raise SystemExit(1)


def _configuration() -> Path:
    return Path(click.get_app_dir("shapeyard"))


def _state() -> Path:
    """Where the journals of harvests into buckets are (XDG's folder for what is to outlive a program)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "shapeyard" / "harvest"
