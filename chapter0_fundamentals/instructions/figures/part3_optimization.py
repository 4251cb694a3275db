"""The figures of 0.3 Optimization: distributed training."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .theme import Board, Draw, Theme


def _layers(board: Board, x: float, owners: list[tuple[str, ...]], heads: list[str]) -> None:
    """Draw a network's four layers from below; each is cut into parts of the given colours."""
    for i, parts in enumerate(owners):
        width = 1.1 / len(parts)
        for j, color in enumerate(parts):
            board.axes.add_patch(
                Rectangle(
                    (x + j * width, 0.62 + 0.36 * i),
                    width - 0.04,
                    0.29,
                    fc=board.theme[f"{color}_fill"],
                    ec=board.theme[color],
                    lw=1.2,
                )
            )
    for i, head in enumerate(heads):
        board.text(x + 0.53, 2.58 - 0.23 * i, head, "ink", 10.5, bold=i == 0)


def parallelism(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.8)
    whole = [("forward",)] * 4
    _layers(board, 0.1, whole, [])
    _layers(board, 1.25, [("back",)] * 4, [])
    board.text(1.2, 2.58, "data", "ink", 10.5, bold=True)
    board.text(0.63, 0.35, "half the batch", "forward", 10)
    board.text(1.78, 0.35, "other half", "back", 10)
    _layers(board, 2.7, [("forward",), ("forward",), ("back",), ("back",)], ["pipeline"])
    board.text(3.23, 0.35, "half the layers", "ink", 10)
    _layers(board, 3.95, [("forward", "back")] * 4, ["tensor"])
    board.text(4.48, 0.35, "half of each", "ink", 10)
    board.text(1.2, 2.3, "the network twice", "quiet", 10)
    board.text(3.85, 2.3, "the network once", "quiet", 10)
    return board.figure


def _ranks(board: Board, left: float, right: float, top: float, bottom: float) -> None:
    for x, rank, color in ((left, 0, "forward"), (right, 1, "back")):
        board.text(x, top + 0.22, f"rank {rank}", color, 11, bold=True)
        board.line([(x, top), (x, bottom)], color, 1.6)


def messages(theme: Theme) -> Figure:
    board = Board(theme, 4.6, 2.9)
    for x, rank, color in ((1.2, 0, "forward"), (3.4, 1, "back")):
        board.text(x, 2.72, f"rank {rank}", color, 11, bold=True)
    board.line([(1.2, 2.5), (1.2, 2.0)], "forward", 1.6)
    board.axes.plot([1.2, 1.2], [2.0, 1.05], color=theme.forward, lw=1.6, ls=(0, (2, 2)))
    board.line([(1.2, 1.05), (1.2, 0.15)], "forward", 1.6)
    board.line([(3.4, 2.5), (3.4, 0.15)], "back", 1.6)
    board.text(1.05, 2.0, "send(dst=1)", "forward", 10.5, ha="right", code=True)
    board.text(1.05, 1.52, "waits", "quiet", 10.5, ha="right")
    board.text(3.55, 1.05, "recv(src=0)", "back", 10.5, ha="left", code=True)
    board.arrow((1.2, 1.05), (3.4, 1.05), "accent", gap=(0.06, 0.06))
    board.text(2.3, 1.25, "tensor", "accent", 10.5)
    board.text(1.05, 0.55, "goes on", "ink", 10.5, ha="right")
    board.text(3.55, 0.55, "goes on", "ink", 10.5, ha="left")
    board.text(3.55, 1.9, "computes", "ink", 10.5, ha="left")
    board.text(2.3, 2.2, "time ↓", "quiet", 10)
    return board.figure


