"""Which imports of a pickle only put tensors and plain values together."""

from hub.formats.pickle_walk import PUT_TOGETHER, SCRIPT

_STORAGES = "Double Float Half Long Int Short Char Byte Bool BFloat16 ComplexDouble ComplexFloat"
_TORCH = (
    "Size device dtype float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 bool "
    "complex64 complex128 float8_e4m3fn float8_e5m2 Tensor nn.parameter.Parameter "
    "serialization._get_layout storage.UntypedStorage storage.TypedStorage "
    "_utils._rebuild_tensor _utils._rebuild_tensor_v2 _utils._rebuild_tensor_v3 "
    "_utils._rebuild_parameter _utils._rebuild_parameter_with_state _utils._rebuild_qtensor "
    "_utils._rebuild_device_tensor_from_numpy _utils._rebuild_sparse_tensor "
    "_tensor._rebuild_from_type_v2"
)
_NUMPY = (
    "ndarray dtype core.multiarray._reconstruct core.multiarray.scalar core.numeric._frombuffer "
    "_core.multiarray._reconstruct _core.multiarray.scalar _core.numeric._frombuffer "
    "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool_"
)
# `torch.storage._load_from_bytes` loads a pickle of its own, and so is not among them.
KNOWN = frozenset(
    [f"torch.{name}" for name in _TORCH.split()]
    + [f"torch.{name}Storage" for name in _STORAGES.split()]
    + [f"numpy.{name}" for name in _NUMPY.split()]
    + ["collections.OrderedDict", "collections.defaultdict", "collections.Counter"]
    + ["argparse.Namespace", "_codecs.encode", "datetime.datetime", "datetime.timedelta"]
    + ["builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.complex"]
    + ["builtins.slice", "builtins.range", "builtins.list", "builtins.dict", "builtins.int"]
    + [f"__builtin__.{name}" for name in ("set", "frozenset", "bytearray", "complex", "long")]
    + ["copyreg._reconstructor", "copy_reg._reconstructor", "builtins.object", "pathlib.PosixPath"]
)
# Modules whose calls reach out of the process, or run text as code.
_MODULES = (
    "os posix nt subprocess sys socket shutil builtins __builtin__ runpy importlib pty ctypes "
    "webbrowser urllib http requests httpx aiohttp asyncio multiprocessing threading code codeop "
    "timeit pip pdb bdb cProfile profile operator functools types marshal pickle _pickle dill "
    "cloudpickle joblib tempfile pathlib glob signal commands popen2 ftplib smtplib telnetlib "
    "imaplib poplib xmlrpc platform pkgutil zipimport inspect doctest unittest idlelib lib2to3 "
    "distutils setuptools ensurepip venv trace logging"
)
_REACHING = frozenset(_MODULES.split())


def reaches_out(name: str) -> bool:
    """Whether an import lets the one who loads it run commands, code or connections."""
    if name in KNOWN:
        return False
    return name in {PUT_TOGETHER, SCRIPT} or name.split(".", 1)[0] in _REACHING


def sorted_imports(names: list[str]) -> dict[str, list[str]]:
    """The imports by what they mean: `reaching`, `unknown` and `known`."""
    reaching = [name for name in names if reaches_out(name)]
    known = [name for name in names if name in KNOWN]
    unknown = [name for name in names if name not in KNOWN and not reaches_out(name)]
    return {"reaching": sorted(reaching), "unknown": sorted(unknown), "known": sorted(known)}
