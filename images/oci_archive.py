"""Writes an OCI archive of one image with one layer: a tar of `oci-layout`, `index.json` and `blobs/`.

It knows the format and nothing of Sluice (`build` does), and it takes nothing from its surroundings: no clock, no user, no
order of a folder. So the same image gives the same bytes.
"""

import hashlib
import io
import json
import tarfile
import time
from dataclasses import dataclass
from typing import Dict, List, Optional

# Of no user of the node, and the one that distroless images have.
USER = 65532


@dataclass(frozen=True)
class File:
    """A file of the layer, in the root folder or below it."""

    path: str
    content: bytes
    mode: int = 0o644
    # The content of the extended attribute `security.capability`.
    capability: Optional[bytes] = None


@dataclass(frozen=True)
class Image:
    """An image: what is in it, what it is called, and how it is started."""

    reference: str
    architecture: str
    entrypoint: str
    files: List[File]
    labels: Dict[str, str]


def write_archive(path, image, created):
    """Writes the archive and returns the digest of its manifest, by which a registry would know the image.

    `created` is in seconds since 1970.
    """
    blobs = {}

    def blob(media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    # Not compressed: compressors differ from version to version, and the bytes should not.
    layer = blob(LAYER, tar(accounts() + image.files))
    config = blob(CONFIG, encode(configuration(image, layer["digest"], created)))
    manifest = blob(MANIFEST, encode({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
        "annotations": image.labels,
    }))
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            **manifest,
            "platform": {"architecture": image.architecture, "os": "linux"},
            "annotations": {
                # Containerd names the image by the first, Podman and others by the second.
                "io.containerd.image.name": image.reference,
                "org.opencontainers.image.ref.name": image.reference,
            },
        }],
    }
    files = [File("oci-layout", encode({"imageLayoutVersion": "1.0.0"})), File("index.json", encode(index))]
    files += [File(name, blobs[name]) for name in sorted(blobs)]
    path.write_bytes(tar(files))
    return manifest["digest"].split(":")[1]


def configuration(image, layer, created):
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created)),
        "architecture": image.architecture,
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": [image.entrypoint],
            "WorkingDir": "/",
            "Labels": image.labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created_by": "images/build", "comment": "the program and its user"}],
    }


def accounts():
    """Returns the files that give the user a name."""
    return [
        File("etc/passwd", f"root:x:0:0:root:/:/sbin/nologin\nsluice:x:{USER}:{USER}:sluice:/:/sbin/nologin\n".encode()),
        File("etc/group", f"root:x:0:\nsluice:x:{USER}:\n".encode()),
    ]


def tar(files):
    """Returns a tar of these files and of the folders that they are in."""
    folders = {parent for file in files for parent in parents(file.path)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in sorted(folders):
            archive.addfile(entry(folder, tarfile.DIRTYPE, 0o755))
        for file in files:
            member = entry(file.path, tarfile.REGTYPE, file.mode)
            member.size = len(file.content)
            if file.capability is not None:
                # The one of all attributes that travels in a layer: containerd and Docker set it when they unpack. Headers
                # are text in UTF-8, which the bytes of a capability are, too.
                member.pax_headers = {"SCHILY.xattr.security.capability": file.capability.decode("utf-8")}
            archive.addfile(member, io.BytesIO(file.content))
    return out.getvalue()


def entry(path, kind, mode):
    """Returns a member that is root's and of no time."""
    member = tarfile.TarInfo(path)
    member.type, member.mode = kind, mode
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def parents(path):
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def encode(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
