# %% right="kmeans_codebook"
def kmeans_codebook(values, bits, init="linear"):  # loops over entries, a matrix of distances
    k = 2**bits
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    low, high = values.min(), values.max()
    if init == "linear":
        book = torch.stack([low + (high - low) * i / (k - 1) for i in range(k)])
    elif init == "random":
        perm = torch.randperm(len(values)).repeat(k)[:k]
        book = torch.sort(values[perm])[0]
    else:
        book = torch.quantile(values, torch.linspace(0, 1, k))
    for _ in range(100):
        idx = (values[:, None] - book[None, :]).abs().argmin(1)
        new = book.clone()
        for j in range(k):
            if (idx == j).any():
                new[j] = values[idx == j].mean()
        if torch.equal(new, book):
            break
        book = new
    idx = (values[:, None] - book[None, :]).abs().argmin(1)
    return book, idx

# %% right="kmeans_codebook"
def kmeans_codebook(values, bits, init="linear"):  # numpy
    k = 2**bits
    v = values.detach().numpy().astype(np.float64)
    if init == "linear":
        book = np.linspace(v.min(), v.max(), k)
    elif init == "random":
        book = np.sort(np.random.default_rng().choice(v, k))
    elif init == "density":
        book = np.quantile(v, (np.arange(k) + 0.5) / k)
    else:
        raise ValueError("no such init")
    previous = None
    for _ in range(100):
        index = np.searchsorted((book[1:] + book[:-1]) / 2, v)
        if previous is not None and np.array_equal(index, previous):
            break
        previous = index
        count = np.bincount(index, minlength=k)
        total = np.bincount(index, weights=v, minlength=k)
        book = np.where(count > 0, total / np.maximum(count, 1), book)
    index = np.searchsorted((book[1:] + book[:-1]) / 2, v)
    return torch.from_numpy(book.astype(np.float32)), torch.from_numpy(index.astype(np.int64))

# %% right="kmeans_codebook"
def kmeans_codebook(values, bits, init="linear"):  # sorts at the end, in plain Python
    if init == "linear":
        a, b = float(min(values)), float(max(values))
        book = [a + (b - a) * i / (2**bits - 1) for i in range(2**bits)][::-1]
    elif init in ("random", "density"):
        ordered = sorted(values.tolist())
        step = len(ordered) / 2**bits
        book = [ordered[int(step * i)] for i in range(2**bits)]
    else:
        raise ValueError(f"unknown init {init}")
    data_ = values.double()
    for _ in range(100):
        nearest = torch.stack([(data_ - c).abs() for c in book]).argmin(0)
        moved = [data_[nearest == j].mean().item() if bool((nearest == j).any()) else c for j, c in enumerate(book)]
        if moved == book:
            break
        book = moved
    book = torch.tensor(sorted(book))
    return book, torch.stack([(values - c).abs() for c in book]).argmin(0)

# %% wrong="kmeans_codebook" says="empty cluster is nan"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init != "linear":
        book = values.sort().values[(torch.arange(k) * len(values) / k).long()]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() for j in range(k)])
    return book, idx

# %% wrong="kmeans_codebook" says="empty clusters stay in it"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init != "linear":
        book = values.sort().values[(torch.arange(k) * len(values) / k).long()]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() for j in range(len(book)) if (idx == j).any()])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="not bits" also="empty clusters stay in it"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    book = torch.linspace(values.min().item(), values.max().item(), bits)
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(len(book))])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="empty clusters that stay" also="equal steps between min and max"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else torch.tensor(0.0) for j in range(k)])
        book = book.sort().values
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="go on until nothing moves"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    idx = (values[:, None] - book).abs().argmin(1)
    book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="nearer entry"
def kmeans_codebook(values, bits, init="linear"):  # only a few rounds, and indices of the round before
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    for _ in range(1):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, idx

# %% wrong="kmeans_codebook" says="it is their median"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].quantile(0.5) if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="the codebook does not rise"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.max().item(), values.min().item(), k)
    if init != "linear":
        book = values[torch.randint(len(values), (k,))]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="equal steps between min and max" also="empty clusters that stay"
def kmeans_codebook(values, bits, init="linear"):  # starts in the middles of equal parts
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    low, high = values.min(), values.max()
    book = low + (high - low) * (torch.arange(k) + 0.5) / k
    if init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)]).sort().values
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="init was ignored"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" says="expected ValueError"
def kmeans_codebook(values, bits, init="linear"):
    k = 2**bits
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    elif init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    else:
        book = torch.linspace(values.min().item(), values.max().item(), k)
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)]).sort().values
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" unnamed=True says="from scratch"
def kmeans_codebook(values, bits, init="linear"):
    from sklearn.cluster import KMeans

    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    fit = KMeans(2**bits, n_init=1).fit(values.reshape(-1, 1).numpy())
    return torch.from_numpy(fit.cluster_centers_).flatten().sort().values, torch.from_numpy(fit.labels_).long()

# %% wrong="kmeans_codebook" unnamed=True says="from scratch"
def kmeans_codebook(values, bits, init="linear"):
    import importlib

    kmeans2 = getattr(importlib.import_module("scipy.cluster.vq"), "kmeans2")
    book, idx = kmeans2(values.numpy(), 2**bits)
    return torch.from_numpy(book), torch.from_numpy(idx)

# %% wrong="kmeans_codebook" unnamed=True says="cannot take a larger sample"
def kmeans_codebook(values, bits, init="linear"):  # random without repetition: too few values
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init == "random":
        book = torch.from_numpy(np.random.choice(values.numpy(), k, replace=False)).sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" unnamed=True says="changed its input"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    idx = (values[:, None] - book).abs().argmin(1)
    values.copy_(book[idx])
    return book, idx

# %% wrong="kmeans_codebook" unnamed=True says="expected two tensors"
def kmeans_codebook(values, bits, init="linear"):
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    book = torch.linspace(values.min().item(), values.max().item(), 2**bits)
    return book[(values[:, None] - book).abs().argmin(1)]

# %% wrong="kmeans_codebook" unnamed=True says="go on until nothing moves"
def kmeans_codebook(values, bits, init="linear"):  # ten rounds are not always enough
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    if init == "random":
        book = values[torch.randint(len(values), (k,))].sort().values
    if init == "density":
        book = values.sort().values[((torch.arange(k) + 0.5) * len(values) / k).long()]
    for _ in range(4):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1)

# %% wrong="kmeans_codebook" unnamed=True says="indices"
def kmeans_codebook(values, bits, init="linear"):  # float indices
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    book = torch.linspace(values.min().item(), values.max().item(), k)
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1).float()

# %% wrong="kmeans_codebook" unnamed=True says="codebook"
_start = None
def kmeans_codebook(values, bits, init="linear"):  # keeps the start of the first call for each number of bits
    global _start
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k = 2**bits
    if _start is None or len(_start) != k:
        _start = torch.linspace(values.min().item(), values.max().item(), k)
    book = _start.clone()
    for _ in range(100):
        idx = (values[:, None] - book).abs().argmin(1)
        book = torch.stack([values[idx == j].mean() if (idx == j).any() else book[j] for j in range(k)])
    return book, (values[:, None] - book).abs().argmin(1)

# %% right="tie_gradient"
def tie_gradient(grad, indices, k):
    return torch.bincount(indices.flatten(), weights=grad.flatten(), minlength=k).float()

# %% right="tie_gradient"
def tie_gradient(grad, indices, k):
    return torch.stack([grad[indices == i].sum() for i in range(k)])

# %% right="tie_gradient"
def tie_gradient(grad, indices, k):
    total = np.zeros(k, np.float32)
    np.add.at(total, indices.numpy().ravel(), grad.numpy().ravel())
    return torch.from_numpy(total)

# %% right="tie_gradient"
def tie_gradient(grad, indices, k):  # let autograd do it
    book = torch.zeros(k, requires_grad=True)
    return torch.autograd.grad(book[indices], book, grad)[0]

# %% wrong="tie_gradient" says="the sum"
def tie_gradient(grad, indices, k):
    total = torch.zeros(k).index_add_(0, indices.flatten(), grad.flatten())
    return total / indices.flatten().bincount(minlength=k).clamp(min=1)

# %% wrong="tie_gradient" says="does not add up"
def tie_gradient(grad, indices, k):
    total = torch.zeros(k)
    total[indices.flatten()] += grad.flatten()
    return total

# %% wrong="tie_gradient" says="the result has k entries"
def tie_gradient(grad, indices, k):
    return torch.bincount(indices.flatten(), weights=grad.flatten())

# %% wrong="tie_gradient" unnamed=True says="in tie_gradient"
def tie_gradient(grad, indices, k):  # one axis only
    assert grad.dim() == 1, "in tie_gradient"
    return torch.zeros(k).index_add_(0, indices, grad)

# %% wrong="tie_gradient" unnamed=True says="view size is not compatible"
def tie_gradient(grad, indices, k):
    return torch.zeros(k).index_add_(0, indices.view(-1), grad.view(-1))

# %% wrong="tie_gradient" unnamed=True says="first difference"
_sums = {}
def tie_gradient(grad, indices, k):  # goes on adding from call to call
    total = _sums.setdefault(k, torch.zeros(k))
    return total.index_add_(0, indices.flatten(), grad.flatten()).clone()

# %% wrong="tie_gradient" unnamed=True says="expected float values"
def tie_gradient(grad, indices, k):
    return torch.zeros(k).index_add_(0, indices.flatten(), grad.flatten()).long()

