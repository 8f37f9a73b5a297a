import os
import socket
import subprocess
import sys
from pathlib import Path


def test_an_explainer_whose_page_cannot_be_served_says_so_and_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
        own = {
            "XMIRAD_HOME": str(tmp_path),
            "XMIRAD_QUEUE__URL": "redis://127.0.0.1:1",
            "XMIRAD_METRICS__PORT": str(port),
        }
        done = subprocess.run(
            [sys.executable, "-m", "xmirad_explainer"],
            env={**clean, **own},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert f"the metrics page cannot listen on 127.0.0.1, port {port}" in done.stderr
