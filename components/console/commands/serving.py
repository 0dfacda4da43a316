"""The command that serves a model."""

from __future__ import annotations

import argparse

from components.console.commands.parser import Add, add_where


def add_to(add: Add) -> None:
    """Add the command of this file."""
    made = add(
        "serve",
        "serve a registered model over HTTP: a page for people, bytes in and out for programs",
        "refocus serve demo@champion --port 8000",
        _serve,
    )
    made.add_argument(
        "model",
        metavar="MODEL",
        help="NAME@champion (followed through promotions), NAME:3, a checkpoint's folder, an .onnx file",
    )
    made.add_argument(
        "--host", default="127.0.0.1", help="another than loopback needs REFOCUS_SERVE_TOKEN to be set"
    )
    made.add_argument("--port", type=int, default=8000)
    made.add_argument(
        "--queue", type=int, default=8, metavar="N", help="photos that may wait for the one at work; 8"
    )
    made.add_argument("--max-mb", type=float, default=64.0, metavar="MB", help="largest file taken; 64")
    made.add_argument(
        "--max-megapixels", type=float, default=50.0, metavar="MP", help="largest restored photo; 50"
    )
    made.add_argument(
        "--replicas",
        type=int,
        default=0,
        metavar="N",
        help="that many processes of Ray Serve (refocus[serve])",
    )
    add_where(made)


def _serve(arguments: argparse.Namespace) -> int:
    from components.console.serve import serve
    from components.core.ports import bare_host
    from components.pipeline.project import Project
    from components.serving.settings import ServingSettings, is_of_registry, token_of_environment

    if is_of_registry(arguments.model):
        Project.here()
    settings = ServingSettings(
        model=arguments.model,
        host=bare_host(arguments.host),
        port=arguments.port,
        queue=arguments.queue,
        max_mb=arguments.max_mb,
        max_megapixels=arguments.max_megapixels,
        tile_px=arguments.tile,
        device=arguments.device,
        precision=arguments.precision,
        token=token_of_environment(),
    )
    return serve(settings, arguments.replicas)
