"""Which file a search's folder is served by; reading that takes neither torch nor pydantic."""

import json
from pathlib import Path

from trainables.errors import UserError


def find_model(path: Path) -> Path:
    """The ONNX file that `path` is, or the fastest that a search ships; raises `UserError` where there is none."""
    if not path.is_dir():
        return path
    record = path / "winner" / "artefacts.json"
    if not record.is_file():
        raise UserError(f"model {str(path)!r}: holds no exported search (no winner/{record.name})")
    artefacts = json.loads(record.read_text(encoding="utf-8"))["artefacts"]
    run = [artefact for artefact in artefacts if artefact["file"].endswith(".onnx")]
    if not run:
        raise UserError(f"model {str(path)!r}: ships nothing that onnxruntime runs")
    fastest = max(run, key=lambda artefact: float(artefact["speed"]["throughput"]["32"]))
    return record.parent / str(fastest["file"])
