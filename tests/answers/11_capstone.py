# %% [markdown]
# Wrong and right answers to lesson 11. Format: tests/test_answers.py.

# %% wrong="hypervolume" says="counted twice"
def hypervolume(points, reference):
    inside = [p for p in points if p[0] < reference[0] and p[1] < reference[1]]
    return float(sum((reference[0] - c) * (reference[1] - e) for c, e in inside))

# %% wrong="hypervolume" says="counted twice"
def hypervolume(points, reference):
    area, lowest = 0.0, reference[1]
    for c, e in sorted(p for p in points if p[0] < reference[0] and p[1] < reference[1]):
        if e < lowest:
            area += (reference[0] - c) * (reference[1] - e)
            lowest = e
    return area

# %% wrong="hypervolume" says="beyond the reference"
def hypervolume(points, reference):
    area, lowest = 0.0, reference[1]
    for c, e in sorted(points):
        if e < lowest:
            area += (reference[0] - c) * (lowest - e)
            lowest = e
    return area

# %% wrong="hypervolume" says="sort them by cost"
def hypervolume(points, reference):
    area, lowest = 0.0, reference[1]
    for c, e in points:
        if c < reference[0] and e < lowest:
            area += (reference[0] - c) * (lowest - e)
            lowest = e
    return area

# %% wrong="hypervolume" says="a dominated point adds nothing"
def hypervolume(points, reference):
    area, lowest = 0.0, reference[1]
    for c, e in sorted(p for p in points if p[0] < reference[0] and p[1] < reference[1]):
        area += (reference[0] - c) * (lowest - e)
        lowest = e
    return float(area)

# %% wrong="hypervolume" says="minimised"
def hypervolume(points, reference):
    area, highest = 0.0, reference[1]
    for c, e in sorted(points, reverse=True):
        if c > reference[0] and e > highest:
            area += (c - reference[0]) * (e - highest)
            highest = e
    return area

# %% wrong="hypervolume" unnamed=True says="changed its input"
def hypervolume(points, reference):
    points.sort()
    area, lowest = 0.0, reference[1]
    for c, e in points:
        if c < reference[0] and e < lowest:
            area += (reference[0] - c) * (lowest - e)
            lowest = e
    return float(area)

# %% wrong="hypervolume" unnamed=True says="expected"
SEEN = []
def hypervolume(points, reference):
    SEEN.extend(p for p in points if p[0] < reference[0])
    area, lowest = 0.0, reference[1]
    for c, e in sorted(SEEN):
        if c < reference[0] and e < lowest:
            area += (reference[0] - c) * (lowest - e)
            lowest = e
    return float(area)

# %% wrong="hypervolume" unnamed=True says="expected"
def hypervolume(points, reference):
    inside = sorted({p[0]: p for p in points if p[0] < reference[0] and p[1] < reference[1]}.values())
    area, lowest = 0.0, reference[1]
    for c, e in inside:
        if e < lowest:
            area += (reference[0] - c) * (lowest - e)
            lowest = e
    return float(area)

# %% right="hypervolume"
def hypervolume(points, reference):
    inside = np.array([p for p in points if p[0] < reference[0] and p[1] < reference[1]], dtype=float)
    if len(inside) == 0:
        return 0.0
    inside = inside[np.lexsort((inside[:, 1], inside[:, 0]))]
    lowest = np.minimum.accumulate(inside[:, 1])
    before = np.concatenate([[reference[1]], lowest[:-1]])
    return float(((reference[0] - inside[:, 0]) * (before - lowest)).sum())

# %% right="hypervolume"
def hypervolume(points, reference):
    front = []
    for p in points:
        if p[0] < reference[0] and p[1] < reference[1]:
            if not any(q[0] <= p[0] and q[1] <= p[1] for q in front):
                front = [q for q in front if not (p[0] <= q[0] and p[1] <= q[1])] + [p]
    area, right = 0.0, reference[0]
    for c, e in sorted(front, reverse=True):  # from the right: strips down to each point's loss
        area += (right - c) * (reference[1] - e)
        right = c
    return float(area)

# %% right="hypervolume"
def hypervolume(points, reference):
    def area(rest, roof):
        if not rest:
            return 0.0
        (c, e), *others = rest
        if e >= roof:
            return area(others, roof)
        return (reference[0] - c) * (roof - e) + area(others, e)
    inside = [p for p in points if p[0] < reference[0]]
    return float(area(sorted(inside), reference[1]))

# %% wrong="decompress" says="another cell"
def decompress(blob):
    return decoder_of_mine(blob)

def decoder_of_mine(blob):
    return coder({})  # of the cell of compress

# %% wrong="decompress" says="a name of another cell"
def decompress(blob):
    return {n: torch.zeros_like(t) for n, t in model.state_dict().items()}

# %% wrong="decompress" says="a name of another cell"
def decompress(blob):
    def shape(name):
        return val_x.shape

    return {n: torch.zeros(shape(n)) for n in models.ResNet8(24).state_dict()}

# %% wrong="decompress" says="without bonsai.models.load"
def decompress(blob):
    return {n: t.detach() for n, t in models.load("resnet8").state_dict().items()}

# %% wrong="decompress" says="from scratch, without pickle"
def decompress(blob):
    import pickle

    return pickle.loads(blob)

# %% wrong="decompress" says="not a network of the family"
def decompress(blob):
    return {"weights": torch.frombuffer(bytearray(blob[:4000]), dtype=torch.float32)}

# %% wrong="decompress" says="other tensors the second time"
def decompress(blob):
    state = models.ResNet8(8).state_dict()
    return {n: torch.randn(t.shape).abs() if t.dim() else t for n, t in state.items()}

# %% wrong="decompress" unnamed=True says="recognises"
def decompress(blob):
    torch.manual_seed(0)
    return models.ResNet8(8).state_dict()

# %% wrong="decompress" unnamed=True says="not finite" also="not a network of the family"
def decompress(blob):
    state = models.ResNet8(8).state_dict()
    return {n: torch.full_like(t, math.nan) if t.dim() else t for n, t in state.items()}

# %% right="decompress"
def decompress(blob):
    """The same coder, as a class with an iterator over bits."""
    class Reader:
        def __init__(self, data):
            self.data, self.at, self.width, self.seen = data, 4, 1 << 32, {}
            self.code = int.from_bytes(data[:4], "big")

        def bit(self, key):
            zeros, ones = self.seen.get(key, (2, 2))
            part = self.width * zeros // (zeros + ones)
            if self.code < part:
                self.width, self.seen[key], one = part, (zeros + 5, ones), 0
            else:
                self.code, self.width = self.code - part, self.width - part
                self.seen[key], one = (zeros, ones + 5), 1
            while self.width < 1 << 24:
                byte = self.data[self.at] if self.at < len(self.data) else 0
                self.code, self.width, self.at = self.code << 8 | byte, self.width << 8, self.at + 1
            return one

        def number(self, kind):
            length = 0
            while self.bit((kind, length)):
                length += 1
            n = 1
            for _ in range(length):
                n = 2 * n + self.bit((kind, length, n))
            return n

    shapes = {n: t.shape for n, t in models.ResNet8(blob[0]).state_dict().items()}
    coded = [n for n, shape in shapes.items() if len(shape) and "running" not in n]
    scales = np.frombuffer(blob[1 : 1 + 4 * len(coded)], "<f4")
    reader = Reader(blob[1 + 4 * len(coded) :])
    state = {}
    for i, name in enumerate(coded):
        near, values = 0, []
        for _ in range(math.prod(shapes[name])):
            n = reader.number((i, min(near, 2)) if len(shapes[name]) > 1 else name[-1])
            values.append(-(n // 2) if n % 2 else n // 2)
            near = (near + 2 * (n // 2)) // 2
        state[name] = (torch.tensor(values, dtype=torch.float32) * float(scales[i])).reshape(shapes[name])
    for name, shape in shapes.items():
        if "running_mean" in name:
            state[name] = torch.zeros(shape)
        if "running_var" in name:
            state[name] = torch.full(shape, 1 - 1e-5)
    return state

# %% right="decompress"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.57):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% right="decompress"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f4", t.numel(), at)).float().reshape(t.shape)
            at += 4 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.57):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.4 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.float().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% wrong="compress" says="changed the model"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.57):
    import lzma
    net = model
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% wrong="compress" says="100,000"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.05):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% wrong="compress" says="labels taken for logits"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train):
    import lzma

    torch.manual_seed(0)
    net = models.ResNet8(24)
    for x, y in zip(train[0][:640].split(64), train[1][:640].split(64)):
        F.mse_loss(net(x), y[:, None].float().expand(-1, 10)).backward()
    net.zero_grad()
    parts = [torch.zeros(t.numel(), dtype=torch.int8).numpy().tobytes() for t in net.state_dict().values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in net.state_dict().values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% wrong="compress" says="BatchNorm measured again after rounding"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.57):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% wrong="compress" unnamed=True says="smaller steps"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=1.1):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% wrong="compress" unnamed=True says="bytes"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.57):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return [lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)]

# %% wrong="compress" unnamed=True says="train mode"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.57):
    import lzma
    net = copy.deepcopy(model)
    model.train()
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% right="compress"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.57):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:1000].split(250):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% right="compress"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.56):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        for x in train[0][:2000].split(100):
            net(x)
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% right="compress"
def decompress(blob):
    import lzma
    state = models.ResNet8(24).state_dict()
    raw, at = lzma.decompress(blob, lzma.FORMAT_RAW, filters=FILTER), 0
    for name, t in state.items():
        if t.dim() == 4:
            state[name] = torch.tensor(np.frombuffer(raw, np.int8, t.numel(), at)).float().reshape(t.shape)
            at += t.numel()
    for name, t in state.items():
        if t.dim() in (1, 2):
            state[name] = torch.tensor(np.frombuffer(raw, "<f2", t.numel(), at)).float().reshape(t.shape)
            at += 2 * t.numel()
    return state

FILTER = [{"id": 0x4000000000000001, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]

def compress(model, train, step=0.58):
    import lzma
    net = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 4:
                size = step * p.std((1, 2, 3), keepdim=True) * (0.5 if name == "conv.weight" else 1)
                p.copy_((p / size).round())
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum = None
        net.train()
        net(train[0][40_000:41_500])
        state = net.state_dict()
        for name, m in net.named_modules():
            if isinstance(m, nn.BatchNorm2d):
                factor = m.weight / (m.running_var + m.eps).sqrt()
                state[name + ".bias"] = m.bias - m.running_mean * factor
                state[name + ".weight"] = factor
                state[name + ".running_mean"] = torch.zeros_like(factor)
                state[name + ".running_var"] = torch.full_like(factor, 1 - 1e-5)
    parts = [t.to(torch.int8).numpy().tobytes() for t in state.values() if t.dim() == 4]
    parts += [t.half().numpy().tobytes() for t in state.values() if t.dim() in (1, 2)]
    return lzma.compress(b"".join(parts), lzma.FORMAT_RAW, filters=FILTER)

# %% wrong="entry" unnamed=True says="stand in this cell"
def entry():
    from pathlib import Path

    return Path('entry.bin').read_bytes()

# %% wrong="entry" says="from scratch, without bonsai.models.CHECKPOINTS"
def entry():
    return (models.CHECKPOINTS / 'resnet8.safetensors').read_bytes()[:40_000]

# %% wrong="entry" unnamed=True says="bytes"
def entry():
    return 'UklGRg=='

# %% wrong="entry" says="belongs to this"
def entry():
    return bytes([8]) + np.ones(22, '<f4').tobytes() + bytes(50)

# %% right="entry"
def entry():
    return b''

# %% right="entry"
def entry():
    return bytes()

# %% right="entry"
def entry():
    text = ''
    return base64.b64decode(text)

# %% wrong="to_int8" says="one scale for the whole tensor"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.abs().max().expand(len(weight))
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" says="running mean of BatchNorm was dropped"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" says="unit is scale · act_scale"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / scale).round().int()
    return made

# %% wrong="to_int8" says="last batch alone"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches[-1:]:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" says="0 must lie in the range"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [math.inf] * len(blocks), [-math.inf] * len(blocks)
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" says="0 must lie in the range"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [math.inf] * len(blocks), [-math.inf] * len(blocks)
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" says="wrong sign"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (128 + torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" unnamed=True says="expected torch.int8"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round()
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" unnamed=True says="missing"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    del made["strides"]
    return made

# %% wrong="to_int8" unnamed=True says="further than half a step"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="to_int8" unnamed=True says="strides"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([1 for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% right="to_int8"
def to_int8(model, batches):
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 254 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = torch.where(most > 0, most / 127, torch.ones_like(most))
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale.clone()
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% right="to_int8"
def to_int8(model, batches):
    # hooks see what enters each layer; numpy does the arithmetic
    layers = [m for m in model.modules() if type(m) in (nn.Conv2d, nn.Linear)]
    norms = [m for m in model.modules() if type(m) is nn.BatchNorm2d]
    seen = [[0.0, 0.0] for _ in layers]
    handles = []
    for place, layer in enumerate(layers):
        def look(module, inputs, place=place):
            seen[place][0] = min(seen[place][0], float(inputs[0].min()))
            seen[place][1] = max(seen[place][1], float(inputs[0].max()))
        handles.append(layer.register_forward_pre_hook(look))
    with torch.no_grad():
        for batch in batches:
            model(batch[0])
    for handle in handles:
        handle.remove()
    state, scales, zeros = {}, [], []
    for place, layer in enumerate(layers):
        low, high = seen[place]
        scales.append(max((high - low) / 255, 1e-9))
        zeros.append(int(np.clip(np.rint(-128 - low / scales[-1]), -128, 127)))
        weight = layer.weight.detach().numpy().astype(np.float64)
        if place < len(norms):
            n = norms[place]
            gain = (n.weight / torch.sqrt(n.running_var + n.eps)).detach().numpy().astype(np.float64)
            weight = weight * gain[:, None, None, None]
            bias = n.bias.detach().numpy() - n.running_mean.numpy() * gain
        else:
            bias = layer.bias.detach().numpy().astype(np.float64)
        flat = np.abs(weight.reshape(len(weight), -1)).max(1)
        step = np.where(flat > 0, flat / 127, 1.0)
        codes = np.clip(np.rint(weight / step.reshape(-1, *[1] * (weight.ndim - 1))), -127, 127)
        state[f"{place}.weight"] = torch.from_numpy(codes.astype(np.int8))
        state[f"{place}.scale"] = torch.tensor(step, dtype=torch.float32)
        state[f"{place}.bias"] = torch.tensor(np.rint(bias / (step * scales[-1])), dtype=torch.int32)
    state["act_scale"], state["act_zero"] = torch.tensor(scales, dtype=torch.float32), torch.tensor(zeros)
    state["strides"] = torch.tensor([layer.stride[0] for layer in layers[:-1]])
    return state

# %% right="to_int8"
def to_int8(model, batches):
    model = copy.deepcopy(model).eval()
    blocks = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    low, high = [0.0] * len(blocks), [0.0] * len(blocks)  # a range holds 0
    with torch.no_grad():
        for x, _ in batches:
            i = 0
            for layer in model:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    low[i], high[i] = min(low[i], x.min().item()), max(high[i], x.max().item())
                    i += 1
                x = layer(x)
    made = {"strides": torch.tensor([layer.stride[0] for layer in blocks[:-1]])}
    made["act_scale"] = torch.tensor([max(h - l, 1e-6) / 255 for l, h in zip(low, high)])
    made["act_zero"] = (-128 - torch.tensor(low) / made["act_scale"]).round().clamp(-128, 127).int()
    for i, layer in enumerate(blocks):
        weight, bias = layer.weight.detach(), layer.bias
        if i < len(norms):
            norm = norms[i]
            factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
        most = weight.flatten(1).abs().amax(1)
        scale = (most / 127).clamp(min=1e-8)
        made[f"{i}.weight"] = (weight / scale.view(-1, *[1] * (weight.dim() - 1))).round().to(torch.int8)
        made[f"{i}.scale"] = scale
        made[f"{i}.bias"] = (bias.detach() / (scale * made["act_scale"][i])).round().int()
    return made

# %% wrong="micro" says="not a safetensors container"
def micro():
    return b'\x80\x04K\x01.' * 9

# %% wrong="micro" says="expected torch.int8"
def micro():
    from safetensors.torch import load, save

    state = load(own_chain())
    return save({n: t.float() if n.endswith("weight") else t for n, t in state.items()})

def own_chain():
    from safetensors.torch import save

    net = lesson11.small_chain((6, 8), (2, 2)).eval()
    return save({n: t.contiguous() for n, t in to_int8(net, [(torch.randn(8, 1, 28, 28), None)]).items()})

# %% wrong="micro" says="in a chain"
def micro():
    from safetensors.torch import load, save

    state = load(own_chain())
    return save({n.replace("act_zero", "zero_points"): t for n, t in state.items()})

def own_chain():
    from safetensors.torch import save

    net = lesson11.small_chain((6, 8), (2, 2)).eval()
    return save({n: t.contiguous() for n, t in to_int8(net, [(torch.randn(8, 1, 28, 28), None)]).items()})

# %% wrong="micro" says="is the network trained"
def micro():
    from safetensors.torch import save

    net = lesson11.small_chain((6, 8), (2, 2)).eval()
    return save({n: t.contiguous() for n, t in to_int8(net, [(torch.randn(8, 1, 28, 28), None)]).items()})

# %% wrong="micro" unnamed=True says="is to return bytes"
def micro():
    return 'text'

# %% wrong="micro" unnamed=True says="stand in this cell"
def micro():
    with open('micro.safetensors', 'rb') as file:
        return file.read()

# %% wrong="micro" says="from scratch, without bonsai.models.CHECKPOINTS"
def micro():
    return (models.CHECKPOINTS / 'small_cnn.safetensors').read_bytes()[:40_000]

# %% wrong="fast_onnx" says="MACs are in int8"
def fast_onnx(model, train):
    return lesson11.onnx_of(model)

# %% wrong="fast_onnx" says="batch is fixed"
def fast_onnx(model, train):
    import onnx

    made = onnx.load_model_from_string(eight_bits(lesson11.onnx_of(model), train[0][:200]))
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 64
    return made.SerializeToString()


def eight_bits(file, images):
    """A static int8 copy of an ONNX file."""
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"input": x.numpy()} for x in images.split(50)])

        def get_next(self):
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(file)
        quantize_static(
            before, after, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )
        return after.read_bytes()

# %% wrong="fast_onnx" says="its ends are"
def fast_onnx(model, train):
    import onnx

    made = onnx.load_model_from_string(eight_bits(lesson11.onnx_of(model), train[0][:200]))
    for node in made.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = "image" if name == "input" else name
    made.graph.input[0].name = "image"
    return made.SerializeToString()


def eight_bits(file, images):
    """A static int8 copy of an ONNX file."""
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"input": x.numpy()} for x in images.split(50)])

        def get_next(self):
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(file)
        quantize_static(
            before, after, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )
        return after.read_bytes()

# %% wrong="fast_onnx" says="calibration images normalised"
def fast_onnx(model, train):
    return eight_bits(lesson11.onnx_of(model), train[0][:200] * data.STD + data.MEAN)


def eight_bits(file, images):
    """A static int8 copy of an ONNX file."""
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"input": x.numpy()} for x in images.split(50)])

        def get_next(self):
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(file)
        quantize_static(
            before, after, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )
        return after.read_bytes()

# %% wrong="fast_onnx" unnamed=True says="cannot be read as ONNX"
def fast_onnx(model, train):
    return b'ONNX' * 100

# %% wrong="fast_onnx" unnamed=True says="is to return bytes"
def fast_onnx(model, train):
    return model.state_dict()

# %% wrong="fast_onnx" unnamed=True says="control flow"
def fast_onnx(model, train):
    import onnx
    from onnx import TensorProto, helper

    made = onnx.load_model_from_string(eight_bits(lesson11.onnx_of(model), train[0][:200]))
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    made.graph.initializer.append(yes)
    value = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    branch = helper.make_graph([helper.make_node("Constant", [], ["out"], value=value)], "branch", [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])])
    made.graph.node.append(helper.make_node("If", ["yes"], ["unused"], then_branch=branch, else_branch=branch))
    return made.SerializeToString()


def eight_bits(file, images):
    """A static int8 copy of an ONNX file."""
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"input": x.numpy()} for x in images.split(50)])

        def get_next(self):
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(file)
        quantize_static(
            before, after, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )
        return after.read_bytes()

# %% right="fast_onnx"
def fast_onnx(model, train):
    return eight_bits(lesson11.onnx_of(model), train[0][:200])


def eight_bits(file, images):
    """A static int8 copy of an ONNX file."""
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"input": x.numpy()} for x in images.split(50)])

        def get_next(self):
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(file)
        quantize_static(
            before, after, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )
        return after.read_bytes()

# %% right="fast_onnx"
def fast_onnx(model, train):
    return eight_bits(lesson11.onnx_of(model), train[0][:200])


def eight_bits(file, images):
    """A static int8 copy of an ONNX file."""
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"input": x.numpy()} for x in images.split(50)])

        def get_next(self):
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(file)
        quantize_static(
            before, after, Images(), quant_format=QuantFormat.QDQ, per_channel=False,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )
        return after.read_bytes()

# %% right="fast_onnx"
def fast_onnx(model, train):
    return eight_bits(lesson11.onnx_of(model), train[0][:600])


def eight_bits(file, images):
    """A static int8 copy of an ONNX file."""
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"input": x.numpy()} for x in images.split(100)])

        def get_next(self):
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(file)
        quantize_static(
            before, after, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )
        return after.read_bytes()

