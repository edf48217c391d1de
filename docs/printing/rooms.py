"""The rooms of the project and the imports between them, read from the code.

`python -m docs.printing.rooms` draws the diagram.
A room is a folder of modules. Imports inside functions and those for type checkers count like any other.
tests/house/test_rooms.py holds the imports to FLOORS; docs/architecture.md shows the drawing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
AREAS = ("models", "training", "tasks", "reports", "vlmbench")
NOT_ROOMS = frozenset({"samples", "templates", "weights", "assets"})
"""Folders of data, and of files that are copied rather than imported."""

FLOORS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "vlmbench": (
        ("cli",),
        ("integrations",),
        ("api",),
        ("compare",),
        ("runs", "families"),
        ("scoring", "perturbations"),
        ("plugins", "chat"),
        ("data",),
        ("parsing", "stats", "scenes"),
        ("base",),
    ),
    "models": (
        ("zoo",),
        ("systems", "servers"),
        ("huggingface",),
        ("checkpoints", "engine"),
        ("network",),
        ("parts",),
    ),
    "training": (("recipes", "checks"), ("loop",), ("distil", "pruning"), ("scenes",), ("sources", "recipe", "optim")),
    "tasks": (("yes_no", "multiple_choice", "short_answer", "mathematics", "captions", "judged", "grounding"),),
    "reports": (("labelling", "live"), ("site", "paper"), ("board",), ("text",)),
}
"""By area, top first: a room imports rooms of lower floors only, and every area may import vlmbench's rooms."""

Arrows = Mapping[str, Mapping[str, str]]
"""Importer to imported to the place of one such import, `file:line`."""


