"""What the rules need to know of the standard library's and other packages' callables."""

from __future__ import annotations

from collections.abc import Iterable

from dbos_asyncify.project.values import Atom, BoxMethod, Ext

# The awaitable that they are given comes back: directly, or as a task that stands for it.
PASS_AWAITABLE = frozenset({"create_task", "ensure_future", "shield", "wait_for", "run_coroutine_threadsafe"})

# They run the coroutines that they are given beside each other.
CONCURRENT = frozenset(
    {
        "gather",
        "create_task",
        "ensure_future",
        "wait",
        "as_completed",
        "run_coroutine_threadsafe",
        "asyncio_wait",
    }
)

# What they are given runs while the caller goes on.
MAKES_TASK = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})

# An argument of theirs is awaited for the caller: a call that makes it needs no `await` of its own.
TAKES_AWAITABLE = PASS_AWAITABLE | CONCURRENT

# What they are given runs in a thread, where no loop is running.
THREAD = frozenset(
    {
        "asyncio.to_thread",
        "anyio.to_thread.run_sync",
        "starlette.concurrency.run_in_threadpool",
        "fastapi.concurrency.run_in_threadpool",
        "asgiref.sync.sync_to_async",
        "threading.Thread",
        "threading.Timer",
        "trio.to_thread.run_sync",
    }
)
THREAD_LOCKS = frozenset(
    f"{module}.{name}()"
    for module in ("threading", "multiprocessing")
    for name in ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore")
)
THREAD_METHODS = frozenset({"run_in_executor", "submit"})

# They stop their thread until a server, a process or a person has answered. A client's class is named with `()`.
_METHODS = ("delete", "get", "head", "options", "patch", "post", "put", "request")
_CLIENTS = {
    "requests": _METHODS,
    "requests.Session()": (*_METHODS, "send"),
    "requests.session()": (*_METHODS, "send"),
    "httpx": (*_METHODS, "stream"),
    "httpx.Client()": (*_METHODS, "send", "stream"),
    "urllib3": ("request",),
    "urllib3.PoolManager()": ("request", "request_encode_body", "request_encode_url", "urlopen"),
    "urllib3.HTTPConnectionPool()": ("request", "urlopen"),
    "urllib3.HTTPSConnectionPool()": ("request", "urlopen"),
    "urllib.request": ("urlopen", "urlretrieve"),
    "urllib.request.build_opener()": ("open",),
    "http.client.HTTPConnection()": ("connect", "getresponse", "request"),
    "http.client.HTTPSConnection()": ("connect", "getresponse", "request"),
    "socket": ("create_connection", "getaddrinfo", "gethostbyaddr", "gethostbyname"),
    "smtplib": ("SMTP", "SMTP_SSL"),
    "subprocess": ("call", "check_call", "check_output", "getoutput", "getstatusoutput", "run"),
    "subprocess.Popen()": ("communicate", "wait"),
    "os": ("popen", "system", "wait", "wait3", "wait4", "waitid", "waitpid"),
    "builtins": ("input",),
}
BLOCKING_IO = frozenset(f"{owner}.{name}" for owner, names in _CLIENTS.items() for name in names)