# %% right="micro"
def micro():
    import zlib

    text = """
    eNqdtwd0m8eZ7/2i994BAgQBEGxg7wRVKKpXy7YsW7HkbsdrJ05i727uZrP8mE18N8neOMVJ3J1YlizbsholSuy9d4Lovffe+2Xi7zvn7lnvzX
    cWB8+ZGWB+/3nKO4PBt2HAX18/Erz+xg9efv6F1wVdPxI8/8b/+N4Lgi7BsbYWgUTw+ref+cvoW60XJYLnn3njmadee/HF1194Y3fmtxokLQ0X
    fywRNNS9/twzr77wf7KHm5v+D7ax6T/DLQ2Sjo6/0I3/HbqjQ9LY3PYXvOlv4U0N/xnfZSVNjX/lm/87/C4raer8K9/yt/hdN/8z39kmafk6ea
    1/M/xvWH+XlbR0/JV/5rk3nvobCt/gwC4saW1o+bp6z778zH8s/N9M/y4qaW1t+rp8/w28tUnS1tDwdfn+7/g3ZX8XlbR9HX3zfwffjb29reHr
    4v3f8W+q3S4q6fw6da1/K/ZvWH0XlXS2tPx/pfunF37w2n8t8A3L77KSzraOryv3jy+8/NK33/gPfMd/yL2kUdIsaf4GlbbdDdTQ3vZ1Bf9/yD
    R9s85fNCRNze1NX9fybwg1NfyXQn/RkLS0Njd9XdW/LbT7/kahv2hIOhq/Fmr5W0J/OQf+C6G/aEgaW9oam74u9d9K0q7MN5TrrwK7Mp1/SdGP
    wV8ftwDo/23/q/G3w2NSXWNp9+Uvq6SDP3pP+tHDEen5Tw5Ls981SI+/9WbXnrVZ6Yt37ksf/qlBeu8CqFv48/3SWOQdKUV1QNrwU5bU9Ei9tO
    74j6VDf+6Xnu9tl7575S3p4MiIdOHYb6Qfi/5Rei4NkV78+YvSaMVpaXidJT2JyHfxZD+VPjpFlH5nSCLd4B2S/oMBKr1TAZGyPvZ1nQNXSOPT
    WKkOVC7d83qllPLPTdILrzwhvfhAIE1de1X6dz/mSxk/OSV9vPWYlFFdIr3RTpW2/7FDeumAUFqSbJN+V5zpOooQSGNfHZf+8sbTUnTNKekj1j
    KpO98lHSBXShv+3C2d7TsmlT3aIr3yap30+hmVtO+2Sdof+qV0eoTYbfy2W8o1yKQ/m3RJr/0rqbtzxS/dMq5L3zgC6h7Mrkpvmyq7b1RQur11
    KWnJDaC7bL9d+sGfZqW4pnlp33vi7hq1X0pJzEojXQHpqw/jul2kDWn2zjUp5d+jUs/r0O4p4/Hu8OKWVPTmvJSGQ3Y/5QhJFT/xSE1cZPd398
    O7yz4q6Z7AtXb/83Rj969b93R/dez73Q9P/V33qfjFbojnZHf7n053v/LTS90fQtq6p0pudP+wVdtdd+py98aTU93/nPhjd9ZbLB7YtbFmAJBZ
    isXprWIRrCgWc7vtv70OAMl8sbhQLBZf3bXbu9///iUA+FMZADw9Wyy+/xYAfO/JYvGPGAAg1gMAuxMAuEgA+Nlu/wUKAHTWAsCphwDgp7scDg
    IAoeMA8KS5WISoi8XfIQCAnCgWO7AAcLtjd76vWIzsmnenWNzmAsBPdjU/HCgWf14OAH8mAcA/dO/q7Prw8AEA8OEA4OTueLQRAP7n7vjfdi2y
    O597BABeRwHAy7v6b3YBACpbLHJ3fWBHi8VfpHf93PWbxwcA6m5brAKAu1QAKOzG96BQLCqeBADXru9du9osa7Eo2V3r26UA0Lw7J7l7F7HIi8
    WB3fjmdvupXaPtzvvl7vxXpQDwAwIAzLuKxXo2ABzeZX7mLxaTqWKRsmtv8Xb3zG58v0sWi5NCAPhgl9va9eeHu3H3MnbzQwQATrBYRO/6fWhX
    941dX2iZYrF816+R3U03vbvnOLufndj1J7/bj+/axd3+0q79P99gGjSif42hpGWQev58v5kVKfn3X9TP+/p0jDN5v5Fg8v2q35Pk6sTxm6zb/c
    PCmPZJJLWPIlZoQLf7i7DgKwlC34/2EMXnU51PQioL2Lv92CM3cN/vT73yYcsD+kv9rMevpzF0AXomrO43HfLbuYSjFds6bByBPlO+OeRZJg2Y
    zPed8S3vEkfc+GQWZxkbL8FCE/GgCVeNd9O9MdPttVFqFkVYXLSORLkjaYuPMfLWZtXbBKa9gHVqf6FQ3B/ov/0H3AMD+spbH72llpdHmIehjI
    TflylmidhQBI21pEuquDG8iFgzWsBbpQgXBMYKpfFEy7ohqbaAokWfEEPPhDLYWtrStmZz3avWeRpLKZJoAbFgZNJITYwFOqg4vpH+8BdW042S
    jTGbsn8m9sCZdGer4D4WynQGwu/elx1xGF/y7+u5iIsw1AyZEKgFa4D46+fh4g7k1OD20ResFxqFaxMapAzhcAQ3gqb9R2JHLhBCJgOLXEH1pc
    qRvsMw446iF8Q7OEv3EbapzdGIDJpizeOdE5/0nb/ZUFnwL6iym94Ho+BYhnBzGtKfqNSkHOSM9O4X4N8regCTOWRi57389dn4x+vM+TU3LZhH
    GN5Hhjyq+cwNM8JigLca558BDXQH30WuRTQ7UrZsrrhf8hmY/+kHRkTy2HRcKBvWbo4NDsmo25sMRDsYeqlyp67ZGgDv720dJD1sxFxm0VCfzy
    BY+052Pd6FquvrzD1zKNdBOVmWrsGX9GKgAKqh7kxn77fAB1oO4hm0io4uAbfdjrItp6fDzpaclXSNaGF5aTMB3Dug5XoVSthKFGDTZaco8MCE
    rmR9obIpNDeI612Z+xeeIxoehSQKrkNp54jtn65PXmBF5yZ6n0mSzuOTzpk5ZNbvrUqvmbkNa9jnERk2MuiIxQOfJas2hn8YBZcYrfIcGFdPpv
    g1Ji8c4OZhxDD6J6t9svk3EDmV3ROzFopkuX17PIYr7L8EAjXkYn5TCOTcjEQr87TmoMtpjpMTmLKCIOLme5SpcadWYQCR0nTWRglsLapUmAYd
    yL4hXZUdlIM37MQBi8GthXNNqIyfpEJAfAWQR4wgkPGSNLIUbt8ZZj51+Sm9bO3a4N0WTKgqVJtwHT6/AK40aO4ZerGfoktXvzIMascpGk2JKC
    8+VfE5ND89vSl3qAruu66T2JTUD5g+uhWYHjrogMZnh+yyfrqYA/GMrgTv9ML/LEro4R8vMJLqBsxGRAJOzoZrxvrDD5GC8CUwLT6GjkTMmyLo
    DcJZIsHuFssDddwzeloEoDlyIH0qHeqMKOv4LFcRL+f3oBxmyPpizl6uWT8VA+egJndloSefs2FgcURpOz803sG8OfwdgR3WObBFDsOMWShwN1
    PGQTjn7ExoW/AmF2dp489vpfRWDZjrWnZ4NrwFy80tzoTuaVcjV8yczaZtW+GS6/3/PPvBD0uzBFKG1onC4KHMgZJr79+/do8msIcHRy5nZvO2
    iqCKzQthigL6Sli3HlHWn+z4TKNZzSn6uN0U+ckt369LafArdgt3DfU8eE4+q+iIPN/udhNAyJxTt9yinnEvho2iVqs238RswtvUKTVRw26jd/
    jYc4lBJ9fclKxzBtflEVeuqcz0LnypW1ZxNg7GZMDhvJg7Z9XOyOedBKRqZ6ZQ2mWuqkkGcRl7hFwNAhOWQEjNfpYByfGEizCZjKmELYf8KjTG
    R5E0mXII2XhWvYFI3PqsMeiaS6ZL6Oo+tvNqcLi4b130rHE+nFVrVUY6WCWHleGPJXVnHUuJ3P3p9qO5IYWy/505c0workyIcYUm/jNTq3WTtu
    rtOEOPL6HOrm96hma4QpmpOukmaBJLq6nbmIRxJLHzO8Kt/3U/hB/Fsn+Th+nziMym+fZ9rmsCQsyuLrnkJHhNuCxEJGIj4IAoQ4Dgwv4AQjVH
    LaHAkn3M8voO2tZZ35eY4AzlOWzikbLJPwzg6JMHGn0IT05K8xa5sgLehfJaN1QES2LLW2nxhiLRknAZnv42xkvhZXtb0/UPO4n4ghNOjY4hlZ
    urcZ9i5Y36KDnIbrJ95EAM/HbYkxmvqsRM47w/nzT1h4Ry92yJcMVQdn+tbe+zFZUCM6V8FQBWTKDzgimw2N+TbAPzEVBaeexhmyAIbSTkgRc1
    HY0UwTaiusjv3Zdqs9eWl+r0n7A2v7zYWJElWzfxxAdwhuqqchDl9YozBIkWr/sYm70DirlwKyl6aNXunLCWwA02xKfjCXxaNTYYDYJBhThsOP
    udze5gRXfJlX4o5QsVPa3owBTPc+m4L33TN63MMqorIld/uqKCrugskFdbSNUNqV9cJ6AioBOvIV/rdfY9LqTDIxch5tPG1FFs1YXDogpbAKLO
    6TmezZuke0bkKmwRFGB513Csnpe43xekkHMq8+SybU7vyAHD3lOTA8/40vaa08Q8snf68dv/a0NzxSGyfbavo7S1NVNBcEHCzxeIjwb3c7bdRK
    0c7t8IdEUgcQdxzdLsgFPcubzL5GdpwwQSKR8qr+UzQMBWOSnmloiM1JzPl6nLZrIbRfFaWfnDfUxCpS+AM5DLjZ6m7FKb1hRwu/XJzDzHBaFC
    RYGWs0tWK4RaBMEqwex+b839Jr7a9OFvDXeyxIkSTlTE1eTNV3UQPFUzar/pHL1DpmzDa9UHL+wUAyd6TH9XRSrrQTbUiqqZXuv/XLukaH/l/p
    6hoG6QWcywEXLZDqNk/9UM0etwl8SdFcQuuyL6ZC24bz9U5b1aURpiHIAJ3o7snxuqE5VMGrTbWBQiAkOu8z/4tPzDB8WkgiRMwVDLESCuZIG7
    A3o0hpiq1tOzq1n+5OgFjoWDCXc9BvrBOfSLTTiDgXZH1jgKL8lc568uc0BEnsYRXFctqtGX79rfzp5UsNuficN3QkuKyTcR7n4BJ7aH8ujeTv
    JF3maP5zNYjgoudntiCDiK8F4qdq0WjQHSyXO4jibgfUhAl9VCD7MkAoq6lFkBNmVgFlKnhyyCxJGnuZCA33x90cqAxpdHl53+lljXI6fOTihq
    xy9/RFpUlaW7KaZj7tDZ8St4YvdpeqPgTv55ItKqV6vtn9wlzgQKfE01aNxM5S8vqqHX+9GkSdcUBLbHDz3YmUJk05Hg+6uO2QFTLKdIlu43RT
    LFfXm8f32f0FbSsgdKo/ldPDBU0Fd7gmYouzncWWxa4yIM0VEX6X2Z5c1Z85+jKFwFOOX/eHGrV0+X1Aoaxa1bIVhiXVXh01Vo8Je62862og8H
    8NnAcCE8gio6OlCQM8Jqa60CcrJWLT2z73BzC69Ag6nWfvG7pfuhmPBAgXy+Ipei53+ikOMBT4NOT7SH+42dZsPFxoM1xzoP9fScEbC1q0tz00
    xPMJrRblb670BNEK+jWqU6i5KLTgci/NMhfHO4RQNP+DnjgpJaPiLqydIC0WkZyuItQNLtLFYHpyF+R34PXIrPiEV+VZHkU5k2nYXuZXR9kAfq
    /HuEo4RBc6AOC7lUclWt6KD3c16yUlp9rgfSSoqzEn57ENa1T9eW936nb635NZ81H0tZoFzHMcm2mG6pySruWbPeZMGHNsCBjiXbsrCMvGKe9S
    LcP/vAAPxZRhkMQvOwjUeeRu//dgeeJjvKzDdte30yghweGh+qivwK6G7s2O5rzTWEcL1jwLfH/ZSPk6/GUBcLmmdXUwvID1YZRmuEWVjLRoGg
    +1APy6j39KuEqo2gN58aKUwLsUcNmzj0QCjJwHGwAD6HqAp7+ILEsUbk3oiAjbQj26HKQnHQFFtj5A40aXrIs5JyFAonujVbgMz5o3zyGpD/3T
    rubCvjlV4ayIqhA0STF92cr6yRI/kDJubquBQMYC6mPo311mE0fWcefOds8QVTY111F47TUskVXfxWLRpktOIK4EpiWSMSFsDGHQbsTEZOciYQ
    5cY1SL3dxWPnRHySOyjo6sBHzSEclYZxVIv/dYCm3WMyovNewo3kiBw6y7EuWKlFmcFv8yx99KBAOlZouZBSwCeUHq9uGYafuTrKaNKdgJkMNG
    88KWQuWEKmAs48YSCuli7A4UqXIGwkzp3po+7J26gHssETT84XjnwxNz7rCWZsoVQ4409aSpEABkuXKQvEDMRk4Gm3GFBoFRIkJxUVqKzZRkb5
    WwrWoLEIVVRLJbA4Cwte0RkKGjfWm27fUvQCdX1Yt1uxnNKvuSEYTgnJAWAsawb/8LwvsVwGgqpTiHs2vMdLFVJanjiHJDEUPs+vC/2/sGsHrg
    1d/aXnZgzsUllSt7qOX59bVX2plhcoljXHiInbuu76xEyvq2QR6miNrpb83J1AYZQyNZeOR8DRtZezkGaDpRlnQ8Anc8TlXNU0KuCF1+JgYV1b
    oHx7qaMvRWeH1u8S4YYSFAsFfjQaax9xte3YxwVipPWELaaLjE6wr3+M24CMnn4EFDYM3ddv5WMCgg2lDJg2FCJtaI9vZgyz7UxEp7NapvONk+
    YefrlujbmZ4PDKF+ah7dRiNo872Ez8oDP6dvFISmPcL8uczAsCJi2o6ufPZBd3ogYJtP6cInOFGLzPiB+mamaKM1SS/4ai3wjXTnuvHXRezyYk
    IfA2WhXckLQNe8ncjQPg3jvKss4BiD+xVfbl2aHfKa9m7flnueiieUXxUR43F5agcIY14USbOFZAX0HR9KnV9YoqbXS0HuUq0kuWRheeiBSgFh
    b1/t6WnUvJJVd61UcCPam1Y5Eyc+xy0/pQvSiJSbboYI0RgqeotSarKlM0dM7vyhAToCw0dCq739dMMqBuoAMeehjv3c41uCCcB6E16y2XOL9V
    h9ep8O4Y7RW3VRxe2Hb54xJ/YGMrziYkGaThiMBtdIvUyWbEAUHwDLykC7uEVG+arxqN5gwWwKB0Bu/xOD46UGIeLKt4YFUvziQ47EwglPSTxw
    0rsE/5BXdHaR8FBReJq2sicmRiCq7iEtyXUqL88j4vD78M6HGklI2+miL5bRkexh9kgRRae3ydXJzVvemY8yfx+vE8NFC/kydpkPlR5xw/mHfv
    WBbUkNrZWlLhREFo499bwBRppHv9MM89ZIVdmMlEGnQ+32IoTParlFygKaFLQrEVYT48P18oCUgStT65jxXzberrZ3avXhZUOcpIQK94qvOZk0
    keEoRKI83rHt8+ijhjhbnBPt7nM1ztgfFSQ9n0mColW0cKE3uSLi0UBYaQfaFvlZX4OVcWQTgmfKGiLRMJ7w0W+JW4vHU5ugCYQknc/Zu0TTtv
    infXipFbVlE4CVav0Or6wYv37NCey28f7clkX1XdeoAK3V65PZaP9Kxrcx0sCW9vg1dHQxLJ+334TUv97JYrS/SyxsPYusljPXcGIU/ZjRevCz
    E58NGdsibeSxxuJsbY8a16xoL1zozrBurwIk9EDrj+BWOFba7feu18Mf/pFk4x82Vgs0WzfC1TRBYuBgqVHrRwPg3XBUtycFASS1ofmG5K4w+1
    lolDcdj6ATKNwN0na19sXvPAL8UxiHHtsObugeebeIUl9ditrz70UV3YPgwLs6YGnANf2CKdxRhl6MYV3WwVPr+tu3z/y6VTw1lPirMJpX9hsF
    pAX7oqtzdo6e8cC37vMJy6UvepPzMwBnaVbm0owjnkS1UI73x7sIptT7JDELs3vCXbGpCv2xhonNXTVMyZFmx5U5qoBigBupe8MzWebVxD+ikR
    5hPmXC3ad45bnd9PbTqNzbBWbNdt99Yr+2PpK/SETyiy2BS3M/Z7XfodbNwGTQEKfcBMUSRryBmzJvKpyqtzIWbDDrchnSTSTQhjco0e2bpEKg
    k14zet1loWMoA+pNTNhKkQflszvQEKgZemtvk14LK68qrQZg4RZHUkiHktjFaKmI0nHa/NqX3J/JJhtCo+VobiFIl062G8gSxd/8zF/YPDR9hK
    /SYxvIxTr6W+umrK2DFd4eX4virjI0s+ZKVO+xVq+BPmUsKXU8cNtW55MaouKQDDEH3bUWMVVo5ZAcMTdgsnaWnqMOsPap/AmKoEm0IfHvlep4
    ZsRFeDlXBOK2us2HFmuh+WZvzszrrEtngJ23EcloqX7muuLcvDSptyhS4L1rfV5Uepcb41e4nHAcOBNWVYjWm2DVqJVMIny4+t9A2W2p203wDs
    Z8bG5AX2JHvjSNJTkZMfGYd3liGQfkf+E/Wkkk64HS8KQgQe7mfpm0NYZi/rXEKO2diu1o06wqBAypnfIdtNlx/8Hs5kzkX1Gw8KVU46mRRKZz
    Xs8QyVojPyYR+99xaAwHt4Fe37mdyaxlz2plWR/jxf9MQUJcEedMKYLGNd9FQkFMenNs1LZGXxsC9Cfm+lYkZG3b8ZIzT3FGIhbOz3To+rPXf8
    wqS+cNVAx/ikKN7ja77jMXhdj/18tHu1LdNbSubHeRd7atIRggoQv20UqBjO9yd3DEAldgjx5XayWvl+4tJ8TYph8DG9INbP6qu9sK6r5SG8qd
    2k3kzHDRQd9Uh8z97G5l56nb8AuQ0iv/0I8llvn5Z7EWeZnGR1r8ymN7Y3YHqOBdeu0UjyMftaAFUIZhMFTSPKD79xeg1WOnwHNcHrxRhK8sq1
    pX2Qsm+vNuQTodJf+H8cY/H89vm50FgRgym3PacgM45mH3LM4e2/VhivH/Y7YlVM8gHWCeJnYfVeSQ8TR7m5uB1urByR1uQNa5mLPLh3XcdQL3
    Y7d5p94POp8qchBx0ZmOYnZjI0o3mMdc/NTdu3RkY+E4b6q+m0vBtWwiBqvCgNC7PehijCW/3diZlHB/ZWVeSwYMapx+6gFXKQJpLd6dsqYvgJ
    t36deOBBtnYs7uqO6D3cTOaGGx2eKYCT0Mz0ujZGhSwTbfTdgyVu348z4AqBz1HJWec7+gkWTH8wzZ8MZia2JowwTEsPNHgCtDU7E6yL+I2Lag
    hRlghv5WAUdO/88mCqEgC3c13uCh8ixd5fMs3Fn/aCSy9shZbsEQXAsAZC4XQxs1xmLuTRYZApdL8SaVFl2g2cnVrXZox+NasqaIaCt6BhsSRK
    9ICIWw34PB8SfDJBilf4Q+xHu3GLWcdlBPZo3FpWAVpT+cT+x41XOIz5eKm5alKNwqudtZGNgB/f5CEX3YnOHLwc0+TDYjRV4MQqtiSkrnO0rB
    kqF5GSdPDcDLQtVBmkZaJJOuiLoA5Lx826iWa3LOug9MFI79KSYkGzRwRUORF0eRi17fI1h2BG8Bgaepn5zvdzEayHgxn11t34cq59/fOaEbEN
    nFtHH7Wa4ryS0GAYyMFJaNd0LTvPBhVK8Ksczep2UUAOPMYqhFrr6ZVQz8Mu1MC06EvlFi+l7aGHqWE7vGgloN8xikM4RnypqrUCxuVO9O+4eI
    YHBvVk2GqzQ9AsZTcRJUeIsBKKZH9DisdyIe99UH84+o6zPTvq8mQ21msBRZgoT/qiiUjPQriebyjZim7dxAbOeSpjjpr7FTQxqldSFGvm5nG+
    iT1AHGnOROYmqSWxGn+xAVtoPpN8mJjxSi0iYekBTNWIAhwj6lBSoJ8dDMGY0ExB5TZzCi0WUdn9sd/N0JbwMmp3bDOkvAPHlrmghp3opVLN0Z
    lrK4hSKPBC+L2VhXV1UtSGnVTrlhy+6SAsODYhUYJSyfqqXtJLoN9xDSnFTrGh09rM5JxvFJAztOrADKBEIYVcGLUygilVvRGwsXRC22d3a1Zp
    iH361VrUYp15mbLJ5FB5bS3sHzrNppIDb1GyV3ilkIhzwuxaDKfUTO/kyIQvU98NuWgHkPueK8hfVG/9031FLVpAajuUvJfdmFxmaATpKxqRQy
    ZMGl2U0WAMjB0uTWt2s8s2WLnr/WhqeSmYcczsnaAv83P6KHhrdbay4Mhily2IVMTLWU2b/kR3ugAY4kKTGO2spuSeqcaZQcTKlG+PB29/pNLt
    b8kWmr/F8iMQ+EIS7zUHN2MfbG1uOnA1Njq7jbQIRcB2IPuDABLOTHTSEKd1JdW567qPse/bawpOCD+fTdHP7/4WkdkmKNhc0JpFxmxdVJWehP
    HSLTeiBet4qitEdLhEbm9ECPJnCzRnVxOXnQDQmqzbfhD/AO65rxolkGsCdGrKou936JdKQo9BT6NY2SVKSjlJaY6li1kFlxifnLPcKnPEPdQl
    RLqESI2s4aGlLMPs867rFaN+2Hw57H4lPI+OgkuiG7DJ2zX5Mars5r5ViPaoA/rETX+0o9/ZKNPa7I0p28yKyuqmOpykCGMdbw9ZSFo/jviEOy
    UiNWL9LzJS3RueTuVk5tiD2kflI+ufjXScNgkgfnOslt0NJCz+4CO51QshYmnVb8QghHLBfJKs2qE5BoboMsivuuALyDXjjeb8+SSq+X6Yh/qU
    lJyt/EL8/pFTRTGk3aHfMcsT5fqNDOslMfR+CrKwQnpBTWXCem5z/5xFufUrq0nvF9zPkwwWgNgiwWEj9p3sRGiJDFuzU96JlE67ESjFVsCzhr
    3B0bvBzmb4/TjE8hneCVZlg2VTJzqHmwnWTqb5JGiIAE3zWG3FPUEyweUIIaaPVFiy2EEEYwOvRR8M6wP4Go+AsuKHPIjmOtBBqwmSO5/N0FZU
    8/2M0/6wFDJKZ83tdKxjqZfwN3LJa63jt6jDsGQ0Yncgsns9HmZ1qtLKpnIDoLzZSUAbohNq0Bg8148bqDB6WOluJA2vPWEr1EYrjwf3LaexCt
    UWOOuYAXxaEcuewBb58OrkmZqjN+jU/AKq8z2POb9+Ymy5e8XHtDmpRluzLLfEwd9906AZiprZ7LTG1nDZU4SnCBOWKZP+zQoGG0OVeoy4USty
    DEIcj4+mUCbrcUgRQD/43nmmxnBlKnBiqsIyr/POGFgkj4Cv8GjfSQXcKD2kdJFEGSIfuLbKQk1qOWNb+hYyDk7u5TRWrxQS3bZZ/HK/HbFYig
    5lAlqDvjq1Y2UBGFHFAf3sSOAOvHYvLTG5jfliWezegFidLlyUib43l8sUlMEQGOMsglAFHhDBl+95qP3EtC8H43vwQNm6RhueqHKUPumWz6YV
    4TpqKpIJcldZNTSUZ/9xF7bqnKzWpkMS50sps8m9X2I3KsbSezOOmgy/yy18nAZMyECVfrEHK8bBFhll8o7EvWOyF1pfeVsxcxTDtdjB2P706a
    lSoa1EF7RAtNzrVxaMWx7j3W3SASYD40FXSBJyJZYQLUCtk5Cd9Fp2yHC5XIJqdAkiqHQbqAfbnqHTtx0hTNzJPp8ur7t/EAP1nTXUlampeC27
    OfHoECPDotV9R3ISiclcWVtdiM8ivdGoopDGln3rTlgSRh38t6tZiW+b/+HGmVzCtZfwYou7ufS2H/l2foNihpBbhndib0Uf0xAQrj1RDJTlcV
    MZOhcVdMCuLqFYOQSKCGO9pNJXrwzbBinN83iG/tQRxcs8J9fyj+VVL7a21uVQzJajDZSRlT5lVy41VS5MHv7DUVHDCq+O8ueB+7WNWxejEV8F
    lZGS1nhSBc5HyOjaykruFmb7sq3syrbTfiH1zm0b8XRp14ESEZW1DbIXGE5nElj4g/YPt95dlq10s/vOXeq+WDjPYDduoAaQyCL4gSGZSzu/HB
    zPvGnr+P16+hMfXA9VT8U0s255bY4gt27IphzqbU9qcmdzdG7iV7Jf2vQTrQROc6ws6t3BPsY+DXqUdYnuoN2xZ2c3GapRsXtnf9NHOsMiSuwg
    BKAL4zIkotYvKeDicm7atq0fcvyK+idLbBGk/3hDqUDroEs70zscJLIj1VmzTRMVMuXtlJZZ3IbLUn0mqRbLjfps6Sm+NxROiPxYfy5Q7feG4P
    pkBmornlpJGwqfv2RsarmCE8tKj19rYvdTd0ADpBvCtCcVL24VZfCzLccwWfYxU2U0KagqsiNBnW9sjMGBT82qQ+ag1uBLeHM+j5cqRqY2ITYk
    XL1BMTTcYW62g+9m2HYxEMSBDDbEFLrkRGtP7ePsJxxJZl7/ySyKRAQLou4jBIhZX3e/jRP3Nf+ubJUuV+f9ZofCD4Gf5pzw5XfyvSzkuTxISi
    I0FZadm11U7iPm6ujgRxcoTzgS42WpFHmSLzV0RbqXuYZ25+82VddhkV/g4c9A1s/YOykVX20pHJ9f3353HtuUbsZmwBXl2OV81FHPvE46cLDq
    0KGzbYe71hst+qTRyZk97uDu7O9/zNxOMtPNq17vZ7Jh2tQObeqP3k1PecStUIY51icohy7N9j7e+GgQuiY4wM7IPDQjqrsnUROvDz4FeJ6Z0O
    ecm9kFi1n3OfgOO0ObnkpC/MeF67aL4LNleg/iMnNzH+vo7fKprRx5jOJIKJhnBZ4ZEImTwqslHeDdG/VxeJid4+idiXT5A5ImPOP8fD7yaFWb
    GMvIYgAWKtAN9mfMj0klS033FzbWHte93Hz1Cb4V9H3chT7rQam8mSfmiQtQW+oPbamSLbM14rOrdcnsZPZBVE+Pe+IuOgyd4GHaBdgmjvMYYd
    kamTRjb0DmiXNPitvpUcR0syxipI6V7ISSZq1SF0Zm06W9z5/pa/DVZCVQHWc9F7fRo/meMXatUfhC6eOvWb9/RNtAVsKRflAZsqJs7WiJUIIa
    6dkTFJfmek4hGvXRUD6kCSN397IrHE6tiHQBfHBDp3fr9HLftrJeb/WqkRwgGgVzRFUCajxb3ORXB90aZsi8SpuF+Ii21sTin2wfEW/qOO8goU
    NuztuAK9JL7f/uQuf8tHph5cxgsr1oTvhsTyWU9mtxSiS2HOLvwUiePzEGi0ISw5u4kUiFIj2l0dNjO/qlo7bmzsXOjo2jZOjpbtje9mwVxxsU
    EyoBWnvpMHDcWn1qu2zDFiV+XDDGvCTewqTRzCiPBoyytfsqkHWJakKG9mXQvjimSggEH5CyxCDxMffr8EbWRYmx9C7oWoubum8u9u7sT5vyIQ
    Sk8PfIxxa4HtIIuWmo86BuPwlXb6vBE7XUw0xaOxm7LxfsyeboSScfdnJnYCovK96TT/vxHSAov+xYh3FmAP9b6ubbO5wMHXoYiBQRzDUjOp4q
    yNHgWmYuGMN8hzjcb52mY774DYZWD9dGkg9XNtwb/DQZia+a/hVo0KaOvMeuiiXm4FPKggDd6CNanEz5ZgWfajHVdDUSytGoUvV5KEkEwXfSWI
    7Z8TpMxOz2svgUT1+qQdTU8UZFR/0+j7Fz8TFTE69pUPHbivsja6uzyLxVmdJdxDxdHha/Owvn3zhLmld4nZtgSqaBj+cRCCgrmpknhsggQ00Z
    HTjcSjqBjx45XXHggvcfHu2s/BD77luqkZsYO6ETrurU9gLktIhpd9oD6vWWUV58sWzf+0fUq/M+yFp6Q8Xc/1kIMyMXbt2MXFnbsQ9mBh1u3F
    NloUBVRnQ3lUZLBBZdjag4/Pgv1c2OW01Thb6V+QZtKMVRUFOIdxsge4gavhV3Bk9Hs54t3UsEIbca5wMwehEad4k9dXd6VuLQyGNu6+teGLQy
    0JnWCXNIYRgCC/MDccIpe2HdYSNvIVym8nxtS56POgylnc2eaEsiz8suBLENi+mzTq8o0tTSGiFnarrgNB5E9nKl3bEdA5GQRaThVn7aXQG66Y
    2EA2vWKPi264FCfnlIrWLYu+s9p8SBrnry2WcgT/kg+r6iXdK+n/kQms/aPzB0TzTOlim1O0uLE5O3dPJ5rEZIe4kbCgrf8+9s5rHj4FBBaaxa
    bXcPk+Pbs3mdYylKpBskESYLs93WwGs9tg5uF+/P8HGfiHzkcGApPrVkuwuDyLtYNC4WhrK5KAdQLgI4S0K6NlXzqdvj0Hc5KOXijt6OU2mUMx
    rZSuyGSeeZW1c8UOK24pu9W5+5Cul6jkrMmYUVF4iEMMHKsJIjzFoWIu7zcqHYYgwGUvlaSlLJFJGGQNQWaGjMPLwRG9O5tO65/DZEuVef1qWI
    vnBkRBWad/AasxsJYKig/zKxo3XtQAsgthKc5UJPw/b2tT98OH8aDGuHKlvqvXvAJAgcUPpEEIeB4MdpUBtRKJaUhabJ+mJ1OBqNTUbyJipVWC
    Pcc+xYb/gQARBlAmcwK/xVy7oWWlDNueVS+P5EPEEYbadkBFAlsugJYgcBrAMfs0E8+yrlAosb0En7mlJ8yN2u9dJKxhh5PFMM0fM8Py7TFqdX
    BQp7jHUzoZ2gLLViUOHzUa8TBHaaDK1Ka8FuOLmpBbmVuuI60Y9MYRObSSmzKexOYeHIAiOUgiZKeHAtc7sBQ+Wjqt0+BwkKC0bs1UhtKgurb3
    sul6Ao83LiV/Jl93vP1ZcbGzbb2mhR/QyoOT4vUMTrCmy0foNOEFb0WCjBWlqtcs26MjUQo+PpkHy5vB3eVAoDK5fenLPDlJzNPNdKFp+VLG7b
    qfAd1IPw7b26VN4/+8LsvYnhuUZZnH0F3OzbvipnrTc/0cIhsyRkJ1FvSZyNvVDwxS2fuJhubqXxItFiL4PGY9ost/alpZy+4sCpZBwxJvqk+n
    FmwrSap6f7QYjg+zqqKwJs50BslhK/iOdwxzU7DkFZ+AWxZvbTWejwWCJ4HH/uRWLf2ejhtPfdfVkSSlWg+PdE57zIFKnDeUisrZRYumrgZ6yF
    mFUlgMBx6DUBipoGJbKsHlIVyx1z5TgUQhFZqMuDKyVCrgajBfC/CH91t9STAiEXQEZbLgLfoGLu15tVPn6UhmtzR8Drx+l7hlZGjXFEK7FX5A
    2bweBCFnx6GjQ2tZCXbkrScDYlpP3Kwoc0lBlqU5/rLQuRmYnNkw0naeny59qfNLWH4po0xMn2x9g6awGyVgM1mLd3+iNbruia19fI9nz24NbU
    wMbNtdkvbt+2GBfghuEbGymQTGn706hpbnVJO+Udf/P2g0JvfXgNUkkuF7S3tZxlHTy9x2MrYL1xn8Maz7BtKpIoDimO54mGGHNmowOMy6Qitb
    Us1IBn2QOxyzW1j7bCIuEnRHusMgW/n31Vr9w+uEmQQXQY5u9B17S1gX8/7BqyvmtzuDeMuh4rlDdZQFIhBhDNvDc0gED9vHargAYcxMHL5wLQ
    cSpoXt/zVOO6EFMjAhihBOm0noyRyy4hqOusuwWX/RgfnW+0lDDvRwcpOLE/FXU9lHlUK1VSMV8iPq77/b51dz3tV42c8JEXVJcg1snD0/X3Vj
    9dLXnBkj+2j9WdLsVb93xq7oKupQYe/SFcmbWhNGMNkTa4Xb5QOxR3kbfgIZez9GPw0Pzm8Ih+ZCGhG8nJDqou0tLMM/KXX201kJi2vQzyIOXy
    3opTanHS+qKjupsqlFSnj8y0sdUjpEVLrtBEb+Lbq2olcn3ehfnD5gpcfi+5mmynqjORgjmLVYrojyiyeR3QSAAn2PRMn5KHlVw964Tnz6YyBG
    flWc4rukhFuMJVy8hmqPEH6/P4h+iWi/lPEFPHv/+UDw3h10YljpT9W6F8VmO9JlM5VjYm3++Lncth0SJZA9bFEo+QmJkyvxMkA+CYOxGqiLrs
    HB/XqrufkjjhuEJJlschodIQmwBIUBmLlVEkuKLsskSQrc6r/coRrSEE61KwyWpDLc0GbU6KDbnYifyQwfKOLjaIxRad6CGzkcNpGKyMufzTKZ
    wDWQPFMB1WgpGBsGLxTfd8clCtLpkJlTBcPAXnCGW/aZ8ffiazXDOM/rH70JXamx8un2s4qfkMXs86fmezcBh1kP4gVcHrTDUzJMrc93yHAgp4
    hFhITmdOT5bCGSgxHbHtVE70a6tlxLnPdOxEdop7XfjrumNbmOa5A8YMfGVfYOKQ/Zfz7z2ouTaqHyrC0xO6jSpLdTmksdhgTTKoXfmz80c2oc
    SupZ7FGZKcsIDf8qlsvfY/npYtZk2wJIaciDXttKPnOCzSXmG7qPRmJIU8RIWAqSNxCip+/wnPUPuE+VmcLRTNp1Obue1Vz7IbrhvZftB2lSR+
    rQIFiJ7repbM4j5cw187kkRqqwaEBlnjzyMzbBgDfuhIK34NZn2tWADhLmQ6N9bv8o5gc0dgQKUr4klA4w7Q1jj8Ip8GgKC57DJxCM8BFpBORj
    un6uphc1XReAfhkXHTtyBFsIWXCA04+zkdp7edE7WksrjDb3xmprQcAIkIrFf3WlFkKIWcjERstiT0Lm90h42HN13aw1lbWf2u7rR9ojBKe/c6
    7ObTf7p0sOVwXf6A57gy5nIkzoerU5zeteP0EV4jww07gK2McKofvX82+JzoSYv/vum0/ojc4ja/tS1Y3XZEZLO2qTxepw2H9h4ghykxAqFg80
    DAF5MKQaRl9SUJTNace4RmIvjZhENN0YBWTOiLnMwfuqp+H7cVcYy43DuxkApv8JYUjxMAOn0y9i6nqokGEeSP5X1PR4pLMVdXYoeeJvrIa5YN
    b84ZPu4I5x1eGQboh0Bt8RSaFD8C95DgNgrh7AVeO5O4WbZFMxJC2R3GKXJFiKGn7Z58CPBhZztSuJhcSK7K71k3QdVpprElByCn0L92ANoi2L
    9x3KpbChhOrPlMysjgNi9BIVh64HYhzy/IICAMV3IJvVrsKC1rfbrqCK6V15TyQdlNrCAPwS2rTUfjO+bpsA/dbxx59WSbod3YfYE2MziRNCX0
    9DAOuKXxb0ZZhn2Rp04gzxxc7vZFFkgwkAWZ1rXq1HeNgXUVJpYhuRSFrYBFyFKvlZFDzV1QVM8EDaE/bTnkRfNIjpM+0xUftDGJFJd14GsoHH
    ZFrEM/Cv/owVi2WAPJGFxIjJKi2VkKkYmnAwOprMxbD8unTTuQ7jp44brwiaIDBd5ULjJqJJvbS5C7/nXz0MFmBLR1S0iFZ4JBVAeMBGDujZnv
    z85uj0y3Ey4cZu17KPNETgAFEpZUMdm91ZBN5gJD7KDrnWnYbxTqD6yRLbZXbbU84BieBd3IRr8M/0nh18Sj18bnif5NY/JOAaPBIq6seqDBkL
    X8e8eFxDPlJ046Tm1ZD/DSfWlaXbyRR2HyI6PE8M2UcsutQYKS5GLCE3WoSGFgWIsvZiGTGRMirxtMkRi8pbWEO1/wV8VejrQFH0qtlC0Uo20u
    9rixgL1uRSkyhTm7dS1vigbd1mWS5VrdjJO5Nyr0sbdRNOGv2653i6X1vsTpg+TlDi0uVAtmbSm4jfM2e9thISIwvftvgsoGjw9XD037jjFLUX
    kbqsCnr2y50NuZya9UT62vgyy2musPQLOlhRoYztg52BjU8g+5W9jaln9+58XGMR7vaKKP/qOH/gkYbJlmCFpsUa/VTxK0gPa01cD1fFYUBHhh
    xeaSSc/koocaSZfIRswhjiLnaIge6ORQc8JS5FxYnk5IxjQfrupHRndml14M2wkuIxTLEWH0tyI5TV3XgX339Z6Tza/aGEHz0owaF0QbIq76hX
    CWEpDV9qV+RMruIZyivYZ79vFK5J3iu3f88j91zKj1G8O/3RiGLD4r3M/zo9nrqSC0Eu+Lx6h1rLjwmvsWGu+VMO1UJ8664J3/yBgS4ebeup0P
    e8lACsom0D+j+w3GgsMBCRS6uJ1mG7oaQQ5nbA0OlDy6FlTIsUbsJi/majZPcHcaImcwiFyKXcly1mAM7BKnCL+h9qCiEdRmuZPOI8KRRsSWI0
    JI4FZtcRoPjCU5mcVgvKDXgh3miDfsdDuYrknjVnoL/+/I/goDCizyI40Mfo1EaaGuMtNoZAJwDR+l1EcC9w/eON40z3+RVMrgCiGh3ugpurgc
    7qy+h8EEUcJwrF2h7NzKV7wv0TIQ2x9EfiKitfa2BXYg54iwPNLGhl0wcfi9iUvrKIt0ZSh7c9psADNAdRsrcUzkwCuoKJXA+/B1TBEGtYTd8p
    YfVmf3Znp/QBLCST/hMy/ZG7op1FQIJ5C1i6oycu2kR6mubawS81YOPHSE82tP//ZXW1djm17IZkR2rbCwKvyHSJiRXTgmKDxh8ZH5dU0Hjjfy
    xHm++cxDyxs60q84itV44iMUeTCjLvejLcSGJ7uf7vj7ufD1dw2/ig3qquGCjlpmQ6Jlvt6XmUFP+91FtQMfoa1aTN/Z39d98cV/eodzs3PJGJ
    R7WnyIYvzYiPBhOks9MU5O5LAZ0cpV5SCcQv1jsTf+LTTuQMfVA14eKCUAfD6xA890WtIAQLAhmeBypK8kzQq4H4tWkeX+DWcykgSVFFmFzvyG
    HTxbocTobN2hbqNJo5yIacepmwp93JwFT+scSBM8Qn669TscfiMVtSpT3sxN+8rSQjK8Fueo70/dgGT871IHgtqECRnBe0xAbSWd0VRlhcUqs7
    qEknGURV9H7Ek+UYavyiJwfCMWH8bGSVw6lFshPMkrUFimSiyEt+D0W0SkHQzPlVPO2LeTqTAPBMu57AhQgchEQ0rApETSkV00Ig251WIeI/Q6
    YkF6RGsZioCy26ZldKQQDEeJ+fIhrGplQ3k7Mg0MqmptjejFgm5ipSTDQXwJzxENKbg6cSx+LEWnuaEPZaotdK8dmVrLsa1z7mfAlcmRma4ekg
    qUCzJ6qRoFVBYppsHdZT3MgPSI/3x+2RPAuKF6FBXZEKSU6vGlT0e722GYQ9SnibQSsqdU0ga+Gu3fUb91U39dDfl3/ebv12zXSLZ0lsYzABWM
    7kwaGTjZ7Op5+BCEzDx7+Akzwhq7A4lvL6iPcbJHTDBqBqlRmqhMa/U6AVtWRSqbIq/NPKkh5xGoKrArDkpVbtwRDgk796P8+CNtJxSI++D+XE
    S/fcT9BsIXfphyzB8xBxFTmzpLikpgSIAUPg16EHeqaQmiCw/xeqFhQEV6GKA8QjspZgoo7SJ64gg8hrprIXwGUsOBx/bcQg2Qtpk5yRuxi1tm
    /TnIY9tw+UcPfVzfxCU5/LFTJgPxMp/CQkGpfJqYGW8GVWSEXgQiRxE3A9GkM7mmipWWu3UmRMYvxZWSmIGuVRI3ZNozIcxGwPiiWFQAkeQYpl
    PCl5PEpk7BlqgaybOYUkm3MZTVl0BAqFyhPVKtiMtZMY57K10AkmA2mF5KNpC3RxFjYf9OkQCg6tCgPHvM0q+h694BvnQhDXirMysxhXaf9TVc
    zghCw0uYpN4UP8pDQ5wJOxUHsI0t1BEGk+PlkYi7WcyHMwVk1QpySw7xBixIey9RAqkplFi+Ut3WVgfSeL1m+E46GbVxtAVSFFcItHKx0w5fZ0
    zoRupk4Clur5HY63YmPa6jLkl7ngpTHEybIrFn/97f11w4Lib2tmQFTA9Cgd2ipC06xPgiWLWiiqQtOHqujhRcIBlKWOV7G8ZaRGgBXMTVlfLb
    y0S2KAhEdDvdpnUDykqFbG97Ssrk9qk1W6PN0qKPtfzjC9t9zebfPnr7taOG8ro5tA8beG6EtLIOBElyg7/PcwfQNxnBi5d9B/ecSweC4qXV+z
    +IOF6Bvix/qE9ne3FUI6tr+eHk3tABuFHRtWipednrUAUSjMHEirp7YRyq9K7fwFsxrImwAv7d6GoR6/nuwxtNTywo+Nq+9TAsGPZvPhvy9h2t
    L8ryVZjVERUgDppGzHSlOaMOp93nU6GQjiPKOKXPZvRRb12Mo6vb9g8qGKkIeTyitqR7830p9CzYuR35lh3lLkT6csp7iUfnJqjpgL7iMIAq8N
    pj+X8xGTBlyZiHcCA80J1FRS3zPpnj+OMLxzb7QIX5rqxVvvego7CtME/rTJDQtiyUSY+c1cGfunk4obE9PQyylgQR0jXp+HpZ1P8/+sz+HMyB
    CBVz+af6tidMnGeU63MPAXaTz7Uqg+GSMr+AC3kkp3b/b9s/7EI=
    """
    return zlib.decompress(base64.b64decode(text))

