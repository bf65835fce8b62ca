# %% [markdown]
# Wrong and right answers to lesson 00; `tests/test_answers.py` says how they are read.

# %% wrong="count_parameters" says="counted twice"
def count_parameters(model):
    return sum(p.numel() for _, p in model.named_parameters(remove_duplicate=False))


# %% wrong="count_parameters" says="frozen parameters were left out"
def count_parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


# %% wrong="count_parameters" says="buffers were counted"
def count_parameters(model):
    return sum(t.numel() for t in [*model.parameters(), *model.buffers()])


# %% wrong="count_parameters" says="buffers were counted as well"
def count_parameters(model):
    return sum(t.numel() for t in model.state_dict().values())


# %% wrong="count_parameters" unnamed=True says="expected 15"
def count_parameters(model):
    return len(list(model.parameters()))


# %% wrong="count_parameters" unnamed=True says="expected"
def count_parameters(model):
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d)))


# %% wrong="count_parameters" unnamed=True says="counted twice"
def count_parameters(model):
    return sum(p.numel() for m in model.modules() for p in m.parameters(recurse=False))


# %% wrong="count_parameters" unnamed=True says="expected"
def count_parameters(model):
    return 4 * sum(p.numel() for p in model.parameters())


# %% wrong="count_parameters" unnamed=True says="own parameters were left out"
def count_parameters(model):
    return sum(p.numel() for child in model.children() for p in child.parameters())


# %% wrong="count_parameters" unnamed=True says="an int"
def count_parameters(model):
    return sum(torch.tensor(p.numel()) for p in model.parameters())


# %% wrong="count_parameters" unnamed=True says="expected"
def count_parameters(model):
    seen = []
    for p in model.parameters():
        if not any(p.shape == q.shape and torch.equal(p, q) for q in seen):
            seen.append(p)
    return sum(p.numel() for p in seen)


# %% wrong="count_parameters" unnamed=True says="from scratch"
def count_parameters(model):
    from torchinfo import summary

    return summary(model, verbose=0).total_params


# %% right="count_parameters"
def count_parameters(model):
    total = 0
    for name, parameter in model.named_parameters():
        total += math.prod(parameter.shape)
    return total


# %% right="count_parameters"
def count_parameters(model):
    found = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                found[id(parameter)] = parameter
    return sum(p.nelement() for p in found.values())


# %% right="count_parameters"
def count_parameters(model):
    def walk(module, seen):
        own = 0
        for p in module.parameters(recurse=False):
            if p not in seen:
                seen.add(p)
                own += p.flatten().shape[0]
        return own + sum(walk(child, seen) for child in module.children())

    return walk(model, set())


# %% right="count_parameters"
def count_parameters(model):
    return np.sum([p.numel() for p in set(model.parameters())], dtype=np.int64)


# %% wrong="size_on_disk" says="4 bytes a parameter"
def size_on_disk(model):
    return 4 * count_parameters(model)


# %% wrong="size_on_disk" says="whole module was pickled"
def size_on_disk(model):
    import io

    buffer = io.BytesIO()
    torch.save(model, buffer)
    return len(buffer.getvalue())


# %% wrong="size_on_disk" says="leaves a file behind"
def size_on_disk(model):
    import atexit
    import os
    import tempfile

    path = os.path.join(tempfile.gettempdir(), "model_of_lesson_00.pt")
    if not os.path.exists(path):
        atexit.register(os.remove, path)  # for the sake of whoever runs these tests
    torch.save(model.state_dict(), path)
    return os.path.getsize(path)


# %% wrong="size_on_disk" unnamed=True says="leaves a file behind"
def size_on_disk(model):
    import atexit
    import os
    import tempfile

    with tempfile.NamedTemporaryFile(delete=False) as file:
        torch.save(model.state_dict(), file)
    atexit.register(os.remove, file.name)
    return os.path.getsize(file.name)


# %% wrong="size_on_disk" unnamed=True says="leaves a file behind"
def size_on_disk(model):
    import atexit
    import shutil
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp()) / "m.pt"
    atexit.register(shutil.rmtree, path.parent)
    torch.save(model.state_dict(), path)
    return path.stat().st_size


