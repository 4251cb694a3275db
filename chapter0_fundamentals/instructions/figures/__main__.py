"""Draw all figures of this chapter anew, and remove those that no code draws any more."""

from pathlib import Path

from .theme import draw_all

media = Path(__file__).parent.parent / "media"
written = set(draw_all(media))
for folder in {path.parent for path in written}:
    for stale in set(folder.glob("*.svg")) - written:
        stale.unlink()
print(f"{len(written)} drawings in {media}")