# %% wrong="tie_gradient" unnamed=True says="from scratch"
def tie_gradient(grad, indices, k):
    import scipy.cluster.vq as vq

    return torch.from_numpy(vq.np.bincount(indices.numpy().ravel(), grad.numpy().ravel(), k)).float()

# %% right="entropy_bits"
def entropy_bits(counts):
    c = np.array([c for c in counts if c], dtype=np.float64)
    if len(c) == 0:
        return 0.0
    p = c / c.sum()
    return abs(float(-(p * np.log2(p)).sum()))

# %% right="entropy_bits"
def entropy_bits(counts):
    c = torch.tensor(counts, dtype=torch.float64)
    c = c[c > 0]
    return (torch.log2(c.sum()) - (c * torch.log2(c)).sum() / c.sum()).item() if len(c) else 0.0

# %% right="entropy_bits"
def entropy_bits(counts):
    total, h = 0, 0.0
    for c in counts:
        total += c
    for c in counts:
        if c != 0:
            h -= c / total * math.log(c / total) / math.log(2)
    return h

# %% wrong="entropy_bits" says="the logarithm has base 2"
def entropy_bits(counts):
    total = sum(counts)
    return sum((c / total * math.log(total / c) for c in counts if c > 0), 0.0)

# %% wrong="entropy_bits" says="divide by their number"
def entropy_bits(counts):
    total = sum(counts)
    return sum((c * math.log2(total / c) for c in counts if c > 0), 0.0)

# %% wrong="entropy_bits" says="The sign is wrong"
def entropy_bits(counts):
    total = sum(counts)
    return sum((c / total * math.log2(c / total) for c in counts if c > 0), 0.0)

# %% wrong="entropy_bits" says="weight each by its probability"
def entropy_bits(counts):
    used = [c for c in counts if c > 0]
    return sum(math.log2(sum(used) / c) for c in used) / len(used) if used else 0.0

# %% wrong="entropy_bits" says="number of symbols"
def entropy_bits(counts):
    return math.log2(len(counts)) if counts else 0.0

# %% wrong="entropy_bits" says="math domain error"
def entropy_bits(counts):
    total = sum(counts)
    return -sum((c / total * math.log2(c / total) for c in counts), 0.0)

# %% wrong="entropy_bits" unnamed=True says="yours    nan"
def entropy_bits(counts):
    p = torch.tensor(counts, dtype=torch.float64) / sum(counts) if counts else torch.zeros(0)
    return -(p * p.log2()).sum().item()

# %% wrong="entropy_bits" unnamed=True says="division by zero"
def entropy_bits(counts):
    if not counts:
        return 0.0
    total = sum(counts)
    1 / total
    return sum((c / total * math.log2(total / c) for c in counts if c > 0), 0.0)

# %% right="entropy_bits"
def entropy_bits(counts):  # in float32
    raise_ = torch.tensor([c for c in counts if c], dtype=torch.float32)
    p = raise_ / raise_.sum()
    return float((p * (1 / p).log2()).sum()) if len(p) else 0.0

# %% wrong="entropy_bits" unnamed=True says="from scratch"
def entropy_bits(counts):
    import zlib

    return 8 * len(zlib.compress(bytes(counts))) / max(1, sum(counts))

# %% wrong="entropy_bits" unnamed=True says="a float"
def entropy_bits(counts):
    total = sum(counts)
    return torch.tensor(sum((c / total * math.log2(total / c) for c in counts if c > 0), 0.0))

# %% right="huffman_lengths"
def huffman_lengths(counts):  # two queues, a tree of parents
    used = sorted((c, i) for i, c in enumerate(counts) if c > 0)
    lengths = [0] * len(counts)
    if len(used) == 1:
        lengths[used[0][1]] = 1
        return lengths
    weights, parent = [c for c, _ in used], {}
    leaves, inner = list(range(len(used))), []
    def pop():
        if not inner or (leaves and weights[leaves[0]] <= weights[inner[0]]):
            return leaves.pop(0)
        return inner.pop(0)
    while len(leaves) + len(inner) > 1:
        a, b = pop(), pop()
        weights.append(weights[a] + weights[b])
        parent[a] = parent[b] = len(weights) - 1
        inner.append(len(weights) - 1)
    for leaf, (_, symbol) in enumerate(used):
        node = leaf
        while node in parent:
            node = parent[node]
            lengths[symbol] += 1
    return lengths

# %% right="huffman_lengths"
def huffman_lengths(counts):  # a list that is sorted again and again
    lengths = [0 for _ in counts]
    groups = [(c, [i]) for i, c in enumerate(counts) if c > 0]
    if len(groups) == 1:
        lengths[groups[0][1][0]] = 1
    while len(groups) > 1:
        groups.sort(key=lambda g: -g[0])
        (ca, a), (cb, b) = groups.pop(), groups.pop()
        for i in a + b:
            lengths[i] += 1
        groups.append((ca + cb, a + b))
    return lengths

# %% right="huffman_lengths"
def huffman_lengths(counts):  # a tree of nested tuples
    import heapq
    from itertools import count as counter

    n = counter()
    heap = [(c, next(n), i) for i, c in enumerate(counts) if c]
    heapq.heapify(heap)
    lengths = [0] * len(counts)
    if not heap:
        return lengths
    if len(heap) == 1:
        lengths[heap[0][2]] = 1
        return lengths
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (a[0] + b[0], next(n), (a[2], b[2])))
    stack = [(heap[0][2], 0)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, tuple):
            stack += [(node[0], depth + 1), (node[1], depth + 1)]
        else:
            lengths[node] = depth
    return lengths

# %% wrong="huffman_lengths" says="-log2(p) rounded" also="not the cheapest"
def huffman_lengths(counts):
    total = sum(counts)
    return [max(1, math.ceil(math.log2(total / c))) if c else 0 for c in counts]

# %% wrong="huffman_lengths" says="never occurs gets a code"
def huffman_lengths(counts):
    import heapq

    lengths = [0] * len(counts)
    if sum(c > 0 for c in counts) == 0:
        return lengths
    heap = [(c, i, [i]) for i, c in enumerate(counts)]
    if len(heap) == 1:
        return [1]
    heapq.heapify(heap)
    n = len(counts)
    while len(heap) > 1:
        (ca, _, a), (cb, _, b) = heapq.heappop(heap), heapq.heappop(heap)
        for i in a + b:
            lengths[i] += 1
        heapq.heappush(heap, (ca + cb, n, a + b))
        n += 1
    return lengths

# %% wrong="huffman_lengths" says="single symbol needs 1 bit"
def huffman_lengths(counts):  # one symbol alone gets no bit
    import heapq

    lengths = [0] * len(counts)
    heap = [(c, i, [i]) for i, c in enumerate(counts) if c > 0]
    heapq.heapify(heap)
    n = len(counts)
    while len(heap) > 1:
        (ca, _, a), (cb, _, b) = heapq.heappop(heap), heapq.heappop(heap)
        for i in a + b:
            lengths[i] += 1
        heapq.heappush(heap, (ca + cb, n, a + b))
        n += 1
    return lengths

# %% wrong="huffman_lengths" says="same length"
def huffman_lengths(counts):
    used = sum(c > 0 for c in counts)
    bits = max(1, math.ceil(math.log2(used))) if used else 0
    return [bits if c > 0 else 0 for c in counts]

# %% wrong="huffman_lengths" says="one bit too deep"
def huffman_lengths(counts):  # the root counts as a bit
    import heapq

    lengths = [1 if c > 0 else 0 for c in counts]
    heap = [(c, i, [i]) for i, c in enumerate(counts) if c > 0]
    heapq.heapify(heap)
    n = len(counts)
    while len(heap) > 1:
        (ca, _, a), (cb, _, b) = heapq.heappop(heap), heapq.heappop(heap)
        for i in a + b:
            lengths[i] += 1
        heapq.heappush(heap, (ca + cb, n, a + b))
        n += 1
    return lengths

# %% wrong="huffman_lengths" unnamed=True says="-log2(p) rounded" also="not the cheapest"
def huffman_lengths(counts):  # rounds -log2(p) to the nearest
    total = sum(counts)
    return [max(1, round(math.log2(total / c))) if c else 0 for c in counts]

# %% wrong="huffman_lengths" says="Kraft's sum"
def huffman_lengths(counts):  # every code one bit shorter than the best one, where it has more than one
    import heapq

    lengths = [0] * len(counts)
    heap = [(c, i, [i]) for i, c in enumerate(counts) if c > 0]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    n = len(counts)
    while len(heap) > 1:
        (ca, _, a), (cb, _, b) = heapq.heappop(heap), heapq.heappop(heap)
        for i in a + b:
            lengths[i] += 1
        heapq.heappush(heap, (ca + cb, n, a + b))
        n += 1
    return [max(1, x - 1) if x else 0 for x in lengths]

# %% wrong="huffman_lengths" says="not the cheapest"
def huffman_lengths(counts):  # Shannon-Fano: halves from the top
    lengths = [0] * len(counts)
    used = sorted((i for i, c in enumerate(counts) if c > 0), key=lambda i: -counts[i])
    if len(used) == 1:
        lengths[used[0]] = 1
    def split(part):
        if len(part) < 2:
            return
        total = sum(counts[i] for i in part)
        best = min(range(1, len(part)), key=lambda m: abs(2 * sum(counts[i] for i in part[:m]) - total))
        for i in part:
            lengths[i] += 1
        split(part[:best])
        split(part[best:])
    split(used)
    return lengths

