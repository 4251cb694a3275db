"""The tasks of `./inv TASK` (or `invoke TASK`): each a few lines that call the engine."""

import sys
from pathlib import Path

from invoke import Context, Exit, task

HERE = Path(__file__).resolve().parent
SECTION = {"section": "only this section, e.g. 0.4"}
NAME = {"name": "the exercise, by any of the names that list shows"}


@task(
    help={
        "section": "which section, e.g. 0.4; needed but with --exercise",
        "exercise": "only this exercise, by any of its names",
        "solutions": "check our solutions instead of your answers",
        "json": "write the verdicts to this file ('-' for the terminal)",
        "all": "explain every failure, not only the first",
    }
)
def test(
    c: Context,
    section: str = "",
    exercise: str = "",
    solutions: bool = False,
    json: str = "",
    all: bool = False,
) -> None:
    """Check your answers of a section, and say what is wrong."""
    from arena_lab.commands import test as run

    run(section or None, exercise or None, solutions=solutions, json_file=json or None, every=all)


@task(name="list", help={"section": "list the exercises of this section, e.g. 0.4"})
def list_sections(c: Context, section: str = "") -> None:
    """List the sections, or the exercises of one."""
    from arena_lab.commands import list_sections as run

    run(section or None)


@task
def progress(c: Context) -> None:
    """Show how far you are in each section."""
    from arena_lab.commands import progress as run

    run()


@task(help={"section": "only this section; by default the one that you save"})
def watch(c: Context, section: str = "") -> None:
    """Check what you just saved, at once, on every save."""
    from arena_lab.commands import watch as run

    run(section or None)


@task(help=NAME)
def hint(c: Context, name: str) -> None:
    """Show the next hint of an exercise."""
    from arena_lab.commands import hint as run

    run(name)


@task(help={**NAME, "now": "show it although nothing was tried yet"})
def solution(c: Context, name: str, now: bool = False) -> None:
    """Show our code of an exercise, after a try of yours."""
    from arena_lab.commands import solution as run

    run(name, now=now)


@task(name="next", help=SECTION)
def next_exercise(c: Context, section: str = "") -> None:
    """Say which exercise comes next."""
    from arena_lab.commands import next_exercise as run

    run(section or None)


@task(help=NAME)
def reset(c: Context, name: str) -> None:
    """Put the stub of an exercise back; a copy of your file is kept."""
    from arena_lab.commands import reset as run

    run(name)


@task(
    help={
        "source": "a folder or zip file with the new course, where it was not cloned with git",
        "check": "only tell what would change",
    }
)
def update(c: Context, source: str = "", check: bool = False) -> None:
    """Fetch the newest course; what you wrote stays, and is copied first."""
    from arena_lab.commands import update as run

    run(source or None, check=check)


@task(help={**SECTION, "check": "only tell which are out of date"})
def starters(c: Context, section: str = "", check: bool = False) -> None:
    """Write answers.py where none was begun; --check only tells which are out of date."""
    from arena_lab.commands import starters as run

    run(section or None, check=check)


@task(
    help={
        **SECTION,
        "to": "the folder to write into",
        "run": "run the solutions' notebooks, and keep what their cells show",
    }
)
def notebooks(c: Context, section: str = "", to: str = "notebooks", run: bool = False) -> None:
    """Write exercises and solutions as notebooks, for Colab, Kaggle or a reader."""
    from arena_lab.commands import notebooks as write

    write(section or None, Path(to), run=run)


@task(help={"port": "where to listen (ARENA_LAB_PORT, else 8888)"})
def lab(c: Context, port: str = "", browser: bool = True) -> None:
    """Open JupyterLab and the instructions; --no-browser only prints the link."""
    from arena_lab.commands import command
    from arena_lab.lab import start

    command(start)(port or None, browser=browser)


@task(
    help={"json": "print JSON", "fix": "mend what can be mended safely"},
)
def doctor(c: Context, json: bool = False, fix: bool = False) -> None:
    """Say whether this machine, or this container, is fit for the lab."""
    from arena_lab.doctor import report

    sys.exit(report(as_json=json, fix=fix))


