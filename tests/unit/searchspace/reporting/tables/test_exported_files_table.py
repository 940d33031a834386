"""The table of shipped files."""

from searchspace.reporting.tables.exported_files_table import exported_file_rows
from searchspace.reporting.tables.terminal_table import print_table
from tests.helpers.made_search import made_shipment
from trainables.export.benchmark.architecture_cost import ArchitectureCost


def test_a_format_too_slow_for_large_batches_has_an_empty_cell(capsys):
    made = made_shipment(ArchitectureCost(parameters=60_000))
    eager, onnx, int8 = made.artefacts
    quick = int8.speed.model_copy(update={"throughput": {32: 4e3, 256: 5e3}})
    rows = exported_file_rows(
        made.model_copy(update={"artefacts": (eager, onnx, int8.model_copy(update={"speed": quick}))})
    )
    assert [row["images/s_by_256"] for row in rows] == ["", "", 5000]
    assert len({tuple(row) for row in rows}) == 1, "all rows have the same columns"
    print_table(rows, "shipped")
    assert "5000" in capsys.readouterr().out.replace(",", "")
