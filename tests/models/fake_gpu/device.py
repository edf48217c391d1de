"""A GPU that is not there: torch's FakeTensorMode with device `cuda:0`, whose tensors have their numbers on the CPU.

Every operation on a tensor of the GPU runs twice: on fake tensors, where a wrong device, number type or shape raises as
it does on a GPU, and on CPU tensors behind them, so that values that the program reads are the right ones. Tensors that
the program makes on the host stay what they are. What the host waits for is noted: numbers that are read, shapes that
hang on numbers, copies that do not go on in the background.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)

aten = torch.ops.aten
GPU = torch.device("cuda", 0)
CUDA, META = 1, 14
"""torch's numbers of these types of devices."""
BY_INDEX = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
"""Take lists of indices: with bool ones the number of places is read, ones on the host are copied first."""
COMPOSITE = "CompositeImplicitAutograd"


class FakeGpu(FakeTensorMode):  # type: ignore[no-untyped-call]  # of a base class
    """Within it `cuda:0` can be used."""

    def __init__(self) -> None:
        allow_cuda()
        super().__init__(allow_non_fake_inputs=True)
        self.waits: list[str] = []
        """What the host waited for, in order."""
        self._checking = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation."""
        kwargs = kwargs or {}
        if self._checking:
            return super().__torch_dispatch__(func, types, args, kwargs)
        if not any(isinstance(leaf, FakeTensor) or leaf == GPU for leaf in leaves((args, kwargs))):
            return func(*args, **kwargs)
        if func is torch.ops.prim.device.default:
            return GPU
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), COMPOSITE):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        self._note(func, args, kwargs)
        if _to_host(func, args, kwargs):
            return func(*each(number_of, args), **each(number_of, kwargs))
        return self._twice(func, types, args, kwargs)

    def _twice(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        told = {name: value for name, value in kwargs.items() if name != "generator"}  # draws no fake numbers
        fakes = each(self._fake, args), each(self._fake, told)
        try:
            with self._plain():
                found = super().__torch_dispatch__(func, types, *fakes)
        except (DataDependentOutputException, DynamicOutputShapeException):
            self.waits.append(str(func))
            return each(self._placed, func(*each(number_of, args), **each(number_of, kwargs)))
        numbers = func(*each(number_of, args), **each(number_of, kwargs))
        for fake, number in zip(leaves(found), leaves(numbers), strict=True):
            if isinstance(fake, FakeTensor):
                assert fake.shape == number.shape, (func, fake, number.shape)
                if not hasattr(fake, "number"):  # else it was written in place
                    fake.number = number.to(fake.dtype)  # type: ignore[attr-defined]  # norms' inner numbers differ
        return found

    def _note(self, func: Any, args: Any, kwargs: Any) -> None:
        if func in (aten._to_copy.default, aten.copy_.default):
            target = args[0] if func is aten.copy_.default else kwargs.get("device")
            source = args[1] if func is aten.copy_.default else args[0]
            across = _is_host(source) != _is_host(target) and target is not None
            background = kwargs.get("non_blocking", False) or (func is aten.copy_.default and args[2:] == (True,))
            if across and source.numel() and (_is_host(target) or not background):
                self.waits.append(f"{func} to the {'host' if _is_host(target) else 'GPU'}")
        if func in BY_INDEX:
            for index in args[1]:
                if isinstance(index, Tensor) and (_is_host(index) or index.dtype == torch.bool):
                    self.waits.append(f"{func} by {'an index on the host' if _is_host(index) else 'bool'}")

    def _fake(self, leaf: Any) -> Any:
        """A tensor of the host is seen by an operation of the GPU as one of the CPU."""
        if isinstance(leaf, Tensor) and not isinstance(leaf, FakeTensor):
            with self._plain():
                return self.from_tensor(leaf)
        return leaf

    def _placed(self, number: Any) -> Any:
        """Numbers as a tensor of the GPU."""
        if not isinstance(number, Tensor):
            return number
        with self._plain():
            shape = (number.shape, number.stride())
            fake = super().__torch_dispatch__(
                aten.empty_strided.default, (), shape, {"dtype": number.dtype, "device": GPU}
            )
        fake.number = number  # type: ignore[attr-defined]
        return fake

    @contextmanager
    def _plain(self) -> Iterator[None]:
        """What torch does to check an operation is not the program's."""
        self._checking = True
        try:
            yield
        finally:
            self._checking = False


@contextmanager
def fake_gpu() -> Iterator[FakeGpu]:
    """Within it `cuda:0` can be used; modules are moved there as to a real GPU: tensors that are one stay one."""
    moved: dict[int, tuple[Tensor, nn.Parameter]] = {}

    def apply(module: nn.Module, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        for child in module.children() if recurse else ():
            child._apply(fn)  # type: ignore[no-untyped-call]
        for name, old in module._parameters.items():
            if old is None:
                continue
            if id(old) not in moved or moved[id(old)][0] is not old:
                with torch.no_grad():
                    moved[id(old)] = old, nn.Parameter(fn(old), old.requires_grad)
            module._parameters[name] = moved[id(old)][1]
        module._buffers |= {name: buffer if buffer is None else fn(buffer) for name, buffer in module._buffers.items()}
        return module

    build = torch.tensor

    def tensor(data: Any, **told: Any) -> Tensor:
        """FakeTensor's cannot read numbers that lie in a list; a GPU's are read one by one."""
        return build(each(lambda leaf: leaf.item() if isinstance(leaf, FakeTensor) else leaf, data), **told)

    with pytest.MonkeyPatch.context() as patch, FakeGpu() as gpu:
        patch.setattr(nn.Module, "_apply", apply)
        patch.setattr(torch, "tensor", tensor)
        patch.setattr(FakeTensor, "__deepcopy__", lambda fake, _: fake.clone(), raising=False)
        yield gpu


@functools.cache
def allow_cuda() -> None:
    """Let torch's C++ take tensors of `cuda` where it is built without CUDA: indexing them asks for the guard that
    switches between devices. The guard of `meta` does nothing.
    """
    library = ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("libc10.*"))))
    guards = (ctypes.c_void_p * 21).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")  # by type of device
    if not guards[CUDA]:
        register = library._ZN3c104impl19registerDeviceGuardENS_10DeviceTypeEPKNS0_24DeviceGuardImplInterfaceE
        register(ctypes.c_int8(CUDA), ctypes.c_void_p(guards[META]))


def leaves(value: Any) -> Iterator[Any]:
    """What lists, tuples and dicts hold, at any depth."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, dict):
        yield from leaves(list(value.values()))
    else:
        yield value


def each(change: Callable[[Any], Any], value: Any) -> Any:
    """The same with each leaf changed."""
    if isinstance(value, list | tuple):
        return type(value)(each(change, part) for part in value)
    if isinstance(value, dict):
        return {name: each(change, part) for name, part in value.items()}
    return change(value)


def number_of(leaf: Any) -> Any:
    """What an operation on the CPU takes in the place of this argument."""
    if isinstance(leaf, FakeTensor):
        return leaf.number  # type: ignore[attr-defined]
    return torch.device("cpu") if leaf == GPU else leaf


def _is_host(place: Any) -> bool:
    """Whether a tensor, or a device, is the host's."""
    device = place.device if isinstance(place, Tensor) else place
    return device is None or torch.device(device).type == "cpu"


def _to_host(func: Any, args: Sequence[Any], kwargs: Any) -> bool:
    """Whether an operation's result is a tensor of the host."""
    if func is aten.copy_.default:
        return _is_host(args[0])
    return func is aten._to_copy.default and kwargs.get("device") is not None and _is_host(kwargs["device"])