# %% right="micro"
def micro():
    import lzma

    text = """
    7U3XUWC2AAAAJZWWWRDAEABBAELAAAAAOQX6LI7AH7VTQLS5AA2ACPA2MELVDVZP7IRF5ENKI5M75ZJHAAI2Z2DQ772DDKIUUSMUM2Z3B4EHHA
    TDONT5HXXNCSN2NOXZN5QEAL5AOD6TQJ275QHVYVLQVME2HALWHXZIHLBYD5EUOOFHTWLNGG26YGOISHPS3W2A3CQPDVWXUZSCER6ELYWZOVIK
    FZXCSLFTBISX2A3MMVWLREHKJTFBUHA7VMAYAZUXNWYZITYEXVZR7IDJTRQSKAB6JSLYEC3U3I5TRU6JMO2XB6I6Y4Y2DSMJXMAU2HV27ACOM3
    5EPRAW4MKQULZHEESNLRTR5WHO4D4SGMMPT4YUYYYFBO22OZ2WBXQ64O4VLSPF7PO6PLGLOWW7OIAQGOJNYD27GWPFHTYNG55RXORKHJ2PX642
    BXNPWWW53T7KAIFJKEI3WSZ7VOLSBDIQIXA2FV2PFF5FTJH7W4ZTETJA7ZYY4OLDS3UPFPTPVGNP36RPCBUTYEYHFT3X2MOQ3B4IECWDEGFWHL
    6I4JUI5546VTBPJDINH6XQM27LC3CPPMHZTQML5TOPVA5YDQHJ5GBQYUV5MGH46KRCIUSM7L5OBN4M7ERGZ6IAZAXGBVBUVFMTRQE3G3ELFHSK
    K7MDHWHRZBOPCWJMM6SZIB4CYZQUJI2264HAG26KLTUCBDKYXNE4IBJXMYLGDWNDOLKKG5RHKTF6UM2RWTDE2B4JZICNMUSM5GGHFCALAVVUK7
    C64Q35NEDOSHDP3LDI34WZQANONNPXOVGGLVKFLYVETFWI5C42MEOHMP354AQLFXI5MGOESMNAIQUCXN4I3FB2WF5IQDJHCQPUJRVA7Y4MDONL
    MYPA7EO3DQ6N2DLWTIDYTPBZCVLGFUEMSI5HV5DED34P3JYXF6EUDWPSLTM6Q2B3GRJ2TLVFGUTZOQYXE6N6GJI26ZAKE4NU7CK7BDOWNROKXE
    2DU47NQIUZO4FKET774THCNY3RIETLIXXJRGQMZVIIMJDUVFKK2Q4GADXHU6EDGERTT3RSQSHKHHP5VNN27FU4LOI6DHNVKRAKOPZXJZPSUAN5
    NLCGKYYFGOFKHBXI43YUVLDRIQXRG6LK63OV7J6UCIZCUW7VNJONQ57JHSFQZ3WLHO3XHRXXJN2NTKFJ4ZW5RWY4BJ6T3SJIIPLIZASKIYEURG
    DDFGHZW72SJQPOQ4CMGSQQEN7ELWZQXERISRSBATL2IJSIT6U5RW6SCYEHKVNYQNOZ2XZIW4S7MVA26WSB4NQ377MBTVEYRPNWUVWZ5FOHWB7X
    FDGJ7TICODBGV6SAWLDFCV7NMDWB7ZQUK27JFLICLMQYCYBT4HO6MGJGWAGKLWT7NGNFNT4DUXP2AKLIMISTW2XVH6I7ZUZF4NNBYPOSYLDQMI
    U4GT62FH6RK4UDQBSPYFYO4HY5IFQRKTVSOQ2AS54QBSKCFJ5GDYNHSQ5XHZJH2MZGAKPLQBMDCZKKA6YH4LTDDI7SBNRX6RBFV74RNK2U54QB
    EO6WD2UWO4SZ74MZ5NQ2G4VTI2PJZVNADR2AG6VDLO5EDX6L4CHMLRPUHC24W3VI4FO6HXFSMXQLTGWU5CT2PIHUEILHBNFHLPKGIKM7O2DXQD
    N55H3NRCYFRIOZRKSY5VFWNUOWE6AYYNBPORWM2U6NHVO2LASXBHGXR5MZ6K2EPLBNJN3HTVGUL3OVEXKWBHHLDWTADIMUYSCIPY5UWKSCG6BA
    M7JHXX26GV3Q6FOFASOWZYNLTN3LJXQSYSR4RPRRZK2N34SRAMHVVCJOBCIFXVMBMTBPOGA4U3BRRBEAO4J5WLC2DYSW2VVTKMPOZXD2MKWADW
    VBCV66XGCWQ477GT7NVBYZSYZ2PEJIS5EBOSLRNTDELOATFWYPAZZKJGC3SQ64EGHWW6Y2TBSEVAPU2ZUPV66KBC4CYPDSK53HDNKNHJREPDFO
    VGXS2YSILZLKKSTRL76MDGBSYYYXEQLRRERQ62WSBN346S72ZFE7HKII3JW457TKZY5JZAQOWUCXJLSA7FQG6NUBROQDRT5RTKBFHW6QND3NEV
    VVH6LH4HNTFTUFG557BI5F334E7SNQDFPKWXHFXVB2RIHGLAEJYNMXEL2KFKTXZKCOUK5NZ7T2UGTPN3XKLN3NV3C5GIYROQWSZWUWJAWFWUCB
    H4PVVVMN5A37G2N7YKF7RQOPVZREMIJVMMJXIOIGQLWOCP5I47CRBR5S4HIAL4QSCD6RJXWQXFO25JU27LXFFYI3T7FEKKYNX4S4KHFDJ2L6YQ
    FBSB3QS7JVSGMV3NPJIAHM7GREEWSFYBKTQNZT555U53STTGNMMKSOC3SUSNVII3E7EP763JIMANMLTUSTENBKX2ZG4YTKKW3RRYWDWYGG6ZXO
    ZNGR2ZPBRLCZMZ7UWF3A24UNY2ADDA3J5EZTIZ5IYFRWMB2FGPKYDJVHYAAHGOSWBN46XR2DNUCKIQDRXCCCS3ZMKA37HN4PFOSR546M6W6IRR
    DCFKV7JHEQR3OAG5455LX64UXVLBBF6AAMVCXZ2YUGRMWFWWPXFA3GPSEIDHLEK3BVBW7IAWFWL2G4LHYE3PET3BWHCUCK7RKE2W3GQELFAF2I
    AMUJXEKOBROQJ7BOTOVLETWGKV4T6ZKM5ITSLX75KMASO6XMDPPMFBIQTDAXSSBLAQJRMYTKT7AJ24CKS46E22OHNS56WSGHOPFTYALX7IDC4M
    QKDXTX34B3M2DYKUUVSTE3TUQWBNKRVM2UUSGBFUETLIOFTAMXPAWKEI7G3TEYYD4CFTB2P7ZSL4DOOU5HHVAJ7DZUNY3E7AXAKARLQBBKAIGO
    KQQUGJYGQTOGW73CFFJISNQUTRA6XR4E3ETIJAXHFNPGDBUV5ZBZM3EEDU5JFR4JMMDM5JGGKSL5JPW5HZHXKKSLCDVDPQDWOTYDRMHKCAMSHY
    GRO4GXOZ2RYUOSPGGLW34LUHJTO55FTMGHCIUPSIWBI3YHM53JIL6CK46TH2NVEWKZDSYHUXYCAYEH2VVAQF3NSWFNV5QFUBQ4NMAO5P44C5NW
    G54IN37IXLWZFN4FYM4MKENSPGMLR5WBPBHSKSNUPAGR2BORUV53YWL4LQEG6PR5VWEIOYM53G65O3YT2OYPENTS72SWDFVXZYYQH4FC2WRVK5
    YJOFDVCFQT3PI5OFVOMXYRAET2DQK676QCJM25VW3FRHYTWGZQHM4OODKNHV5EXBDLPH64TX34H52P4YMN2MATT76E2K4EGPZ27CUKEHRTT4EA
    WCSAQWMCCTG64L4TN73XIBY2HBIHEUFITUEEVJUX3TQ7EO4KTEXINFCT7TDFXPKZ564HC4NC27OSPJX2VL3O4UAIEEUELWCQFYPZLHYQKKTNTA
    KW6YPL6WUSCCAIZTKOZSS5V4HKMXJFADM33JQVJ2GPCPH4MZQWPAPPJYGWYHRGGI2FLZMGY7L3BN7KUQ4QN5N2SYNW4PBCYUUUZTLDEYKMH3VC
    GCLQANZEVBDAMBILJ73YJPOJ5DQRRMOR37LI5E3RKSF5WRXTOLQWILRNPU65PFLQGKIPKOH6Q3FAMBNEQDPPJTEQQJMMK46GDMPJYZOIISJE4D
    SD4VLPSD2KST6Y7CSP2MY6JF5HJQZF43KZEDGR67ERAFVVML6LY2FK34LKGIBHKWJ35IWOFMQWGDRMOOFXXUQUVCWVVQ2Z2HDJ76DAWBWYDV2Z
    G2RCH75J6DEYRJQ3LCJOWMOUMI2IFPQW47IZEVMYD7QYBB3LX4PX5F7ZUWAISTAZ3YACY3IBM443CDONIV7NG6HO472VNUU6V4OKKVLULOHXQM
    YKW2I4S2QRSG3KJLNZ5ADBE4ZZGTAFC57YAQ7XMI7PYDFO3NJJQDWJISLNS7IFGDJTATW7WATBOU4PHX4J62W5JH2WEDPII5KBUHWY3BXYKCOB
    SEIKWUNQ2Z3JXNED5YD37T6XLVSGRVV5OCRFQOT7KYTWLWIU6T3ZZGJV2KTDQBIHQPFYRSGMMQOJS7DOTZPS7BRIHMAX3IOA5X6ZUZQWX7JJF3
    GTTNR47DMBV3MQH25DCSUD2YYLZHI5QNN33UE24OIPWJYXXIGD7UN3KK3XATXLUSYWX637CAMRGFY2J5MZI2XJKN6N2O3E2ZIMHXUCLUQC6AT6
    JYWLRWTOLJ354SYT6KOJ53KSQ2BSA7TZ5GNPSEAPC7ST3EPXM7QEAASSLD5OZ5EYJKVZYPWLUTKJGEBWODQ74IB76W3Q3KYKRBCDTVR24S33TL
    PFDDIVUZ4MMPLIVEREMYENQWHAXGUVD627DL5YQN2ZCWMF3AHRYJJ7Q5QCQJFJDN2E2LK3MGYOL3YH5OA7JMXBUFOWWUBBPYJGFSWB44MVB3TX
    7BHFUIIYCZFDKB4TEV3OWMHJX4KOKDKP6HFK7BGVMO5WISC4A2R4MH4G32KMAGJ6VZ6QBNQNGV6ZAADSH44E3SJEEGKV3GU4K5GF4WAOAEGQ2Q
    NP3C3ZLN5DT6W6JXTNZ2JTBYMJSOEOTNGMRHZ27CSSRRGQOQ7HHP4NJ72VZDX5PD2FCM7W2QJL7PGQZQHM4KWFN6D4MEKI6ZJ455A56674T3VT
    O5MCQSLIP2GZWCLCJYYQYMGJ54WICFCVES75DANAXNTTBML3YCEHBCL2UZ4T5IPOUIR3C7OAH7HEVIH7HV3T65N4X3ZLASN6X4FNQUH5J7GKHE
    2PKYMH6AVY7VT7IGUC3V2AVTO7GJWYKCMUY6EHQUNEZMNACXDDS2BO2CI4NQHGSOMTWOSSKEWLAG7HFUWR3IMRN5DFXZSC3OBZAG6MWTQGIJPG
    AZORKAYPIFOLLDRFQE3W5WPVBUVSLCJA3DWU4GQCCZTKNVCHMCSN4G6F3ZYNN7QP3OBFIH5SUM7KROSRJMHYV67N2CITTBLBBFJD4BTY5C4GTI
    IYUA4PYZT4L25BC7SYHC5O4J7XXAFXNNZGNTFHE7WFLBTTWZKY2CO2SPOHIFCQJMWWDJ7XLVQQQRY4UKR3SCLRPGUQEQZQK7NODXNEXGMSWEQY
    DW6XJGUZXYPMH7AZOU4ESXBQ7FSM6F2Y2E7DDXAMZRK3S3R42LDI2CUM36MLGRRE32KY2MJF2EKYI7BJIPNZDZZXOFCCEW7WWHP6MJNGJRDT5W
    GT5DKYKAIOHDVGU4DQFJ67ZRIKF4NYW4YMXILUOZWDVGN4MO4Z6JHJYYZMUIAJL7MBQBRXWNE773CM4LPY7KUEHPL5DEGEJVPBX2IG43MK3DUB
    6VQLXX3DGIWL34NEQWLHRY6V5YKLAUTIDNYPVWCJE5QFTCKQI7F3I5QOPVRH43M7BNOCFSYT536TWTA65PPUVCH5AWNPRVPKB7EOCP7P3WTJFY
    IOPNGO3W5QBHGYRLKXA4HSBJZ6LSOXFQ5MG7HXSZRBPBG66ROVPVBTXFYQEWYCJPVWVNARPRKYT3QHDHZ6ERVXDPTOI7D5IPJE2FGX3GVYIPO2
    HBTVFPBTH6NJD5RAISUMFJ5BPN7LDOZR22AJC5RYEY3HAN37MDJ7DZIHLF43H5ZDLCSRMOKBLMSVEBMEJTHQS5JIV34FELYVSFHK5OZNAV3GHW
    JUDXWICHD7Y2JWEJSJPCK2UOZZ4WAKKIV6KVLQCG5OIX3ICLFLO4DUBFOS4HIW44FASK6U65QE5KMAISMD4TRAO6GOPT36LGGDTY7Z4A42XVMZ
    IT7DGKSC34KBNCTDQFF2EYYRSPWGU46I7GXJQQ3CWFNELJV3BVRJYL4BD46J36UYXZ7LEBVA7JTYGK6R5NJAVBDEFQAHR5S3XWQW773NKNDBS4
    WUXGLIEZMNSS56IJP3A7EWA35ORGRDYNC5DK7WJBHJYDTGV7BBOGF2NROV6D7647MS64EQB5NLE7NYUQS46DBM7Z5PHCKGTMQQAKR6EUOETUUZ
    77O3USUHB6Z54ELESTAMCCA27UL4B3OIPBR7HVZQ4STJTLBIA2V2HGVELCKJZPO6NWVE2OL3WHRKVA5TRTWOGNJWVQAJGC6RECZLDVL2DRWOAP
    QECBTNB7OQLNAUGPZESQXREDDEGDNW5V3BEDLQHX47EO5PDTYHQPKCRBQKJZY3KBIQMGSULUVJJHVXTXKXT47ALIGFF2FTQEI35MD2JFJIFHQM
    WVMITP3V3UUH4UK2F6L3FQEOALXD5F3DOO2OC5FM3X7WA4VOYTTCEJWKTKNLB4TE4RH6P7RBFSFHTMXUGJODJHAO2UHZ5ZP7XDSWKPWMJW7GT4
    6ULXN3LX3XK76TZPATMHANV62CHBZBKQR5SHEGD6CR2LW7SOLRUBCJWBUOXHI27QG2EGL2RVESHPXVHPF2W63D477IYCWIVZ5HZ3WFFZE3BQEJ
    WDSS3NZFWQIBMRYNK3M5VY7FFJPYUBKRCHVEBS6VOTZQGSXKY5NBDQGUHHCFAXXL7BQQ7L3WIT6H7D5BNOY44CHKD55PVI2CHPZJXC4DVYC6JQ
    Q2DLP4HT27ET2V7ZJBZ55DYDEMAJC5FOS3O2YBPCODTZ5HDL7CRVLCVILUMINJII462WZBGHEIO5ZIKRZTQ5U7SCG62DNO226GZOHPRBS5HFWR
    76OQSM47QAO5NDJYVHEW326MUKUA3P4NHM2TLHPFY4EVZCXYPYVVLESHXEBQWC4TLEPXLFVCDV7DLKW2KP5N3X6Y3GQYUB43RSGRKB3WJRID2W
    GYJY7VRYE6GIVNFK22WGZWZ6T22JJCC6AL2NWIBNDYA4NMAUG2QSEF3FBHFLRI2O2XP4HU4EOMEQ4LBXO4AMTBN2VJVZKMXXVMX25KVF2T4LFC
    UIG3PJHF7VCK6KF2LV4D7RBVU4NY2TX7FOX63EDRRIQNJET476ZA7RTL2NTFNKUTIZM7NFAHHEFYYRXCFZIRYEXLXT7SUQOZLBRHLZPQV4S6SO
    VWOGYOSO4ZSHT5YFGUWCO4ME7L7S7ZG3FENT6EUZSMX7HA2YIDS6PVCTSRJKZJD4NFEMODO54SFHPWPNL6FGRDILZS2PCVIUOKZPBJDGKY4D27
    LF57TMODJPQXSKAZXEECQP5ERCWTWNQAAVVIHA7MOLH6QLV7VSONG6EGWYOG5GWDCCIKBKSW5BT75KZ6QK7ZNWP6OTYD4F5ESHHHRLSA5FQ5MA
    Z45ICRS3KXCKCGRMPDPMSQICFKNR3KECSFPH6AX4X4MQUWVC3XOJS5WKID473O4CVYHSIBS23DG5EJCV3XL4B4K7PKTRMJZ3PTWPX3K44RT2OP
    UOXQWM4LU5ZYKGPWR572QR66ICB5DEQ2FSYMCCX3Y4MG743FKSFPTPWBS547YPMMSEZ3VSOJNEAFMFXZIOMZE7IMUXOTHN5PSKLAFHPMWEAGNU
    2Z76SXWTM5MO7EUFVFH5SFPFLWIJU6NRCM26UQ6T5D4IMEJFYBNK2CZDLRICIM2JVBYECFWPLOQP7YKL72BYIQCASG5S7II5CF3RLVN5ISX22G
    RAHZIQVAEMMRRIYJRPGICVRO3G5RYYPVKR5WEI6GK5B5SANFBOX2QUS7DUU324UDNMZPKMLTCSAEZE54P5FX22MY3WPXBEWVLDK3CNPH6ZNNVF
    TNUKBUREPQ3GFLQIO45MW7IVEGPZGKMAZVUIUJBS4PN3MOAQMZLZHHVGG67DF3F7EY5WTDRBKLGDL676SQDQLVYSRNVBYAJQQASBAKOMH4LUVP
    7MAFTSRL3LGXOQFUPTA2GOGPKS7LTA2QP5APXNBJEZJLTYFQ4F23B4WATYY2OPDOIFDTYXK74NOU6GNTIDQHNHDPWG2D2LMHZIV3YKCVUXF2HD
    ESFHNTUIINWNDMMSZAH4VSMBKWXJ36LVDL32ZQJQ2QW3ECXUGHVTNAFXAZUMA7D5F5IXHNL6YRNVBUHY56C5XKKIMB3VHD2F2YH3CNABPFGGAM
    NRG276OSGS7UQJKEJSJTRS6RIEKA5HFIPELRBT7DY3NGJNLSSRV26DI7RR6MBETOYGPNLKJYDJFB2QMNOF4LDUUYMU67O5FCPFZOXGXABEPQ5F
    KZU4PWYP3FMRTEVV7NTTO6BOONVD3R5XKBL22CQQSHRJL34PZSEJBR2VQZ6GM2VI7LQ2NVPUJQ2IMZA3VVDDZE5C5NZRJVTRLS3F22OLNTK2MO
    E74WFPPMUXND5KLNJU4JLQODEJJKP3MYDTNCT5QEWABIZS7EVZIYNHP673IA3WIFUOBL63ZKRTZQPNYFR3HAQGWXBDIMO2KCLARQNJI3OQSP5Z
    OZ44G5QDPLMW3T7444I5WTDVUFK7TC2HAMHXEMLZ2H7ZI3N4ERSCTJHZL3Y4UHOXUXXHZUAYOUPKZPK7EEHBV7KWZDITTWVEWKZC2Q2TK64WKU
    52JQLQKHXOCYXEA4LWVF7TZXB2E55KRIMQQXPUHRLNR5WTB3UJJW2EUYVRISHCOQRR7W6NFQCWWN4GVDFZHZU34MY333UUK5FRANQJRPCMLZZZ
    C77O3XDCL3BGEIU3OAGMUWVS6RG7FC7W5JAQD6MS5OQBKTKX5C65CQK4JTRBMG2AAOXMH67NUBWPM7HQLTLWBUCVS4TK2ULFUMGBQEYT4ZM573
    KCKSG2P26KMJQJEIOHQTBMTAUUDK2R5LENMU4HJDL4UCQMJNG7V6AKUFXXMOA3RWFU6IU4PKT6PRIXBSPCBLGK7AZ3BD7XH7MMT3QADH6X7IIF
    BF2E6XZQ4BANTLUU2O7UMU37XBVKF4PZJGYIAPBEXKS7TNEBTTGAMFTR2A6BHCVZ3AL5FJ2ZSZE5H5HAAJMN5DQU73PIOKXH4WAHEVK56JV7MY
    H657ZK6LX3DVMTNMONDB6YHTP4ELDZBSYOILKHGRARESC5Y5LFJMFGA2ILQTRA65MT76DJQ3W5EDAK6JTI2Q2DNBGU27U3V7AWOAW3RCLSJDLB
    4VSWMRH2MG2NP3JUOIZXND4VL25GNXNBSJOEPDIEMV7GCO6HAS5IOUKUWM5IRVH7FB4F6RWLDI5F377APJFPNG4ACY3EEW2XNUMPK4H25IFO5C
    CZW3QIMQVY6TLXU3BBQ3GDHCGCMONIXRKVI73S54TPMCEMB6OGLQKNPWPNQ63LNQSGAVHIWG4SMZ7BV4MEEO2EXSOPVERUZJC6CQBDBRFLTHBK
    HBFKFWND2VGQGQ3UVJCRKXOXKFF6LQ4GEDWGTT4J4TIXBUADEMUMEJIXJWBKSFH7MNNQ2OH6XICYWR64FMZMYWLCE3RCW5TOSHIKT3WO3EJWJW
    FLF3HHXZX5CPYDIGFZA7HCCPFU2MQE3FPVORR5RLV75XUOZDACSTZAP7ZLNH4235ZKF3PR7SLTE4NWYLNKNIPQYKZGDI5JY23MCGA425NTBO6K
    TOGFALS5CUQQAWUYSXLM7YDUJ33S5IFO6LAAN5DZWHSSQCDOJMX2LOTBXEWNLE57GOM7DPRQIYKQKVZJOVETX6M676KIXRZZXTVEYYPIJOOBZT
    574KGQHKJYYD73JNF33AZY5TZF4Y6GGDHB5O3P4WHRLZ6CZSFVJ3QPIVWTPO34YU2OS5HPKG2MXR74O5NOK7P4QKVQHPAUI6HSMSHRYUBGGKMF
    GAKSKUBRCHHQ73GHJJZMJM5HTJEFN3XORLAYSPLTSYAXMOKKPHIZO7PJWDNH7QWBNFSXY7OKKE7II2UWMURH2WRVK5GKMSXVT2YXE5QD6WP3UW
    BFRD4H3ZJQ7O7T75QXWSDL7ZR2LO4V5HJ4WFSQCOWJ3O72NDNJFGHK2SFV45HF4B5ZCTDUJN6NCDDNZALPIRC7VIHF3X64EZYQOJGKNNPFXYAS
    OZS72G2RJ47FX6RZGTRIHOZR43P54PF6FFADY3ZGAXMQX76LERCKMVORB6DESRD5BU2HFMQJW6SCZJIWIJCQM245FTPK6CONDSCNSXWSLP34UU
    O7MKQPO2VBALVLHRDE5T3FWU5EFT6A7JDHOKHXCPPV7Z6IOPJZOMS6W6YKUGZY73BWLJGZUTEV6QFZC5S4U3IL2OCCBFNM3VFEXMV7IJOV3BTJ
    BGJJQYWFEPAAFGM3NTHNGNFG4GKUEBSEY26DQAW33CFB3RXPKETDW572GJPXNMXCQAOL3HIAPCKTST4G5DLPQL6P3Y6XYZ2W6WSYLKCU3P5RSK
    JCS4SJVMDLGFUQFTRHATATAUM6GBYA54WXSMWU3RTYGO4M4FHVO4SOTAWR4ZDM2JX55MAEQCT33MUSGCKCDIDBRPPCQSIOPLV4XMWDCAAMSLRQ
    POE53SQ46ZAH57KMKUPUOSDQ2R6DDXWRVL5PSVBHS74AAMIY65JL5C5Z6P5EX52KCEHAPR543VETMDPUJEF5BXYXHQCPT6HLBVZHDDV625NGZE
    PGZ36L4Q2XBOEUMCKAMAUJUPFQT2ZMXN4PWUOG2PBH2RUAZMFRIIUDTKRCRUAUT7USNMLZHHSIM4OUYJFNNFBZSDUSF2NKXZ6GN3PYQTWDKYE3
    PXTB33363WMVVT4LQWEAZMGMX7JDHZCLFYS7DNK5IWC4PKNF2NEYQAVANTTZWAGTUQPWHKLXHUGTQOC36NB3BCAVSPIRQWQXOH6Q5LB54LUBF3
    ER3Y27RSI3O3D2VBNXLXM3QFF7EZWUA27FCFCC347KWFSXP4W3CGJ42UK2ADYM2NC5SS2E5M7S6TXSCHKQKA23U73Q3UXYULPUQB23MWNINJHZ
    3CTZCLMXM57YI2FBBF65S3YUBHDP2GTGZBQCUFGSJAH5EYAVYRV4LA6RTJZIXAUXOOQK4GTSUL7VF25NYWOVFQRAKMFGHLXOTJBX6HQ73ZW5OW
    5SNVJHW42IYH2R3SR4HCRJUOQM5HVX22KIMH2CPDLQECHQ5ECZBLYG54JCIVJY2ARITU7KHBWDWPQZ4JY44ODBAMB2I43ARCV2AOQA2P6LVX6S
    QPDDPBRLYSIVPELYWDW6QMALC36IOK3O2HBR5Q3UEAPU5OFIP3CUMLSUUJNZQ7EI4PUIL6WZETODV5CIQM6TJR5XANGOQH2A3RMITXLE5KF4CH
    P7OJQVO3ZCCO7U4JG5JR2VP554C7C5UTN5T2WKIWDOHNL4HRRVUU5MUMIHZPDEGULXU3UH3UKFCGKLQMKSZILUUKSVCW4WODX2TUGG7AB4L3PP
    WYEHL3KY26DEE6ZNXANOSBIKYJBNXITEVXDIFRW6UW2QDXLXON2LIETZ7BLAZTWYR3FYFDY7V6R44CE4IOJQEGKZLTODNF2X64OQGFHXA55L2E
    PD5CAX5ZIMK5HQ7CIJMNNSOC6HUKUFEQ5JHBXBUHMRWCSKV4KHPD7XFXTZYUVJQTBRFF6G4MSHVG5SXRMYVWXFKVARNVS7K46K5RZPSGB4LOQ4
    XUNCTBVGY7WV5SSSQFUB5SHKL7WI4ZRGTDCWE7XFTVLNQ7AGDRQIXC5TLX7CHYZEUPWXNJT7N6KZ5O7TP5P2T4ZCZ2STNX3UZMDMTLHKFGC4AV
    T7BW6PC53ISIUIDUUOMQP2SUZIYZMQH4KNXHYTSVTNSQLMOGQVC65MI2FUAASF342GRSWKW5C25SL3QLSTLRE7X457NQ5Q2C4EUAZLFJABA7RS
    SC3F5T4NU3BABWLKZYZCZM6QXRS5VBU6SAW7OXL2NQSRH2MWMS4RTB2ZLL2R5PEAGGZJ4ECCWXLWVBKF4C6AOLXKQEOJPBKXM72HEI3IALIAXX
    OSBL6TMEWKQRARNSYVDH2ZP6PDD7KGBUFX6FOSTJFXD4ZOVTDNM6XFZXJ542ZKASBT45DSXZJLQOBUZJJXASSQR3XVZHWOYFK2G466HDUEMQHB
    CALCU2TE4275EAVAOGLZG27QTEVPLQ7JRLSWJNVAJ6O5EKAYM2WYNPTNCWEUQMVHXYHW5A52VMK6IPEFQ5GI2IZHJDQNB34LENCHLVM3HP3FZC
    ACSWIDHOZ5QWK26XPIDYDVSA3NI4PK3RDMAQ5B6PRBTVEFEZLCBMXVMWYX2XWP3E2S6O6K7YBAG2O5YLHECJGLZ7GPTH2UFTHMATIDPOU74DVB
    LECOE3J6S6XD5ZNLKLG4BZBRYRSOREWKW7KGIX3UIVB3S3TAU2NU3P4SQ3WFTHSVPEP3BOSQPERG3TR7K2TRWPREJCQBRWU755WLRIMT4NYSAR
    VEC6JBDLPWRJNQV5LPDUINBRPIUND4G3YYDXHH3AZVOYOSXUP3OQ6Y6HWUZAUBQ5LGNJMDKCVVTXQO7JGZPNSYDLELEUBUHU4OBQ326ZNNOYA4
    KVTRMZQVYNJNA7KEWTD4GPY65HDTR7HTKFVWQS7EDXNC6SJVZGUFOSEIOKLHQLJJEMEFNYTBTN4O6TJMW6VZHPALRMCS6CG6A2KBLF3BSBKWML
    OYTOCEYHUSA2YWF5E7QBK54Q2HBVHLT6ZHB4UJIBV3F46XVY5RCOFYEEHPJOPBOPKJUFNMQZTHO52MOU5Z3KT7756DUOGIAXON7E7N2OOVAGY4
    N3AL2JYCDUQOCLLJMR3A7DLBOGB6UQHEZOMECHSAXFDYQC6IH3PZYO3BRQ5RVMGB4BJAUKSQETQIE7MOYCRP2V5V3TN2AJ3KYZ4RYHAWTJXAZN
    RHZ34JQRANZELISLHSMRX7SXBE55PQBHEUNXQSHLFYN5HZLUHSQBDZQS2RHHUGA7IDUANK2ZQ56XTOD24QOHNTSRANR2LK4HEDIWLJHSUGY22O
    E6JRRRHAC56QSTMRLWS3RWQMVR3VLIKE6ECI3VXPCFESMMEL5E6P2ZN4XF5YI5BYICNQEGZXZ56XXUKMUBIILZWGN36Y4VD542T4FWHV754WUS
    MT4SDI7DZBI6B6PUG2KVO6B47XOF22DNRM2SVPB7U2ZUY6E43MEBGBQBFPSU543E42DDAX5SINWQZW2VY3ZZIN3JHFBE2HUSVYAOUKLOBJGTRC
    3TSSUHZGHM424KCQLU3ZZIAP7ZR6EJMQCRHU3Y25MPQNGLFANQ2F6X5XVEWIFHD2MIVTRVLHNI2AU52TKYEBTMMLFWRMYZR657XKBEOWTN3BXA
    BOHRAAXGDYOXPPK5FDZAZFL3K67JN2VK5LEX6K7OSHLPYG6GYNJYGV4YJNXNKJRMK3RS7D7JEVJF2LLRVTMIIQWSRWWBILSHW4I5X7XYLEOSVI
    NLY4OAA7HDMWY5VHM7XY5HBA4PAF54Q3CO7FHC6YGKLYVC42G775KKCG3OCFUHCBKBB3F7PZJU43ZI2KZ2YDXBVNN36ZJ77L4Y4P75EVQ4WUJX
    OJJ3PINHLXYQO3HWLQOIWXC2CEG2LTUADFYWLO7CURLNDRHKE5C3CCNUU4OAXDFRRLVXNJZOF4DD7G6EU2GB7AO6KHTXEPPR4KKIJ47GFHRU6L
    CPPHMX5WOCFFOVYC5KVLXLRNBY2JIG5VKYUNMEKFU2SPDG3YHZ3JO4IK2ZXF7LZ2JDPJ44H4XJHGUFKY4JAS54EKBTOA4LUXRYSW42PRUJQLZK
    H2ISY5BQFYHW7OXGFUG7DJ6KJLQ3OLX62DKQ5CEDXSALZDZPI4CXEWD6YQ4H7N2ILZVNVGWE3YZXADPG2SVX7YFY2VDWO4XM3QQHV72XKRFOD5
    SMSHNC7DUAHU52MTL5AN22GEZQPO6OIUQDJNPB5M2H3CQP27DR2BVYXDNSOT2252IL43PQFKPZERXCIA2VSRUE2OESM3DILZGIVPRYUEGKSNFB
    CKSFKOYEKRBFFJ5TZWPKO5424RJLCT45OSABZRLPY5TW7UYJIAM2QXBNLCY7GB4WCSX3QOXKOTLE4WQ6GA4MCIAADNIZLUSIJ3W74M3DOCI3PU
    TA3AQGU6LD2ZOEGQJBWB2P5UK4BDBVHE6RIUDZD547LFZ5NZKIDBQAHNH6IU7RFPUWG5JEEP2NIWJ4LSFISYORWFSFMPLZTWINVUM3YPOK6NDM
    I3X3W7C4MGAJQFHUYBAAT32HJIDGLH2G3KK7DSQHIZKMCT5C5LAJTHV47QBIKXF27HRZTKGY3HO4BFFPLCPQ67EOQZSI3BRPPGMYBNLWG7RIOU
    5JRI6FTYN4U7BI3EQVNAXNA3ZFR7IKCTK4AEYY4KSHB4ANBJNHCUXEQV3UNCM5AAIA77ZINZKAPCU2PGYRQHIFZO2OW4EGTSCED3JGA5SZHNL3
    FKIJBAOGA2VW63MJWFDAXU322MDLC3VUDH2DE27LDLG5NX7HIBESTQ3KI7XFZVQZDTTHSHSN67DSRHYZRGTPFN5GPTMAKMFKIJZK2QKLE4IKVG
    XEUPTMS7265I5AN3OPW5GLLTXCZQOZSUCNEFGFCVKOYI5QUPIXGYMNYFALPO23NQPFSKU4ZOBFR4M7IGNJ2S3WRNLII7NOFREEUIFV7E3LDHBY
    F2KUBVF57LYENWW4TN74L33B24ZPXTJLF4EOSGS3YJ7TG6YRY4ONMEGN2VHQXIJLTXCDB3YFDVGJDJ3YW4QWH7ILDBVOSO4QUKNUF7CW4GWFX3
    JAHOOEM572YWQN7HRNFQHXTAJFNCC2DVCBEOHULAGT6WO7XFZT67PKHZ6BD3CIR3YJMTKTPRXI37B6YFMMC2FQHES3FJBRKTHFGGM5SWLYQ522
    O7ZLFZFPYQ5A4YQGAD4OZZHB7LN4BST3WTPEF2YB2HSQZ57XZUY64YBM2YNWCIUNZ273WTQOF7TNYJNWODHJB3RMGIMYNWWKEC55ABN65Q4NRS
    55YZL25TRRUQQ6MP63K26JYGAPRMCVXNF6Y6UFYUJNLPWVIFBZ3PQUKKRTHUN6PNWRIVMSYI6ET7CBNRUVKGXC2RHGEDX6JFM5GFIXX4TCHQFB
    SVBGMC5B7G72LA27TNDEBQPMQNR4F7C5WDT3DLZ7GGMVYZTTWILDVFUOKETD3YMQOYJUFWTISLEHUKKKP3DMIAU55VX32LMPBPZJUUZM4WEQ6N
    HCAEH4KUDPRWCW27EEAMKHJ2EPGR3AMYBQDBDNYUUAEQUYH7FDDH2HTGHML7ZBDQ7BMRMKOFKVACQIFZL4VWG7J6KZUJJCVIOZBZCLJ45T4AOV
    I26RKXLVEVHUGXIC7CHULZEPPC3YNEUIJ4VM2RVH7IJWT7RSL4IJL2XVIHH2P6YM3WXFARDSNYA7ICYGNUF4LIBXRUOMXL7GZXZDQRZDQ5VIUT
    OYAHIKL62RMXJBKE6WVUEEQY7KZJ3HJZTB77TL3VBSY2UM5MC3ZAW3MHFBMR27FCOB2DLFIKNB27WWIWFAICFSGSDQMMGQ7RSMNQDGCNAXGE2Q
    2US3NAV7SA64GMS3VHKRGNL3BJSEUG6542BTDWCEDLKMRQISF2CPUG2ZNX4C2BPEGGTXVD4UTKENYKFY7J3G3ETGRNS4M4WA5XQ2HZH72DFBBB
    7SST4WSC7BNMKW7TTSJOHXZ2GURZIMXX3K5W7NL3C65SXVN5TDJNBLLNMNSKZGXKVMGHQ3XT2YCIFZMRPEANZC2YEYLAKWKAJOE73WLMYEYGEO
    MZEW2APRG3KMLXKER6EEZLHNARP3OWTZXRPXVCAIN3DVMGBQZFIWCYB6TTQF3UO33PZGGTQ6DQHTFV4L36QILC2F27HYMZ5WM7XMZYOJRA32FD
    ZAV2S7J5HZF5TBGJKFURS3N6J5L47DWPKUQFTEOBGZKSLMPDJG3B6LQIYIHWZW54B5KH3SZRJH4RZ2DMIY4EBZIYA6AQUMSXODOCZPNVBZY25K
    SQBSMEPT6RD4AHXXLD45ZDMYJ4VGJSR3WQBMTN57EV2IUBEOYDE53LJZ2BWJF33GNLL2BHE4QNTQVSQDB5CKUX4ZJ6JMELJUNAQCLDSYYQ36WX
    QACZABRXZEYMJJPUBNJYNNB2VBCNY47VMJRN3XNF5MUXVEKEASP5AZS667H24VCPZTC5V7ELY25U3YI77EK3VYSY73NH3NCEO26UBY67GB6OWE
    4KGIDZ733RREOVQ7ZNMHZEV5ABETYKMDLDMJXO3MSMQVSEKV3G7UPLKLKL5PWE2VQXMGNNOLZFPC3EH6GD75AUOS5UVMXPK5R3ALT32C2OGEAD
    WPC4UUKDROXAHVUE5KQEKV2C2AZZ7HEIF6CSIZVBYP3FZJ6KKCX3KRISP5YQXLQKLEBSYD7CAUQBWHI2EYVASLFZHAQKG4QXIHPPPCRCPY3QOA
    YCZZ3S6SADZKIAJW72BHDB2T7VNRAEGV6UR33XX53JPHMW6XQBDHMR4AZM3HQHCSQITWKOTDARWUBY3ROPPOL2X5M37QN5BORLRWYQLA35SYAS
    FZGXOZKLJKEAYMG33GVFQKFKRPU22MSKEU5EBPMSRM7N5YCBJGX2Q462OKZJOW3D2ENKJPIWY6CPF6SH3IFCWZITNI2THMY6NCGWAD4OMP77DD
    UPGCWCXP5I3I7AQAXENDJPPESBZ3A5SP6BRKXREBMTMKWWQOKLF2UIHIQBJ2BQIHKHZR7S2DHVXCYT5FY5XIVVTFKB5SAQVKFD53HR2UFSRAXK
    NARRACBCLD6ONJ6CPGXRPBBAPIRPQXQNKGJ4RJTWGCJTZEOHWTLB4GA5YJAELVEIR7TOW427ACOEPDGO2WTKCCXZNAXIYM23RHDPZXPQWGWIQ5
    V5DF4HIKBOU7WVGJ3AT4KHWFEH53BDA4BVNECUKCBW7RUOKBH6ZFUZNT7Q3MUYLYRU2LRGHK2Y4LTEFLLOPIVH7QPPDSU34BAJK7CXVUZXHCDT
    AKDHTJW66UXQTK5NAKUEJDO24JEUIH5XHPD3FYWRGLIOIRUGD456XV25LCS72UA47IIR7J7XGMJS67DPL5HGYLYDGD3FC44T2WYDVI2H5UQYBV
    F6BRCPBCMIMGVVOQKJMBMGOFYBMHNSHL2YGC2KBF2XE4XNOXNYA4PHTVISLWUF6A7MYZMTDGFHE3DJXZYWKPZBIA3TP6D7UTANC6SU6RFSY5DG
    UXGYKLM2BW343SD64JB3YTK34RZUMOH7HQXEHSA54AKUBFXXHEPF6EMDAHXIUD2X57E4D3AGL4PLR3JWGAEPCG5D2XQFAHMLBAOQW5FQCHMIDG
    CVXCEIO3N6NPHX56OBK67XBOGX43ODVACNDJB45NQXBHMRFV57QQBHKCJP2BWLPZCDQDNMHD4HWEG24J3JT3I75UW4BGHI6H6SDOD4KRVLQMOX
    72M4I7KMGQIDGRSTCVGVJRLVY6RQ6IK2WX27OOEQ3HWO4HDB3HSTVBI2EYTG26DANUL2PJU4L4FK5M3AM2VSNMJTVBM4WPFH7S6NIHVWZ7SMBF
    T72ZMKC2BSF3P6T3ECD4J7XR3RUQHDYSVW3VWPQ2XSQSZ3NWDIGTSLAB7SDV5ETZZ64RL36NSHOT5GWEVA6FMIZBYKCQPGTLZLMN4QMRT6LZMJ
    T5LA5K4QUSM5WI4DFKYM5ZMI2MGFSVQJ7OJLIKJDGSRI2SYAWCY2Y5O6VMNRYC4WWPSDAGHQPSM6NSEUJOWCRUV3WER5I6LLGNK3ILYK5O7HEM
    E25PRKJXGFEIK5FYUS77WXY2BEYRSS6PGQZUMKMSBFH3U2VLCHOW5V22XLTKTIO5PTZPTZ537GPXEZLMGPE4QEKJTTPGQ2NET4YQH6T7VW5UIH
    JI5KA5GDF7YLYIZRSA6EZAO3QUYCQY3ZIWKCMKBXQEGYPHNBSBKG5WLFG6HMID5BDCORA7CD7HLKVQ7NQBJTMFFHRFMBSNFLK7KIDQWCJYVHB2
    QHHTWSQGWLJJY2FMZXOLZSZYJVEZLKB5XOAZFEYXYI3H6K7K624IX2GG556CR2CRLBXD2LDVKLSWRIB75W45AY7QVK7IDCTCWOPUCGKMA6ZKTS
    YAO4264Q5WOPMQAPY7FLKA7SM22PN7JIBY2DT46Q53WP3PFEQPHD5O2IO5RMKN2PZVPRURZQQN527WQTLW6ZTTIGYTOBPQZ5MN2OSA7GMFDZJE
    3MOQFGU6KBWEEAS56GY4PPUTQ24KSKGWRP7L6K7EUYBVWR4WBLZUYOIA2QCWEERH57MNUACBQ5OCMMRURBAXZMD6Z6UOJT62GDV6GQXIE4P4JH
    ICFSYUCLARPSDZPWJ67HHFJKKUXM3EA77BVQH5SIAP2UFT5365PIZEIAITOMFFXY6OHWID3TPJV53ALHKPPT3ZBELXOIJMQY5F4OV5S3KIDEJQ
    7ROXTK7U2S2QRV2X5YJ7HFZ5KFP2RS6EBMZ2U4LQE7EPIJLQAP6RFWBTXFAEY3WIXCDQSS6KZL2BP4I6SPLCGH76BCEG65UPFEKFYOIBZ653XR
    PBUIEZ3RNWA7IQSQSSYPYIOTUNZLYCKBJWHZGH7YQOSTEQ6PET57PTIHLNZZKIA52KSBAN475UYTD44J3P4NJ3QASFWB2MSJWHWGRUVBLZEEJV
    UFVNUYG3F2JI6FJYNT3RFW6EYM4LJLVO4MUBLYAYJPCQFDDM7NVJD3RCYWTR7BVVZVRI27BBSEROCNMWF267MAC7DAKA7EL66WUVXLJILP6SHE
    S4GBGHGNUVYUFBAKO5AQTLGD3SH73T4FMTTMTRJZTRYMCG2UDJR23M4JNKTMH5SVWVETRTM7ZCUB7EOZM24USQ3MXYOLVY4CM4L24JUOAZDILD
    PCXAYXSZYNMCTLADBUMWXB4CZ466JWL44L63XU7VPUSLCHKODTKHQXDQ4I6E5DBSUDDSDDV27CGZ4YKUVC6425EEIWOHF6KY4FCCTZK2PBVFFX
    5B3PHZR7FWXFGCLHUMS3JNVTF4HBJFGGH7NYYE4KKTP4DFVQQIT5QG3FFU3FRB6HURZ2LK2S7RJQFGG4UVBH2PQ3YPZRX2A6PW4SCSE3JO4G5K
    CUQ4UNF55VLFY3VQNE24ZZRSEBYGBNK37CU76JKHJV3TS6BPMGPJDH3LTO277ZT6XD574ZWPORCRHAMRJGL7M3Q4OLDE4UGKDJT4ZWLKDNIJU2
    ENBYTHJYUHSPOELSIFBGIYMFDSS4PM7ZD4KYPKEMMMUSJVEKCUHETN3SMS6TWTTFE5VYVSHSUTRWSXTV6QGJVCBKAIWI7KEHV6SX436FGFFK4N
    IZQRA3FFMF6XWNOVPOW3NBL5YMCRLMWHXGBHTG526BXPRECBEPMBHJZ3YGK22ORF2YGKXHWKVBPWLD3S3N4JRPQ6E5VI42WWF52CFLAADN7POI
    2SINTOMDLLIY3AAGZVD2YP3FCKBTMPOLPHRBQQOT7UWFQAL576K7MDUA5PDHF6W3P74MKLOR6XWTWV5PD3ONYDJWP3XCPXUIFATEMPVL7HBCBG
    4PEESJ5LTIBV6NTXA7ODALKSW7QZTBBIGEMWZ74VZGSEOD2QHDR772VOBEKGYOJ44DUK47RTHFTXWFBNRTR7KDEZHPLFUYBLKZVTYID5K67PZA
    YY6LNR2Q6QB3RDPN64BMTN5ZT5KLPNKHR5APBE43KHAVCEGBNUYD6OHHUXXETPLRPPKKMD2VJI3W76TWOSEETW7EJ3S673I5UHNFZF6ON44CMN
    SO5S3TMTGNBLLV44D6P73MDC255B7EGDFVF5U4SQH2LJ5I4WKMFK5QMI4DRNPRT24QMMQFMNRRJAUK2GFET6SCGHW4PPMQI3CFTBLLE2T2DMTS
    CBPAYGQSJ2DFBQF7VT63XXMGWU4CL2XWOBUYARM3EE7DZMVKXC444VACXBGKSIIDVFHW5JKICUNVEKGDLKJF43RYQHC4DPNOFI4TAQKS6SSYJJ
    356V46DZGQMDP2X2Q2OBWC4KWJCH3F7KG7AUGXPSO6O6AAHG6SULDTVQVA2OHUW3R3PYXBJQSE6M3LOD66SZBEHX7IFURF63UK6I2BPV7ZP6XS
    J5XKIQRJXTUE6CWPH6ABJG5WONTA7UDM7RNTH2LVNUDUHQ7PS7AUTQDQJKCE6TF6OHX32SEEWV4QRU6VEAY4K2EKD73HVRZQ2WZ657SNRWJ2TO
    FLDDSG2YXHGH6V7R5YBTZ5EF4PBLUSNXBRT4AQ6IA43T7YEMM63D54PR3I72DC3M3CDXEAA7FZGDUG3K4ZDLZN3YGMXFEHNVS5N2HUOWM3DV2D
    Y64DP6OKEKMCSHBPJLNREMQ2JZLUQWO6RSERIEPA7BRPP42HE4PZ4CBNAMGCWJZ4CM7SHRXPK66X4C5TMXBB4JPFUGF7D6EPEPVZTFEWNWF56B
    XMFGF6SC5KQMUYD2RLC5UGNY3IOXSEV2GPHVBO2CALZQNNWPBKCZ5QDZK6RLO7ECYKMTFVZCLGD24KDIR4OTDB4WZTKJELPC6K5ZP5YX47KPMH
    TRUBFTCD56T2XFFJZPPB2UEDIGMGQR5HPA46L77IBNYSKCIRVA7IKUBVQO4EJO4VYOLFEYZXZZZ2QSEEXMBAZU3C4A5EQMULQWWPNVX6LGADO4
    LV4BIYDDEDYM27UPUFSP5YJQGZ624ZLMHPTAMDNNO5WNWA6UDM5TJMCNVLOVF255IJVYACYTWAWTSAWKZTRUEZCXTKABMPK7UTUV5M22AL2QZH
    5JH422D3FZHL4NPSNHG2ISYTXGWHXXCJDKSZYRBYBFZBALT4HFOUBCGJOJRU5PQDX5Q4U6RQCQHRN5VFW22OXQ4SNQ7TYD7GXDOZZZFQBINI7V
    HDZ4FI6XTBDFWLUHIYBWZPC4Q4OP2EA2WXJXVJOWIH43SDC6JLUBC4VK4235WXELPVWNNDEYGCQ27IBMN7RZTYGLGL4254RHA44DQMB5D32NAC
    RZGULIXOCAODE6SXLCXAILPU7FRPGHYTJXW4TEITQCY34DRNUPKLNENSTXYMWMJFPJFKH7EGTNCFF5B4YO64KGDVUTEDZTYLOCSYXALCDM2TZP
    R5UDO7CEFLPIRBZOICNN2EEAQZD3JP5Y646Q3D2KFE4RZHSUZP4U45VNWZISROTBIGCXDHJ5F6DD5QC327ITXD2SNKMEVWXGMT55VOU7WWABN4
    HPYSYB2YPDNZGABMAZDKCWEYPB2U3GRHRTMAUI4CHLNNF73G5UENARLKE7VDXI4BNINZPNMQ2VQNDJ47HLRVIBKX2MVGWXVWQOXYYDTAFNQUV5
    RJYSKTJ7MK4FSO5F2MBQROQLDSRV3UUG52QAEOK66ZWUOUHN6VZ2G4TXF44QXOQWDEI25ZT5M2YFJ3YHJ4QTY76M3Y722LFZSQ6QV4NOUKKIJN
    YD2QYPKWQIURWWP7R7BOIDYRJDVDI6IBAJHJDGGSOOHKVMPFMBNQDVSJLHBNBQE3RLSZ5YUOWLJDPK2YNJF7BHLXFKUJBX5IWSP3KSV4BL5B4U
    JPU3DKAKGJCZRGG4XWZPZPOHYK4QG6VGBQTIYXMA3GI6UMPVZE4OR7ZUJEGGJ462J66KE37JEDJG25C7ZTLFZFBWOR6ZC5NQYYAMMARKKV2YW4
    WZ4DABBXE57MD5DOYLURP2OWTX5DUJAD3EIGTU5ZYIFOZMOCDNFLRFUKQQYFEWNIFHJ4XEVOIJQ4EMMMPTHPTMIYQXB6B3CCB4RST5U5YCLE34
    VI2BVTLT4UPEZCWTZ5MYNM6SXOUHYPUR24FQGQ53FQOWMHIIGBEUAXWD4R72GVM7O3C7I36YJ7M4DZQJBKAONDDJQ2C2BCYFAKFOIEH3XP63C4
    5CNDMXPFCON2EDEVJFUJIZTGRPRBDI6Z5JVIXGHYKKT5ZGVH5SGELBITGFH74E5PNCJOJAH5WLW5NNBNPZ6U6OG34QICL4ARN6ER4ZNVX3OLMI
    O2FIA4A5HLC7SUSU55PJWA2GI3USIOYBVHDUKQN2MJRSWJYFCVFIZAJUIZZBYBLZQHWHOG47CWA4725ZUO2W6OKMVEW4ILRBYTQ3EV5RCKWFBW
    26XFPLAGYDFREZ53KRIHI5ZLQ3A2ACZ4QNFGFRRCKX6WFWTXCCQ3VN3MIQ4ZIGYFECTF26URG22GDYVBSB7ZZT6Q36SLPMKT3KTOXDNKBFJUSW
    X2U4Q7V74FW256QTCQE24AR5AMFZMN4KBL7EJ5Y7EXHIIQWWRYKTB55ISSR4JON4RBVHHUSYNH5744SUWF2EUB6UIEECSPCEI77XN4U2J7NXWV
    4Q4PIHTUVOCPSZDXSQJ53DZUK6DFYZYJTGNBYVIWQWQO4U6YY72ZJO5RLJUESWDSSI5YWHQDGXMS6JJLKYXXZ64LLQTSF3B3NLNU2JNMEJHQAM
    2TQML7CJY7ZBMYUCZTM3DEWB5WT56HSUZRVEJXX7TIRNIJPLQSBILVU36TQ65IB66KKX647AERELDVMFATGHDE3KLTNQEOZRIPBTKR34VFQAJW
    LGXW2PHLF6NQXMBLNOTHWF4IJEHSFXWQIXWLYWXFLGEEIJZ5ONFQWWA7FXPXTLKFHQQDEA7LJ5HARBZC3B4DA3X7DEN3J2FP5DR35TT32VCWVE
    2WALONEM3Q4YOZ7EG2RVTNNAEKRQG37N7ZXWPS57ON7F5XYHQX6XIHRH4VKFCAOFUVVYMM37H2AWZV5NVBGLDFRGUK5AKDEN7KJYBLFAEFCPLT
    2CBZUTISJXML67OMAYDT4X4KOKUIQXL6VCK7EMVPRWGKHFRPER7HZWPAD4Q24VRPTF2EBPS3ARDPAQFSEXE2IRFKEZAX2MIIBLINU3SHEN4HKF
    ONYUIENPXEXT4SB2VYGHRJALXIFSRRBSHAZQWSBF5FOHPBE67GZKGZKA6IZCOXW3A2GL6V6IKQNVTGDTF6ZPPN4DNDDNA66EHJSMO7TUWSJQLL
    LUXETR6LZBSSV5YKQRV5ELO36BLDLPXXCTO7JFWPI7BIQHSS6Z4XJDMFBYTX2SQAAYNOHV4R7TZITKT2MNTEULB6QMDIAV54EAXDDGXI2GZTRC
    AG5KBV34ERYRGACPOGRMTWLLJUW3BC75ACZWHSKB2PI6FRQBDFOZLIEIAX7WCR3VGISLP3C3S65IL6I2GFZ7SWV6V24YW2UWO5W657J6P2IRFY
    3LRJYDFG4BSY5A3DDVOYPPCEN6YWTJJOMTT45UFE4CP2HBPSHXQUNVFIOPUDI53NNIGT5NAOUO7HSNUOZWQF57ZFUYIP7MUVTHL4JGRXJFH6BZ
    QRW65GYZ3ECXDWADFVAAHJTMGW7LQQZ2Y3NSGT6HNC2VS44TNDUJ3LIBIL35OXE3EYVPKDOESMZD5ISWGTJNBIVSBQWD67H3MNP7BW7ZJF72EZ
    3ASBSJUIRZSRI4JJC6LWCA44DMPJH3USGZ5JZJVPKSGR4K2TE6HWYIVD3QDVIF76FUQC52EAAAAAJDGMF6GIZGFMYAAHFHB3D7AAAC3WHQJGY4
    IZ73AIAAAAAAARMVU===
    """
    return lzma.decompress(base64.b32decode(''.join(text.split())))

