"""Code as people write it in notebooks and scripts; `root()` is what is given, and cells end at `# %%`."""

CASES = {
    "a plain function": "def root():\n    return 6 * 7",
    "recursion": "def root(n=5):\n    return 1 if n < 2 else n * root(n - 1)",
    "mutual recursion": """
def even(n):
    return n == 0 or odd(n - 1)
# %%
def odd(n):
    return n != 0 and even(n - 1)
# %%
def root():
    return [even(7), odd(7)]
""",
    "modules and names of other modules": """
import math
import os.path as path
import xml.etree.ElementTree
from collections import OrderedDict as Ordered, Counter
# %%
def root():
    tree = xml.etree.ElementTree.fromstring("<a/>")
    return [math.sqrt(4), path.join("a", "b"), dict(Ordered(a=1)), Counter("aab")["a"], tree.tag]
""",
    "star imports": "from math import *\n# %%\ndef root():\n    return floor(pi)",
    "constants": """
SIZES, EMPTY, NAMES = [1, (2, 3), {"a": None}], set(), {"b", "a"}
RATE: float = 0.1
INFINITE, BYTES, NOTHING, FLAG, ONE = float("-inf"), b"x", None, True, (1,)
# %%
def root():
    return [SIZES, len(EMPTY), sorted(NAMES), RATE, -INFINITE > 0, BYTES.decode(), NOTHING, FLAG, list(ONE)]
""",
    "a global that a function changes": """
calls = 3
# %%
def root():
    global calls
    calls += 1
    return calls
""",
    "decorators with and without wraps": """
import functools
OFFSET = 10
def plain(function):
    def wrapper(*values):
        return function(*values) + OFFSET
    return wrapper
def wrapped(times):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*values):
            return function(*values) * times
        return wrapper
    return decorate
# %%
@plain
def one(x):
    return x
@wrapped(times=3)
@functools.lru_cache
def two(x):
    return x
# %%
@wrapped(2)
def root():
    return one(1) + two(2)
""",
    "nested functions and comprehension scopes": """
BASE, x = 3, "the global"
# %%
def root():
    def inner(y):
        return [x * y * BASE for x in range(3)], {x: y for x in "ab"}, (lambda x: x + BASE)(1)
    return [inner(2), sum(x for x in range(BASE)), x]
""",
    "defaults and annotations": """
import typing
from fractions import Fraction
LIMIT = 4
Images = dict[str, int] | None
Kind = typing.Literal["a", "b"]
Number = typing.TypeVar("Number", int, float)
# %%
def helper(value: Number, most: int = LIMIT) -> Number:
    return min(value, most)
# %%
def root(images: Images = None, kind: Kind = "a", half: Fraction = Fraction(1, 2)) -> list[Fraction]:
    return [images, kind, float(half), helper(9)]
""",
    "postponed annotations": """
from __future__ import annotations
import dataclasses
# %%
@dataclasses.dataclass
class Point:
    x: int
    other: Point | None = None
    missing: NotDefinedAnywhere = 0
# %%
def root(point: Point | None = None) -> NotDefinedAnywhere:
    return [Point(1, Point(2)).other.x, str(Point.__annotations__["x"])]
""",
    "class hierarchies": """
import abc
FACTOR = 2
class Shape(abc.ABC):
    sides = 0
    @abc.abstractmethod
    def area(self): ...
    @property
    def name(self):
        return f"{type(self).__name__} of {describe(self.sides)}"
# %%
def describe(sides):
    return f"{sides * FACTOR // FACTOR} sides"
class Square(Shape):
    sides = 4
    def __init__(self, side):
        super().__init__()
        self.__side = side
    def area(self):
        return self.__side ** FACTOR
    @classmethod
    def unit(cls):
        return cls(1)
    @staticmethod
    def twice(x):
        return x * FACTOR
# %%
def root():
    return [Square(3).area(), Square.unit().area(), Square.twice(4), Square(1).name]
""",
    "dataclasses, enumerations and named tuples": """
import dataclasses, enum, typing
class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"
# %%
@dataclasses.dataclass(frozen=True)
class Settings:
    colour: Colour = Colour.RED
    sizes: list = dataclasses.field(default_factory=lambda: [1])
class Pair(typing.NamedTuple):
    left: int
    right: Settings
# %%
SETTINGS = Settings(Colour.BLUE, [2])
PAIR = Pair(1, SETTINGS)
FAVOURITE = Colour("r")
# %%
def root():
    same = [FAVOURITE is Colour.RED, PAIR.right == SETTINGS]
    return [same, SETTINGS.colour.value, PAIR.right.sizes, Settings().sizes]
""",
    "functions in containers, and partial functions": """
import functools, math
def double(x):
    return 2 * x
def scale(x, by):
    return x * by
# %%
TABLE = {"double": double, "sin": math.sin, "int": int}
halve = functools.partial(scale, by=0.5)
# %%
def root():
    return [TABLE["double"](4), TABLE["sin"](0.0), TABLE["int"]("3"), halve(8)]
""",
    "paths, patterns and loggers": """
import logging, re
from pathlib import Path
FOLDER, WORD, log = Path("a/b"), re.compile("[a-z]+", re.I), logging.getLogger("mine")
# %%
def root():
    return [FOLDER.name, WORD.findall("Ab1c"), log.name]
""",
    "functions of factories": """
BASE = 1
def make(times):
    def scaled(x):
        return x * times + BASE
    return scaled
# %%
triple = make(3)
# %%
def root():
    return triple(5)
""",
    "definitions that were replaced": """
def helper():
    return "first"
class Kept:
    value = helper()
    def show(self):
        return "old"
# %%
def helper():
    return "second"
class Kept(Kept):
    def show(self):
        return "new " + super().show()
old = helper
# %%
def helper():
    return "third after " + old()
# %%
def root():
    return [helper(), old()]
""",
    "definitions below conditions": """
import sys
if sys.version_info >= (3, 9):
    def helper():
        return '''text
at the margin'''
else:
    def helper():
        return None
try:
    class Found:
        size = 3
except ImportError:
    Found = None
# %%
def root():
    return [helper(), Found.size]
""",
    "a decorator of one's own that needs a class": """
REGISTRY = {}
class Entry:
    def __init__(self, function):
        self.function = function
        REGISTRY[function.__name__] = "known"
    def __call__(self):
        return self.function()
def register(function):
    return Entry(function)
# %%
@register
def root():
    return list(REGISTRY)
""",
    "cells with a magic": """
SIZE = 2
# %%
%%time
def helper(x):
    return x + SIZE
class Kept:
    size = helper(1)
# %%
def root():
    return [helper(3), Kept.size]
""",
    "a builtin that is hidden": """
def max(values):
    return "mine"
# %%
def root():
    return [max([1]), min([2, 1])]
""",
    "a class as what is given": """
WIDTH = 3
class root:
    def __new__(cls):
        return [WIDTH, cls.depth]
    depth = WIDTH + 1
""",
    "asynchronous functions and generators": """
import asyncio
async def wait():
    return 4
def count(n):
    yield from range(n)
# %%
def root():
    return [asyncio.run(wait()), list(count(3))]
""",
    "attributes that a function is given later": """
import searchspace
TWICE = 2
def helper():
    return helper.times
helper.times = [TWICE, 3]
# %%
def root():
    ranges = root.hyperparameters
    return [helper(), ranges["blocks"].high, list(ranges["heads"].choices), ranges["rate"].log]
root = searchspace.hyperparameters(
    blocks=searchspace.Int(1, 3), heads=searchspace.Choice(8, 16), rate=searchspace.Float(0.1, 1.0, log=True)
)(root)
""",
}
"""Code by what it shows; `root()` gives what can be compared."""

REFUSED = {
    "table": (
        "import pandas as pd\ntable = pd.DataFrame({'a': [1]})\ndef root():\n    return table.a",
        "'table', a DataFrame",
    ),
    "file": ("file = open('/dev/null')\ndef root():\n    return file.read()", "'file', a TextIOWrapper"),
    "lambda": ("square = lambda x: x * x\ndef root():\n    return square(2)", "'square', a lambda"),
    "closure": (
        "def make(file):\n    def helper():\n        return file.read()\n    return helper\n"
        "helper = make(open('/dev/null'))\ndef root():\n    return helper()",
        "helper() uses 'file', a TextIOWrapper",
    ),
    "in a list": (
        "import threading\nlocks = [threading.Lock()]\ndef root():\n    return locks",
        "a list that holds a lock",
    ),
    "attribute": (
        "import threading\ndef root():\n    return root.lock\nroot.lock = threading.Lock()",
        "'root' is a function that holds a lock",
    ),
    "root": ("root = lambda: 3", "'root' is a lambda"),
}  # fmt: skip
"""Code whose `root` has no source, and what the error says of it."""