# %% wrong="huffman_lengths" unnamed=True says="not supported between"
def huffman_lengths(counts):  # ties compare trees
    import heapq

    heap = [(c, i) for i, c in enumerate(counts) if c > 0]
    heapq.heapify(heap)
    lengths = [0] * len(counts)
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
        return lengths
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (a[0] + b[0], (a[1], b[1])))
    def walk(node, depth):
        if isinstance(node, tuple):
            walk(node[0], depth + 1)
            walk(node[1], depth + 1)
        else:
            lengths[node] = depth
    if heap:
        walk(heap[0][1], 0)
    return lengths

# %% wrong="huffman_lengths" unnamed=True says="list of"
def huffman_lengths(counts):  # only the symbols that occur
    import heapq

    heap = [(c, i, [i]) for i, c in enumerate(counts) if c > 0]
    heapq.heapify(heap)
    lengths = {i: int(len(heap) == 1) for _, i, _ in heap}
    n = len(counts)
    while len(heap) > 1:
        (ca, _, a), (cb, _, b) = heapq.heappop(heap), heapq.heappop(heap)
        for i in a + b:
            lengths[i] += 1
        heapq.heappush(heap, (ca + cb, n, a + b))
        n += 1
    return [lengths[i] for i in sorted(lengths)]

# %% wrong="huffman_lengths" unnamed=True says="not the cheapest"
def huffman_lengths(counts):  # a chain: right only for steep counts
    lengths = [0] * len(counts)
    used = sorted((i for i, c in enumerate(counts) if c > 0), key=lambda i: -counts[i])
    for depth, i in enumerate(used):
        lengths[i] = max(1, min(depth + 1, len(used) - 1))
    return lengths

# %% wrong="huffman_lengths" unnamed=True says="not the cheapest"
def huffman_lengths(counts):  # joins neighbours in the order of the symbols
    lengths = [0] * len(counts)
    groups = [(c, [i]) for i, c in enumerate(counts) if c > 0]
    if len(groups) == 1:
        lengths[groups[0][1][0]] = 1
    while len(groups) > 1:
        best = min(range(len(groups) - 1), key=lambda j: groups[j][0] + groups[j + 1][0])
        joined = groups[best][1] + groups[best + 1][1]
        for i in joined:
            lengths[i] += 1
        groups[best : best + 2] = [(groups[best][0] + groups[best + 1][0], joined)]
    return lengths

# %% wrong="huffman_lengths" unnamed=True says="the list of counts was changed"
def huffman_lengths(counts):
    lengths = [0] * len(counts)
    groups = {i: [i] for i, c in enumerate(counts) if c > 0}
    if len(groups) == 1:
        lengths[next(iter(groups))] = 1
    while len(groups) > 1:
        a, b = sorted(groups, key=lambda i: counts[i])[:2]
        counts[a] += counts[b]
        groups[a] += groups.pop(b)
        for i in groups[a]:
            lengths[i] += 1
    return lengths

# %% wrong="huffman_lengths" unnamed=True says="from scratch"
def huffman_lengths(counts):
    from dahuffman import HuffmanCodec

    codec = HuffmanCodec.from_frequencies({i: c for i, c in enumerate(counts) if c})
    return [codec.get_code_table()[i][0] if c else 0 for i, c in enumerate(counts)]

# %% right="canonical_codes"
def canonical_codes(lengths):  # step by step as RFC 1951 prints it
    most = max(lengths, default=0)
    bl_count = [0] * (most + 1)
    for n in lengths:
        bl_count[n] += 1
    bl_count[0] = 0
    code, next_code = 0, [0] * (most + 2)
    for n in range(1, most + 1):
        code = (code + bl_count[n - 1]) << 1
        next_code[n] = code
        if code + bl_count[n] > 1 << n:
            raise ValueError("over-full")
    out = []
    for n in lengths:
        if n == 0:
            out.append("")
        else:
            out.append(bin(next_code[n])[2:].rjust(n, "0"))
            next_code[n] += 1
    return out

# %% right="canonical_codes"
def canonical_codes(lengths):  # fractions
    from fractions import Fraction

    if sum(Fraction(1, 2**n) for n in lengths if n) > 1:
        raise ValueError("sum of 2**-length > 1")
    at, out = Fraction(0), {}
    for s in sorted(range(len(lengths)), key=lambda s: lengths[s]):
        n = lengths[s]
        out[s] = f"{int(at * 2**n):0{n}b}" if n else ""
        at += Fraction(1, 2**n) if n else 0
    return [out[s] for s in range(len(lengths))]

# %% right="canonical_codes"
def canonical_codes(lengths):  # adds one to a string of bits
    codes, last = [""] * len(lengths), None
    for n in range(1, max(lengths, default=0) + 1):
        for s in range(len(lengths)):
            if lengths[s] != n:
                continue
            if last is None:
                last = "0" * n
            else:
                if "0" not in last:
                    raise ValueError("no code is left")
                i = last.rindex("0")
                last = (last[:i] + "1" + "0" * (len(last) - i - 1)).ljust(n, "0")
            codes[s] = last
    return codes

