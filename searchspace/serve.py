"""Serve a search's winner over HTTP: `searchspace serve results/NAME`."""

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from searchspace.cli.command import run_command
from searchspace.cli.options import with_options
from searchspace.cli.output import print_lines
from searchspace.prediction.find_model import find_model
from searchspace.ray_compat import SERVE_BY_GRPC, SERVE_MESSAGE_BYTES
from searchspace.serving.access import TOKEN_VARIABLE, Access, read_access
from searchspace.serving.app import make_app
from searchspace.serving.byte_budget import return_freed_memory
from searchspace.serving.listen import install_signal_handlers, interrupted_by_signals, listen, serve_http
from searchspace.serving.service_limits import ServeOptions, derive_limits
from searchspace.spec import parse_record
from searchspace.storage.open_results import is_model_file, open_results
from trainables.export.predictor import Predictor

SERVE_PARTS = ("ray.serve",)
"""Of Ray."""


@with_options(ServeOptions)
def main(
    _given: frozenset[str],
    model: Annotated[str, typer.Argument(help="A search's folder or URL, its winner/ or student/, or an .onnx file.")],
    **options: Any,
) -> None:
    """Serve a search's winner over HTTP: images in, classes out, and a page to drop an image on.

    Example: searchspace serve results/digits --port 8000
    """
    serve(open_results(model, is_model_file).folder, parse_record(ServeOptions, options))


def serve(model: Path, options: ServeOptions) -> None:
    """Answer until a signal; raises `UserError` for a model or address that is none, and `Interrupted` at the end."""
    file = find_model(model)
    runner = Predictor(file, threads=1)
    limits = derive_limits(options, len(runner.classes))
    with closing(listen(options.host, options.port)) as listening:
        address, port = listening.getsockname()[:2]
        access = read_access(options.host, address, os.environ)
        from searchspace.cluster.connect import connected

        os.environ.update({SERVE_BY_GRPC: "1", SERVE_MESSAGE_BYTES: str(limits.message)})
        with interrupted_by_signals(), connected("", SERVE_PARTS):
            from searchspace.serving.deployment import deploy

            install_signal_handlers()
            return_freed_memory()
            app = make_app(deploy(file, options, limits), runner.metadata, access, limits)
            print_lines(*_greeting(file, access, port))
            serve_http(app, listening)


def _greeting(file: Path, access: Access, port: int) -> list[str]:
    """How to ask; a token that was made is told here, and nowhere else."""
    host = f"[{access.host}]" if ":" in access.host else access.host
    url = f"http://{host}:{port}"
    lines = [f"serving {os.path.relpath(file)} at {url}/, where a page takes images; Ctrl-C ends it"]
    shown = ""
    if access.token:
        shown = f' -H "Authorization: Bearer ${TOKEN_VARIABLE}"'
        if access.token != os.environ.get(TOKEN_VARIABLE):
            lines.append(f"export {TOKEN_VARIABLE}={access.token}")
    return [*lines, f"curl{shown} -F image=@photo.jpg {url}/predict"]


if __name__ == "__main__":
    run_command(main, outlives_output=True)
