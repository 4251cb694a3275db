"""What 0.1 gives to learners beside its exercises: meshes, pictures, and the race of tracers."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from arena_lab.catalogue import find_section, make_importable

make_importable(find_section("0.1"))

from part1_ray_tracing import solutions, utils  # noqa: E402
from part1_ray_tracing.mesh import make  # noqa: E402

# Other tests of this process fork, and a child hangs if its parent has used several threads.
torch.set_num_threads(1)


@pytest.fixture
def rays() -> torch.Tensor:
    rays = solutions.make_rays_2d(24, 20, 0.45, 0.45)
    rays[:, 0] = torch.tensor([-3.0, 0.0, 0.0])
    return rays


@pytest.fixture
def triangles() -> torch.Tensor:
    return utils.load_mesh(utils.MESH / "duck.pt")


# --- the mesh ---------------------------------------------------------------------------------


def test_duck_is_what_its_script_makes(triangles: torch.Tensor) -> None:
    assert triangles.shape == (616, 3, 3)
    assert np.array_equal(triangles.numpy(), make.duck())


@pytest.mark.parametrize("ending", ["stl", "obj"])
def test_duck_is_the_same_in_each_format(triangles: torch.Tensor, ending: str) -> None:
    other = utils.load_mesh(utils.MESH / f"duck.{ending}")
    assert torch.allclose(other, triangles, atol=1e-6)


def test_duck_is_closed_and_its_normals_point_outward() -> None:
    import trimesh

    mesh = trimesh.load_mesh(utils.MESH / "duck.stl")
    assert mesh.is_watertight
    assert mesh.volume > 0


def test_polygons_are_cut_into_triangles(tmp_path: Path) -> None:
    path = tmp_path / "square.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
    triangles = utils.load_mesh(path)
    area = (
        torch.linalg.cross(*(triangles[:, 1:] - triangles[:, :1]).unbind(1)).norm(dim=1).sum() / 2
    )
    assert (len(triangles), area.item()) == (2, pytest.approx(1))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.stl", None, "there is no such file"),
        ("duck.gltf", b"", "this ending is not known; use one of .pt, .stl, .obj, .ply, .off"),
        ("broken.pt", b"no tensor", "not a tensor saved by torch"),
        ("broken.stl", b"no mesh at all", "trimesh cannot read it|holds no triangles"),
        ("empty.obj", b"# nothing\n", "trimesh cannot read it|holds no triangles"),
    ],
)
def test_file_without_a_mesh_is_explained_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(utils.MeshError, match=message) as raised:
        utils.load_mesh(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_tensor_of_another_shape_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(5, 3), tmp_path / "points.pt")
    with pytest.raises(utils.MeshError, match=r"holds no triangles \(its shape is \(5, 3\)\)"):
        utils.load_mesh(tmp_path / "points.pt")


def test_centred_mesh_fits_before_the_camera(triangles: torch.Tensor) -> None:
    corners = utils.centred(7 * triangles + 100).flatten(0, 1)
    assert torch.allclose(corners.amax(0), -corners.amin(0), atol=1e-4)
    assert (corners.amax(0) - corners.amin(0)).max().item() == pytest.approx(2, abs=1e-4)


# --- tracers ----------------------------------------------------------------------------------


def test_all_tracers_agree_on_the_duck(rays: torch.Tensor, triangles: torch.Tensor) -> None:
    tracers = {k: v for k, v in solutions.TRACERS.items() if k != "compiled kernel"}
    timings = utils.time_tracers(tracers, rays, triangles, n_runs=1)
    assert {t.name: t.n_different for t in timings if not t.missing} == {
        t.name: 0 for t in timings if not t.missing
    }
    assert sum(not t.missing for t in timings) >= 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_tracers_agree_on_the_gpu(rays: torch.Tensor, triangles: torch.Tensor) -> None:
    tracers = {k: v for k, v in solutions.TRACERS.items() if k != "compiled kernel"}
    timings = utils.time_tracers(tracers, rays.cuda(), triangles.cuda(), n_runs=1)
    assert [t.name for t in timings if t.n_different] == []
    on_gpu = solutions.raytrace_mesh_gpu(rays, triangles)
    assert torch.allclose(on_gpu, solutions.raytrace_mesh(rays, triangles), atol=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_kernel_agrees_with_the_linear_solve(
    rays: torch.Tensor, triangles: torch.Tensor
) -> None:
    compiled = solutions.raytrace_mesh_compiled(rays, triangles)
    assert torch.allclose(compiled, solutions.raytrace_mesh(rays, triangles), atol=1e-3)


def test_without_a_compiler_the_race_goes_on(
    rays: torch.Tensor,
    triangles: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    utils.compiled.cache_clear()
    names = ("one matrix product", "compiled kernel")
    utils.compare_speed({name: solutions.TRACERS[name] for name in names}, rays, triangles[:50])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("compiled kernel")
    assert "no C++ compiler here" in last


@pytest.mark.slow
def test_raytrace_mesh_keeps_to_its_memory() -> None:
    code = (
        "from part1_ray_tracing import solutions, utils\n"
        "rays = solutions.make_rays_2d(250, 250, 0.45, 0.45)\n"
        "rays[:, 0, 0] = -3\n"
        "triangles = utils.load_mesh(utils.MESH / 'duck.pt')\n"
        "solutions.raytrace_mesh(rays[:10], triangles)\n"
        "print(utils._peak_memory(lambda: solutions.raytrace_mesh(rays, triangles)))\n"
    )
    folder = find_section("0.1").folder.parent
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True
    )
    # The page says 70 to 110 MB; all pairs at once would be 4.6 GiB.
    assert float(run.stdout) < 128 * 2**20


def test_hierarchy_holds_every_triangle_inside_its_boxes(triangles: torch.Tensor) -> None:
    tree = solutions.build_hierarchy(triangles, leaf_size=3)
    corners = tree.triangles.permute(3, 0, 1, 2)  # leaves in_leaf corners xyz
    assert corners.shape[1] <= 3
    assert set(map(tuple, corners.reshape(-1, 9).tolist())) == set(
        map(tuple, triangles.reshape(-1, 9).tolist())
    )
    for level, (low, high) in enumerate(zip(tree.low, tree.high, strict=True)):
        boxes = corners.reshape(2**level, -1, 3)
        assert (boxes >= low.T[:, None]).all()
        assert (boxes <= high.T[:, None]).all()


# --- pictures ---------------------------------------------------------------------------------


def test_video_is_one_full_turn(rays: torch.Tensor, triangles: torch.Tensor) -> None:
    depths = solutions.raytrace_mesh_video(
        rays, triangles[:40], solutions.rotation_matrix, solutions.raytrace_mesh, num_frames=4
    )
    assert depths.shape == (4, len(rays))
    half = triangles[:40] * torch.tensor([-1.0, 1.0, -1.0])
    assert torch.allclose(depths[2], solutions.raytrace_mesh(rays, half), atol=1e-3)


def test_video_is_saved_as_an_endless_gif(tmp_path: Path) -> None:
    from PIL import Image

    frames = torch.full((3, 6, 5), float("inf"))
    for i in range(3):
        frames[i, i, 0] = 1.0 + i
    with Image.open(utils.save_video(frames, tmp_path / "turn.gif")) as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (3, (5, 6), 0)
        first = np.asarray(image.convert("L"))
    assert first[5, 0] > 200  # y points up
    assert (first > 40).sum() == 1


@pytest.mark.parametrize("values", [float("inf"), 0.5, 3.0])
def test_picture_of_one_value_can_be_shown(values: float) -> None:
    picture = torch.full((2, 3), values)
    assert utils.display_image(picture).data[0].z.shape == (2, 3)
    assert len(utils.display_video(picture[None]).frames) == 1
    assert utils.display_image(torch.tensor([[True]])).data


def test_views_of_the_page_need_no_torch() -> None:
    code = (
        "import sys\nfrom part1_ray_tracing import utils\n"
        "for name in ('explore_ray', 'explore_segment', 'explore_triangle', 'explore_camera',"
        " 'turning_duck'):\n    getattr(utils, name)().to_json()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=find_section("0.1").folder.parent, check=True)
