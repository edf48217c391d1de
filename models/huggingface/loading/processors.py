"""The processor of a checkpoint, for still images, which Pillow prepares.

torchvision is not needed for the part for videos that some processors insist on. A class that itself is written for
torchvision (Pixtral's and Mistral 3's, LFM2-VL's, Cohere2-Vision's, Perception-LM's) needs it: see load_errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest import mock


def open_processor(source: str, *, trusted: bool, **more: Any) -> Any:
    """What `AutoProcessor` opens. Where torchvision is missing, the part for videos, which needs it, is left out.

    `more`: further options of `from_pretrained`. Raises what transformers raises for files that it cannot read.
    """
    from transformers import AutoProcessor

    if find_spec("torchvision") is None:
        with without_videos():
            return AutoProcessor.from_pretrained(source, trust_remote_code=trusted, **more)
    processor = AutoProcessor.from_pretrained(source, trust_remote_code=trusted, **more)
    _prepare_by_pillow(processor, source, trusted, more)
    return processor


@contextmanager
def without_videos() -> Iterator[None]:
    """Qwen2-VL's, InternVL's, LLaVA-OneVision's and SmolVLM's processors insist on a part for videos: an idle one."""
    from transformers import ProcessorMixin

    opener = import_module("transformers.models.auto.video_processing_auto")
    with (
        mock.patch.object(opener, "AutoVideoProcessor", _Idle),
        # The class that it must be cannot be named without torchvision.
        mock.patch.object(ProcessorMixin, "check_argument_for_proper_class", lambda *_: None),
    ):
        yield


class _Idle:
    @staticmethod
    def from_pretrained(*_: Any, **__: Any) -> Any:
        return no_videos()


def no_videos() -> Any:
    """A part for videos that never sees one, and has none of the settings that it is asked for."""
    from transformers.video_processing_utils import VideoProcessorMixin

    class NoVideos(VideoProcessorMixin):  # type: ignore[misc]
        num_frames = fps = None  # SmolVLM's chat template passes them on

    return NoVideos()


def _prepare_by_pillow(processor: Any, source: str, trusted: bool, more: dict[str, Any]) -> None:
    """Let images be prepared by Pillow, as for the published scores, though torchvision is installed.

    transformers takes torchvision where it finds it, whose pixels differ by up to two levels.
    """
    from transformers import AutoImageProcessor

    if getattr(processor, "image_processor", None) is not None:
        processor.image_processor = AutoImageProcessor.from_pretrained(
            source, backend="pil", trust_remote_code=trusted, **more
        )