@task(
    help={
        "quick": "only what finishes within a minute: no browser",
        "container": "instead build, start and try the real image; needs a Docker engine",
        "gpu": "instead only what computes on a GPU, and the figures of it; needs one",
    }
)
def check(c: Context, quick: bool = False, container: bool = False, gpu: bool = False) -> None:
    """Run the project's checks: style, types, and all tests but the container's."""
    chosen = "container" if container else "gpu" if gpu else "not container"
    if quick:
        chosen += " and not slow and not browser"
    with c.cd(HERE):
        if not container and not gpu:
            for style in ("ruff check .", "ruff format --check .", "mypy"):
                c.run(f"{sys.executable} -m {style}", echo=True)
        c.run(f"{sys.executable} -m pytest -m '{chosen}'", echo=True, pty=sys.stdout.isatty())
    if gpu:
        bench(c, only="raytracing")


@task(
    help={
        "container": "measure the container too; needs its image",
        "only": "only these, with commas between: the names of the files in benchmarks/",
    }
)
def bench(c: Context, container: bool = False, only: str = "") -> None:
    """Measure what the README states, and print it beside the goals."""
    there = sorted({path.stem for path in HERE.glob("benchmarks/*.py")} - {"table"})
    chosen = [name.strip() for name in only.split(",")] if only else []
    if unknown := {*chosen} - {*there}:
        raise Exit(f"there is no benchmark {min(unknown)!r}; there are {', '.join(there)}", code=2)
    for name in there:
        wanted = name in chosen if chosen else container or name not in ("container", "classroom")
        if wanted:
            with c.cd(HERE):
                c.run(f"{sys.executable} benchmarks/{name}.py", echo=True, pty=sys.stdout.isatty())


@task(
    help={
        "submissions": "a folder: a folder for each learner, or NAME.py, or NAME.ipynb",
        "section": "only this section; by default each file's is found",
        "workers": "how many run side by side; 0, the default, is one for each core",
        "scheduler": "let the workers of this Dask scheduler do it, e.g. tcp://10.0.0.5:8786",
        "sandbox": "container, namespaces or process; by default the first that works here",
        "tests": "a file with tests of your own, beside ours",
        "to": "where results and report go, by default SUBMISSIONS-grades",
        "minutes": "how long a whole submission may take",
        "memory": "how many MB a whole submission may take",
    }
)
def grade(
    c: Context,
    submissions: str,
    section: str = "",
    workers: str = "0",
    scheduler: str = "",
    sandbox: str = "auto",
    tests: str = "",
    to: str = "",
    minutes: str = "10",
    memory: str = "4096",
) -> None:
    """Grade a folder of submissions, each shut in; write a page, CSV and JSON."""
    from arena_lab.commands import grade as run

    options = {"section": section, "workers": workers, "scheduler": scheduler, "sandbox": sandbox}
    options |= {"minutes": minutes, "memory": memory}
    run(Path(submissions), Path(to) if to else None, Path(tests) if tests else None, options)


@task
def figures(c: Context) -> None:
    """Draw the figures of the pages anew."""
    c.run(f"{sys.executable} -m chapter0_fundamentals.instructions.figures", echo=True)


@task(help={"stamp": "the section whose translation says what its English page says now"})
def translations(c: Context, stamp: str = "") -> None:
    """Say what is wrong with the pages in other languages."""
    from arena_lab.commands import translations as run

    run(stamp or None)


@task(help={"upgrade": "take the newest versions instead of keeping those that are locked"})
def lock(c: Context, upgrade: bool = False) -> None:
    """Compile requirements.txt and requirements-dev.txt from pyproject.toml."""
    from arena_lab.commands import lock as run

    run(upgrade=upgrade)


@task(help={"to": "the file to write", "image": "another image than the one that the lab runs"})
def sbom(c: Context, to: str = ".lab/sbom.json", image: str = "") -> None:
    """List the packages of the image, Python's and Debian's, for tools that read CycloneDX."""
    from arena_lab.commands import sbom as run

    run(Path(to), image or None)


@task
def audit(c: Context) -> None:
    """Ask OSV's database what is known against the packages of the lock; a report, no verdict."""
    from arena_lab.commands import audit as run

    run()


@task(
    help={
        **SECTION,
        "exercise": "only this exercise of it",
        "all": "every mutant instead of a sample; writes the section's score",
        "sample": "how many mutants of each section",
        "seed": "which sample",
        "workers": "how many run side by side",
    }
)
def mutate(
    c: Context,
    section: str = "",
    exercise: str = "",
    all: bool = False,
    sample: str = "100",
    seed: str = "0",
    workers: str = "2",
) -> None:
    """Change the solutions in small ways, and list the changes that no test notices."""
    from arena_lab.commands import mutate as run

    size = None if all else sample
    run(section or None, exercise or None, size=size, seed=seed, workers=workers)