# What they give is another value each time: what a clock says, and what chance gives. What is made without a seed
# is named with `()`, what has one with `(...)`. The readings of a process' own clocks say nothing in another process.
OWN_CLOCKS = frozenset(
    {*(f"time.{name}{unit}" for name in ("monotonic", "perf_counter", "process_time", "thread_time")
       for unit in ("", "_ns")),
     "asyncio.get_running_loop().time", "asyncio.get_event_loop().time"}
)  # fmt: skip
CLOCKS = OWN_CLOCKS | {
    *(f"time.{name}" for name in ("time", "time_ns", "clock_gettime", "clock_gettime_ns")),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
}
# They tell the time where they are given none: so many arguments say which.
CLOCKS_WITHOUT = {"time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.asctime": 1, "time.strftime": 2}
_CHANCE = frozenset(
    {"os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7",
     *(f"secrets.{name}" for name in ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"))}
)  # fmt: skip
GENERATORS = frozenset({"random.Random", "numpy.random.RandomState", "numpy.random.default_rng"})
_DRAW_BY_CHANCE = frozenset(
    {"random", "numpy.random", "random.SystemRandom()", "secrets.SystemRandom()"}
) | {f"{path}()" for path in GENERATORS}  # fmt: skip
_DRAW_NOTHING = frozenset(
    {"seed", "getstate", "setstate", "get_state", "set_state", "default_rng", "spawn", "bit_generator",
     "get_bit_generator", "set_bit_generator"}
)  # fmt: skip
SHUFFLES = frozenset({"shuffle"})  # these change their argument


def _is_function(name: str) -> bool:
    return name.isidentifier() and name[0].islower()


def is_chance(path: str) -> bool:
    """Whether a function's result is left to chance."""
    owner, _, name = path.rpartition(".")
    return path in _CHANCE or (owner in _DRAW_BY_CHANCE and _is_function(name) and name not in _DRAW_NOTHING)


# A new list, or iterator, of the elements of the first argument.
SAME_ELEMENTS = frozenset({"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter"})

# A generator expression given to one of them is used up at once, and in full.
CONSUMES_ALL = frozenset({"list", "tuple", "set", "frozenset", "dict", "sum", "sorted", "min", "max", "gather", "join"})

FOLLOWED = SAME_ELEMENTS | {"enumerate", "zip", "min", "max", "next", "dict", "filter", "map"}
FOLLOWED_PATHS = frozenset(
    {"collections.deque", "collections.defaultdict", "itertools.chain", "itertools.islice", "copy.copy", "typing.cast",
     "dataclasses.replace", "copy.replace"}
)  # fmt: skip

# They look at a value without keeping it or calling it.
HARMLESS = frozenset(
    {
        "print",
        "len",
        "repr",
        "str",
        "id",
        "isinstance",
        "bool",
        "hash",
        "type",
        "format",
        "callable",
        "issubclass",
        "any",
        "all",
        "sum",
    }
)
# They only compute something of what they are given, to be shown.
PURE = frozenset(
    f"builtins.{name}"
    for name in ("abs", "divmod", "float", "format", "int", "len", "max", "min", "repr", "round", "str", "sum")
) | {"datetime.timedelta"}  # fmt: skip
TRACE_METHODS = frozenset({"add_event", "observe", "set_attribute", "set_attributes", "set_tag", "timing"})
LOG_METHODS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log"})

# They call what they are given, at once, where they are called.
CALLS_AT_ONCE = frozenset(
    {*(f"builtins.{name}" for name in ("sorted", "min", "max", "map", "filter")), "functools.reduce"}
)

# What they are given is called by the event loop itself, later.
CALLED_BY_LOOP = frozenset({"call_soon", "call_later", "call_at", "call_soon_threadsafe", "add_done_callback"})

# Methods that put an argument into the container.
ADDS = {"append": 0, "add": 0, "appendleft": 0, "insert": 1, "setdefault": 1}
EXTENDS = frozenset({"extend", "update", "extendleft"})
TAKES = frozenset({"pop", "popleft", "get", "__getitem__", "setdefault"})
COPIES = frozenset({"values", "copy", "union", "difference", "intersection", "symmetric_difference"})
KEEPS = frozenset(
    {"remove", "discard", "clear", "index", "count", "sort", "reverse", "keys", "rotate", "isdisjoint", "issubset",
     "issuperset", "__len__", "__contains__"}
)  # fmt: skip
CONTAINER_METHODS = frozenset(ADDS) | EXTENDS | TAKES | COPIES | KEEPS | {"items", "popitem"}


def calls_at_once(callee: Iterable[Atom]) -> bool:
    """Whether what is called calls the functions that it is given, at once."""
    return any(
        (isinstance(atom, Ext) and atom.path in CALLS_AT_ONCE) or (isinstance(atom, BoxMethod) and atom.name == "sort")
        for atom in callee
    )


def last_name(path: str) -> str:
    """The last part of a dotted path: `create_task` of `asyncio.TaskGroup().create_task`."""
    return path.rpartition(".")[2]


def into_thread(path: str) -> bool:
    """Whether a callable runs the function that it is given in a thread."""
    return path in THREAD or last_name(path) in THREAD_METHODS


def keeps_context(path: str) -> bool:
    """Whether the thread knows of the workflow that it works for: without that, a step in it is a plain function."""
    return path in THREAD and not path.startswith("threading.")


def runs_a_loop(path: str) -> bool:
    """Whether a callable runs an event loop of its own until something is done: it raises where one is running."""
    runs = path in ("asyncio.run", "asyncio.Runner().run", "anyio.run", "trio.run")
    return runs or last_name(path) == "run_until_complete"