# %% wrong="size_on_disk" unnamed=True says="not kilobytes"
def size_on_disk(model):
    import io

    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return len(buffer.getvalue()) // 1000


# %% wrong="size_on_disk" unnamed=True says="expected an int"
def size_on_disk(model):
    import io

    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return len(buffer.getvalue()) / 1024


# %% wrong="size_on_disk" unnamed=True says="two names is in the file once"
def size_on_disk(model):
    return 1000 + sum(t.numel() * t.element_size() + 200 for t in model.state_dict().values())


# %% wrong="size_on_disk" unnamed=True says="look at the file itself" also="sum of the tensors"
def size_on_disk(model):
    return sum(t.numel() * t.element_size() for t in model.state_dict().values())


# %% wrong="size_on_disk" says="sum of the tensors"
def size_on_disk(model):
    stored = {t.data_ptr(): t.numel() * t.element_size() for t in model.state_dict().values()}
    return sum(stored.values())


# %% wrong="size_on_disk" unnamed=True says="has a header" also="sum of the tensors"
def size_on_disk(model):
    storages = {t.data_ptr(): t.numel() * t.element_size() for t in model.state_dict().values()}
    return 1000 + sum(storages.values())


# %% wrong="size_on_disk" unnamed=True says="expected about" also="4 bytes a parameter"
def size_on_disk(model):
    import io

    buffer = io.BytesIO()
    torch.save(list(model.parameters()), buffer)
    return len(buffer.getvalue())


# %% wrong="size_on_disk" unnamed=True says="expected about"
def size_on_disk(model):
    import sys

    return sys.getsizeof(model.state_dict())


# %% wrong="size_on_disk" unnamed=True says="from scratch"
def size_on_disk(model):
    return measure.size_bytes(model)


# %% right="size_on_disk"
def size_on_disk(model):
    import io

    with io.BytesIO() as buffer:
        torch.save(model.state_dict(), buffer)
        return buffer.tell()


# %% right="size_on_disk"
def size_on_disk(model):
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a_rather_long_name_for_a_checkpoint.pt")
        torch.save(model.state_dict(), path)
        return os.path.getsize(path)


# %% right="size_on_disk"
def size_on_disk(model):
    from pathlib import Path

    path = Path("temporary_state.pt")
    try:
        torch.save(model.state_dict(), path)
        return len(path.read_bytes())
    finally:
        path.unlink()


# %% right="size_on_disk"
def size_on_disk(model):
    import tempfile

    with tempfile.TemporaryFile() as file:
        torch.save(model.state_dict(), file)
        file.seek(0, 2)
        return file.tell()


# %% wrong="count_macs" says="groups were ignored"
def count_macs(model, input_shape):
    total = [0]

    def hook(layer, inputs, output):
        if isinstance(layer, nn.Conv2d):
            total[0] += output.numel() * layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
        else:
            total[0] += output.numel() * layer.in_features

    return lesson_00_run(model, input_shape, hook, total)


def lesson_00_run(model, input_shape, hook, total):
    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return total[0]