def deadlock(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.5)
    for x, good in ((0.75, False), (3.3, True)):
        left, right = x, x + 1.2
        _ranks(board, left, right, 2.02, 0.5)
        first = "isend" if good else "send"
        for rank_x, side in ((left, "right"), (right, "left")):
            out = -0.08 if side == "right" else 0.08
            board.text(rank_x + out, 1.75, first, "ink", 10, ha=side, code=True)
            second = "irecv" if good else "waits"
            board.text(
                rank_x + out, 1.4, second, "ink" if good else "quiet", 10, ha=side, code=good
            )
            if good:
                board.text(rank_x + out, 0.75, "wait", "ink", 10, ha=side, code=True)
        if good:
            board.arrow((left, 1.7), (right, 1.0), "forward", gap=(0.05, 0.05))
            board.arrow((right, 1.7), (left, 1.0), "back", gap=(0.05, 0.05))
        else:
            board.arrow((left, 1.75), (left + 0.62, 1.75), "forward", gap=(0.05, 0.05))
            board.arrow((right, 1.4), (right - 0.62, 1.4), "back", gap=(0.05, 0.05))
            board.text(left + 0.6, 0.9, "nobody\nreceives", "quiet", 10)
        board.text(
            x + 0.6, 0.22, "both arrive" if good else "deadlock", "accent" if good else "back", 11,
            bold=True,
        )  # fmt: skip
    return board.figure


def collectives(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.6)
    columns = {
        "before": [(0, 0), (1, 10), (2, 20)],
        "broadcast": [(0, 0)] * 3,
        "reduce": [(3, 30), ("?", "?"), ("?", "?")],
        "all_reduce": [(3, 30)] * 3,
    }
    for rank in range(3):
        board.text(0.08, 1.72 - 0.65 * rank, f"rank {rank}", "ink", 10.5, ha="left")
    for i, (name, rows) in enumerate(columns.items()):
        x = 0.78 + 1.12 * i
        board.text(x + 0.42, 2.35, name, "ink", 10, bold=i == 0, code=i > 0)
        for rank, row in enumerate(rows):
            new = i > 0 and row[0] != "?" and not (name == "broadcast" and rank == 0)
            color = "back" if new else "forward" if row[0] != "?" else "quiet"
            fill = f"{color}_fill" if color != "quiet" else "paper"
            board.cells(x, 1.93 - 0.65 * rank, [row], color, fill, size=0.42, font=10.5)
    return board.figure


def data_parallel(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 4.3)
    for x, rank, color in ((1.2, 0, "forward"), (3.8, 1, "back")):
        board.text(x, 4.1, f"rank {rank}", color, 11, bold=True)
        steps = ["its part of the batch", "forward", "backward", None, "step", "same weights"]
        for i, step in enumerate(steps):
            y = 3.67 - 0.67 * i
            if step:
                fill = "paper" if i in (0, 5) else f"{color}_fill"
                board.box(x, y, 2.0, 0.42, step, "ink" if i in (0, 5) else color, fill, 10.5)
            if i < 5:
                board.arrow((x, y - 0.21), (x, y - 0.46), color, gap=(0.01, 0.01))
    board.box(2.5, 1.66, 4.6, 0.42, "all_reduce: the mean gradient", "accent", "accent_fill", 10.5)
    return board.figure


def ring(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.5)
    # Which ranks' numbers are in each chunk of each rank, after 0, 2 and 4 steps.
    stages = {
        "start": [["0", "0", "0"], ["1", "1", "1"], ["2", "2", "2"]],
        "first round": [["0", "all", "0+2"], ["0+1", "1", "all"], ["all", "1+2", "2"]],
        "second round": [["all"] * 3] * 3,
    }
    for i, (name, ranks) in enumerate(stages.items()):
        x = 0.1 + (0, 1.45, 3.52)[i]
        size = (0.34, 0.6, 0.45)[i]
        board.text(x + 1.5 * size, 3.25, name, "ink", 10.5, bold=True)
        for rank, chunks in enumerate(ranks):
            y = 2.85 - 0.95 * rank
            board.text(x + 1.5 * size, y + 0.08, f"rank {rank}", "quiet", 9.5)
            for j, chunk in enumerate(chunks):
                done = chunk == "all"
                color = "back" if done else "forward"
                board.axes.add_patch(
                    Rectangle(
                        (x + j * size, y - 0.47),
                        size - 0.03,
                        0.4,
                        fc=theme[f"{color}_fill"],
                        ec=theme[color],
                        lw=1.1,
                    )
                )
                board.text(x + (j + 0.5) * size - 0.015, y - 0.28, chunk, color, 10)
    board.text(2.5, 0.2, "In each cell: whose numbers are added up in it.", "quiet", 10)
    return board.figure


FIGURES: dict[str, Draw] = {
    "parallelism": parallelism,
    "messages": messages,
    "deadlock": deadlock,
    "collectives": collectives,
    "data_parallel": data_parallel,
    "ring": ring,
}
