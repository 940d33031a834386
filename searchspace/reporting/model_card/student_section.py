"""The student on model cards: its own describes how it was trained, the winner's compares the two."""

from searchspace.cli.options import flag_of
from searchspace.finals.choose_student import Student
from searchspace.reporting.markdown import paragraphs, table
from searchspace.reporting.model_card.introduction import format_classes, format_network, head
from searchspace.reporting.results import ClassifierResults
from searchspace.reporting.tables.student_table import student_rows
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import STUDENT
from trainables.common.escaping import as_code, as_markdown


def introduce_student(model: ClassifierResults) -> str:
    """What it is, whom it learnt from, how good it is."""
    what = (
        f"A small image classifier for {as_markdown(model.data.name)} ({format_classes(model)}): "
        f"{format_network(model)}. It learnt the answers of the winner of a search, instead of labels."
    )
    return head(model, what, "opened once for it and the winner")


def describe_distillation(model: ClassifierResults) -> str:
    """Why this network, what it was held to, how it learnt, and what it is beside its teacher."""
    student = model.search.student_record
    if student is None:
        return ""
    method = (
        f"It was trained for {student.epochs:,} epochs on training and validation images, to answer as its teacher "
        f"({as_markdown(student.teacher)}, [`../winner`](../winner/README.md)) does on the same augmented views "
        f"(arXiv:2106.05237), at a temperature of {student.temperature:g} (arXiv:1503.02531). No label took part, and "
        "no test image; nothing was chosen after the test split was opened."
    )
    return paragraphs(_choice(student), method, table(student_rows(model.search)))


def describe_student(model: ClassifierResults) -> str:
    """On the winner's card: the two side by side; nothing where there is no student."""
    rows = student_rows(model.search)
    if not rows:
        return ""
    said = f"It has a student, which learnt its answers and keeps limits: [`../{STUDENT}`](../{STUDENT}/README.md)."
    return paragraphs(said, table(rows))


def _choice(student: Student) -> str:
    limits = ", ".join(as_code(f"{flag_of(SearchSpec, option)} {most:g}") for option, most in student.limits.items())
    if student.trial is not None:
        return f"Of the search's full-length trials, {student.trial} was the best that keeps the limits ({limits})."
    return (
        f"No full-length trial of the search keeps the limits ({limits}); this is the largest network of a sample of "
        "the space that does, trained as the best trial of its model was."
    )