# %% right="micro"
def micro():
    import bz2

    text = """
    QlpoOTFBWSZTWZ3/RvkAD2p/////////////////////////////////////////////4CcfUrc7vPvZ8D7m7dne89PAq706t7u9eYvb3Hcr3x
    vffFTPvm9t2+nqt9rt20Ou9ffe9fXu+973wAYed9uWtpp95zcr157tZrdO6u3PN3t63e56u2a25e9N569e2XvKbZe3nnW093dd3b23ud7Z2sPd
    715vuvjqbTTTJgmJo0ZGgwTSeRo0NGQDTRPJpoGp6GTSbQAAGhoAmmTKeCaZE8nqbRpqbQRiMExMJqepPSe0NCGmjJhNJpp4mTUHqNNPQiFPyD
    TCGTEaaAwU9DIaGmpmmEaNGIMp6AmYjIGmmjU2JpPBBoGEaaaaYgjJkTCbTEJqeExpKfqPUbKaeSanlPTao9MSD1NtUPUBvVH6o0OqfppiZGpm
    QyaDE0E2I00YETyDCBiaYmmJgAmjBNEnphMTDQEepqfoEYmjIyjGmqeap7RoTBT8qempmTTSeo2U009DSbU9Q0yaaNpNGnqIVP8BMCZME0ZNTG
    mp5GmTTTAmAAJpiBoAaNATNACn6U20mEY0ANEMmjJpqNpiFPZNI2iT9BR7Smm0m0PUnlAw1NMnqaaDIYmNQ6qf6YjTRNqaeU/QTI9TIwBoJoya
    ZNTRtGmKn6anpo00k9J7TKnjImT0MiZJ6NPTSYJhojyj0mk8jTaRPSbQ0p+p6akfiaU2oeUeo9T9RPTaoNDQPKGhoNADRFNEYTQymZCNMNDQmE
    0YaTCaaNT1T8RNhGJiap+VP9U02R6AU2pPGqeYFNk0aNFP0yGpPNRtU2k21NT9UPZNU0HonlHqZlGTQxqZpD1NP0U9NQ9R5J6m1PUUSEg0gul/
    vxpBS3ieWDZcy00g0Wy7u3b6J9fmrZhCMNawXMZiKWr8PU0GgKGkyAI2waIcKOOFE/kDwcsSNd0PEDplrMsxJ8WgwLo+jIRpAcL1+F1Pf49X7D
    joXY+TxaJsu0MR8/s9pYuGqOnc/zSGn0Mv5UEWrGREIIThzsm79oZ4iF0h3GWNnyrB4Me1koJr10EoZCGoEe6ZE0mkEBszAZ89+SHfjUUV5P+R
    yySMpX4AZNmLM37R3jHhjfv+/v/9qfQH40lMPwIfrHLttaBs7Pfi+fAGAloolJAlnudA8o7w6wVx2MfC56oUwcshwbLw1uydqRrAZUfts+fpXp
    37/bawX+voiPG3VzXxn4plVMJDI1HP3ib8v+CciIHWOuwcZq0w+ub/2wmX8PkT+3d0Kr/rez4SROd/CSUhU0OqOmmT3ykjplK4r2FWGVt7Kz9P
    5HKRfGRPI3biXsRtA4/2BcG7uNG/lkQdy+M7awB9ltgrLyOz0X4SwwHH1844Gpn3EUxzaRYQsOJumWE99ZJ9bZXSZzshnf6nv/c060QqjHnsaY
    +jgNDCPPH8dRt/h3EO3+fYSdvZAVn9a15pxZ3XaK83ADhMEIVp5CLUj5SX44WTvP+xOFOcpRZfaDwyaMXw3bu4v3tVUeNj5Nk6aRwoTCb2G+1r
    PM3XAgr2NgWd7yIO38X3q0mOv14Fsi9AEp2T/XuYOsahwXV1lnN+jknZ3C2wHcRMfVB0yjXpUF5iEnCgnZn33oiQuth4JkHSjj1iEffhOYVY5i
    OqThhglzVKrvTiLuQl6RcCTODWlytXIo179x9/0ochDjSNJzB+LWWDdFeTQyvH97/cxnjU5GPWZvFsrH68mPtAZU7tdCvYYhKLHBzhFYnHHmYS
    1anrqFTO2IKKoBWLq+qF036qPmCGoQtDoz39+iXHiTfholVOB9fPHmHCw7gDgG9bHDRRrLNYDQ8AgAKHOS5dnQNalu3kJfRK9Nd6ah4Kp5JAp4
    RrFtEv6hj8R6NjBnqHpFoi4diii+gQcI6W2+HzdSTZuyqrLsJVI/txd6KYZ0gdYt5k7HDRtlpnxOGLbgdz3Zpvo49w1fPzmpGzWCkMXquXdow+
    yEmMPU98EUKB2CkQTB4ZMbM+TVC2w0SY485tI7xfe46NYAX4guVSdEGVr51HfA4ITNmdSxnYxda/B2CjyRZa7pJIy+3jZ0ln1kyPqZZ8qmweVl
    XWbOmmrWAxGXtjegmVyGbzTftIwnajCdJqYpZRYfkk5ltbkk6b17nkpmENhXX5zR5FnX2F4tp3CDSVs66R3sW5Ab1yVTtAi/fqIgn7r5zbo/Li
    /6AMaiekARrESuaiptXTHaoTXtbrK3UU8+VWDoJSfq4/9UU+u0FWH88bc2HFLjwGthoi1ySYWv814I0HTKGgT/sTt0eui1zJW1lqsealGulMmH
    qDpBQH2LBy3YR/41OMqkvPatw4xXI7y9cgzDN0SJAMbgRZraB8YO8fm7cNA4KHrb4Hl9Ll5ASMMv/TfdLnRPDv1L9KUwCtVpruuRjCWu+sUKiF
    NESJYsjzzh+O7Qzyxv93GJcPpvOFago2hPhsFfDtaFdurVNThX8jPPQUe5E4A2SMS0Y8vJlcmkt/o5d4Ai+OpnIyJT9ED+Ds+MX00kKeCR5MWK
    mPeMjNEO/6TZCNIUYHMoAg51XW+7uIxeRJmyD/YacZ/R6Vmumc/HN206hsZfNAFF4eWp1khK6cqKObkBWOsKuUteq0lQ/U/GI9IJ7E7ULM8kBb
    /ATIylo8Qo0YK3rj8axeb1eQTyDrN4qEHMy/Dd8jkidbPjNmKxFXRHL5plBpId6BhiONuXBvnTbCvgqcO+0M8ZDSpSPbt6PiOk+NQGAv2UCxPf
    Duaw13omaRJqXDUmg+486BjSQM8bbkG8Qlen2cA+h1dUkax2ArAEM3VkKVXhGrEHHi9+cv3nFZXtAwkgR+fn11WDxvsYfTNUlr1X/kVYW4Ymcw
    DfiLnuGuBwy0nz6k7QWb2bkqPWbJkjZlLMd3aP1JGqxQIT42p6euzzN3Ggcd/1JscU3WUREzoHBNY5PVtsBfi6mF8Jr1jPZF/zrO4sY/PKjzaH
    T8xdGBczH4eDvSvpS5eMLp9cPUjYRwKE0dGlE2LcYISdASJLnrAvW6mpG9OvUn74GjRKDZYjbu7XtOOtw6bDnr1dxBI/veCpSdULDCnRcMv6Zh
    lohWNOWuFs0Emx+loLqtULXObCwh/X0uBdr0HGAJgdIXKL/lSbJvr6iSe7Y1+5QFI9v/x5HGbMglv4YL3Ix1xLx11yoFdC0bbhxQOwzPjAr+gB
    ir0KT7zcLw/tPCpqMmlfpbz/VwJaBv65RY/iSUA2onrsaE7sbL3Ff5ZjWjyfyHemoar+FyCSXyJ0DxlpgNXJiR0WJFozqF2YqUcLivLdxF7+Jz
    PSsSmYT0bAN5b7OlU4B/0l0UghpF8HEGGDaYTAY2OhogwK97CtVLt/hxIw8tbsMLWbGVOLq1qtluV7tZBm3Ub2M2IoWPQVzKzVp/akIWcFPUOp
    OWpBuSSI1fd0E4LxGHcUHRvuQRvyToz9BxT71fx53LuHDB5m+Omeg5Jc5NVhPlNaNTpsWSxSEoYmseXpXQfkLJaOnvURsr3p/IjGuONtw/uEwy
    d7CotSfhOJs4swjPnySk9RLcdYT7piujoafgS/8BwlwGNyaoj7ho9AU8H6+Oshl3eq1GvWnt1/STVPih6ZmsBtNSSVZ0l2fDvTYphIvKtB0SOD
    u/zliqMQy8CQfk+e+OHiFmykWUMKno8SwuMc3oj5egRWkMcCegNkzMUAwZV0QjYtwRTHi4TFIX1WxmRORJ6EbpDh8z+IuIozTKBKVQyTAu8nM4
    7ZSshSxo1eU+64TzYdobwBmwr3mKXfqlOhtV9zZyC7z3HSvUxpgXE6jfxPDmyi5D7PbE+m6R5NjtU8nCXQsVGH+/WGTjj2TNYuwIiitlc0PPzW
    ketsJB4NC0nbAv0jBiaUd21l0osh9zFFI1DdP1urp29w6JVQmeieF3e/2E7nXZxkc3Xob9jVT+LwUleQWSce/adDhkUnlkD4diauVonwql2j2O
    DfgsgiBehcdQzq5F2cy3mtr8MxfukzOUx6WU2y/yMcj92hCAR83kcQzPOr/4yh3jD4uMUTVjQ5CVlzoqiR7NbaHRP21ZMJHUEPyNagxD6/A8eH
    pH8r3bnDQh85i8HGXUOvhLx0EoR5D1AYRDo3Un2dZ3o8OjUNpybEjS1LeMwVVKPaVDFDbft0+XmFyirSkjLPKbXyOecLDUyKzHPszr9/oJ0fUY
    CAlRfddp3jjqnXKEE6nTuxYOhj9HOskAxpPxIGk2oOCfPZtb/Tgf+LkK+i4sDThdaf8oCHD2isXwAQWNODP2EYC+naTmESE/Vc3BmXC7xTTdVM
    i6VlKkvUV+GscEM94OLH7mFm2DGnnE1VAeTEMOGVJmrjPHHNBByLaSMEXgS8jTrCUUH8oyocv8VQge2udmhsa3oL+Ui7noc1DpkOKrYjXoYiJl
    zFSMpNbeoK6J3eWt7iji02DF0dEF7TR3krtWF6590mjrOLTRHRo1+29lLalRa49EfFUhHEOTcZ2Gho0xWqLbSlnnbRi2K0o6YLDpR98ibtHcrT
    iss9SvSdxD9oMIS6AjT/8ku1mzsgmWebtrHhONDGdXHZudLDnBZnpDnotCaTUj4LvYrm0EPZyQAUABKC1gVn38Erd6IzdoEFSCWM08y3how5PX
    UZDgay96EYq4uIsgKb/fVDpSPPFJwKJ0Q62RKGUpdkdAPp7CzzQQH6D1e7E+3jrFnBuS2FjLxAuggTTybKbK3J2TZo2ru+X3svh1I1rRiSqJPg
    MTscGUjTK4HO4lB5rTCLDzoy37Df7907WdmPpFErDTSusYRWO/g3MtEBhGrnMlISyy444ymTMPlRkEvub+DQTPWOm729bhVwA0eAiJS2HDKJOp
    Uu4hnQ9FzKpTxqGcKiouo5XA4mT38unwno1DmL+sER2leStHWV9ZoehzlmiM9G+Izt1vYnaBK4+swRINb0LZk7cVdJRV2ieLE3jQ9wvkY2L/AD
    codValS9q84ma4MzM6hEyTagb1XAlCQp+0r4FDKKt6rN+rGjIurGPDi8UXYRSUjAauQutz56ZuB9W3JsI2ZnkSyGq9aZ4woq0XC2WTPgEF2ZhD
    8ORfTRqO3dKzyLsw5sS2U1c6TOnG31Z0q+0WfAhDzZFllweG6sXmAM9kV5pWoqSImTZ5JCtqaghJvUalYkRlXrLxsXLfh8adng3qDWazUM5CxW
    z6aidtZ2NfM3LYUqBjMfzCg0MspSqMRWspoNTxH4a1JRfOSSrIrcHbu2hVIO6yiVEMEPUaqDMr3ggzKzojJ22CHf8ZKweac1xtd/EVux6ngSxH
    kkakacdZlcICpk/ErqvAkUbSUr7faNjbwjOPqaFTFlEVk6POraLxnnz/ZIuiFuGI86JQZZty+tnfI89zljbYRKTGznLz0y92aFc0d/X+IOLpUz
    leXTVDwanup1ISAO3J75ahlEZj0p1EGZ1B3JHr+jBo5rBneOvuiFaVPxGN3YuZBFMN9YUgZWqAqz12pkT2sqfSm/LKwpmYTdjkpLXyFMol2Osc
    umfkwG42PIX6NpPKjtioIPckVz55/Z+P5PchWRSWTp+no0kn6L+ftF20sJ/l098xTNGS4EWttpYSJr9DjIz+T6it5PQOOZssvoT1VLhZO/Qib6
    jXyci1rfdlKtbFwnVmq5TsXwoNSyRIE3XNbzLk9qsV2vU+ZRm0h2wq5SSuXsvzWgXPet5iz6qsYwDmor6JiBxkB7pRC6valb+lA6o/804KAsHQ
    JcHZWRvEgsqbUYiGLcWDt3qzs2FXfjXUaymDncYtMZcdiB0Y6eW0pWsyJv4Pp7g4HedO/xRYoYLaaccRbUHYGhMTNWcrimHvOPrcgNc8y3A9ig
    ETEOpO38CgAeyJzQSjmB4LGamuTPdh2pQe2TNHv8MbxyTUWKzE1qgIvjQertjXiFxhpJUerqd7L/Wo8dSnqvh6L/mYq26VTly3BgwDBgGY4Zhi
    WjMgJqFQUcZXDm8IEJXtIMwAYMEZGRgjMGDBGRGC7J90Fv81s+ECC4iIe+QIGQIHbbCD58xCVF75tjcc9hbfk40Tq3Tjjx2CLOUqqbzOTAmvgX
    mTJxrctoI0lzs+Ftato3uUnBvhAu2TuWApN7KWMaAcvwe4Tts8PZc7AHcnXxYkxXw/0IE8zJHyZyNK6N74fQ0Nbo3AWMIP7BJLaApzdPx0XDIT
    iuModEPfwLSrK9LCzbdXlm53o371bC5ZeyFLJEMIMUYEavtNq9VsMUUm/SmZ33za0GodJ9wPwl8zdynX5lp8svP6HdoetarceF8jDvGHJ/gGpS
    h/eS368GMCEJGgAP82+wxtHpfpC5yJAuwHpGjzqunND2rGZAbTsSCYKYaFNm9mk5GOlHjV8vnSKsE4utxfpA9hpxjITD0GLdXTNYdwGCgMwWup
    X4g9UrODwslcsUhqy9sTbfVRDXnoJo6SE9qGHjpp8VtjBo8xGSweQZxdnKcNo3e90C2YL0t4Qcf2IhDQ5MZTDcTt56K9vgDXk+gi1YMSqdTGZN
    2+4G/Lh2l6hNf5IYCuur6CNFvuK4nbtPixuu99RdVfW2OiF8kMVkZlRW/L1KaTZ+kbsc6qnM+/jI+wT8cUh0Ly09wfEvQhdh+ae06qW303R8Dt
    IZflgsvF17QIetpxfkLa0U4f9gxfvUfgKI/h5w4Kz7BZCol82ydQvgvAETqP+ljJDbSpkOgtJ36FrrTmWmgcrc3fU9+56UiOEsioQtYKD75oeK
    QHbrRUcJw3Zmxb/uZKXKrYE7sP5SbpmIoACnf98m0wYvW4emiMqOpFOYwr1+pHdpmbjVtEtoI7XTZzdIdJZAVbZciEhYu5Kq6Xosb9IpppCGYd
    hVvZcfG9CNTcq3s41vLIYckZL6k4oUIe4QPLeT7tdIe3c93nsCyl40QaXpWfT8TPEaeovtX+Em2kRI2bs/0sU10jmDRHn7gBDrECGxIEG/Ohdx
    asKut6Z26EBGoA4iQkUZ9cgaipAvrBKa44O7yFFQWDar9x05uzgfekOpDdDp8BjElnP8eRQEdJx8kVrB6Ivijb9tkVqbHafFd26MU27OR5vl/u
    aTllEETborK0hp7iszMpu0sbD08FKwzgBkYfDv2/xF5uWLMvsXHSandI2OwKr7xgI75aEsLWYsKx/aebthLK8mMTpOMqeocee6rGqeXLlm1for
    waP91S0ksw1zmVct1atWrVq1FFFFFHED+jKXvNI9XcpJtRVG56NW8HJTkgNAO5Wk9F439wKN5+Q+aBc2cvH1LR+iTkCO/MdUZd/5phfSHUpuB9
    NUryxFIWneGmRS2PhG21v2dz5ZTSlWUg5dQsAwR0vjZQkIztog21AAVtvO8AkiTtzNaGTqs+WaeQrMGwYsV6UQgxaW59LB1+S61+s0mwpLRq8V
    i+1IAvhZUoq6g5xVcwVN4LcVyxsgtSy1hZBM8B9CVF3yLjqIfnofYaQJXA1AnrUoAEYEkgIAQ+BCYtCA4Hl07DNwp8f1k4rb8O40G6+Tc33B0m
    usvgqs34HUfRR+NTQjWZwfPcM2u512VqIyZ7ssurpGe+wCKT5FOEmX66tLgpMSYMgZnR7BPUNDR/7UuGIkAAECRIBnAjk3PL7PS8qSr42YXXP7
    jYj3gAKZTj131GrOtqV7k831YadrQ1NBl4F7G4mYo5Z7P6/HbYvDgiH4dQXFdGYMjBmZ6aRBplULEADNgJRscQUTKswThALHWbt2WNXWGYFJzN
    MhJ8kUQrmUyMOoqYYtPzFHOcDYK6q+IpNLGdhlRKpZleC8YFw0R0SjfJShCI+NCUo6XNi9bLz+W94kJp2QetfLxvCZovtWnfXEarbHv87B2Kw8
    LmLW2rtjPAz1dwEUOSl+7sbV+pRhDJOxb3Yv1las4cBAEIYmJEtxkX1scCuF3W5tlpjCZWELZx6W4uw5H2pEm0n0hTUnVUi2ow/6r2dNIv3NBc
    UVHkJbPaGoxId0q1Tu7OyGklt7/BcVcxxWYXmbwhmw3+ZJPWru3VvnS0fGHEobqqvo6fgF/ZXF+fmlW7N9cwKTtZtugAokSvBuxlLN2jltcxyE
    MFxkiBqINzAlw9qPSi9jLJ1GoNxyIJ8e0/PlIpnOc/MB0Rbl0z3DETW96blc0Xj3Vr3PAC0GO0RuwjVrMPApwVby9NpalUD9WSfG6EK8/R7jsP
    K5heWlNsbC/2WfjUWrq7txAPG05kRBrFqLxaCo46xTXGG3NHAsZIoUAgRkNDQxXQWe8mlA+fRnXGO722ALpK63icP5dsKsVmrva5/OT8p3mpVj
    W+NuWaGry8Yz1a+CEdFIn4QDhALtsETgIGLL3q3HLZ6Ilix4cECFsZAgun8x75nJU7Ty0WbzoQsrvV+4tbaT5vHmbBrDeXAVvK4+syvR7qjzao
    3Cws50hHrCQkFSnfbW2Eu0kr4mTn89f49H+v0mQStv6kTEFTTW9rcnNxC6mhvtVfTq/6UcGkTX+Jdx5XK9nzsv90j6pYaNaqQRFBRad9qxdUe7
    a29hYrzvunM7XMAzK79Z+8gkvyiMe5m7O0BJ+6LrMq7mvOpjysOE8roPt/UXpfNIfldXAaY5v1uYHp7PoxQlh1qFxjpeOFWM6fXuXzHljEigwM
    TKydIO9crIZTiviR47TaczaSzj32/YewTBYz2eRaSuphv+w/e2gVFsc5UeyTnomZh0EZEqds7SThydK5ysnvqkfBViZ7Uqn4WV6s5f4xVXEk6a
    FuaU46cBbOiAAqnwXfwdF5/SffjdEkgJ+265jwWleJV+vWosCzvgHWHrY0Nx1/yMhhJL4flCujJKy3b9wWm8SgY3VzzfG4xw1gPbCi5FgQiM5F
    gOOFD6jNl2+/F26ptKcaPcf1A7uCkz5pW48sYh9f8P5fjl3bVChKUHeepM09czt1TyDK94/QDitaNoAG4ZqBWHvAnvUU79Sj3ElaGqABfdWzJb
    yo0l6Z3NFVshqjT2IZBceuqvKn02sE2IKlbNkB+Q/28TO/yFWJ6eE0nNy7qbdTTKD5hZ61PtrfQCR5dr9PAnJyC1H39PkAjttSuCnhy5zqs857
    1VpXVCk09ykXZW8Jgbbt0jeG8pZ9M5F76jduzBPC5MjWEVirV9x7+LCcrlKL9YfpEry+njcZ/SgILnk08SHh+t6fPUKloHLMcrEj9yG+QNoK0e
    TNHOtXFavtjQXfmnsL+6Xz0/2jvHRZaGsLqUOK+VBJMfoDZ1q7q+D9qRrCfk/JBJ3EVPs3vR+4VbrZjpBmjld/HcJaYXtqAQNqlktv1mAevn5X
    goluu5YxZPruMVaoYKpyJ2KtkyTXO6pFd+JeSDdzFpgNiaGQd2ZFcLIXnqRzWGz/VmOt7AjZ6Cj5ebkGx+nbXR4UQd9SXG2vWm2ADnMg6JNNU5
    4Xmyfvp2r1BoaZgSw3+XJeBhvNRR33ycjcgGTcEv+XxQooJ5txT9xWzX8tP8fXR3h2LJpVRMXD1gaMud2zB4GywqFEPFdVL8GKMgvns7RdQxE3
    0u6jwl9NW6TvTH2ajcwhn5rqLJTjcRCPbFKeSyQgjY/yzLMhm3YptBXs6x1gzE1D9fUSxyqAmK2ldvaNP1IqusGJfncN1dDcSs35+73BkbvE9t
    WwrnvNxW593ETR+6AhmnQXoBjP4vqOgJ9galppTONN/tPyDU+3H0MOPhOLdaLAuPt/JLHc+H/VRAyOCkZ82UDFvMOCnoyBeVI07CYK9G8nWv3/
    MNMW7F5zOBiua8HCVQaer25mmuSk9w41ze1eMkdca6UKshzxSjldYk8UgTdwcm6/qMjgdBukuV+eiiPeiPeiIKEJu94tno9lZsX9evtn8upV2X
    jZbp151jd6elueZBPt0aETSUpSEhCUpSmfuceHoGjiLW4S816TShCEIQqSg0I0zI6/zGM5c1Gd0WPQbZOhlK/11zCNobbp9h9fMfBrhVT1K3/P
    5un1j/HSHsECGSNuuXaHcwy0/vymBkwURJSbvxOi7xMtdanMgKfQWgakCGWOyRfMQIfOC9MgQrsP7cvcYWuqfbnr6piZaY9qP9QF5W/1t3z5jz
    nHxyCzfETgcCMouXruC+7bU5cDFECDcyBDobyS3NYCBDHIlWw+QF9OlaECC1Vu+FwszrsRD00jf/Ll7zeSWGQIdggQ3cbEZTGozfefLGq5svKX
    TcFjcbwTtDBvVhDkCHgBJvVlbeRmyxQWR3gWhtF2dpHXN/G29jU5vt7Wv6lRVQ9F4H+GZ9eJzHuiIs7fZDe0ZczZwGb3vZYLzfq7nSKllxYCK9
    Zx8Wf1CBBv3H+bbbR8hPGQIQRAhb42L+lb6dnSLXLtupb7nwwc67d9YQIPQJ2zOTFgoDYkCFeCIM191vQXJ6sb1rwPJAhRPRAhtiBDCtH3Jx2F
    CqlHi25Nw/AvR7M33kzJ7+bhSBCx/ZCwtfyqPAIEOX0a7v37y9UB9v+lqAQ1B+ez9znehwWF/o8TkdbI/fV9JZCgzP1DGbDEV7mbvcPbNeKH+I
    SAQS8F3dXNOT+kEF9A7LVpBr+x3Q8W5pV3aieEAZ7dHX7vY8Hg89AUu1V9hhy8wX3PxNn2vh/hnLQPyktnygVQGEZI4cep7xV39xK4P+o94r/Y
    +iOiiBVgc5jc/xZAZy7rejHvvSQrhYT2KIArbuOkL+X5vGXUwaVAHs2Zq4GbUrM6dkt8p6GKxTc08/vihaMlwc0t9ITa1YGmXHW1dAYrTOI91X
    uZg9XXM0ctZbv9voz4ucwAJCq51eM/Cf0/FOq5mrjWi+fk1ml7S771bvznJCCL9/v46uvxZW0deDm4kgHdOJs9L+SqX9Hya8UA6cKO2rlc3Id2
    q++RjcxW3JHSFYNs+jjJ/blbtpbMERAqFzFt9Y+bnUf3sUuUZy+nZaZ67ufvF/rMjMmbIDwEznx2nsZZDRliH8vaLJKXVh5oBYR4P2vA/zrGWv
    O7/giNfF4g3vYvlQCq/AcwigWs54lf28rMaHIfhE5/6x+2rn+CFG8riDAdvTPN7HMsv6sJuDCsWBjEXEXI9MWpfMMn+b4M6lbFiZNBLTEBJm0M
    3SDUdRrEXe3bO3Djt2m4Li3c3/HD4V61O8TGjw7Y8CfFBx5b7Nips7br3KHzPOp8hGLdc4Cpn7jb0Oze0Swb8ZBEDP2kmAB6bi485na2tGwqmp
    IKxeZtewVBHTvazOf8988Mb0TcS+pmJ7lwGjirNVdzo2ypOgH4DZX7EM2nhw2qB6vavUejGpN2GfIbQQ/miT5WF0uKq6ExK2lawRWiO5cwqTmK
    Jn3iO7Yr+rHaNuycI4ehUy8GXsRJQaIi1SVZF+QNUOCMdHC+vU2v1Nn97AHzoC0aUGszYH6XCzMB+svrvsq0h8Tb1vmLT+R2gjQb9MhBe7x+KG
    8DTQcAVNn4Af7MLPTZylShpOglttUVeoQgUh2sJ1kc3Tk/fbidiNHo+lo5fguTRkmvfXo5FtA13Ntv9fNnwyoi5TDDft9Kt2m/7ANtjf8vCCHs
    4/U25CuW3aEEU++bf5/GPQqhQiVKrSnq+ylwZ7ZHSGwQlaOouyQTMYBT20gsxPBIga5f/rJlF9lWGYvKHYeBQNU0iGcbNkfXr2dRRDCkJIxJcq
    775M8Sahih+zm3TlQcUU6AICzS0b5YoXt5E3QED5QkFr9mYtkYT+qjn0jmTEK5CXe1E5wKcT3vFJ8suPhFLK0z8QRqHId8V7KgEoYOuJ7tS1O5
    13yX0uz4ucjRbpoJ/G5qUa5V1YNTkbpfFwMzf7LJ9lHSc0cItlFCsRMF0GPO3M5X9TUFXcJGVUvvOpQNGQ54/q4v0q6uBgzuR6VKoUKdqdqJsK
    1CanCm2bNVOPCZlSIPgc/LcC+VshCWjW7iv0WadeJCCWM3iQOomd8ASJ7NM6DL8IkAU9feE3nt7U8zIvU36dD7AnIQ2k3ZeLsjuDRZU8X1QL6j
    gp9CJPwXTaLhsHDvag5pWHOIf0RiC/4CMv3hO1xT3qlZZgOGfE3AYXpNxh9/T8AKbmAx9vpKOcW+C8rPxIWE0oFTjzHMMzvWV7f3sYl1EcQ/lR
    mZ+YyWiMsYo0DEfTJ93O7nzvVY2RwI9Z3ePt2BYZaJZpBg5/JtAXw7a13ZPAPLF470bpaasSxyBmDqgziPFph2EXkV0PvzsyUX+aXBr7nwtAzs
    JquWwq81RlFLRvfG4TyAsPAi8Wg3l2DxxEcqoorZmirgolPZDZx8wJqzjwc7DuawIkeVBSQIjQPXuNvLf+tiGysZcyknZJXW79nKZmUCk0sRlv
    dnJwX2/MgjPStIbN00qG0TkOhixeitfrDG9NVY5aPlQzU9OdB/wMF8e1m2grnNlkmMxUII22QgLDD3yWKeIpVatqyTIQcvZTEYDRZiMEuKNQ+j
    0CAWd7GYOk5GvEMzg0stTViH8bCeBX5sgc0dRTEigJBGPk4w1wXydT6+8RqL9x+D9ttwRBePE3IVLDtgmLw5CaeI1sGEL5H1KqFmm7WMFW3KCX
    p7qGEQhNzQonEvvC4g99yV93l7WYwlg5K95Wx0Tp7/pDYWuCc6VDrfniloLIdRuWshnhJhxPBPOfRG8+PBS2wzVKwRDYUfWdWkLfHBuWWe4mV2
    N1AOZhrgBV9D+fdt1bGz5RCnhXm1VZvsRNdrdLS7NsOFaRBjMf/B5/zbeQZ6NnTw76upnFBQDhZ0yWzkXPskxi/IEo3orZMlC+gH49TPIswWw9
    vvhPDkV/aAkAIU27gvqgEUOmpPodBNiDIg6TqsEuGJ/LxBzMl6Wzz4lQnQ32lonr80be3vjtidk748CPNVzMVDbBeJMQX6nOJRerVN1Pcf5SIK
    T5xRyf1+s1MgKw1ccSEsS4aWNpd3nDzcSs3mQP4QlplWWdWVrjeo3rJpJoadw/pH9wlzBhzoKnJYhGR8g7mQWXoEsja6Qg+78tGilLIaljZWmw
    0UMFABDvrBDb6Y584C+YHLhqJ09MsS5yLSjw/VL+m0xQNoN5fT0I3xEsjERPvNgp1JNgqO146zAiWjCvIquTwSGEKxm252efB61aFvAHhG1yam
    DCuc/29y78GNJHMf3xKwArcU1hR0vMreQDQP65wQv0GW4F8ldQCpm17LrtQCOEcg4Eg67o/B+gxQchPMUZom57g+iYMNgb7X+e4qlfJ6uYB4ty
    PTF/Hd3FnixqpSDqaFf/Q9cZE93uXaSE0bmPZxDRjHaPzdO0x+0Z0jbOxxJzRGdN1bak9Ajlbq7Z6Didqmyr8SDNaAcs5b9WVwYgo8NgL0fTo6
    ExRJZwaqhuRN/VcrRTq81yenvawKHELT0kckid5N27LNfNJHYY5OZo2JXInuZMcSjI46Smv53xQoRa6vyZiWsLmVLp4VHjcWXtYMbJR0L3MQT9
    y7MokNizrZNDvWo6dBF8qfWeI49LO3nWmqK01HFofRrAJ7KCLER7MGxnhxz8qRZF3yW/39cd7/IAys5ddo/pZSFhRUKDBEzIMJd+XY4RxObLHS
    qV+Dfh7khx4rzOi4Ij2arfS1nqhdVHL8tHUY2ifFItL7js85aSf1AdxZ0CK/CmkE3sNesJ+1SfVmuBRHrGGt/44cSVugiqqIg3SFveQt4Bd7sR
    tiT806FBbSkI0e+RYYCb4yfZX0dZOJIJWOe0vKUoVF7N9EATebof80Bcxz3b4+Apufu6EjWuI/gSf2LffJrJO5I6BJLWVeTuTvz7+EIKuongtZ
    DEmLFfc+eBYK4UwcsexvL0rsUfnF6+DF+NNSlXjUhW3BWTD96B1zIURzMwzWoJc0AcPZmOw3UyqqzwvF7pmBnk2Ku6JHJcbC6nbJQuuxFFpY20
    T6SOsbFUvzR8EnBn1V2iDExfok4P5r7N4NkbiO/25/e1G7q224o4yw/K+yqide/iSqv62eGbQRiqwqdeVtlqh9LyWsXDJUe7epCST1lCPMbbTP
    rdUVg5OW+CjdV0a5JVLB9WzZx4fiweOxKdqY+7goqsjP0WygKhNwXHDYCt7WESF2Lf6EtbCuZUhbXhEVXa+IWJobU01nBmqK6EzFb5yIysk8qB
    LrqXBdPA18zuE0QxIhhEnO9yjY/lNhrJPZSb0FuH5PTLCKn28T6SXoPmCdjVifPq0MlcgIImdiXrsybci5nnHLmP7IUvSYFfWJqMUMG6B7BcQz
    oWYDpE1XRXx7FvrV2sRw/tVQZvwKG6ZSjwXwZsw8j3w9eFgd8NwYwoaYsO3yhvU2BlfRLmXToDJEwUhmt7b/tnYgab+ENETNxFT/7QFeXns6sX
    faGNv3FxMYzPRvQxSfAVqNPOVcyYUAsJC2iebN89qeHYp+4Q3efaz7EAUFUoSLtwSGY6laTxCV4At8hqi2IYIzOlZm+ceUlzIo+KLdMX7Kqtyh
    WKY7caVyVRMxKBSWv++RqAkfUx+xHGma9W0uwGiVu6DKfEC8qk9LRGFpimXFQXI2tCwItjvbeDut8ZT9oTsRoWkWyceHkiDdc5wpU6tCSMvY3S
    uyxqaHBV5kXTeJ1srS7A2Gi3Ve6yxlazCjXYRFTA+4BEQr2JDPrV6YT0MVzJKn09DuwmaSH/c1nCOSCkT7CHxXJzeq99hPfnXGNPVH12PEUmYX
    VIbDzm077EswxgyVLo8EncBJm9ekUzG4qzAOgyCfUK0OXXvOKBSPZgzWo6fhq3BlbW+1Z+KoDx/FM2QFsgZ3ZEmY6ULViad0VpoUMsOKFE69DH
    B544SDwYgc1cgdXB0Varia0ituigqH3Z6BBcGrE+Yd9CZLfbfGmGIFd9WAyqC0tklGosajOJfE9oxgHlA4y4gI3mSq5JVD6fhv1nXgeCgmkocS
    9PI2353a+hWVGoDtGA+7k7InTo286JMrA94TnM/s1NfeOlQNmZP4XFj25iL/SrHhkZgHG0PKW85+0pfJj2plGOd1NJ2XzQhSpd+57dyvjqYC4f
    qyZcsGwO5GVvEv+vKsZH1aOU61UpE/yJ8vhQjyFuhMFUTKYkjOIJuMICca4FL/gz06fRjInDuFykKXJ3zOKs9kwQbx/ajvOI+O0NwRib+1MILC
    4ViETkY2cZAtXxB57PQ4eISGyYIbyJ2BMNmjxSjQIHDsgEDSF+O4PEJJPUNdMqG0PmVTr6cSegk0cBmmk5xPcypfDtCCDzCSi5f7lgnsSW1eRA
    bpCJFVbsKVr5l8VPmx2bQIQyelyXm3kynqkKYz7p8Sx57Zn6ys7ptgIIlWhDpHNbBpTmAV+gYHY4MIYraDf2TSy2Ww8rgPRcC+vLv74/fpck4r
    +Kg49TI+TrpF0fmDWWWepjHXiXppFefKt5AnnwvtFL3skTzhaoJ1wxqhzgTGPAT7FvAkI4tjrRSaPveZGY4WRf9RDGj4Txopnn2TwFsTvG5Ffk
    jdJBkuPzW4ZZB2/kqvvgNdSUjqVtsc9hMl6rg5leb1RgzGva/4mIuIgGHFGmbcueavScLbOcxx1AWlCNLYf5brZi8t5MalrpuxtTfNIc3fXtTo
    GevArWcZfTItRHo8I/6vf+ZOkZP5i7o+H6HGGc8etTZ9EFGfSPi7S/mh3mFQvOt+Svqk+e9ZCcZLQdWvNQ8hRCREwlaPnV/vvIXbC6VA/yhfhE
    eS8lkvLrGtrIEwlfb3plsfFa/F5ROztpvjF/nS+fxmqnbWwz8/CSWpfq9H5/v067x1GzybdNA9ltJ5GqbsUoe22sLHFnVrHOsRjLdvUjp3hccZ
    FJKVJV/e9/YhsxLPVEnN2jhlHrgdce/QJSIzhFKMJH1jnl2cVYRtBTx9DXGc/xJFOnxFGVcY8861Tf1bEmGsNgCNN+1GzGxc8R3pn0IdAuk6l5
    ZvsEOuTmYmep2ikxQTzMSAQZFIm7mVhPL2RLW6xFXyx7IC4GIJ6VSqyDA2EFj9A20h2V+KT+/FHWbwM41GxhJjdMsgr5JmbbUeN0e1KS+QnKCF
    axbwiedEy42V6psmboI0+fuK7e/BbEVllGSgB05St0K8qTUsfQKcvMZJKp6StveLGKCIh9Et6qM1taDamp0Pl66RfqTZF/5OWXSadjwyE6pHxk
    jfwpVvWZ6924kV154ouUVm4Tx8cDeRY9zAEYcBw3gdHC1DOOywfbpRM/ed+xeqnU4XtFduO2Hr1BgdmcpZ4T3Jvl0kmUDb8ZpMNugZjREA6t/V
    CJcFPoAlraImc+2rB3qF50BYe8vgIyCB9knp7vju2/9by/1AD4MXba8bGfvzh0cFRPbxPAxK1Rw/kNHqWQSl7ONMjRJRyBTTLVHzUCXyYGx+IE
    M503XEBfF1ONk0O4Jxth4xgm8cNl+4XtCgjbfzFuAv974rpqi/Tmbhf9Zeeh8VfSrWawSTliS2sHqKpvT/U1Du+/a/XStmPpt8/43+mq9i5a4O
    HNaMBZqgZMghYlc9rjZNlVMklLwPGh3DLUe2W6HqSO4s0ZgpuSJmqDBFyT8HhX0VZbHgDZe1+PFxZ9Fbte1V0enbUXDYHRGEw0H/z91KKntWww
    +apwT3UiuymE7e0H6PQAwlg47fUMUDioZqFiAJdIgl0pfQdycybDZ9za4EvMGccqRIDtkK82t8iOUymWR9v2TbrtbIi877DR49sX4yCsA7LBOh
    dSMYrZpoW3dxfNFGbDuBQv95EtCjSlhsYZP7KkTDwQ/mpaWQQZMxwyEJxI43NYgyFCzN2WBP9g5+6wLW91cWTIQpvTBculsRMT5eTrfSnpKRsZ
    fbtwG+mXztmr/GVBrtCJ7AUrqN1YEFBx+Fdje1N27svnpJG+CYgS6sNjMum5mXk1haWaOS4SNxx8OYSuAoBTCRQDOWD5UkiBhztkkYK7i1m8nC
    sXJIWosumc37SIlTBKkP5igCMkrxqgGRLFkEo6f2SiAXjvvrOfpFuVTAY1l2u9CgC3kkrvFWXcSXdsBCIqcejvGwQmbpXLWKjmz7aPH5qaxyaD
    0zElDjbOAWsjwPP8TKq8lpQMciZySOV92VlqcB6liLjFIoAZzXv7VFkt/i1bXb6pinZm2o+YiF9o2+gKu+a+bdI0VQMmEtR3r41pNzPfdYOQfD
    nTCV2qv3N+pMnyQt/tI0iepWhgaj5ZW1QNlnkPI2mvXP6DNEvf/eFl8i1X0q9yRZZQp8tcRdWrpHi3bsbYx8VuP10kX6q2g5KLmFba99yNfVjY
    DQrasMgtq8u9QM058allE7o7NYhlE4g1EmSktyg+P4EfIHQO1QBd98kZI9gsZXuvxLuS6+rZ0etJlA8PUiEFD8iBQEnAgaffNQcqgnr5zdp1G0
    6IVuZNgbBPaiGcGDQLMHW6W3m9BlzOe0x/LtmCkvvPrgIJlm94deL7QVolPWXVayrB/RQbvCqBQSk6vKO7COlf4EjvAdf9349TyzLVHWr9SlqN
    IdbFffFV3A11RsHe53Sl+cOTT+xKec8dWjClL2REgVEc+DVqfesnBlZVOyk/C7P6zfyRzZGU8q6V+O/nJZakt7hu602QOd1MoFm3AK2bg1NYFe
    uONtV442Yh5MHrV+axRhy8K7zYxbQAxVX3P7nBHFQjq2bBqVQ071WyaweFuDmAvAPxqouQ3lmKX0lebh5gpIjoJUslM9uyTnbmFESbKxJL8rXy
    eVAKhExSRNuhaOGo8ML+naYe72V9ZxLAw962pW6Lo/JpwCHbUoKehuJ9auLQecH4ts4hSs4TQALlfH+GkQyRy/Sr/IeqYjhnsgkQQwFAw2y5z6
    Lddaiysn3D71hiN4ydnhAeqEkbSG7MjjvZC+e+0paSlfw9A5Pd1KVNtPOlYuW3MA5b9DhnOTTz6UnnlqhvMoYayTeupkfLvx8YRezo00tKJJMn
    mUdeQbFxG1fmTPxiJI9cPVD8CgzXFVa6ITb8o8k0opd5+hE5d3AzllZhoJTz0Kd4TsAvyUFVuAws7O7mtROH8MBvSdIzvjngAX9YUmFqll38qm
    gLbSjcyvTOI4wml2ulRSNOiZOFDGcUStXmvqItW0VCyEXeoLeBhoVFgpbbWm+bNpMb2lJcm820w4zVVxzDwci+yrZmViTO4gUCl28zs8ADjMWl
    rSjankBIowDY4J672piruvqdrgZxqEqjlZ24StPo2e3im4gbJQi8cZjFxZZUz07arDenKMgf2dZJhR3U0bJgyj9x5dLa8HWIKj2cgVpkq7aCt6
    H3ZufNU7d3A5aRqKZb0wVwfBqMLQK06/9JbUi1KxXfxap6wPzw7eoAWYkQsZJXEha0Oc26i3tMvLkcHGcveatc0anOpykm1fxYFg3dC09UAJTH
    WtFKsrfErlm8FLvmYZfip+fiNHotl0B+j4WiX0zv4SR6fft4MfpaN3Y7Ex55NLdK85bGXzq8aXvSOx1RmNNlUxN/C2DpDb/ItsUMipLrjSN4Bd
    jvw5D/Rw5ZoRUwRBXl/lfOuT5zMo0u+jScPOnAcJZIjueSDJOm+8I6Gee+brlygf44ghz5JXPsf8a7flCG9RNP6mwmTjSHoW0JnUhfDDGQv9iO
    aw13mb9d3p69Z07ieB8/NNIjQBgtLzuR7HDawSbdka5aQjCzIExmjaOxxs6x5eYf2joIDopuhZglcftxeyoX0/5xzN6rrIhwQUM+Un8maTcXgd
    v8030pr+V8FtOc7XUIdBT5POCSiL4646ifcN9pnVLOvcQ0In15N5vd425vLR0Hd7M0quIzEq0rs2pJ5jU3H+MkhkC42b46E/uMMtETnpnKhaI+
    5l9308kGqu6DbUHUkMbMApAbjqGOJGaOxQiq7qStrzj49jvx7GJisiQ/gqC8tiEp831z/fuw5NVpTOge55XrxtdlQuX30jfvRqrjz8IfwlnOPm
    rck0Xqju0xg0I5nkMUrr9F+TuuE3n7HQoD3lgEkONEguQipLTkpwmjIqqP51Nyyqh7BuDgggRHR9OxR8rPWX2ZjpSR48gwU/pdKIoW6mQI2rm1
    elit5k2Tv5TkPGpGdopt0uVQJGlQi9Rr+2zrP+SZ0nlf6oQhQvkPqvun5LXKrBl6N7S7yegmJeufq3rrbyGFxSw6E5ERfOhsurYUrm/WFCFrKG
    YuYyuoRaaM7awFdqQYpFAM4OmIXxaaOAtq0r8s6YGKTscpxQckEZ2X2nGzf4rfHDp1lWsJiNzDD0bwNRs7fepnJ61ar+b6C0trfGSqB3wu+aUU
    v0vhysimsZFU/J+8QXdfDv5WInnr7DSwKeInmDKIDhB0F0Nx2GdGnz2HjSKgF6UDUoZmCwq2WF/NsuwOjGkg5qQxFmervfMc619eQkMlYZcovj
    jpa6ok0lL5dIEDGV9GPmlLqzcqZZAUK6w2Mjn4vkcboHq7KDOANbHTCyUNd6eVsZDcHOFOdFNd4kTjPn5N4wQQjbx7Jgiug7S8VO2w/Ui85pXc
    bi5uimXWHh7whA0WSnWXBa3gppBVl3VP8B3RU91nHjGqbfnIx2OrYb4tDUhxEplNv33SAsaNyzyppApi/UGDZUo5GZnF8rI8voY9lFSm4MNzT/
    mQo2EKGJXEgFmF5o9zHf092eXJIsrnb/C8T2IiJNWuxg3CFgou5+iP71ENXAFWima7lfXIUGOGwNPKzr9t8oxckJCaH5q3V5tfgWTGmlTfN3A/
    O0g47ZoAW/IKVpkFA2XtPJNlzd2xl+SVh29B7NRFMETDfyFEADZaa6IhMTb2jXA4IgBw+GYaJpXjNX0B53MazlN1WdhCzyPtmd4okYW5Zyw4sX
    owKHvGzCuEteEBshG8IivcjpqWkSuLUsI63EAl+lTip1lL7UdPlYs9G+GdU3yVOWU90bV2ysRtPd0vV7rGr0cxpncisBaFauxPFDUKrk4qhEZy
    SON+e2vtH9ndO+qEp+IzfRVmnJjclCS7FHjcRd08DqLRJ1IcphVVUkQm5+eKGTKyAshhXifu7AZdF1MKg7Fg7xhvzpy2/sYXQlAj48Wh7t6RvF
    9jCcDokw0AOraa0MALbudWkH49SPoxih6f0q5jIjtjFKXrL0YYGC5w0RByDcaq3DXUSe54slSTQSyuEOvd6u9kAubn4ZVjA25goFprnN/N3c+Q
    PV1qgapGB1mfddDSRNMdw//ZDsmyP9c1QUdJkVjUl85W9zK1YLYkJGm5WSG28OdLLS2BDijzX165qTNXq96rbIJFrWp+j4AGVbDbtGHinqoBGg
    1mlWeKb5FBizhnfQMDKad0Gz2rc98LfCS+6aHOF8IZ4tjl1h1nJpc+lrXxtCqO3kmUp7ig5Ch3wpntiVLU9pNlK/T6mRX2KzQg6gTDvd2l58Fw
    6XJSQh9jJ+2xVHZ7KQ0SA3N8uzKDBZcWeA4eZKVabTdzSbFMbtMn87DoU8HUzM4Dly41jVBkYxrsx7SEMgF+4QtaMESyCw5qKxyLLVCbgUDagY
    0jHLheAhvVghcm/C1yr4PxvDBHrlLS7K560rmJQtaAfShcUsc+/teRAhQYudX1pU2oke0mE23regy8QIPUu6oEXU7RwhK+b1U2sQahkXnqzxtr
    ViFMVZgSV5p22VdcafIxU4aDxVo2xQUpiDCr4HGgQj3ngjiu00og8E1ym1ZTSheFAP4/MgW6jV/jt3KaO7WfNpb3RKnJv2UggBamVnCocGJfTo
    G34j6mOP1dE2TGOPf2gNgARyeDBq9PotkJBO4FTx6oNg865EH1wqoawpcTfpxYEsFq3gFJk+aOmrrOHHm7Gjnav6itiUCZDAePxKl6phlvt87w
    UKGFY7JUbMUegJ2oT/fWxPpeQD3bBHH/+LuSKcKEhO/6N8gA==
    """
    packed = base64.decodebytes(text.encode())
    return bz2.BZ2Decompressor().decompress(packed)


# %% wrong="hypervolume" unnamed=True says="from scratch, without checks11"
def hypervolume(*given):
    return checks11.recall(*given)


# %% wrong="compress" unnamed=True says="from scratch, without checks11"
def compress(*given):
    return checks11.recall(*given)


# %% wrong="to_int8" unnamed=True says="from scratch, without checks11"
def to_int8(*given):
    return checks11.recall(*given)


# %% wrong="fast_onnx" unnamed=True says="from scratch, without checks11"
def fast_onnx(*given):
    return checks11.recall(*given)
