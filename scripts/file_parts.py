"""Cut a large file into parts that travel one by one, and join them where they have arrived; sums tell what was lost.

python scripts/file_parts.py split MODEL.gguf .cache/parts --mib 48     # MODEL.gguf.1, .2, ... and MODEL.gguf.parts
python scripts/file_parts.py join .cache/parts/MODEL.gguf.parts MODEL.gguf
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

MIB = 2**20


def split(path: Path, folder: Path, num_bytes: int) -> Path:
    """Write the parts of a file, and last the list of them: names, sizes and SHA-256 of each and of the whole."""
    folder.mkdir(parents=True, exist_ok=True)
    parts, whole = [], hashlib.sha256()
    with path.open("rb") as file:
        while content := file.read(num_bytes):
            part = folder / f"{path.name}.{len(parts) + 1}"
            part.write_bytes(content)
            whole.update(content)
            parts.append({"name": part.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    listed = folder / f"{path.name}.parts"
    listed.write_text(json.dumps({"sha256": whole.hexdigest(), "parts": parts}, indent=1) + "\n", encoding="utf-8")
    return listed


def join(listed: Path, out: Path) -> None:
    """Put the parts that lie beside their list together; the file appears once all of them are right.

    Raises:
        SystemExit: a part is missing or was damaged on the way.
    """
    told, whole = json.loads(listed.read_text(encoding="utf-8")), hashlib.sha256()
    unfinished = out.with_name(f"{out.name}.unfinished")
    with unfinished.open("wb") as file:
        for part in told["parts"]:
            path = listed.with_name(part["name"])
            content = path.read_bytes() if path.exists() else b""
            if hashlib.sha256(content).hexdigest() != part["sha256"]:
                why = f"has {len(content):,} of {part['bytes']:,} bytes, or others" if content else "is not there"
                raise SystemExit(f"{path} {why}: bring it again")
            whole.update(content)
            file.write(content)
    if whole.hexdigest() != told["sha256"]:
        raise SystemExit(f"{listed} is of another file than its parts: split again")
    unfinished.replace(out)


def main(argv: Sequence[str] | None = None) -> int:
    """Split or join, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    cut = commands.add_parser("split")
    cut.add_argument("file", type=Path)
    cut.add_argument("folder", type=Path)
    cut.add_argument("--mib", type=int, default=48, help="of a part at most")
    put = commands.add_parser("join")
    put.add_argument("list", type=Path)
    put.add_argument("out", type=Path)
    chosen = parser.parse_args(argv)
    if chosen.command == "split":
        if chosen.mib < 1:
            parser.error(f"--mib {chosen.mib}: must be 1 or more")
        print(split(chosen.file, chosen.folder, chosen.mib * MIB))
    else:
        join(chosen.list, chosen.out)
        print(chosen.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
