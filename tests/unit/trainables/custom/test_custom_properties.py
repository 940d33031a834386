"""Properties of ranges and of what is collected, over drawn cases."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.custom.custom_code import CustomCode, CustomPart
from trainables.custom.ranges import RANGES, Choice, Float, Int
from trainables.custom.reference import parse_reference
from trainables.custom.source_files import read_sources
from trainables.custom.source_modules import load_module

WHOLE = st.integers(-1000, 1000)


@st.composite
def ranges(draw):
    kind = draw(st.sampled_from(["int", "float", "choice"]))
    if kind == "choice":
        values = st.one_of(
            *(st.lists(each, min_size=1, unique=True) for each in (WHOLE, st.text("ab ,=", max_size=4), st.booleans()))
        )
        return Choice(*draw(values))
    log = draw(st.booleans())
    number = st.integers(1, 1000) if log else WHOLE
    low, high = sorted(draw(st.tuples(number, number)))
    return Int(low, high, log) if kind == "int" else Float(low / 8, high / 8, log)


@given(ranges())
def test_a_default_is_in_its_range_and_is_read_from_its_text(own):
    assert own.parse(str(own.default)) == own.default
    assert type(own.parse(str(own.default))) is type(own.default)
    if isinstance(own, Choice):
        assert own.default in own.choices
    else:
        assert own.low <= own.default <= own.high or abs(own.default - own.low) < 1e-9
    assert RANGES.validate_json(RANGES.dump_json({"a": own})) == {"a": own}


@st.composite
def import_graphs(draw):
    """Modules that import later ones, at the top or in a function, by one of the ways there are."""
    ways = ["import {}", "from {} import VALUE", "import {} as other", "def late():\n    import {}"]
    return {
        f"m{number}": [
            draw(st.sampled_from(ways)).format(f"m{later}") for later in range(number + 1, 6) if draw(st.booleans())
        ]
        for number in range(6)
    }


@given(import_graphs())
@settings(max_examples=25, deadline=None)
def test_what_is_collected_is_what_is_imported_and_no_more(tmp_path_factory, graph):
    folder = tmp_path_factory.mktemp("graph")
    for name, lines in graph.items():
        (folder / f"{name}.py").write_text("\n".join([*lines, f"VALUE = {name!r}"]))
    reached, waiting = set(), ["m0"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += [other for other in graph if other not in reached and any(other in line for line in graph[name])]
    found = read_sources("--models", parse_reference("--models", f"{folder}/m0.py:VALUE"))
    assert set(found) == {f"{name}.py" for name in reached}
    part = CustomPart(kind="model", name="custom/m0.VALUE", reference="", file="0/m0.py", attribute="VALUE")
    code = CustomCode(parts=(part,), files={f"0/{path}": text for path, text in found.items()})
    assert CustomCode.model_validate_json(code.model_dump_json()) == code
    assert load_module(code.sources(part), "m0.py").VALUE == "m0"
