"""How fast the tracers of 0.1 are: `python benchmarks/raytracing.py [--threads N]`.

Each on the same rays and mesh in one run, as times the linear-solve version; on a GPU as well where
there is one. Embree runs on one core, and so does everything else unless told otherwise.
"""

import argparse

import torch
from part1_ray_tracing import solutions
from part1_ray_tracing.mesh.make import duck
from part1_ray_tracing.utils import Timing, time_tracers
from table import Row, show

_N_PIXELS = 120


def rows(device: str) -> list[Row]:
    rays = solutions.make_rays_2d(_N_PIXELS, _N_PIXELS, 0.45, 0.45)
    rays[:, 0] = torch.tensor([-3.0, 0.0, 0.0])
    # Without chunks: what the first version of everybody takes.
    at_once = (
        None,
        lambda rays, triangles: solutions.nearest_hits(rays, triangles)[0] * rays[:, 1, 0],
    )
    small = torch.from_numpy(duck())
    tracers = {**solutions.TRACERS, "all pairs at once": at_once}
    found = _rows(time_tracers(tracers, rays.to(device), small.to(device)), len(small))
    large = torch.from_numpy(duck(detail=4))
    timings = time_tracers(solutions.TRACERS, rays.to(device), large.to(device))
    return found + _rows(timings, len(large))


def _rows(timings: list[Timing], n_triangles: int) -> list[Row]:
    by_name = {t.name: t for t in timings if not t.missing}
    solve, at_once = by_name["linear solve"], by_name.get("all pairs at once")
    embree = by_name.get("Embree")
    found = []
    for t in timings:
        what, goal = f"{n_triangles:,} triangles, {t.name}", ""
        if t.missing:
            found.append(Row(what, t.missing, ""))
            continue
        measured = f"{1000 * t.trace_s:,.1f} ms, {_short(solve.trace_s / t.trace_s)}×"
        measured += f", {t.memory_mib:,.0f} MiB"
        if t.n_different:
            measured += f", {t.n_different} rays differ"
        if t.name == "one matrix product" and at_once:
            measured += f" ({t.memory_mib / at_once.memory_mib:.1%})"
            goal = "≥ 30×, ≤ 5% (of all pairs)"
        if t.name == "hierarchy" and embree and not at_once:
            measured += f", {t.trace_s / embree.trace_s:.0f}× Embree's time"
            goal = "≤ 20× Embree's time"
        found.append(Row(what, measured, goal))
    return found


def _short(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="that torch may use")
    torch.set_num_threads(parser.parse_args().threads)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    title = f"{_N_PIXELS}×{_N_PIXELS} rays, fastest of up to 20, threads: {torch.get_num_threads()}"
    for device in devices:
        show(f"{title}, on {device}", rows(device))
