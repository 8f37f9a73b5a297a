"""Colors and marks of classes: the paper's where the paper has them, else some that everybody can tell apart.

Every class has a mark of its own too, because the paper's green and orange look alike to some.
"""

from collections.abc import Iterable
from dataclasses import dataclass

BLUE, ORANGE, GREEN = "#1f77b4", "#ff7f0e", "#2ca02c"
QUERY, CORRECT, INCORRECT = "#1f6fd0", "#1a9641", "#d7191c"
INK, PALE, NO_MAP = "#222222", "#8a8a8a", "#eeeeee"
PAPER = {
    "normal": BLUE,
    "nevus": BLUE,
    "pneumonia": ORANGE,
    "seborrheic keratosis": ORANGE,
    "keratosis": ORANGE,
    "covid-19": GREEN,
    "melanoma": GREEN,
}
OTHERS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7f3c8d")
"""After M. Okabe and K. Ito, "Color universal design" (2008), which all kinds of color vision tell apart."""
MARKS = ("o", "s", "^", "D", "v", "P", "X", "p")


@dataclass(frozen=True, slots=True)
class ClassStyle:
    """How the images of a class are drawn.

    Attributes:
        color: Hexadecimal.
        mark: matplotlib's name of a marker.
    """

    color: str
    mark: str


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels in the paper's order, the others after them by name."""
    order = {name: number for number, name in enumerate(PAPER)}
    return tuple(sorted(set(labels), key=lambda label: (order.get(label.lower(), len(order)), label)))


def class_styles(labels: Iterable[str]) -> dict[str, ClassStyle]:
    """Return the style of every label; beyond eight labels, colors repeat with other marks."""
    ordered = in_order(labels)
    taken = {PAPER[label.lower()] for label in ordered if label.lower() in PAPER}
    free = [color for color in OTHERS if not taken] or OTHERS[3:]
    styles: dict[str, ClassStyle] = {}
    number = 0
    for place, label in enumerate(ordered):
        color = PAPER.get(label.lower())
        if color is None:
            color = free[number % len(free)]
            number += 1
        styles[label] = ClassStyle(color, MARKS[(place + place // len(MARKS)) % len(MARKS)])
    return styles