def modules() -> dict[str, Path]:
    """Dotted name to file, of all modules in rooms. The areas lie inside vlmbench by name, beside it on disk."""
    found = {}
    for area in AREAS:
        for path in sorted((ROOT / area).rglob("*.py")):
            place = path.relative_to(ROOT).with_suffix("").parts
            if not NOT_ROOMS.intersection(place):
                parts = [*([] if area == "vlmbench" else ["vlmbench"]), *place]
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(tree: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """(absolute dotted name, line) of everything a module may import; `package` is what one leading dot means."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def module_arrows(known: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """The imports between the modules."""
    found: dict[str, dict[str, str]] = {name: {} for name in known}
    for name, path in known.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for target, line in imports(ast.parse(path.read_text("utf-8")), package):
            module = target if target in known else target.rpartition(".")[0]
            if module in known and module != name:
                found[name].setdefault(module, f"{path.relative_to(ROOT)}:{line}")
    return found


def folder_of(path: Path) -> str:
    """The folder of a module, as its room: `models/parts/vision`; `vlmbench/api` for a module that lies in no room."""
    place = path.relative_to(ROOT)
    return str(place.parent if len(place.parts) > 2 else place.with_suffix(""))


def room_of(path: Path) -> str:
    """The room on a floor: the first folder below the area, `models/parts`."""
    return "/".join(Path(folder_of(path)).parts[:2])


def grouped(known: Mapping[str, Path], arrows: Arrows, group: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The imports between groups of modules, inner ones left out. `group`: module to its group."""
    found: dict[str, dict[str, str]] = {group[name]: {} for name in known}
    for name, targets in arrows.items():
        for target, where in targets.items():
            if group[name] != group[target]:
                found[group[name]].setdefault(group[target], where)
    return found


def circles(arrows: Arrows) -> list[list[str]]:
    """The sets of nodes that reach each other (Tarjan's strongly connected components of two nodes or more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in arrows.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in arrows:
        if node not in index:
            visit(node)
    return found


def floor_of(room: str) -> tuple[str, int] | None:
    """(area, floor counted from the ground) of a room; None for a module that lies in no room."""
    area, _, name = room.partition("/")
    rows = FLOORS[area]
    return next(((area, len(rows) - row) for row, names in enumerate(rows) if name in names), None)


def upward(arrows: Arrows) -> list[str]:
    """The imports that do not go down: to a room of the same floor or a higher one, or into another area."""
    found = []
    for room, targets in arrows.items():
        here = floor_of(room)
        for target, where in targets.items():
            there = floor_of(target)
            if here is None or there is None:
                continue
            inside = here[0] == there[0] and here[1] > there[1]
            if not inside and not (there[0] == "vlmbench" != here[0]):
                found.append(f"{where}: {room} imports {target}")
    return found


def reduced(arrows: Arrows) -> list[tuple[str, str]]:
    """The imports without those that follow from others (transitive reduction), so that a drawing can be read."""
    reach: dict[str, set[str]] = {}

    def below(node: str) -> set[str]:
        if node not in reach:
            reach[node] = set()
            for target in arrows.get(node, ()):
                reach[node] |= {target, *below(target)}
        return reach[node]

    return [
        (node, target)
        for node, targets in arrows.items()
        for target in targets
        if not any(target in below(other) for other in targets if other != target)
    ]


WIDTH, HEIGHT, GAP, WIDE, ROW, MARGIN, TITLE = 118, 34, 14, 150, 74, 18, 26
STYLE = """<style>
text{font:13px system-ui,sans-serif;fill:#1c2733;text-anchor:middle}
.area{font-weight:600;text-anchor:start}.count{font-size:10px;fill:#5b6b7c}
rect.panel{fill:#f4f6f9;stroke:#c9d2dc}rect.room{fill:#fff;stroke:#3f6ea8;stroke-width:1.3}
path{fill:none;stroke:#7d93ab;stroke-width:1.2;marker-end:url(#tip)}
</style><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0,0L8,4L0,8Z" style="fill:#7d93ab;stroke:none"/></marker></defs>"""


class Panel:
    """The drawing of one area: a row per floor, its rooms side by side."""

    def __init__(self, area: str, rooms: Collection[str], left: float, top: float, gap: float = GAP) -> None:
        """`rooms`: those that exist; a floor's other names are left out."""
        self.area, self.left, self.top, self.gap = area, left, top, gap
        rows = [[f"{area}/{name}" for name in names if f"{area}/{name}" in rooms] for names in FLOORS[area]]
        self.rows = [row for row in rows if row]
        most = max(map(len, self.rows), default=1)
        self.width: float = most * WIDTH + (most - 1) * self.gap + 2 * MARGIN
        self.height = TITLE + len(self.rows) * ROW - (ROW - HEIGHT) + 2 * MARGIN

    def places(self) -> Iterator[tuple[str, float, float]]:
        """(room, middle of its box, top of its box)."""
        for number, row in enumerate(self.rows):
            wide = len(row) * WIDTH + (len(row) - 1) * self.gap
            first = self.left + (self.width - wide) / 2 + WIDTH / 2
            for place, room in enumerate(row):
                yield room, first + place * (WIDTH + self.gap), self.top + TITLE + MARGIN + number * ROW


def drawing(arrows: Arrows, sizes: Mapping[str, int]) -> str:
    """The diagram as SVG. `sizes`: modules per room. The areas above import vlmbench below: one arrow each says so."""
    panels: list[Panel] = []
    left = 0.0
    for area in AREAS[:-1]:
        panels.append(Panel(area, sizes, left, 0))
        left += panels[-1].width + GAP
    total = left - GAP
    upper = max(panel.height for panel in panels)
    core = Panel("vlmbench", sizes, 0, upper + ROW / 2, WIDE)
    core.left, core.width = 0.0, total
    boxes = {room: (x, y) for panel in [*panels, core] for room, x, y in panel.places()}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 {total + 4:.0f} {core.top + core.height + 4:.0f}">'
    ]
    parts += ["<title>The rooms of vlmbench: imports go down only</title>", STYLE]
    for panel in [*panels, core]:
        tall = upper if panel is not core else panel.height
        size = f'width="{panel.width:.0f}" height="{tall:.0f}"'
        parts.append(f'<rect class="panel" x="{panel.left:.0f}" y="{panel.top:.0f}" rx="8" {size}/>')
        label = f"{panel.area}/"
        parts.append(f'<text class="area" x="{panel.left + MARGIN}" y="{panel.top + 20}">{escape(label)}</text>')
    for panel in panels:
        middle = panel.left + panel.width / 2
        parts.append(f'<path d="M{middle:.0f},{upper:.0f}L{middle:.0f},{core.top - 2:.0f}"/>')
    inner = {
        room: {t: w for t, w in targets.items() if t in boxes} for room, targets in arrows.items() if room in boxes
    }
    same = {room: {t: w for t, w in ts.items() if t.split("/")[0] == room.split("/")[0]} for room, ts in inner.items()}
    for room, target in sorted(reduced(same)):
        (x, y), (tx, ty) = boxes[room], boxes[target]
        bend = (ty - y) / 2
        start, end = f"M{x:.0f},{y + HEIGHT:.0f}", f"{tx:.0f},{ty - 1:.0f}"
        parts.append(f'<path d="{start}C{x:.0f},{y + HEIGHT + bend / 2:.0f} {tx:.0f},{ty - bend / 2:.0f} {end}"/>')
    for room, (x, y) in sorted(boxes.items()):
        box = f'x="{x - WIDTH / 2:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="5"'
        parts.append(
            f'<rect class="room" {box}/><text x="{x:.0f}" y="{y + 15:.0f}">{escape(room.split("/")[1])}</text>'
        )
        count = f"{sizes[room]} module{'s' * (sizes[room] != 1)}"
        parts.append(f'<text class="count" x="{x:.0f}" y="{y + 28:.0f}">{count}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def picture() -> str:
    """The diagram of the code as it is."""
    known = modules()
    group = {name: room_of(path) for name, path in known.items()}
    return drawing(grouped(known, module_arrows(known), group), _sizes(group.values(), known))


def _sizes(rooms: Iterable[str], known: Mapping[str, Path]) -> dict[str, int]:
    doors = [room_of(path) for path in known.values() if path.stem == "__init__" and path.parent.name not in AREAS]
    sizes: dict[str, int] = {}
    for room in rooms:
        sizes[room] = sizes.get(room, 0) + 1
    return {room: max(1, count - doors.count(room)) for room, count in sizes.items()}


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
