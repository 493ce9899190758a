"""Generates shared/pb from the contracts, so that no generated file is ever committed.

`buf/validate/validate.proto` ships in no package; its descriptor does, inside protovalidate. It is written to a
temporary descriptor set that `protoc` reads beside our own files. protoc's Python plugin writes absolute imports rooted
at the proto path; they are rooted at `shared.pb` here, so that nothing of ours claims the top-level names `filingnet`
or `buf`.

Run as `python protos/generate.py`; `pip install` runs it as well (setup.py). `python protos/generate.py --image FILE
[ROOT]` writes the contracts under ROOT as a descriptor image instead, for the checks in protos/check.py.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
TARGET = PROTOS.parent / "shared" / "pb"
VALIDATE = "buf/validate/validate.proto"
# Field 8042 of FileDescriptorProto is buf's ImageFileExtension; {is_import: true} tells buf that a file is there for
# its types only, so that it is neither linted nor compared (buf/alpha/image/v1/image.proto).
IMPORT_MARK = bytes.fromhex("d2f603020801")
ROOTED_IMPORT = re.compile(r"^(from|import) (filingnet|buf)\b", re.MULTILINE)


def sources(proto_root: Path = PROTOS) -> list[str]:
    """Lists our proto files, relative to proto_root, in a fixed order."""
    return sorted(path.relative_to(proto_root).as_posix() for path in proto_root.rglob("*.proto"))


def write_validate_descriptors(path: Path) -> None:
    """Writes a FileDescriptorSet of validate.proto and what it imports to path."""
    from google.protobuf import (
        descriptor_pb2,
        duration_pb2,
        field_mask_pb2,
        timestamp_pb2,
    )
    from protovalidate._gen.buf.validate import validate_pb

    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb._DESC.proto.to_binary())
    path.write_bytes(files.SerializeToString())


def protoc(*arguments: str, proto_root: Path = PROTOS) -> None:
    """Runs the protoc of grpcio-tools over the contracts in proto_root; ends the program if it fails."""
    from grpc_tools import protoc as compiler

    with tempfile.TemporaryDirectory() as folder:
        validate = Path(folder, "validate.binpb")
        write_validate_descriptors(validate)
        well_known = resources.files("grpc_tools") / "_proto"
        status = compiler.main(
            [
                "protoc",
                f"--descriptor_set_in={validate}",
                f"--proto_path={proto_root}",
                f"--proto_path={well_known}",
                *arguments,
            ]
        )
    if status != 0:
        sys.exit(f"protoc failed with status {status}")


def write_image(path: Path, proto_root: Path = PROTOS) -> None:
    """Writes the contracts in proto_root to path, with comments, as an image that `buf lint` and `buf breaking` read.

    The image holds everything the contracts import, marked as imports, so that only our own files are judged.
    """
    from google.protobuf import descriptor_pb2

    ours = sources(proto_root)
    protoc(
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={path}",
        *ours,
        proto_root=proto_root,
    )
    image = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    for file in image.file:
        if file.name not in ours:
            file.MergeFromString(IMPORT_MARK)
    path.write_bytes(image.SerializeToString())


def generate(target: Path = TARGET) -> None:
    """Generates messages, type stubs and gRPC stubs into target, replacing what was there."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        out = Path(folder, "pb")
        out.mkdir()
        protoc(f"--python_out={out}", f"--pyi_out={out}", VALIDATE, *sources())
        services = [name for name in sources() if name.endswith("_service.proto")]
        protoc(f"--grpc_python_out={out}", *services)
        for path in [*out.rglob("*.py"), *out.rglob("*.pyi")]:
            path.write_text(ROOTED_IMPORT.sub(r"\1 shared.pb.\2", path.read_text("utf-8")), "utf-8")
        for directory in [out, *(path for path in out.rglob("*") if path.is_dir())]:
            (directory / "__init__.py").write_text("", "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        out.rename(target)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--image"]:
        write_image(Path(sys.argv[2]), Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else PROTOS)
    else:
        generate()
