"""The recorder's tests run against a stand-in for NVML built from C (tests/nvml_stub)."""

import ctypes
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from record.machine import EIGHT_AT_500_W, ROOT, Machine

SOURCE = ROOT / "tests" / "nvml_stub" / "nvml_stub.c"


def build(require_tool: Callable[[str], str], folder: Path, *flags: str) -> Path:
    """Compile the stub; return the folder to put on LD_LIBRARY_PATH."""
    gcc = require_tool("gcc")
    library = folder / "libnvidia-ml.so.1"
    command = [gcc, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", *flags]
    subprocess.run([*command, "-o", str(library), str(SOURCE)], check=True)
    return folder


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """No test of the recorder may hang: after half a minute it fails."""

    def too_long(_number: int, _frame: object) -> None:
        raise TimeoutError("this test has run for 30 s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, 30)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def stub_folder(require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(require_tool, tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def old_stub_folder(require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library without nvmlDeviceGetFieldValues and the event reasons, as drivers before 525 are."""
    return build(require_tool, tmp_path_factory.mktemp("old_nvml"), "-DNVML_STUB_OLD_DRIVER")


@pytest.fixture
def machine(tmp_path: Path, stub_folder: Path) -> Iterator[Machine]:
    """A machine with eight H100 at 500 W."""
    machine = Machine(tmp_path, stub_folder)
    yield machine
    machine.end()


@pytest.fixture
def bare_machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine without an NVIDIA driver."""
    machine = Machine(tmp_path, None)
    yield machine
    machine.end()


class Stub:
    """The stub inside this process, with a simulated time."""

    def __init__(self, library: ctypes.CDLL, folder: Path) -> None:
        self._library = library
        self._folder = folder
        library.nvmlStubIntegral.restype = ctypes.c_double
        library.nvmlStubIntegral.argtypes = [ctypes.c_int, ctypes.c_double]
        library.nvmlStubSetTime.argtypes = [ctypes.c_double]
        library.nvmlStubCalls.restype = ctypes.c_long

    def configure(self, text: str) -> None:
        path = self._folder / "gpus.conf"
        path.write_text(text)
        self._library.nvmlStubConfigure(str(path).encode())
        self.set_time(0.0)

    def set_time(self, seconds: float) -> None:
        self._library.nvmlStubSetTime(seconds)

    def integral_j(self, gpu: int, seconds: float) -> float:
        """The trace's exact energy in joules up to a time."""
        return float(self._library.nvmlStubIntegral(gpu, seconds)) / 1000

    def calls(self) -> int:
        """How often the driver has been entered so far."""
        return int(self._library.nvmlStubCalls())


@pytest.fixture
def stub(stub_folder: Path, tmp_path: Path) -> Iterator[Stub]:
    library = ctypes.CDLL(str(stub_folder / "libnvidia-ml.so.1"), ctypes.RTLD_GLOBAL)
    stub = Stub(library, tmp_path)
    stub.configure(EIGHT_AT_500_W)
    yield stub
    stub.configure(EIGHT_AT_500_W)
