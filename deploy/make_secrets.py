"""Makes the secrets that docker-compose.yml mounts: `make secrets`. Those that are there stay as they are.

The folder is closed to other users (0700). The files in it are readable by all (0444), because a container's user, who
has another number than yours, reads them where they are mounted; from outside the folder nobody reaches them.
"""

import argparse
import secrets
from pathlib import Path

from xmirad.access.tokens import new_token

FOLDER = Path(__file__).parent / "secrets"
PASSWORDS = ("redis_password", "qdrant_api_key", "grafana_password")
FOLDER_MODE, FILE_MODE = 0o700, 0o444
SITE_KEY_BYTES, PASSWORD_BYTES = 32, 32


def make_secrets(folder: Path) -> list[str]:
    """Make what is missing in a folder, and return its names."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    made = [name for name in PASSWORDS if _write(folder / name, secrets.token_urlsafe(PASSWORD_BYTES).encode())]
    made += ["flower_auth"] * _write(folder / "flower_auth", f"xmirad:{secrets.token_urlsafe(PASSWORD_BYTES)}".encode())
    made += ["site_key"] * _write(folder / "site_key", secrets.token_bytes(SITE_KEY_BYTES))
    made += ["demo_token"] * _write(folder / "demo_token", new_token().encode())
    for file in folder.iterdir():
        if not file.name.startswith(".") and file.suffix != ".md":
            file.chmod(FILE_MODE)
    return made


def _write(file: Path, content: bytes) -> bool:
    if file.exists():
        return False
    file.touch(mode=0o600)
    file.write_bytes(content)
    return True


def main() -> None:
    """Make the secrets and say which."""
    parser = argparse.ArgumentParser(description="Makes the secrets that docker-compose.yml mounts.")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    made = make_secrets(folder)
    print(f"{folder}: made {', '.join(made)}" if made else f"{folder}: everything is there")


if __name__ == "__main__":
    main()
