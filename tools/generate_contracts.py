"""Write sdk/lienthong/api anew from the contracts in proto/.

Run by `make proto` with the generator's own environment. The folder is replaced as a whole, so that nothing stays
behind of a contract that was renamed or removed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "proto"
API = Path("lienthong/api")
SERVICE = re.compile(r"^service \w+ \{", re.MULTILINE)


def main() -> None:
    """Generate into a temporary folder, then put it in the place of the committed one."""
    contracts = sorted(path.relative_to(CONTRACTS) for path in (CONTRACTS / API).rglob("*.proto"))
    if not contracts:
        sys.exit(f"no .proto file in {CONTRACTS / API}: nothing to generate from")
    with_services = [path for path in contracts if SERVICE.search((CONTRACTS / path).read_text(encoding="utf-8"))]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        run_protoc(output, ["python", "mypy"], contracts)
        # Asked for a file without a service, the gRPC plugins write modules with nothing in them.
        run_protoc(output, ["grpc_python", "mypy_grpc"], with_services)
        mark_packages(output)
        shutil.rmtree(ROOT / "sdk" / API, ignore_errors=True)
        shutil.copytree(output / API, ROOT / "sdk" / API)
    print(f"{len(contracts)} contracts, {len(with_services)} with services, written to sdk/{API}")


def run_protoc(output: Path, generators: list[str], contracts: list[Path]) -> None:
    """Run the named protoc generators over the contracts."""
    if not contracts:
        return
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin=protoc-gen-{name}={scripts / f'protoc-gen-{name}'}" for name in generators if "mypy" in name]
    outputs = [f"--{name}_out={'quiet:' if 'mypy' in name else ''}{output}" for name in generators]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{CONTRACTS}", *plugins, *outputs, *map(str, contracts)]
    subprocess.run(command, check=True)


def mark_packages(output: Path) -> None:
    """Make each folder of the API a regular package, which every importer, type checker and packager understands."""
    for folder in [output / API, *(path for path in (output / API).rglob("*") if path.is_dir())]:
        source = folder.relative_to(output)
        (folder / "__init__.py").write_text(f'"""Generated from proto/{source} by `make proto`."""\n', encoding="utf-8")


if __name__ == "__main__":
    main()
