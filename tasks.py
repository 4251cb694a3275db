"""The tasks of `./inv TASK` (or `invoke TASK`): each a few lines that call the engine."""

from invoke import Context, task


@task(
    help={
        "section": "which section, e.g. 0.4",
        "exercise": "only this exercise, by any of its names",
        "solutions": "check our solutions instead of your answers",
        "json": "write the verdicts to this file ('-' for the terminal)",
        "all": "explain every failure, not only the first",
    }
)
def test(
    c: Context,
    section: str,
    exercise: str = "",
    solutions: bool = False,
    json: str = "",
    all: bool = False,
) -> None:
    """Check your answers of a section, and say what is wrong."""
    from arena_lab.commands import test as run

    run(section, exercise or None, solutions=solutions, json_file=json or None, every=all)


@task(name="list")
def list_sections(c: Context, section: str = "") -> None:
    """List the sections, or the exercises of one."""
    from arena_lab.commands import list_sections as run

    run(section or None)


@task
def progress(c: Context) -> None:
    """Show how far you are in each section."""
    from arena_lab.commands import progress as run

    run()


@task
def starters(c: Context, section: str = "", check: bool = False) -> None:
    """Write answers.py where none was begun; --check only tells which is out of date."""
    from arena_lab.commands import starters as run

    run(section or None, check=check)