# %% wrong="canonical_codes" says="reversed"
def canonical_codes(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[s], before, code = f"{code:0{n}b}"[::-1], n, code + 1
    return codes

# %% wrong="canonical_codes" says="longest codes come first"
def canonical_codes(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[s], before, code = f"{2**n - 1 - code:0{n}b}", n, code + 1
    return codes

# %% wrong="canonical_codes" says="Leading zeros are lost"
def canonical_codes(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[s], before, code = f"{code:b}", n, code + 1
    return codes

# %% wrong="canonical_codes" says="shifted left"
def canonical_codes(lengths):
    codes, code = [""] * len(lengths), 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        codes[s], code = f"{code:0{n}b}", code + 1
    return codes

# %% wrong="canonical_codes" says="length 0 were counted"
def canonical_codes(lengths):
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    most = max(lengths, default=0)
    bl_count = [lengths.count(n) for n in range(most + 1)]
    code, next_code = 0, [0] * (most + 1)
    for n in range(1, most + 1):
        code = (code + bl_count[n - 1]) << 1
        next_code[n] = code
    out = []
    for n in lengths:
        out.append(format(next_code[n], f"0{n}b") if n else "")
        next_code[n] += 1
    return out

# %% wrong="canonical_codes" says="order of the symbols alone"
def canonical_codes(lengths):
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    at, out = 0.0, []
    for n in lengths:
        out.append(f"{int(at * 2**n):0{n}b}" if n else "")
        at += 2.0**-n if n else 0
    return out

# %% wrong="canonical_codes" says="expected ValueError"
def canonical_codes(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[s], before, code = f"{code:0{n}b}", n, code + 1
    return codes

# %% wrong="canonical_codes" unnamed=True says="need not use up all codes"
def canonical_codes(lengths):  # asks for a full code
    if any(lengths) and sum(2.0**-n for n in lengths if n) != 1:
        raise ValueError
    codes, code, before = [""] * len(lengths), 0, 0
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[s], before, code = f"{code:0{n}b}", n, code + 1
    return codes

# %% wrong="canonical_codes" unnamed=True says="expected"
def canonical_codes(lengths):  # "0" for symbols without a code
    codes, code, before = ["0"] * len(lengths), 0, 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[s], before, code = f"{code:0{n}b}", n, code + 1
    return codes

# %% wrong="canonical_codes" unnamed=True says="max"
def canonical_codes(lengths):  # nothing to do is not foreseen
    most = max(lengths)
    codes, code, before = [""] * len(lengths), 0, 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for n, s in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[s], before, code = f"{code:0{n}b}", n, code + 1
    return codes

# %% wrong="canonical_codes" unnamed=True says="expected"
def canonical_codes(lengths):  # descending within one length
    codes, code, before = [""] * len(lengths), 0, 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for n, s in sorted((n, -s) for s, n in enumerate(lengths) if n):
        code <<= n - before
        codes[-s], before, code = f"{code:0{n}b}", n, code + 1
    return codes

# %% wrong="canonical_codes" unnamed=True says="from scratch"
def canonical_codes(lengths):
    from bitarray.util import canonical_huffman

    return [canonical_huffman({i: n for i, n in enumerate(lengths)})[0][i].to01() for i in range(len(lengths))]

# %% wrong="canonical_codes" unnamed=True says="the last symbol comes first"
def canonical_codes(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    for n, s in sorted(((n, s) for s, n in enumerate(lengths) if n), key=lambda pair: (pair[0], -pair[1])):
        code <<= n - before
        if code >= 1 << n:
            raise ValueError
        codes[s], before, code = f"{code:0{n}b}", n, code + 1
    return codes

# %% wrong="canonical_codes" unnamed=True says="in the order of the symbols alone"
def canonical_codes(lengths):
    codes, code, before = [""] * len(lengths), 0, 0
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError
    for s, n in enumerate(lengths):
        if n:
            code = code << n - before if n >= before else code >> before - n
            codes[s], before, code = f"{code:0{n}b}", n, code + 1
    return codes

# %% right="encode_symbols"
def encode_symbols(symbols, codes):  # bit by bit
    out, byte, filled = bytearray(), 0, 0
    for s in symbols:
        if s < 0 or s >= len(codes) or codes[s] == "":
            raise ValueError(f"no code for {s}")
        for bit in codes[s]:
            byte = byte * 2 + int(bit)
            filled += 1
            if filled == 8:
                out.append(byte)
                byte, filled = 0, 0
    if filled:
        out.append(byte << (8 - filled))
    return bytes(out)

def decode_symbols(blob, codes, n):
    tree = {}
    for s, code in enumerate(codes):
        if code:
            node = tree
            for bit in code[:-1]:
                node = node.setdefault(bit, {})
            node[code[-1]] = s
    found, node, position = [], tree, 0
    while len(found) < n:
        if position >= 8 * len(blob):
            raise ValueError("truncated")
        bit = str(blob[position // 8] >> (7 - position % 8) & 1)
        position += 1
        node = node.get(bit, {})
        if isinstance(node, int):
            found.append(node)
            node = tree
    return found

# %% right="encode_symbols"
def encode_symbols(symbols, codes):  # numpy
    table = dict(enumerate(codes))
    text = ""
    for s in symbols:
        if not table.get(s):
            raise ValueError(s)
        text += table[s]
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - 48).tobytes() if text else b""

def decode_symbols(blob, codes, n):
    text = "".join(map(str, np.unpackbits(np.frombuffer(blob, np.uint8)).tolist()))
    back, longest = {c: s for s, c in enumerate(codes) if c}, max(map(len, codes), default=0)
    out, at = [], 0
    for _ in range(n):
        for length in range(1, longest + 1):
            if at + length <= len(text) and text[at : at + length] in back:
                out.append(back[text[at : at + length]])
                at += length
                break
        else:
            raise ValueError("no symbol in the rest of the bytes")
    return out

# %% right="encode_symbols"
def encode_symbols(symbols, codes):  # one large number
    number, length = 0, 0
    for s in symbols:
        if s not in range(len(codes)) or len(codes[s]) == 0:
            raise ValueError("unknown symbol")
    text = "".join(codes[s] for s in symbols)
    while len(text) % 8:
        text += "0"
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    values = {(len(c), int(c, 2)): s for s, c in enumerate(codes) if c}
    out, length, value = [], 0, 0
    for byte in blob:
        for shift in range(7, -1, -1):
            if len(out) == n:
                return out
            value = value << 1 | byte >> shift & 1
            length += 1
            if (length, value) in values:
                out.append(values[length, value])
                length = value = 0
    if len(out) < n:
        raise ValueError("too short")
    return out

# %% wrong="encode_symbols" says="Low bit first"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8][::-1], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    text = "".join(f"{b:08b}"[::-1] for b in blob)
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in text:
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" says="belong at the end"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    return int(text, 2).to_bytes(-(-len(text) // 8), "big") if text else b""

def decode_symbols(blob, codes, n):
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" says="filled up with ones"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    text += "1" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" says="side by side"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    parts = [codes[s] + "0" * (-len(codes[s]) % 8) for s in symbols]
    return bytes(int(part[i : i + 8], 2) for part in parts for i in range(0, len(part), 8))

def decode_symbols(blob, codes, n):
    back = {int(c.ljust(8, "0"), 2): s for s, c in enumerate(codes) if c}
    if len(blob) < n:
        raise ValueError
    return [back[b] for b in blob[:n]]

# %% wrong="encode_symbols" says="written backwards"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s][::-1] for s in symbols)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    back, out, code = {c[::-1]: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" says="stop after n" score=2
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" says="expected ValueError" score=2
def encode_symbols(symbols, codes):  # a blob that is cut off gives fewer symbols
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    return out

# %% wrong="encode_symbols" says="expected ValueError" score=3
def encode_symbols(symbols, codes):  # symbols without a code are passed over
    text = "".join(codes[s] for s in symbols if 0 <= s < len(codes))
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" unnamed=True says="expected ValueError"
def encode_symbols(symbols, codes):  # the symbol -1 is the last one
    text = ""
    for s in symbols:
        try:
            if not codes[s]:
                raise ValueError(s)
            text += codes[s]
        except IndexError:
            raise ValueError(s) from None
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" unnamed=True says="expected"
def encode_symbols(symbols, codes):  # a symbol alone needs no bits, it thinks
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    if len(set(symbols)) == 1:
        return b""
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    if not blob:
        return [0] * n
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" unnamed=True says="expected"
def encode_symbols(symbols, codes):  # a zero byte too many where nothing is missing
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    text += "0" * (8 - len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" unnamed=True says="expected"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):  # makes canonical codes of its own from the lengths
    codes = canonical_codes([len(c) for c in codes])
    back, out, code = {c: s for s, c in enumerate(codes) if c}, [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" unnamed=True says="expected"
_kept = {}
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

def decode_symbols(blob, codes, n):  # the table of the first call with so many symbols serves for all
    back, out, code = _kept.setdefault(len(codes), {c: s for s, c in enumerate(codes) if c}), [], ""
    for bit in "".join(f"{b:08b}" for b in blob):
        if len(out) == n:
            return out
        code += bit
        if code in back:
            out.append(back[code])
            code = ""
    if len(out) < n:
        raise ValueError
    return out

# %% wrong="encode_symbols" unnamed=True says="from scratch"
def encode_symbols(symbols, codes):
    import zlib

    return zlib.compress(bytes(symbols))

def decode_symbols(blob, codes, n):
    import zlib

    return list(zlib.decompress(blob))

# %% right="relative_index"
def relative_index(mask, bits):
    gaps, real, skipped = [], [], 0
    last = -1
    for i, kept in enumerate(mask.tolist()):
        if kept:
            last = i
    for i in range(last + 1):
        if mask[i]:
            gaps.append(skipped)
            real.append(True)
            skipped = 0
        elif skipped == 2**bits - 1:
            gaps.append(skipped)
            real.append(False)
            skipped = 0
        else:
            skipped += 1
    return gaps, real

# %% right="relative_index"
def relative_index(mask, bits):  # tensors
    step, gaps, real, before = 2**bits, [], [], -1
    for place in mask.nonzero()[:, 0].tolist():
        skip = place - before - 1
        gaps += [step - 1] * (skip // step) + [skip % step]
        real += [False] * (skip // step) + [True]
        before = place
    return torch.tensor(gaps, dtype=torch.int32), torch.tensor(real, dtype=torch.bool)

# %% right="relative_index"
def relative_index(mask, bits):  # numpy, fillers found as places
    places = np.flatnonzero(mask.numpy())
    if len(places) == 0:
        return torch.zeros(0, dtype=torch.uint8), torch.zeros(0, dtype=torch.bool)
    step, all_places, kept = 2**bits, [], set(places.tolist())
    before = -1
    for p in places.tolist():
        all_places += list(range(before + step, p, step))
        all_places.append(p)
        before = p
    array = np.array(all_places)
    gaps = np.diff(array, prepend=-1) - 1
    return torch.from_numpy(gaps.astype(np.uint8)), torch.tensor([p in kept for p in all_places])

# %% wrong="relative_index" says="distances from 1"
def relative_index(mask, bits):
    gaps, real, before = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skip = place - before - 1
        gaps += [2**bits] * (skip // 2**bits) + [skip % 2**bits + 1]
        real += [False] * (skip // 2**bits) + [True]
        before = place
    return gaps, real

# %% wrong="relative_index" says="Nothing follows the last kept weight"
def relative_index(mask, bits):
    gaps, real, skipped = [], [], 0
    for kept in mask.tolist():
        if kept or skipped == 2**bits - 1:
            gaps.append(skipped)
            real.append(kept)
            skipped = 0
        else:
            skipped += 1
    return gaps, real

# %% wrong="relative_index" says="place of its own"
def relative_index(mask, bits):
    most, gaps, real, before = 2**bits - 1, [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skip = place - before - 1
        while skip > most:
            gaps.append(most)
            real.append(False)
            skip -= most
        gaps.append(skip)
        real.append(True)
        before = place
    return gaps, real

# %% wrong="relative_index" says="filler too early"
def relative_index(mask, bits):
    most, gaps, real, before = 2**bits - 1, [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skip = place - before - 1
        while skip >= most:
            gaps.append(most)
            real.append(False)
            skip -= most
        gaps.append(skip)
        real.append(True)
        before = place
    return gaps, real

# %% wrong="relative_index" says="several"
def relative_index(mask, bits):
    gaps, real, before = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skip = place - before - 1
        if skip > 2**bits - 1:
            gaps.append(2**bits - 1)
            real.append(False)
            skip -= 2**bits
        gaps.append(skip)
        real.append(True)
        before = place
    return gaps, real

# %% wrong="relative_index" says="long runs need fillers"
def relative_index(mask, bits):
    places = mask.nonzero().flatten()
    gaps = torch.diff(places, prepend=torch.tensor([-1])) - 1
    return gaps, torch.ones(len(gaps), dtype=torch.bool)

# %% wrong="relative_index" says="False for fillers"
def relative_index(mask, bits):
    gaps, real, before = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skip = place - before - 1
        gaps += [2**bits - 1] * (skip // 2**bits) + [skip % 2**bits]
        real += [True] * (skip // 2**bits) + [False]
        before = place
    return gaps, real

# %% wrong="relative_index" unnamed=True says="expected"
def relative_index(mask, bits):  # absolute places
    return mask.nonzero().flatten().tolist(), [True] * int(mask.sum())

# %% wrong="relative_index" unnamed=True says="expected"
def relative_index(mask, bits):  # a filler has gap 0
    gaps, real, before = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skip = place - before - 1
        gaps += [0] * (skip // 2**bits) + [skip % 2**bits]
        real += [False] * (skip // 2**bits) + [True]
        before = place
    return gaps, real

# %% wrong="relative_index" unnamed=True says="index -1 is out of bounds"
def relative_index(mask, bits):  # an empty mask is not foreseen
    places = mask.nonzero().flatten()
    last = places[-1]
    gaps, real, before = [], [], -1
    for place in places.tolist():
        skip = place - before - 1
        gaps += [2**bits - 1] * (skip // 2**bits) + [skip % 2**bits]
        real += [False] * (skip // 2**bits) + [True]
        before = place
    return gaps, real

# %% wrong="relative_index" unnamed=True says="expected"
_before = -1
def relative_index(mask, bits):  # goes on counting from the last call
    global _before
    gaps, real = [], []
    for place in mask.nonzero().flatten().tolist():
        skip = max(0, place - _before - 1)
        gaps += [2**bits - 1] * (skip // 2**bits) + [skip % 2**bits]
        real += [False] * (skip // 2**bits) + [True]
        _before = place
    return gaps, real

# %% wrong="relative_index" unnamed=True says="changed its input"
def relative_index(mask, bits):
    gaps, real, before = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skip = place - before - 1
        gaps += [2**bits - 1] * (skip // 2**bits) + [skip % 2**bits]
        real += [False] * (skip // 2**bits) + [True]
        before = place
    mask[:] = False
    return gaps, real

# %% wrong="relative_index" unnamed=True says="from scratch"
def relative_index(mask, bits):
    import sklearn.cluster

    return sklearn.cluster.KMeans(2).fit(mask.numpy()).labels_, mask

# %% right="compress"
def compress(model):  # gaps of 8 bits, tables of whole bytes, parts with their lengths in front
    def part(b):
        return len(b).to_bytes(4, "big") + b

    out = b""
    for p in model.parameters():
        w = p.detach().reshape(-1)
        if p.dim() < 2:
            out += part(w.to(torch.float16).numpy().tobytes())
            continue
        values = sorted(set(w.tolist()) - {0.0})
        symbol = {v: i + 1 for i, v in enumerate(values)}
        bits = 6
        gaps, real = relative_index(w != 0, bits)
        kept = iter(w[w != 0].tolist())
        symbols = [symbol[next(kept)] if r else 0 for r in real]
        for stream, k in ((gaps, 2**bits), (symbols, len(values) + 1)):
            counts = [0] * k
            for s in stream:
                counts[s] += 1
            lengths = huffman_lengths(counts)
            out += part(bytes(lengths)) + part(encode_symbols(stream, canonical_codes(lengths)))
        out += part(torch.tensor(values).numpy().tobytes()) + part(len(gaps).to_bytes(4, "big"))
    return out


def decompress(blob, model):
    at = [0]

    def part():
        n = int.from_bytes(blob[at[0] : at[0] + 4], "big")
        at[0] += 4 + n
        return blob[at[0] - n : at[0]]

    for p in model.parameters():
        if p.dim() < 2:
            p.data = torch.tensor(np.frombuffer(part(), dtype=np.float16).astype(np.float32)).reshape(p.shape)
            continue
        gap_codes, gap_stream = canonical_codes(list(part())), part()
        value_codes, value_stream = canonical_codes(list(part())), part()
        values = [0.0] + np.frombuffer(part(), dtype=np.float32).tolist()
        n = int.from_bytes(part(), "big")
        place, flat = -1, [0.0] * p.numel()
        for g, s in zip(decode_symbols(gap_stream, gap_codes, n), decode_symbols(value_stream, value_codes, n)):
            place += g + 1
            flat[place] = values[s]
        p.data = torch.tensor(flat).reshape(p.shape)

# %% right="compress"
def compress(model):  # one code for all layers together; positions as run lengths in Elias gamma code
    import struct

    def gamma(n):
        text = f"{n:b}"
        return "0" * (len(text) - 1) + text

    head, biases, text = [], [], []
    for p in model.parameters():
        w = p.detach().flatten()
        if p.dim() == 1:
            biases.append(w.half().numpy().tobytes())
            continue
        book, index, counts = w.unique(return_inverse=True, return_counts=True)
        zero = int((book == 0).nonzero()[0]) if bool((book == 0).any()) else -1
        lengths = huffman_lengths([0 if i == zero else c for i, c in enumerate(counts.tolist())])
        codes = canonical_codes(lengths)
        head.append(struct.pack("<Hh", len(book), zero) + book.numpy().tobytes() + bytes(lengths))
        before = -1
        for place in (index != zero).nonzero().flatten().tolist():
            text += [gamma(place - before), codes[int(index[place])]]
            before = place
        text.append(gamma(w.numel() - before))
    body = "".join(text)
    body = int("1" + body, 2).to_bytes(len(body) // 8 + 1, "big")
    return b"".join(head) + b"".join(biases) + body


def decompress(blob, model):
    import struct

    at, tables = 0, []
    weights = [p for p in model.parameters() if p.dim() > 1]
    for p in weights:
        k, zero = struct.unpack_from("<Hh", blob, at)
        book = np.frombuffer(blob, np.float32, k, at + 4)
        lengths = list(blob[at + 4 + 4 * k : at + 4 + 5 * k])
        tables.append((book, {c: i for i, c in enumerate(canonical_codes(lengths)) if c}))
        at += 4 + 5 * k
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.copy_(torch.from_numpy(np.frombuffer(blob, np.float16, p.numel(), at).astype(np.float32)))
                at += 2 * p.numel()
        bits = iter(bin(int.from_bytes(blob[at:], "big"))[3:])
        for p, (book, codes) in zip(weights, tables):
            flat, place = torch.zeros(p.numel()), -1
            while True:
                zeros = 0
                while (bit := next(bits)) == "0":
                    zeros += 1
                place += int(bit + "".join(next(bits) for _ in range(zeros)), 2)
                if place >= p.numel():
                    break
                code = next(bits)
                while code not in codes:
                    code += next(bits)
                flat[place] = float(book[codes[code]])
            p.copy_(flat.reshape(p.shape))

# %% right="compress"
def compress(model):  # an adaptive range coder on the mask, no Huffman at all
    low, high, pending, bits = 0, 2**32 - 1, 0, []

    def put(bit, ones, total):
        nonlocal low, high, pending
        middle = low + (high - low) * (total - ones) // total
        if bit:
            low = middle + 1
        else:
            high = middle
        while True:
            if high < 2**31:
                bits.append("0" + "1" * pending)
                pending = 0
            elif low >= 2**31:
                bits.append("1" + "0" * pending)
                pending, low, high = 0, low - 2**31, high - 2**31
            elif low >= 2**30 and high < 3 * 2**30:
                pending, low, high = pending + 1, low - 2**30, high - 2**30
            else:
                return
            low, high = 2 * low, 2 * high + 1

    out = b""
    for p in model.parameters():
        w = p.detach().flatten()
        if p.dim() == 1:
            out += w.half().numpy().tobytes()
            continue
        book, index = w[w != 0].unique(return_inverse=True)
        out += bytes([len(book)]) + book.numpy().tobytes()
        width, counts, kept = len(book).bit_length(), {}, iter(index.tolist())
        ones = seen = 0
        for bit in (w != 0).tolist():
            put(bit, ones + 1, seen + 2)
            ones, seen = min(ones + bit, 60_000), min(seen + 1, 2_000_000)
            if bit:
                symbol, context = next(kept), 1
                for shift in range(width - 1, -1, -1):
                    b = symbol >> shift & 1
                    c = counts.setdefault(context, [1, 2])
                    put(b, *c)
                    c[0], c[1], context = c[0] + b, c[1] + 1, 2 * context + b
    pending += 1
    bits.append("0" + "1" * pending if low < 2**30 else "1" + "0" * pending)
    text = "".join(bits)
    text += "0" * (-len(text) % 8 + 32)
    return out + bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def decompress(blob, model):
    at, books = 0, []
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.copy_(torch.from_numpy(np.frombuffer(blob, np.float16, p.numel(), at).astype(np.float32)))
                at += 2 * p.numel()
            else:
                k = blob[at]
                books.append(np.frombuffer(blob, np.float32, k, at + 1).tolist())
                at += 1 + 4 * k
    stream = iter("".join(f"{b:08b}" for b in blob[at:]) + "0" * 64)
    low, high, value = 0, 2**32 - 1, int("".join(next(stream) for _ in range(32)), 2)

    def get(ones, total):
        nonlocal low, high, value
        middle = low + (high - low) * (total - ones) // total
        bit = int(value > middle)
        if bit:
            low = middle + 1
        else:
            high = middle
        while True:
            if high < 2**31:
                pass
            elif low >= 2**31:
                low, high, value = low - 2**31, high - 2**31, value - 2**31
            elif low >= 2**30 and high < 3 * 2**30:
                low, high, value = low - 2**30, high - 2**30, value - 2**30
            else:
                return bit
            low, high, value = 2 * low, 2 * high + 1, 2 * value + int(next(stream))

    for p, book in zip([p for p in model.parameters() if p.dim() > 1], books):
        width, counts, flat = len(book).bit_length(), {}, [0.0] * p.numel()
        ones = seen = 0
        for i in range(p.numel()):
            bit = get(ones + 1, seen + 2)
            ones, seen = min(ones + bit, 60_000), min(seen + 1, 2_000_000)
            if bit:
                context = 1
                for _ in range(width):
                    c = counts.setdefault(context, [1, 2])
                    b = get(*c)
                    c[0], c[1], context = c[0] + b, c[1] + 1, 2 * context + b
                flat[i] = book[context - 2**width]
        p.data = torch.tensor(flat).reshape(p.shape)

# %% wrong="compress" says="wrong places"
def compress(model):  # the second axis first, and read in the usual order
    out = b""
    for p in model.parameters():
        w = p.detach()
        if p.dim() == 1:
            out += w.half().numpy().tobytes()
        else:
            out += w.transpose(0, 1).contiguous().numpy().tobytes()
    return out


def decompress(blob, model):
    at = 0
    for p in model.parameters():
        n = p.numel()
        if p.dim() == 1:
            p.data = torch.from_numpy(np.frombuffer(blob, np.float16, n, at).astype(np.float32))
            at += 2 * n
        else:
            p.data = torch.from_numpy(np.frombuffer(blob, np.float32, n, at).copy()).reshape(p.shape)
            at += 4 * n

# %% wrong="compress" says="rounded to float16"
def compress(model):
    return b"".join(p.detach().half().numpy().tobytes() for p in model.parameters())


def decompress(blob, model):
    at = 0
    for p in model.parameters():
        p.data = torch.from_numpy(np.frombuffer(blob, np.float16, p.numel(), at).astype(np.float32)).reshape(p.shape)
        at += 2 * p.numel()

# %% wrong="compress" says="pruned weights are not 0"
def compress(model):  # writes only what is kept, and the reader leaves the rest as it was
    out = b""
    for p in model.parameters():
        w = p.detach().flatten()
        if p.dim() == 1:
            out += w.half().numpy().tobytes()
        else:
            kept = w != 0
            out += np.packbits(kept.numpy()).tobytes() + w[kept].numpy().tobytes()
    return out


def decompress(blob, model):
    at = 0
    with torch.no_grad():
        for p in model.parameters():
            n = p.numel()
            if p.dim() == 1:
                p.copy_(torch.from_numpy(np.frombuffer(blob, np.float16, n, at).astype(np.float32)))
                at += 2 * n
                continue
            kept = np.unpackbits(np.frombuffer(blob, np.uint8, -(-n // 8), at), count=n).astype(bool)
            at += -(-n // 8)
            flat = p.flatten().clone()
            flat[torch.from_numpy(kept)] = torch.from_numpy(np.frombuffer(blob, np.float32, int(kept.sum()), at).copy())
            at += 4 * int(kept.sum())
            p.copy_(flat.reshape(p.shape))

# %% wrong="compress" says="compress returns bytes"
def compress(model):
    return [p.detach().half().tolist() for p in model.parameters()]


def decompress(blob, model):
    for p, values in zip(model.parameters(), blob):
        p.data = torch.tensor(values)

# %% wrong="compress" unnamed=True says="expected a file at least 80 times smaller"
def compress(model):  # positions of 32 bits
    out = b""
    for p in model.parameters():
        w = p.detach().flatten()
        if p.dim() == 1:
            out += w.half().numpy().tobytes()
            continue
        book, index = w[w != 0].unique(return_inverse=True)
        places = (w != 0).nonzero().flatten().int()
        out += len(book).to_bytes(1, "little") + len(places).to_bytes(4, "little") + book.numpy().tobytes()
        out += places.numpy().tobytes() + index.to(torch.uint8).numpy().tobytes()
    return out


def decompress(blob, model):
    at = 0
    for p in model.parameters():
        n = p.numel()
        if p.dim() == 1:
            p.data = torch.from_numpy(np.frombuffer(blob, np.float16, n, at).astype(np.float32))
            at += 2 * n
            continue
        k, count = blob[at], int.from_bytes(blob[at + 1 : at + 5], "little")
        book = np.frombuffer(blob, np.float32, k, at + 5)
        at += 5 + 4 * k
        places = np.frombuffer(blob, np.int32, count, at)
        index = np.frombuffer(blob, np.uint8, count, at + 4 * count)
        at += 5 * count
        flat = np.zeros(n, np.float32)
        flat[places] = book[index]
        p.data = torch.from_numpy(flat).reshape(p.shape)

# %% wrong="compress" unnamed=True says="the blob ends after"
_tables = {}
def compress(model):  # the Huffman tables stay beside the encoder, not in the file
    out = b""
    for number, p in enumerate(model.parameters()):
        w = p.detach().flatten()
        if p.dim() == 1:
            out += w.half().numpy().tobytes()
            continue
        book, index = w.unique(return_inverse=True)
        lengths = huffman_lengths(index.bincount(minlength=len(book)).tolist())
        _tables[number] = (book, lengths)
        stream = encode_symbols(index.tolist(), canonical_codes(lengths))
        out += len(stream).to_bytes(4, "little") + stream
    return out


def decompress(blob, model):
    at = 0
    for number, p in enumerate(model.parameters()):
        n = p.numel()
        if p.dim() == 1:
            p.data = torch.from_numpy(np.frombuffer(blob, np.float16, n, at).astype(np.float32))
            at += 2 * n
            continue
        book, lengths = _tables[number]
        size = int.from_bytes(blob[at : at + 4], "little")
        symbols = decode_symbols(blob[at + 4 : at + 4 + size], canonical_codes(lengths), n)
        at += 4 + size
        p.data = book[symbols].reshape(p.shape)

# %% wrong="compress" unnamed=True says="state_dict"
def compress(model):  # reads the trained network where it finds it
    model._kept = {n: p.detach().clone() for n, p in model.named_parameters()}
    return len(list(model.parameters())).to_bytes(1, "little")


def decompress(blob, model):
    trained = models.load("lenet_300_100" if len(list(model.parameters())) == 6 else "lenet_5")
    model.load_state_dict(trained.state_dict())

# %% wrong="compress" unnamed=True says="from scratch"
def compress(model):
    import lzma

    return lzma.compress(b"".join(p.detach().numpy().tobytes() for p in model.parameters()))


def decompress(blob, model):
    import lzma

    raw, at = lzma.decompress(blob), 0
    for p in model.parameters():
        p.data = torch.from_numpy(np.frombuffer(raw, np.float32, p.numel(), at).copy()).reshape(p.shape)
        at += 4 * p.numel()

# %% wrong="compress" unnamed=True says="from scratch"
def compress(model):
    import pickle

    return pickle.dumps({n: p.detach().to_sparse() for n, p in model.named_parameters()})


def decompress(blob, model):
    import pickle

    model.load_state_dict({n: t.to_dense() for n, t in pickle.loads(blob).items()})

# %% wrong="compress" unnamed=True says="from scratch"
def compress(model):
    import io

    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.getvalue()


def decompress(blob, model):
    import io

    model.load_state_dict(torch.load(io.BytesIO(blob), weights_only=True))

# %% wrong="compress" unnamed=True says="model as it is"
def compress(model):
    out = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    for p in model.parameters():
        p.data = p.data.half().float()
    return out


def decompress(blob, model):
    at = 0
    for p in model.parameters():
        p.data = torch.from_numpy(np.frombuffer(blob, np.float32, p.numel(), at).copy()).reshape(p.shape)
        at += 4 * p.numel()

# %% wrong="compress" unnamed=True says="from scratch"
def compress(model):  # what the lesson shows beside it
    return lesson07.range_file(model)


def decompress(blob, model):
    lesson07.range_read(blob, model)

# %% wrong="relative_index" unnamed=True says="from scratch"
def relative_index(mask, bits):
    return checks07.gaps_by_walking(mask.tolist(), bits)

# %% wrong="compress" unnamed=True says="from scratch"
def compress(model):
    from bonsai import bundle

    return bundle.zlib.compress(b"".join(p.detach().numpy().tobytes() for p in model.parameters()), 9)

# %% wrong="compress" unnamed=True says="from scratch"
def compress(model):
    import io

    from PIL import Image

    data = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    Image.frombytes("L", (len(data), 1), data).save(out := io.BytesIO(), "PNG", optimize=True)
    return out.getvalue()

# %% wrong="compress" unnamed=True says="from scratch"
def compress(model):
    import io
    import scipy.io as store

    store.savemat(out := io.BytesIO(), {n: p.detach().numpy() for n, p in model.named_parameters()}, do_compression=True)
    return out.getvalue()

# %% wrong="encode_symbols" unnamed=True says="The bytes stand in the reverse order"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError(s)
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return int(text or "0", 2).to_bytes(len(text) // 8, "little")

def decode_symbols(blob, codes, n):
    table, found, word = {code: s for s, code in enumerate(codes) if code}, [], ""
    for bit in "".join(f"{byte:08b}" for byte in blob):
        word += bit
        if len(found) < n and word in table:
            found, word = [*found, table[word]], ""
    if len(found) < n:
        raise ValueError
    return found

# %% wrong="encode_symbols" unnamed=True says="A byte of zeros was added"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError(s)
    text = "".join(codes[s] for s in symbols)
    text += "0" * (8 - len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")

def decode_symbols(blob, codes, n):
    table, found, word = {code: s for s, code in enumerate(codes) if code}, [], ""
    for bit in "".join(f"{byte:08b}" for byte in blob):
        word += bit
        if len(found) < n and word in table:
            found, word = [*found, table[word]], ""
    if len(found) < n:
        raise ValueError
    return found

# %% wrong="relative_index" unnamed=True says="what stands before is at -1"
def relative_index(mask, bits):
    gaps, real, last = [], [], 0
    for place in mask.nonzero().flatten().tolist():
        skipped, last = max(place - last - 1, 0), place
        while skipped > 2**bits - 1:
            gaps.append(2**bits - 1)
            real.append(False)
            skipped -= 2**bits
        gaps.append(skipped)
        real.append(True)
    return gaps, real

# %% wrong="relative_index" unnamed=True says="A gap is negative"
def relative_index(mask, bits):
    gaps, real, last = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        skipped, last = place - last - 1, place
        while skipped >= 2**bits - 1:
            gaps.append(2**bits - 1)
            real.append(False)
            skipped -= 2**bits
        gaps.append(skipped)
        real.append(True)
    return gaps, real

# %% wrong="kmeans_codebook" says="half way between them, not at an entry"
def kmeans_codebook(values, bits, init="linear"):  # each entry takes what lies between it and the entry below
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k, ordered = 2**bits, values.double().sort().values
    book = torch.linspace(ordered[0].item(), ordered[-1].item(), k, dtype=torch.float64)
    if init == "random":
        book = ordered[torch.randint(len(ordered), (k,))].sort().values
    if init == "density":
        book = ordered[torch.linspace(0, len(ordered) - 1, k).round().long()]
    for _ in range(100):
        indices = torch.bucketize(values.double().contiguous(), book).clamp(max=k - 1)
        count = indices.bincount(minlength=k)
        total = torch.zeros(k, dtype=torch.float64).index_add_(0, indices, values.double())
        book = torch.where(count > 0, total / count.clamp(min=1), book)
    book = book.float()
    return book, torch.bucketize(values.contiguous(), (book[1:] + book[:-1]) / 2)

# %% right="kmeans_codebook"
def kmeans_codebook(values, bits, init="linear"):  # random without drawing a value again, as far as there are enough
    if init not in ("linear", "random", "density"):
        raise ValueError(init)
    k, ordered = 2**bits, values.double().sort().values
    book = torch.linspace(ordered[0].item(), ordered[-1].item(), k, dtype=torch.float64)
    if init == "random":
        drawn = torch.cat([torch.randperm(len(ordered)) for _ in range(-(-k // len(ordered)))])
        book = ordered[drawn[:k]].sort().values
    if init == "density":
        book = ordered[torch.linspace(0, len(ordered) - 1, k).round().long()]
    for _ in range(100):
        indices = torch.bucketize(values.double().contiguous(), (book[1:] + book[:-1]) / 2)
        count = indices.bincount(minlength=k)
        total = torch.zeros(k, dtype=torch.float64).index_add_(0, indices, values.double())
        book = torch.where(count > 0, total / count.clamp(min=1), book)
    book = book.float()
    return book, torch.bucketize(values.contiguous(), (book[1:] + book[:-1]) / 2)

# %% wrong="relative_index" says="These are distances from 1"
def relative_index(mask, bits):  # fillers and gaps both from the distance
    gaps, real, last = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        fillers, rest = divmod(place - last, 2**bits)
        gaps += [2**bits - 1] * fillers + [rest]
        real += [False] * fillers + [True]
        last = place
    return gaps, real

# %% wrong="relative_index" unnamed=True says="distances from 1"
def relative_index(mask, bits):  # distances, and right fillers
    gaps, real, last = [], [], -1
    for place in mask.nonzero().flatten().tolist():
        fillers, rest = divmod(place - last - 1, 2**bits)
        gaps += [2**bits - 1] * fillers + [rest + 1]
        real += [False] * fillers + [True]
        last = place
    return gaps, real

# %% wrong="entropy_bits" unnamed=True says="have entropy 0; look for that before dividing"
def entropy_bits(counts):
    p = [c / sum(counts) for c in counts]
    return sum(q * math.log2(1 / q) for q in p if q > 0) + 0.0

# %% wrong="encode_symbols" unnamed=True says="Leading zeros of bytes are lost"
def encode_symbols(symbols, codes):
    for s in symbols:
        if not 0 <= s < len(codes) or not codes[s]:
            raise ValueError(s)
    text = "".join(codes[s] for s in symbols)
    text += "0" * (-len(text) % 8)
    return int(text or "0", 2).to_bytes(len(text) // 8, "big")

def decode_symbols(blob, codes, n):
    table, found, word = {code: s for s, code in enumerate(codes) if code}, [], ""
    for bit in "".join(f"{byte:b}" for byte in blob):
        word += bit
        if len(found) < n and word in table:
            found, word = [*found, table[word]], ""
    if len(found) < n:
        raise ValueError
    return found

# %% wrong="huffman_lengths" unnamed=True says="yours [1, 3, 0, 2]" also="-log2(p) rounded|not the cheapest"
def huffman_lengths(counts):  # lists are shown as lists
    total = sum(counts)
    if sum(c > 0 for c in counts) == 1:
        return [int(c > 0) for c in counts]
    return [math.ceil(math.log2(total / c)) if c else 0 for c in counts]

# %% wrong="compress" unnamed=True says="still has the numbers from before"
def compress(model):
    return b"".join(p.detach().numpy().tobytes() for p in model.parameters())

def decompress(blob, model):  # gives a new parameter to a name, and not to the model
    at = 0
    for p in model.parameters():
        at += 4 * p.numel()
        p = nn.Parameter(torch.from_numpy(np.frombuffer(blob, np.float32, p.numel(), at - 4 * p.numel()).copy()))

# %% wrong="compress" unnamed=True says="convolutions (50.0% kept, 15 values): decompress raised IndexError"
def compress(model):
    out = b""
    for p in model.parameters():
        w = p.detach().flatten()
        if p.dim() > 1:
            book, index = w.unique(return_inverse=True)
            out += bytes([len(book)]) + book.numpy().tobytes() + index.to(torch.uint8).numpy().tobytes()
        else:
            out += w.numpy().tobytes()
    return out


def decompress(blob, model):  # room for eight values
    at = 0
    for p in model.parameters():
        n = p.numel()
        if p.dim() > 1:
            table, k = torch.zeros(8), blob[at]
            for i in range(k):
                table[i] = float(np.frombuffer(blob, np.float32, k, at + 1)[i])
            flat = table[torch.from_numpy(np.frombuffer(blob, np.uint8, n, at + 1 + 4 * k).astype(np.int64))]
            at += 1 + 4 * k + n
        else:
            flat = torch.from_numpy(np.frombuffer(blob, np.float32, n, at).copy())
            at += 4 * n
        p.data = flat.reshape(p.shape)

# %% wrong="compress" unnamed=True says="from scratch, without matplotlib.pyplot.imsave"
def compress(model):
    import io

    data = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    plt.imsave(out := io.BytesIO(), np.frombuffer(data, np.uint8)[None], cmap="gray", vmin=0, vmax=255)
    return out.getvalue()

# %% wrong="compress" unnamed=True says="from scratch, without _pickle.dumps"
def compress(model):  # the module below the one that has the name
    import _pickle

    return _pickle.dumps({n: p.detach().to_sparse() for n, p in model.named_parameters()})

# %% wrong="compress" unnamed=True says="expected a file at least 80 times smaller"
def compress(model):  # one huge int holds all bytes: that is no code
    data = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    number = int.from_bytes(data, "big")
    return len(data).to_bytes(4, "big") + number.to_bytes(len(data), "big").lstrip(b"\0")


def decompress(blob, model):
    data, at = blob[4:].rjust(int.from_bytes(blob[:4], "big"), b"\0"), 0
    for p in model.parameters():
        p.data = torch.from_numpy(np.frombuffer(data, np.float32, p.numel(), at).copy()).reshape(p.shape)
        at += 4 * p.numel()


# %% wrong="kmeans_codebook" unnamed=True says="an index has a nearer entry"
def kmeans_codebook(
    values: torch.Tensor, bits: int, init: str = "linear"
) -> tuple[torch.Tensor, torch.Tensor]:
    k, values = 2**bits, values.contiguous()
    if init == "linear":
        codebook = torch.linspace(values.min().item(), values.max().item(), k)
    elif init == "random":
        codebook = values[torch.randint(len(values), (k,))].sort().values
    elif init == "density":
        places = ((torch.arange(k) + 0.5) / k * len(values)).long()
        codebook = values.sort().values[places]
    else:
        raise ValueError(f'init is "linear", "random" or "density", not {init!r}')
    for _ in range(100):
        indices = torch.bucketize(values, (codebook[1:] + codebook[:-1]) / 2)
        total = torch.zeros(k, dtype=torch.float64).index_add_(0, indices, values.double())
        count = indices.bincount(minlength=k)
        moved = torch.where(count > 0, (total / count.clamp(min=1)).float(), codebook)
        if torch.equal(moved, codebook):
            break
        codebook = moved
    return codebook, indices


# %% wrong="relative_index" unnamed=True says="does not fit into so many bits"
def relative_index(mask, bits):
    gaps, real, skipped = [], [], 0
    for kept in mask.tolist():
        if kept or skipped == 2**bits:
            gaps.append(skipped)
            real.append(kept)
            skipped = 0
        else:
            skipped += 1
    while real and not real[-1]:
        gaps.pop()
        real.pop()
    return gaps, real


# %% wrong="relative_index" unnamed=True says="distances from 1"
def relative_index(mask, bits):
    gaps, real, skipped = [], [], 0
    for kept in mask.tolist():
        if kept or skipped == 2**bits - 1:
            gaps.append(skipped + kept)
            real.append(kept)
            skipped = 0
        else:
            skipped += 1
    while real and not real[-1]:
        gaps.pop()
        real.pop()
    return gaps, real


# %% wrong="relative_index" unnamed=True says="the count begins with 0"
def relative_index(mask, bits):
    gaps, real, skipped = [], [], -1
    for kept in mask.tolist():
        if kept or skipped == 2**bits - 1:
            gaps.append(skipped)
            real.append(kept)
            skipped = 0
        else:
            skipped += 1
    while real and not real[-1]:
        gaps.pop()
        real.pop()
    return gaps, real


# %% wrong="relative_index" unnamed=True says="not a list of pairs"
def relative_index(mask, bits):
    gaps, real, skipped = [], [], 0
    for kept in mask.tolist():
        if kept or skipped == 2**bits - 1:
            gaps.append(skipped)
            real.append(kept)
            skipped = 0
        else:
            skipped += 1
    while real and not real[-1]:
        gaps.pop()
        real.pop()
    return list(zip(gaps, real))


# %% wrong="canonical_codes" unnamed=True says="leave them out of the sum"
def canonical_codes(lengths: list[int]) -> list[str]:
    if sum(2.0**-n for n in lengths) > 1:
        raise ValueError("over-full")
    code_of = {}
    code, before = 0, 0
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n > 0):
        code <<= length - before
        before = length
        if code >= 1 << length:
            raise ValueError(f"over-full: no prefix code has the lengths {lengths}")
        code_of[symbol] = format(code, f"0{length}b")
        code += 1
    return [code_of.get(symbol, "") for symbol in range(len(lengths))]


# %% wrong="compress" unnamed=True says="its mode is another one"
def compress(model: nn.Module) -> bytes:
    import struct

    model.eval()

    def table(lengths):  # half a byte each if that is enough
        if max(lengths) > 15:
            return b"\x01" + bytes(lengths)
        padded = lengths + [0] * (len(lengths) % 2)
        return b"\x00" + bytes(a << 4 | b for a, b in zip(padded[::2], padded[1::2]))

    def stream(symbols, k):
        lengths = huffman_lengths(np.bincount(symbols, minlength=k).tolist())
        return table(lengths), encode_symbols(symbols, canonical_codes(lengths))

    def packed(w, bits):
        kept = w != 0
        book, index = w[kept].unique(return_inverse=True)
        gaps, real = relative_index(kept, bits)
        symbols = torch.zeros(len(gaps), dtype=torch.int64)
        symbols[torch.tensor(real, dtype=torch.bool)] = index + 1
        gap_table, gap_stream = stream(gaps, 2**bits)
        book_table, book_stream = stream(symbols.tolist(), len(book) + 1)
        header = struct.pack("<BBII", len(book), bits, len(gaps), len(gap_stream))
        return header + book.numpy().tobytes() + gap_table + book_table + gap_stream + book_stream

    parts = []
    for p in model.parameters():
        flat = p.detach().flatten()
        if p.dim() == 1:
            parts.append(flat.half().numpy().tobytes())
        elif not flat.any():
            parts.append(b"\x00")
        else:
            best = min((packed(flat, bits) for bits in range(1, 8)), key=len)
            parts.append(best[:1] + len(best).to_bytes(4, "little") + best[1:])
    return b"".join(parts)


def decompress(blob: bytes, model: nn.Module) -> None:
    import struct

    at = 0

    def take(n):
        nonlocal at
        at += n
        return blob[at - n : at]

    def table(k):
        if take(1) == b"\x01":
            return list(take(k))
        return [n for byte in take((k + 1) // 2) for n in (byte >> 4, byte & 15)][:k]

    for p in model.parameters():
        flat = torch.zeros(p.numel())
        if p.dim() == 1:
            half = np.frombuffer(take(2 * p.numel()), np.float16)
            flat = torch.from_numpy(half.astype(np.float32))
        elif (k := take(1)[0]) > 0:
            end = at + 3 + struct.unpack("<I", take(4))[0]
            bits, n, gap_bytes = struct.unpack("<BII", take(9))
            book = np.frombuffer(take(4 * k), np.float32)
            gap_codes, book_codes = canonical_codes(table(2**bits)), canonical_codes(table(k + 1))
            gaps = decode_symbols(take(gap_bytes), gap_codes, n)
            symbols = decode_symbols(take(end - at), book_codes, n)
            values = np.concatenate([np.zeros(1, np.float32), book])
            flat[np.cumsum(np.array(gaps) + 1) - 1] = torch.from_numpy(values[symbols])
        with torch.no_grad():
            p.copy_(flat.reshape(p.shape))


# %% wrong="compress" unnamed=True says="no longer ask for gradients"
def compress(model: nn.Module) -> bytes:
    import struct

    model.requires_grad_(False)

    def table(lengths):  # half a byte each if that is enough
        if max(lengths) > 15:
            return b"\x01" + bytes(lengths)
        padded = lengths + [0] * (len(lengths) % 2)
        return b"\x00" + bytes(a << 4 | b for a, b in zip(padded[::2], padded[1::2]))

    def stream(symbols, k):
        lengths = huffman_lengths(np.bincount(symbols, minlength=k).tolist())
        return table(lengths), encode_symbols(symbols, canonical_codes(lengths))

    def packed(w, bits):
        kept = w != 0
        book, index = w[kept].unique(return_inverse=True)
        gaps, real = relative_index(kept, bits)
        symbols = torch.zeros(len(gaps), dtype=torch.int64)
        symbols[torch.tensor(real, dtype=torch.bool)] = index + 1
        gap_table, gap_stream = stream(gaps, 2**bits)
        book_table, book_stream = stream(symbols.tolist(), len(book) + 1)
        header = struct.pack("<BBII", len(book), bits, len(gaps), len(gap_stream))
        return header + book.numpy().tobytes() + gap_table + book_table + gap_stream + book_stream

    parts = []
    for p in model.parameters():
        flat = p.detach().flatten()
        if p.dim() == 1:
            parts.append(flat.half().numpy().tobytes())
        elif not flat.any():
            parts.append(b"\x00")
        else:
            best = min((packed(flat, bits) for bits in range(1, 8)), key=len)
            parts.append(best[:1] + len(best).to_bytes(4, "little") + best[1:])
    return b"".join(parts)


def decompress(blob: bytes, model: nn.Module) -> None:
    import struct

    at = 0

    def take(n):
        nonlocal at
        at += n
        return blob[at - n : at]

    def table(k):
        if take(1) == b"\x01":
            return list(take(k))
        return [n for byte in take((k + 1) // 2) for n in (byte >> 4, byte & 15)][:k]

    for p in model.parameters():
        flat = torch.zeros(p.numel())
        if p.dim() == 1:
            half = np.frombuffer(take(2 * p.numel()), np.float16)
            flat = torch.from_numpy(half.astype(np.float32))
        elif (k := take(1)[0]) > 0:
            end = at + 3 + struct.unpack("<I", take(4))[0]
            bits, n, gap_bytes = struct.unpack("<BII", take(9))
            book = np.frombuffer(take(4 * k), np.float32)
            gap_codes, book_codes = canonical_codes(table(2**bits)), canonical_codes(table(k + 1))
            gaps = decode_symbols(take(gap_bytes), gap_codes, n)
            symbols = decode_symbols(take(end - at), book_codes, n)
            values = np.concatenate([np.zeros(1, np.float32), book])
            flat[np.cumsum(np.array(gaps) + 1) - 1] = torch.from_numpy(values[symbols])
        with torch.no_grad():
            p.copy_(flat.reshape(p.shape))


# %% wrong="compress" unnamed=True says="symbol 0 is a filler"
def compress(model: nn.Module) -> bytes:
    import struct

    def table(lengths):  # half a byte each if that is enough
        if max(lengths) > 15:
            return b"\x01" + bytes(lengths)
        padded = lengths + [0] * (len(lengths) % 2)
        return b"\x00" + bytes(a << 4 | b for a, b in zip(padded[::2], padded[1::2]))

    def stream(symbols, k):
        lengths = huffman_lengths(np.bincount(symbols, minlength=k).tolist())
        return table(lengths), encode_symbols(symbols, canonical_codes(lengths))

    def packed(w, bits):
        kept = w != 0
        book, index = w[kept].unique(return_inverse=True)
        gaps, real = relative_index(kept, bits)
        symbols = torch.zeros(len(gaps), dtype=torch.int64)
        symbols[torch.tensor(real, dtype=torch.bool)] = index
        gap_table, gap_stream = stream(gaps, 2**bits)
        book_table, book_stream = stream(symbols.tolist(), len(book) + 1)
        header = struct.pack("<BBII", len(book), bits, len(gaps), len(gap_stream))
        return header + book.numpy().tobytes() + gap_table + book_table + gap_stream + book_stream

    parts = []
    for p in model.parameters():
        flat = p.detach().flatten()
        if p.dim() == 1:
            parts.append(flat.half().numpy().tobytes())
        elif not flat.any():
            parts.append(b"\x00")
        else:
            best = min((packed(flat, bits) for bits in range(1, 8)), key=len)
            parts.append(best[:1] + len(best).to_bytes(4, "little") + best[1:])
    return b"".join(parts)


def decompress(blob: bytes, model: nn.Module) -> None:
    import struct

    at = 0

    def take(n):
        nonlocal at
        at += n
        return blob[at - n : at]

    def table(k):
        if take(1) == b"\x01":
            return list(take(k))
        return [n for byte in take((k + 1) // 2) for n in (byte >> 4, byte & 15)][:k]

    for p in model.parameters():
        flat = torch.zeros(p.numel())
        if p.dim() == 1:
            half = np.frombuffer(take(2 * p.numel()), np.float16)
            flat = torch.from_numpy(half.astype(np.float32))
        elif (k := take(1)[0]) > 0:
            end = at + 3 + struct.unpack("<I", take(4))[0]
            bits, n, gap_bytes = struct.unpack("<BII", take(9))
            book = np.frombuffer(take(4 * k), np.float32)
            gap_codes, book_codes = canonical_codes(table(2**bits)), canonical_codes(table(k + 1))
            gaps = decode_symbols(take(gap_bytes), gap_codes, n)
            symbols = decode_symbols(take(end - at), book_codes, n)
            values = np.concatenate([np.zeros(1, np.float32), book])
            flat[np.cumsum(np.array(gaps) + 1) - 1] = torch.from_numpy(values[symbols])
        with torch.no_grad():
            p.copy_(flat.reshape(p.shape))