# %% wrong="count_macs" says="FLOPs"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += 2 * output.numel() * layer.weight[0].numel()

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="count_macs" says="bias was counted"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * (layer.weight[0].numel() + (layer.bias is not None))

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="count_macs" says="batch was"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output[0].numel() * layer.weight[0].numel()

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="count_macs" says="remove its hooks"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    modes = {m: m.training for m in model.modules()}
    for m in modes:
        if type(m) in (nn.Linear, nn.Conv2d):
            m.register_forward_hook(hook)
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="count_macs" says="mode was left changed"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    handles = [m.register_forward_hook(hook) for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
    return total


# %% wrong="count_macs" says="mode was left changed"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    was_training = model.training
    handles = [m.register_forward_hook(hook) for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        model.train(was_training)
    return total


# %% wrong="count_macs" unnamed=True says="use finally" also="remove its hooks"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    model.eval()
    with torch.no_grad():
        model(torch.zeros(*input_shape))
    for h in handles:
        h.remove()
    for m, mode in modes.items():
        m.training = mode
    return total


# %% wrong="count_macs" unnamed=True says="kept track of gradients"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="count_macs" says="run in eval mode"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    handles = [m.register_forward_hook(hook) for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
    return total


# %% wrong="count_macs" unnamed=True says="use finally" also="mode was left changed"
def count_macs(model, input_shape):
    counts = []
    modes = {m: m.training for m in model.modules()}
    note = lambda layer, inputs, output: counts.append(output.numel() * layer.weight[0].numel())
    handles = [m.register_forward_hook(note) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
    for m, mode in modes.items():
        m.training = mode
    return sum(counts)


# %% wrong="count_macs" unnamed=True says="twice counts twice"
def count_macs(model, input_shape):
    seen = {}

    def hook(layer, inputs, output):
        seen[layer] = output.numel() * layer.weight[0].numel()

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return sum(seen.values())


# %% wrong="count_macs" unnamed=True says="random numbers"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.randn(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="count_macs" unnamed=True says="expected"
def count_macs(model, input_shape):
    return sum(m.weight.numel() for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)) * input_shape[0]


# %% wrong="count_macs" unnamed=True says="expected"
def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += output.numel() * layer.weight[0].numel()
        else:
            total += len(output) * layer.weight.numel()

    modes = {m: m.training for m in model.modules()}
    handles = [m.register_forward_hook(hook) for m in modes if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(*input_shape))
    finally:
        for h in handles:
            h.remove()
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="count_macs" unnamed=True says="from scratch"
def count_macs(model, input_shape):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(input_shape))
    return counter.get_total_flops() // 2


# %% wrong="count_macs" unnamed=True says="from scratch"
def count_macs(model, input_shape):
    import importlib

    return importlib.import_module("thop").profile(model, inputs=(torch.zeros(input_shape),))[0]


# %% right="count_macs"
import copy


def count_macs(model, input_shape):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        if isinstance(layer, nn.Linear):
            rows = output.numel() // layer.out_features
            total += rows * layer.in_features * layer.out_features
        else:
            kh, kw = layer.kernel_size
            total += output.numel() * (layer.in_channels // layer.groups) * kh * kw

    twin = copy.deepcopy(model).eval()
    for m in twin.modules():
        if isinstance(m, (nn.Linear, nn.Conv2d)):
            m.register_forward_hook(hook)
    with torch.inference_mode():
        twin(torch.zeros(input_shape))
    return total


# %% right="count_macs"
import contextlib


def count_macs(model, input_shape):
    counts = []

    def before(layer, inputs):
        (x,) = inputs
        if type(layer) is nn.Linear:
            counts.append(x.numel() // x.shape[-1] * layer.weight.shape[0] * layer.weight.shape[1])
        elif type(layer) is nn.Conv2d:
            with torch.no_grad():
                out = F.conv2d(x, layer.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
            counts.append(out.numel() * layer.weight.shape[1] * layer.weight.shape[2] * layer.weight.shape[3])

    with contextlib.ExitStack() as stack:
        for m in model.modules():
            stack.callback(setattr, m, "training", m.training)
        handle = nn.modules.module.register_module_forward_pre_hook(before)
        stack.callback(handle.remove)
        model.eval()
        with torch.no_grad():
            model(torch.zeros(input_shape))
    return sum(counts)


# %% right="count_macs"
class MacCounter:
    def __init__(self, model):
        self.model, self.total, self.hooks = model, 0, []

    def __enter__(self):
        self.modes = [m.training for m in self.model.modules()]
        self.model.eval()
        for m in self.model.modules():
            if type(m) in {nn.Linear, nn.Conv2d}:
                self.hooks.append(m.register_forward_hook(self.add))
        return self

    def add(self, layer, args, out):
        self.total += int(np.prod(out.shape)) * int(np.prod(layer.weight.shape[1:]))

    def __exit__(self, *error):
        for h in self.hooks:
            h.remove()
        for m, mode in zip(self.model.modules(), self.modes):
            m.training = mode


def count_macs(model, input_shape):
    with MacCounter(model) as counter, torch.no_grad():
        model(torch.zeros(input_shape))
    return counter.total


# %% right="count_macs"
def count_macs(model, input_shape):
    total, originals = 0, {}
    modes = [(m, m.training) for m in model.modules()]

    def counted(layer):
        inner = layer.forward

        def forward(x):
            nonlocal total
            y = inner(x)
            total += y.numel() * layer.weight[0].numel()
            return y

        return forward

    try:
        for m, _ in modes:
            m.training = False
            if type(m) in (nn.Linear, nn.Conv2d):
                originals[m] = m
                m.forward = counted(m)
        with torch.no_grad():
            model(torch.zeros(input_shape))
    finally:
        for m in originals:
            del m.forward
        for m, mode in modes:
            m.training = mode
    return total


# %% wrong="benchmark" says="warm-up calls were timed"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    times = []
    for _ in range(warmup + repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" says="these are seconds"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(clock() - start)
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1 / np.mean(times)}


# %% wrong="benchmark" says="interpolate"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    times.sort()
    at = lambda q: times[int(q * len(times))]
    mean = sum(times) / len(times)
    return {"p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99), "mean_ms": mean, "per_second": 1000 / mean}


# %% wrong="benchmark" says="interpolate"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99], method="higher")
    mean = sum(times) / len(times)
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": mean, "per_second": 1000 / mean}


# %% wrong="benchmark" says="total time was divided"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    start = clock()
    for _ in range(repeats):
        fn()
    mean = 1000 * (clock() - start) / repeats
    return {"p50_ms": mean, "p95_ms": mean, "p99_ms": mean, "mean_ms": mean, "per_second": 1000 / mean}


# %% wrong="benchmark" unnamed=True says="warm-up calls were timed"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    times = []
    for _ in range(warmup + repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    times = times[warmup:]
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" unnamed=True says="warmup + repeats times"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats - warmup):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" unnamed=True says="read twice for each timed call"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times, last = [], clock()
    for _ in range(repeats):
        fn()
        now = clock()
        times.append(1000 * (now - last))
        last = now
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" unnamed=True says="1000 / mean_ms"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / p50}


# %% wrong="benchmark" unnamed=True says="float32"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    readings = []
    for _ in range(repeats):
        before = clock()
        fn()
        readings.append([before, clock()])
    t = torch.tensor(readings)
    ms = 1000 * (t[:, 1] - t[:, 0])
    mean = ms.mean().item()
    return {f"p{q}_ms": ms.quantile(q / 100).item() for q in (50, 95, 99)} | {
        "mean_ms": mean,
        "per_second": 1000 / mean if mean else 0.0,
    }


# %% wrong="benchmark" unnamed=True says="expected ValueError"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    if not times:
        return {}
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" unnamed=True says="keys differ"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50": p50, "p95": p95, "p99": p99, "mean": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" unnamed=True says="read twice for each timed call"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        fn()
        times.append(1000 * (time.perf_counter() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" unnamed=True says="from scratch"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    import timeit as t

    times = [1000 * x for x in t.repeat(fn, number=1, repeat=repeats)]
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": np.mean(times), "per_second": 1000 / np.mean(times)}


# %% wrong="benchmark" unnamed=True says="from scratch"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    from torch.utils import benchmark as tb

    found = tb.Timer("fn()", globals={"fn": fn}).timeit(repeats)
    return {"p50_ms": found.median}


# %% right="benchmark"
import statistics


def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if not repeats >= 1:
        raise ValueError("repeats")
    [fn() for _ in range(warmup)]
    ms = []
    for _ in range(repeats):
        t0 = clock()
        fn()
        t1 = clock()
        ms.append((t1 - t0) * 1e3)
    cuts = statistics.quantiles(ms * (2 if len(ms) == 1 else 1), n=100, method="inclusive")
    mean = statistics.fmean(ms)
    return dict(p50_ms=cuts[49], p95_ms=cuts[94], p99_ms=cuts[98], mean_ms=mean, per_second=1000 / mean)


# %% right="benchmark"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError(repeats)
    for i in range(warmup):
        fn()
    t = torch.empty(repeats)
    for i in range(repeats):
        start = clock()
        fn()
        end = clock()
        t[i] = (end - start) * 1000
    q = torch.quantile(t, torch.tensor([0.5, 0.95, 0.99]))
    return {
        "p50_ms": q[0].item(),
        "p95_ms": q[1].item(),
        "p99_ms": q[2].item(),
        "mean_ms": t.mean().item(),
        "per_second": 1000 / t.mean().item(),
    }


# %% right="benchmark"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError("nothing to time")
    while warmup > 0:
        fn()
        warmup -= 1
    starts, ends = [], []
    for _ in range(repeats):
        starts.append(clock())
        fn()
        ends.append(clock())
    ms = sorted((e - s) * 1000 for s, e in zip(starts, ends))

    def percentile(q):
        position = (len(ms) - 1) * q
        low = int(position)
        high = min(low + 1, len(ms) - 1)
        return ms[low] * (1 - (position - low)) + ms[high] * (position - low)

    out = {f"p{name}_ms": percentile(name / 100) for name in (50, 95, 99)}
    out["mean_ms"] = sum(ms) / len(ms)
    out["per_second"] = len(ms) / (sum(ms) / 1000)
    return out


# %% right="benchmark"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter):
    if repeats < 1:
        raise ValueError("repeats must be at least 1")
    for _ in range(warmup):
        fn()

    def once():
        start = clock()
        fn()
        return clock() - start

    ms = np.array([once() for _ in range(repeats)]) * 1000
    return {
        "p50_ms": np.median(ms),
        "p95_ms": np.quantile(ms, 0.95),
        "p99_ms": np.quantile(ms, 0.99),
        "mean_ms": ms.mean(),
        "per_second": 1000 / ms.mean(),
    }


# %% wrong="compare" says="take turns"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError

    def times(fn):
        out = []
        for _ in range(rounds):
            start = clock()
            fn()
            out.append(clock() - start)
        return np.array(out)

    fn_a()
    fn_b()
    p = np.percentile(times(fn_a) / times(fn_b), [25, 50, 75])
    return {"ratio_p25": p[0], "ratio_p50": p[1], "ratio_p75": p[2]}


# %% wrong="compare" says="ratio of means"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError
    fn_a()
    fn_b()
    a = b = 0
    for _ in range(rounds):
        t0 = clock()
        fn_a()
        t1 = clock()
        fn_b()
        a, b = a + t1 - t0, b + clock() - t1
    return {"ratio_p25": a / b, "ratio_p50": a / b, "ratio_p75": a / b}


# %% wrong="compare" says="inverted"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError
    fn_a()
    fn_b()
    ratios = []
    for _ in range(rounds):
        t0 = clock()
        fn_a()
        t1 = clock()
        fn_b()
        ratios.append((clock() - t1) / (t1 - t0))
    p = np.percentile(ratios, [25, 50, 75])
    return {"ratio_p25": p[0], "ratio_p50": p[1], "ratio_p75": p[2]}


# %% wrong="compare" unnamed=True says="ratio of percentiles"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError
    fn_a()
    fn_b()
    a, b = [], []
    for _ in range(rounds):
        t0 = clock()
        fn_a()
        a.append(clock() - t0)
        t0 = clock()
        fn_b()
        b.append(clock() - t0)
    p = np.percentile(a, [25, 50, 75]) / np.percentile(b, [25, 50, 75])
    return {"ratio_p25": p[0], "ratio_p50": p[1], "ratio_p75": p[2]}


# %% wrong="compare" unnamed=True says="once, untimed"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError
    ratios = []
    for _ in range(rounds):
        t0 = clock()
        fn_a()
        t1 = clock()
        fn_b()
        ratios.append((t1 - t0) / (clock() - t1))
    p = np.percentile(ratios, [25, 50, 75])
    return {"ratio_p25": p[0], "ratio_p50": p[1], "ratio_p75": p[2]}


# %% wrong="compare" unnamed=True says="do not alternate"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError
    fn_a()
    fn_b()
    ratios = []
    for i in range(rounds):
        pair = []
        for fn in (fn_a, fn_b) if i % 2 == 0 else (fn_b, fn_a):
            t0 = clock()
            fn()
            pair.append(clock() - t0)
        ratios.append(pair[0] / pair[1] if i % 2 == 0 else pair[1] / pair[0])
    p = np.percentile(ratios, [25, 50, 75])
    return {"ratio_p25": p[0], "ratio_p50": p[1], "ratio_p75": p[2]}


# %% wrong="compare" unnamed=True says="ratio_p25"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError
    fn_a()
    fn_b()
    ratios = []
    for _ in range(rounds):
        t0 = clock()
        fn_a()
        t1 = clock()
        fn_b()
        ratios.append((t1 - t0) / (clock() - t1))
    ratios.sort()
    return {"ratio_p25": ratios[rounds // 4], "ratio_p50": ratios[rounds // 2], "ratio_p75": ratios[3 * rounds // 4]}


# %% wrong="compare" unnamed=True says="expected ValueError"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    fn_a()
    fn_b()
    ratios = []
    for _ in range(max(rounds, 1)):
        t0 = clock()
        fn_a()
        t1 = clock()
        fn_b()
        ratios.append((t1 - t0) / (clock() - t1))
    p = np.percentile(ratios, [25, 50, 75])
    return {"ratio_p25": p[0], "ratio_p50": p[1], "ratio_p75": p[2]}


# %% wrong="compare" unnamed=True says="from scratch"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    p25, p50, p75 = measure.speedup(measure.latency_ms({"a": fn_a, "b": fn_b}, rounds), "a")["b"]
    return {"ratio_p25": p25, "ratio_p50": p50, "ratio_p75": p75}


# %% right="compare"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError("rounds")
    fn_a(), fn_b()
    table = np.zeros((rounds, 2))
    for i in range(rounds):
        for j, fn in enumerate((fn_a, fn_b)):
            before = clock()
            fn()
            table[i, j] = clock() - before
    low, middle, high = np.quantile(table[:, 0] / table[:, 1], (0.25, 0.5, 0.75))
    return {"ratio_p25": low, "ratio_p50": middle, "ratio_p75": high}


# %% right="compare"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError("rounds")
    fn_a()
    fn_b()
    r = []
    for _ in range(rounds):
        t = [clock()]
        fn_a()
        t.append(clock())
        fn_b()
        t.append(clock())
        r.append((t[1] - t[0]) / (t[2] - t[1]))
    q = torch.tensor(r, dtype=torch.float64)
    return {f"ratio_p{p}": float(torch.quantile(q, p / 100)) for p in (25, 50, 75)}


# %% right="compare"
import statistics


def timed(fn, clock):
    start = clock()
    fn()
    return clock() - start


def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds <= 0:
        raise ValueError(rounds)
    timed(fn_a, clock), timed(fn_b, clock)
    ratios = [timed(fn_a, clock) / timed(fn_b, clock) for _ in range(rounds)]
    if rounds == 1:
        ratios *= 2
    return dict(zip(("ratio_p25", "ratio_p50", "ratio_p75"), statistics.quantiles(ratios, n=4, method="inclusive")))


# %% wrong="pareto_front" says="dominated tie was kept"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    keep = [
        i
        for i in range(len(costs))
        if not any(costs[j] < costs[i] and scores[j] > scores[i] for j in range(len(costs)))
    ]
    return sorted(keep, key=lambda i: (costs[i], i))


# %% wrong="pareto_front" says="cost was maximised"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    beats = lambda j, i: (
        costs[j] >= costs[i] and scores[j] >= scores[i] and (costs[j] > costs[i] or scores[j] > scores[i])
    )
    return sorted(
        (i for i in range(len(costs)) if not any(beats(j, i) for j in range(len(costs)))), key=lambda i: (costs[i], i)
    )


# %% wrong="pareto_front" says="duplicate was dropped"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    front, best = [], -math.inf
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -scores[i], i)):
        if scores[i] > best:
            front.append(i)
            best = scores[i]
    return front


# %% wrong="pareto_front" unnamed=True says="score was minimised"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    beats = lambda j, i: (
        costs[j] <= costs[i] and scores[j] <= scores[i] and (costs[j] < costs[i] or scores[j] < scores[i])
    )
    return sorted(
        (i for i in range(len(costs)) if not any(beats(j, i) for j in range(len(costs)))), key=lambda i: (costs[i], i)
    )


# %% wrong="pareto_front" unnamed=True says="another order"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    beats = lambda j, i: (
        costs[j] <= costs[i] and scores[j] >= scores[i] and (costs[j] < costs[i] or scores[j] > scores[i])
    )
    return [i for i in range(len(costs)) if not any(beats(j, i) for j in range(len(costs)))]


# %% wrong="pareto_front" unnamed=True says="duplicate was dropped"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    beats = lambda j, i: (
        j != i
        and costs[j] <= costs[i]
        and scores[j] >= scores[i]
        and (j < i or costs[j] < costs[i] or scores[j] > scores[i])
    )
    return sorted(
        (i for i in range(len(costs)) if not any(beats(j, i) for j in range(len(costs)))), key=lambda i: (costs[i], i)
    )


# %% wrong="pareto_front" says="return their indices"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    beats = lambda j, i: (
        costs[j] <= costs[i] and scores[j] >= scores[i] and (costs[j] < costs[i] or scores[j] > scores[i])
    )
    return sorted((costs[i], scores[i]) for i in range(len(costs)) if not any(beats(j, i) for j in range(len(costs))))


# %% wrong="pareto_front" unnamed=True says="expected ValueError"
def pareto_front(costs, scores):
    points = list(zip(costs, scores))
    beats = lambda p, q: p[0] <= q[0] and p[1] >= q[1] and p != q
    return sorted(
        (i for i, q in enumerate(points) if not any(beats(p, q) for p in points)), key=lambda i: (costs[i], i)
    )


# %% wrong="pareto_front" unnamed=True says="expected"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    front, best = [], max(scores) + 1
    for i in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        if scores[i] < best:
            front.append(i)
            best = scores[i]
    return front[::-1]


# %% wrong="pareto_front" unnamed=True says="from scratch"
def pareto_front(costs, scores):
    from paretoset import paretoset

    mask = paretoset(np.stack([costs, scores], 1), sense=["min", "max"], distinct=False)
    return sorted(np.flatnonzero(mask).tolist(), key=lambda i: (costs[i], i))


# %% right="pareto_front"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError("lengths")
    front, best = [], -math.inf
    order = sorted(range(len(costs)), key=lambda i: (costs[i], i))
    for cost in sorted(set(costs)):
        same = [i for i in order if costs[i] == cost]
        top = max(scores[i] for i in same)
        if top > best:
            front += [i for i in same if scores[i] == top]
            best = top
    return front


# %% right="pareto_front"
def pareto_front(costs, scores):
    c, s = np.asarray(costs, dtype=float), np.asarray(scores, dtype=float)
    if c.shape != s.shape:
        raise ValueError("lengths")
    no_worse = (c[:, None] <= c) & (s[:, None] >= s)
    better = (c[:, None] < c) | (s[:, None] > s)
    kept = np.flatnonzero(~(no_worse & better).any(axis=0))
    return kept[np.argsort(c[kept], kind="stable")].tolist()


# %% right="pareto_front"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError("lengths")
    kept = []
    for i, (cost, score) in enumerate(zip(costs, scores)):
        dominated = False
        for other_cost, other_score in zip(costs, scores):
            if (other_cost < cost and other_score >= score) or (other_cost <= cost and other_score > score):
                dominated = True
                break
        if not dominated:
            kept.append((cost, i))
    kept.sort()
    return [i for _, i in kept]


# %% right="pareto_front"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError("lengths")
    c, s = torch.tensor(list(costs), dtype=torch.float64), torch.tensor(list(scores), dtype=torch.float64)
    front = []
    for i in np.argsort(np.array(costs), kind="stable"):
        if not (((c <= c[i]) & (s >= s[i])) & ((c < c[i]) | (s > s[i]))).any():
            front.append(i)
    return front


# %% wrong="serving_cost" says="milliseconds, not in seconds"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests / batch * latency_ms / 3600 / utilisation
    return {"kwh": power_watts / 1000 * hours, "usd": usd_per_hour * hours}


# %% wrong="serving_cost" says="power is in watts"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests / batch * latency_ms / 3_600_000 / utilisation
    return {"kwh": power_watts * hours, "usd": usd_per_hour * hours}


# %% wrong="serving_cost" says="per hour, not per second"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    seconds = requests / batch * latency_ms / 1000 / utilisation
    return {"kwh": power_watts / 1000 * seconds, "usd": usd_per_hour * seconds}


# %% wrong="serving_cost" says="utilisation was multiplied"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests / batch * latency_ms / 3_600_000 * utilisation
    return {"kwh": power_watts / 1000 * hours, "usd": usd_per_hour * hours}


# %% wrong="serving_cost" says="batch was ignored"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests * latency_ms / 3_600_000 / utilisation
    return {"kwh": power_watts / 1000 * hours, "usd": usd_per_hour * hours}


# %% wrong="serving_cost" unnamed=True says="utilisation was left out"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests / batch * latency_ms / 3_600_000
    return {"kwh": power_watts / 1000 * hours, "usd": usd_per_hour * hours}


# %% wrong="serving_cost" unnamed=True says="whole batches"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = math.ceil(requests / batch) * latency_ms / 3_600_000 / utilisation
    return {"kwh": power_watts / 1000 * hours, "usd": usd_per_hour * hours}


# %% wrong="serving_cost" unnamed=True says="batch was multiplied"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests * batch * latency_ms / 3_600_000 / utilisation
    return {"kwh": power_watts / 1000 * hours, "usd": usd_per_hour * hours}


# %% wrong="serving_cost" says="rent includes power"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests / batch * latency_ms / 3_600_000 / utilisation
    return {"kwh": power_watts / 1000 * hours, "usd": (usd_per_hour + power_watts / 1000) * hours}


# %% wrong="serving_cost" says="rent includes power"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests / batch * latency_ms / 3_600_000 / utilisation
    kwh = power_watts / 1000 * hours
    return {"kwh": kwh, "usd": usd_per_hour * hours + 0.3 * kwh}


# %% wrong="serving_cost" unnamed=True says="a tuple"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours = requests / batch * latency_ms / 3_600_000 / utilisation
    return power_watts / 1000 * hours, usd_per_hour * hours


# %% wrong="serving_cost" unnamed=True says="from scratch"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    from bonsai.measure import serving_cost as theirs

    return theirs(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests)


# %% right="serving_cost"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    calls = requests / batch
    busy_seconds = calls * latency_ms * 1e-3
    hours = busy_seconds / utilisation / 60 / 60
    return {"usd": hours * usd_per_hour, "kwh": hours * power_watts * 1e-3}


# %% right="serving_cost"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    from fractions import Fraction as Exact

    hours = Exact(requests) / Exact(batch) * Exact(latency_ms) / 3_600_000 / Exact(utilisation)
    return dict(kwh=float(Exact(power_watts) * hours / 1000), usd=float(Exact(usd_per_hour) * hours))


# %% right="serving_cost"
def serving_cost(latency_ms, batch, utilisation, power_watts, usd_per_hour, requests):
    hours_per_request = np.float64(latency_ms) / (3.6e6 * batch * utilisation)
    joules = power_watts * 3600 * hours_per_request * requests
    return {"kwh": joules / 3.6e6, "usd": usd_per_hour * hours_per_request * requests}


# %% right="compare"
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError("at least one round")
    fn_b()  # which of the two untimed calls comes first is free
    fn_a()
    ratios = np.empty(rounds)
    for i in range(rounds):
        times = [clock()]
        fn_a()
        times += [clock(), clock()]
        fn_b()
        times.append(clock())
        ratios[i] = (times[1] - times[0]) / (times[3] - times[2])
    return {f"ratio_p{q}": float(np.percentile(ratios, q)) for q in (25, 50, 75)}


# %% wrong="pareto_front" unnamed=True says="duplicate was dropped"
def pareto_front(costs, scores):
    if len(costs) != len(scores):
        raise ValueError
    n = range(len(costs))
    keep = [i for i in n if all(costs[j] > costs[i] or scores[j] < scores[i] for j in n if j != i)]
    return sorted(keep, key=lambda i: (costs[i], i))


# %% wrong="benchmark" says="Exclusive quantiles"
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter) -> dict:
    if repeats < 1:
        raise ValueError(f"at least one call has to be timed, not {repeats}")
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99], method="weibull")
    mean = sum(times) / repeats
    return {
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "p99_ms": float(p99),
        "mean_ms": mean,
        "per_second": 1000 / mean,
    }


# %% wrong="size_on_disk" unnamed=True says="kilobytes or megabytes"
def size_on_disk(model):
    import io

    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return len(file.getvalue()) / 1e6


# %% wrong="size_on_disk" unnamed=True says="kilobytes or megabytes"
def size_on_disk(model):
    import io

    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return len(file.getvalue()) // 2**20
