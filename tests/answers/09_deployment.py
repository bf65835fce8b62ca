# %% [markdown]
# Wrong and right answers to lesson 09; `tests/test_answers.py` says how they are read.

# %% wrong="export_onnx" says="batch axis is fixed"
def export_onnx(model, example, path):
    modes = {m: m.training for m in model.modules()}
    model.eval()
    torch.onnx.export(
        model, (example,), path, input_names=["input"], output_names=["logits"], external_data=False, verbose=False
    )
    for m, mode in modes.items():
        m.training = mode


# %% wrong="export_onnx" says="train mode" also="random dropout"
def export_onnx(model, example, path):
    x = torch.cat([example, example])
    torch.onnx.export(
        model,
        (x,),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )


# %% wrong="export_onnx" says="train mode" also="random dropout"
def export_onnx(model, example, path):
    modes = [(m, m.training) for m in model.modules()]
    model.train()
    try:
        x = torch.cat([example, example])
        torch.onnx.export(
            model,
            (x,),
            path,
            input_names=["input"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    finally:
        for m, mode in modes:
            m.training = mode


# %% wrong="export_onnx" says="random dropout" also="train mode"
def export_onnx(model, example, path):
    modes = [(m, m.training) for m in model.modules()]
    for m in model.modules():
        m.training = isinstance(m, nn.Dropout)
    try:
        x = torch.cat([example, example])
        torch.onnx.export(
            model,
            (x,),
            path,
            input_names=["input"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    finally:
        for m, mode in modes:
            m.training = mode


# %% wrong="export_onnx" unnamed=True says="mode it had before"
def export_onnx(model, example, path):
    model.eval()
    x = torch.cat([example, example])
    torch.onnx.export(
        model,
        (x,),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )


# %% wrong="export_onnx" unnamed=True says="mode it had before"
def export_onnx(model, example, path):
    was = model.training
    model.eval()
    x = torch.cat([example, example])
    torch.onnx.export(
        model,
        (x,),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    model.train(was)


# %% wrong="export_onnx" unnamed=True says="expected outputs"
def export_onnx(model, example, path):
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    x = torch.cat([example, example])
    torch.onnx.export(
        model,
        (x,),
        path,
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    for m, mode in modes:
        m.training = mode


# %% wrong="export_onnx" unnamed=True says="there is no file"
def export_onnx(model, example, path):
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    torch.onnx.export(
        model, (torch.cat([example, example]),), input_names=["input"], output_names=["logits"], verbose=False
    )
    for m, mode in modes:
        m.training = mode


# %% right="export_onnx"
def export_onnx(model, example, path):
    import warnings

    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (example,),
                path,
                dynamo=False,
                input_names=["input"],
                output_names=["logits"],
                dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
            )
    finally:
        for m, mode in modes:
            m.training = mode


# %% right="export_onnx"
def export_onnx(model, example, path):
    import copy

    frozen = copy.deepcopy(model).eval()
    program = torch.onnx.export(
        frozen,
        (example.repeat(3, *[1] * (example.dim() - 1)),),
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=[{0: torch.export.Dim.DYNAMIC}],
        verbose=False,
    )
    program.save(path)


# %% right="export_onnx"
def export_onnx(model, example, path):
    import copy

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = copy.deepcopy(model)

        def forward(self, input):
            return self.inner(input)

    torch.onnx.export(
        Whole().eval(),
        (torch.zeros(4, *example.shape[1:]),),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes={"input": {0: torch.export.Dim("n", min=1)}},
        external_data=False,
        verbose=False,
    )


# %% wrong="parity" says="mean"
def parity(model, session, x):
    with torch.no_grad():
        return (model(x) - torch.from_numpy(session.run(["logits"], {"input": x.numpy()})[0])).abs().mean().item()


# %% wrong="parity" says="argmax"
def parity(model, session, x):
    with torch.no_grad():
        a = model(x).argmax(1)
    b = torch.from_numpy(session.run(None, {"input": x.numpy()})[0]).argmax(1)
    return (a != b).float().mean().item()


# %% wrong="parity" says="argmax"
def parity(model, session, x):
    with torch.no_grad():
        a = model(x).argmax(1)
    b = torch.from_numpy(session.run(None, {"input": x.numpy()})[0]).argmax(1)
    return (a == b).float().mean().item()


# %% wrong="parity" unnamed=True says="absolute"
def parity(model, session, x):
    with torch.no_grad():
        return (model(x) - torch.from_numpy(session.run(["logits"], {"input": x.numpy()})[0])).max().item()


# %% wrong="parity" unnamed=True says="expected"
def parity(model, session, x):
    with torch.no_grad():
        return (model(x) - torch.from_numpy(session.run(["logits"], {"input": x.numpy()})[0])).abs().max()


# %% wrong="parity" unnamed=True says="expected"
def parity(model, session, x):
    worst = 0.0
    with torch.no_grad():
        for row in x[:1]:
            worst = max(
                worst,
                float(
                    (model(row[None]) - torch.from_numpy(session.run(None, {"input": row[None].numpy()})[0]))
                    .abs()
                    .max()
                ),
            )
    return worst


# %% wrong="parity" unnamed=True says="mean"
def parity(model, session, x):
    with torch.no_grad():
        return F.mse_loss(model(x), torch.from_numpy(session.run(["logits"], {"input": x.numpy()})[0])).item()


# %% right="parity"
def parity(model, session, x):
    ours = model(x).detach().numpy()
    theirs = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    return float(np.abs(ours - theirs).max())


# %% right="parity"
def parity(model, session, x):
    worst = 0.0
    with torch.inference_mode():
        for part in x.split(3):
            (out,) = session.run(["logits"], {"input": part.numpy()})
            worst = max(worst, np.max(np.abs(model(part).numpy() - out)).item())
    return worst


# %% right="parity"
def parity(model, session, x):
    with torch.no_grad():
        gap = model(x).double() - torch.tensor(session.run(["logits"], {"input": np.asarray(x)})[0]).double()
    return max(gap.max().item(), -gap.min().item())


# %% wrong="quantize_onnx" says="dynamic"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(path_in, path_out, per_channel=True, weight_type=QuantType.QUInt8)


# %% wrong="quantize_onnx" says="per tensor"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter([{"input": x.numpy()} for x, _ in batches])

        def get_next(self):
            return next(self.it, None)

    quantize_static(
        path_in,
        path_out,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


# %% wrong="quantize_onnx" says="labels"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter([{"input": x.numpy(), "labels": y.numpy()} for x, y in batches])

        def get_next(self):
            return next(self.it, None)

    quantize_static(
        path_in,
        path_out,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


# %% wrong="quantize_onnx" says="labels"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter([{"input": np.asarray(y)} for x, y in batches])

        def get_next(self):
            return next(self.it, None)

    quantize_static(path_in, path_out, Reader(), per_channel=True)


# %% wrong="quantize_onnx" says="labels"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter(batches)

        def get_next(self):
            batch = next(self.it, None)
            return None if batch is None else {"input": batch}

    quantize_static(path_in, path_out, Reader(), per_channel=True)


# %% wrong="quantize_onnx" unnamed=True says="calibrate on them"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter([{"input": np.random.rand(*x.shape).astype(np.float32)} for x, _ in batches])

        def get_next(self):
            return next(self.it, None)

    quantize_static(path_in, path_out, Reader(), per_channel=True)


# %% wrong="quantize_onnx" unnamed=True says="expected a file of at most"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter([{"input": x.numpy()} for x, _ in batches])

        def get_next(self):
            return next(self.it, None)

    import onnx

    quantize_static(path_in, path_out, Reader(), per_channel=True)
    model = onnx.load(path_out)
    for t in onnx.load(path_in).graph.initializer:  # the float weights are kept "for later"
        t.name += "_float"
        model.graph.initializer.append(t)
    onnx.save(model, path_out)


# %% wrong="quantize_onnx" unnamed=True says="layers have int8 weights"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter([{"input": x.numpy()} for x, _ in batches])

        def get_next(self):
            return next(self.it, None)

    quantize_static(path_in, path_out, Reader(), per_channel=True, op_types_to_quantize=["Conv"])


# %% wrong="quantize_onnx" unnamed=True says="QDQ"
def quantize_onnx(path_in, path_out, batches):
    import shutil

    shutil.copy(path_in, path_out)


# %% wrong="quantize_onnx" unnamed=True says="QDQ"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter([{"input": x.numpy()} for x, _ in batches])

        def get_next(self):
            return next(self.it, None)

    quantize_static(path_in, path_out, Reader(), quant_format=QuantFormat.QOperator, per_channel=True)


# %% right="quantize_onnx"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.i = -1

        def get_next(self):
            self.i += 1
            return {"input": np.array(batches[self.i][0])} if self.i < len(batches) else None

    quantize_static(path_in, path_out, Reader(), per_channel=True)


# %% right="quantize_onnx"
def quantize_onnx(path_in, path_out, batches):
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, name):
            self.rows = [{name: x[i : i + 10].numpy()} for x, _ in batches for i in range(0, len(x), 10)]

        def get_next(self):
            return self.rows.pop(0) if self.rows else None

    with tempfile.TemporaryDirectory() as folder:
        prepared = str(Path(folder) / "prepared.onnx")
        quant_pre_process(path_in, prepared)
        quantize_static(
            prepared,
            path_out,
            Reader("input"),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


# %% right="quantize_onnx"
def quantize_onnx(path_in, path_out, batches):
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.feeds = ({"input": x.numpy()} for x, y in batches)

        def get_next(self):
            return next(self.feeds, None)

    quantize_static(
        path_in,
        path_out,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.Entropy,
    )


# %% wrong="percentiles_under_load" says="sequential"
def percentiles_under_load(call, clients, requests):
    taken, errors, start = [], 0, time.perf_counter()
    for i in range(requests):
        began = time.perf_counter()
        try:
            call(i)
            taken.append(1000 * (time.perf_counter() - began))
        except Exception:
            errors += 1
    p = np.percentile(taken or [0], [50, 95, 99])
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": requests / (time.perf_counter() - start),
        "errors": errors,
    }


# %% wrong="percentiles_under_load" says="sum of the latencies"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor

    def one(i):
        began = time.perf_counter()
        try:
            call(i)
        except Exception:
            return None
        return 1000 * (time.perf_counter() - began)

    with ThreadPoolExecutor(clients) as pool:
        taken = list(pool.map(one, range(requests)))
    good = [t for t in taken if t is not None]
    p = np.percentile(good, [50, 95, 99])
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": 1000 * len(good) / sum(good),
        "errors": requests - len(good),
    }


# %% wrong="percentiles_under_load" says="lost"
def percentiles_under_load(call, clients, requests):
    import threading

    taken, lock, following = [], threading.Lock(), iter(range(requests))

    def client():
        while True:
            with lock:
                i = next(following, None)
            if i is None:
                return
            began = time.perf_counter()
            try:
                call(i)
            except Exception:
                pass
            taken.append(1000 * (time.perf_counter() - began))

    start = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    p = np.percentile(taken, [50, 95, 99])
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": requests / (time.perf_counter() - start),
        "errors": 0,
    }


# %% wrong="percentiles_under_load" says="exception of a call was raised"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor

    def one(i):
        began = time.perf_counter()
        call(i)
        return 1000 * (time.perf_counter() - began)

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        taken = list(pool.map(one, range(requests)))
    p = np.percentile(taken, [50, 95, 99])
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": requests / (time.perf_counter() - start),
        "errors": 0,
    }


# %% wrong="percentiles_under_load" unnamed=True says="ended a client"
def percentiles_under_load(call, clients, requests):
    import queue
    import threading

    taken, errors, todo = [], [], queue.Queue()
    for i in range(requests):
        todo.put(i)

    def client():
        try:
            while True:
                i = todo.get_nowait()
                began = time.perf_counter()
                call(i)
                taken.append(1000 * (time.perf_counter() - began))
        except queue.Empty:
            pass
        except Exception as error:
            errors.append(error)

    start = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    p = np.percentile(taken, [50, 95, 99])
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": requests / (time.perf_counter() - start),
        "errors": len(errors),
    }


# %% wrong="percentiles_under_load" unnamed=True says="these are seconds"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor

    def one(i):
        began = time.perf_counter()
        try:
            call(i)
        except Exception:
            return None
        return time.perf_counter() - began

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        good = [t for t in pool.map(one, range(requests)) if t is not None]
    wall = time.perf_counter() - start
    p = np.percentile(good, [50, 95, 99]) if good else [0, 0, 0]
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": requests / wall,
        "errors": requests - len(good),
    }


# %% wrong="percentiles_under_load" unnamed=True says="time in the queue"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor

    begun, ended, errors = {}, {}, []

    def one(i):
        try:
            call(i)
            ended[i] = time.perf_counter()
        except Exception as error:
            errors.append(error)

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for i in range(requests):
            begun[i] = time.perf_counter()
            pool.submit(one, i)
    wall = time.perf_counter() - start
    p = np.percentile([1000 * (ended[i] - begun[i]) for i in ended] or [0], [50, 95, 99])
    return {"p50_ms": p[0], "p95_ms": p[1], "p99_ms": p[2], "per_second": requests / wall, "errors": len(errors)}


# %% wrong="percentiles_under_load" unnamed=True says="failed calls were counted"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor

    def one(i):
        began, ok = time.perf_counter(), True
        try:
            call(i)
        except Exception:
            ok = False
        return 1000 * (time.perf_counter() - began), ok

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        taken = list(pool.map(one, range(requests)))
    wall = time.perf_counter() - start
    p = np.percentile([ms for ms, _ in taken], [50, 95, 99])
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": requests / wall,
        "errors": sum(not ok for _, ok in taken),
    }


# %% wrong="percentiles_under_load" unnamed=True says="clients" also="sum of the latencies"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor

    def one(i):
        began = time.perf_counter()
        try:
            call(i)
        except Exception:
            return None
        return 1000 * (time.perf_counter() - began)

    start = time.perf_counter()
    with ThreadPoolExecutor(2 * clients) as pool:
        good = [t for t in pool.map(one, range(requests)) if t is not None]
    p = np.percentile(good, [50, 95, 99])
    return {
        "p50_ms": p[0],
        "p95_ms": p[1],
        "p99_ms": p[2],
        "per_second": requests / (time.perf_counter() - start),
        "errors": requests - len(good),
    }


# %% right="percentiles_under_load"
def percentiles_under_load(call, clients, requests):
    import threading

    taken, errors, lock, following = [], [], threading.Lock(), iter(range(requests))

    def client():
        while True:
            with lock:
                i = next(following, None)
            if i is None:
                return
            began = time.perf_counter()
            try:
                call(i)
            except Exception as error:
                errors.append(error)
            else:
                taken.append(1000 * (time.perf_counter() - began))

    start = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wall = time.perf_counter() - start
    p = np.percentile(taken, [50, 95, 99]) if taken else [math.nan] * 3
    return dict(p50_ms=p[0], p95_ms=p[1], p99_ms=p[2], per_second=requests / wall, errors=len(errors))


# %% right="percentiles_under_load"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor

    queue = list(reversed(range(requests)))  # pop() of a list is atomic

    def share(c):
        rows = []
        while queue:
            try:
                i = queue.pop()
            except IndexError:  # another client took the last one
                break
            began = time.monotonic()
            try:
                call(i)
                rows.append(1000 * (time.monotonic() - began))
            except Exception:
                rows.append(None)
        return rows

    start = time.monotonic()
    with ThreadPoolExecutor(max_workers=clients) as pool:
        rows = [ms for part in pool.map(share, range(clients)) for ms in part]
    wall = time.monotonic() - start
    good = torch.tensor([ms for ms in rows if ms is not None], dtype=torch.float64)
    q = (
        torch.quantile(good, torch.tensor([0.5, 0.95, 0.99], dtype=torch.float64)).tolist()
        if len(good)
        else [math.nan] * 3
    )
    return {"p50_ms": q[0], "p95_ms": q[1], "p99_ms": q[2], "per_second": len(rows) / wall, "errors": rows.count(None)}


# %% right="percentiles_under_load"
def percentiles_under_load(call, clients, requests):
    from concurrent.futures import ThreadPoolExecutor, as_completed

    def one(i):
        began = time.perf_counter()
        call(i)
        return (time.perf_counter() - began) * 1e3

    good, errors, start = [], 0, time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for future in as_completed([pool.submit(one, i) for i in range(requests)]):
            if future.exception() is None:
                good.append(future.result())
            else:
                errors += 1
        wall = time.perf_counter() - start
    return {
        **{f"p{p}_ms": float(np.percentile(good, p)) if good else math.nan for p in (50, 95, 99)},
        "per_second": requests / wall,
        "errors": errors,
    }


# %% wrong="meets_sla" says="unknown key was ignored"
def meets_sla(stats, limits):
    out = []
    for name, limit in limits.items():
        kind, key = name[:3], name[4:]
        value = stats.get(key)
        if value is None:
            continue
        if kind == "max" and value > limit:
            out.append(f"{key} is {value}, above {limit}")
        elif kind == "min" and value < limit:
            out.append(f"{key} is {value}, below {limit}")
    return out


# %% wrong="meets_sla" says="strict"
def meets_sla(stats, limits):
    out = []
    for name, limit in limits.items():
        kind, _, key = name.partition("_")
        if kind not in ("max", "min") or key not in stats:
            raise ValueError(name)
        value = stats[key]
        if not (value < limit if kind == "max" else value > limit):
            out.append(f"{key} is {value}, limit {limit}")
    return out


# %% wrong="meets_sla" unnamed=True says="expected ValueError"
def meets_sla(stats, limits):
    out = []
    for name, limit in limits.items():
        kind, _, key = name.partition("_")
        value = stats[key]
        if kind == "max" and value > limit or kind == "min" and value < limit:
            out.append(f"{key} is {value}, limit {limit}")
    return out


# %% wrong="meets_sla" unnamed=True says="take the prefix off at the front"
def meets_sla(stats, limits):
    out = []
    for name, limit in limits.items():
        if not name.startswith(("max_", "min_")):
            raise ValueError(name)
        key = name.replace("max_", "").replace("min_", "")
        if key not in stats:
            raise ValueError(f"nobody can check {name}")
        value = stats[key]
        if not (value <= limit if name.startswith("max_") else value >= limit):
            out.append(f"{key} is {value}, limit {limit}")
    return out


# %% wrong="meets_sla" unnamed=True says="no sentence names"
def meets_sla(stats, limits):
    for name in limits:
        if name[:4] not in ("max_", "min_") or name[4:] not in stats:
            raise ValueError(name)
    return [
        f"limit broken: {limit} against {stats[name[4:]]}"
        for name, limit in limits.items()
        if (stats[name[4:]] > limit if name[:3] == "max" else stats[name[4:]] < limit)
    ]


# %% wrong="meets_sla" unnamed=True says="expected 1 sentences"
def meets_sla(stats, limits):
    for name in limits:
        if name[:4] not in ("max_", "min_") or name[4:] not in stats:
            raise ValueError(name)
    return [f"{name[4:]} is {stats[name[4:]]}, the limit is {limit}" for name, limit in limits.items()]


# %% wrong="meets_sla" unnamed=True says="no sentence names"
def meets_sla(stats, limits):
    for name in limits:
        if name[:4] not in ("max_", "min_") or name[4:] not in stats:
            raise ValueError(name)
    return [
        f"{name[4:]} is {stats[name[4:]]}, the limit is {limit}"
        for name, limit in limits.items()
        if (stats[name[4:]] < limit if name[:3] == "max" else stats[name[4:]] > limit)
    ]


# %% wrong="meets_sla" says="keeps no limit"
def meets_sla(stats, limits):
    broken = []
    for name, limit in limits.items():
        kind, _, key = name.partition("_")
        if kind not in ("max", "min") or key not in stats:
            raise ValueError(f"no such limit: {name!r}")
        value = stats[key]
        if kind == "max" and value > limit:
            broken.append(f"{key} is {value}; at most {limit} was agreed")
        if kind == "min" and value < limit:
            broken.append(f"{key} is {value}; at least {limit} was agreed")
    return broken


# %% wrong="meets_sla" unnamed=True says="keeps no limit"
# nan breaks a max_ limit only
def meets_sla(stats, limits):
    broken = []
    for name, limit in limits.items():
        kind, _, key = name.partition("_")
        if kind not in ("max", "min") or key not in stats:
            raise ValueError(f"no such limit: {name!r}")
        value = stats[key]
        if not value <= limit if kind == "max" else value < limit:
            broken.append(f"{key} is {value}; {name} is {limit}")
    return broken


# %% right="meets_sla"
def meets_sla(stats, limits):
    import operator

    kept = {"max": operator.le, "min": operator.ge}
    sentences = []
    for name, limit in limits.items():
        try:
            kind, key = name.split("_", 1)
            if not kept[kind](stats[key], limit):
                sentences.append(f"{name}: measured {stats[key]:.2f}, agreed {limit:.2f}")
        except KeyError:
            raise ValueError(f"unknown limit {name}") from None
    return sentences


# %% right="meets_sla"
def meets_sla(stats, limits):
    unknown = [n for n in limits if n[:4] not in ("max_", "min_") or n[4:] not in stats]
    if unknown:
        raise ValueError(f"unknown: {unknown}")
    high = [f"{n[4:]} = {stats[n[4:]]}, not <= {v}" for n, v in limits.items() if n[:4] == "max_" and not stats[n[4:]] <= v]
    low = [f"{n[4:]} = {stats[n[4:]]}, not >= {v}" for n, v in limits.items() if n[:4] == "min_" and not stats[n[4:]] >= v]
    return low + high


# %% right="meets_sla"
def meets_sla(stats, limits):
    out = []
    for name, limit in limits.items():
        for prefix, sign in (("max_", 1), ("min_", -1)):
            if name.startswith(prefix):
                key = name.removeprefix(prefix)
                break
        else:
            raise ValueError(f"{name} is neither max_ nor min_")
        if key not in stats:
            raise ValueError(f"{key} was not measured")
        if math.isnan(stats[key]) or sign * stats[key] > sign * limit:
            out.append(f"The agreement says {name} = {limit}, but {key} was {stats[key]}.")
    return out


# %% wrong="MicroBatcher" says="crossed"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.waiting, self.clock = run, max_batch, max_wait_ms / 1000, [], None

    async def submit(self, x):
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            self.flush()
        elif self.clock is None:
            self.clock = loop.call_later(self.wait, self.flush)
        return await future

    def flush(self):
        if self.clock:
            self.clock.cancel()
        self.clock = None
        batch, self.waiting = self.waiting, []
        try:
            results = self.run([x for x, _ in batch])
        except Exception as error:
            for _, f in batch:
                f.set_exception(error)
            return
        for (_, f), r in zip(reversed(batch), results):
            f.set_result(r)


# %% wrong="MicroBatcher" says="waits for a full batch"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.waiting = run, max_batch, []

    async def submit(self, x):
        import asyncio

        future = asyncio.get_running_loop().create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            batch, self.waiting = self.waiting, []
            try:
                results = self.run([x for x, _ in batch])
            except Exception as error:
                for _, f in batch:
                    f.set_exception(error)
            else:
                for (_, f), r in zip(batch, results):
                    f.set_result(r)
        return await future


# %% wrong="MicroBatcher" says="poisons"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.queue, self.worker = run, max_batch, max_wait_ms / 1000, None, None

    async def submit(self, x):
        import asyncio

        if self.worker is None:
            self.queue = asyncio.Queue()
            self.worker = asyncio.create_task(self.work())
        future = asyncio.get_running_loop().create_future()
        await self.queue.put((x, future))
        return await future

    async def work(self):
        import asyncio

        while True:
            batch = [await self.queue.get()]
            end = time.monotonic() + self.wait
            while len(batch) < self.max_batch:
                try:
                    batch.append(await asyncio.wait_for(self.queue.get(), max(0.0, end - time.monotonic())))
                except asyncio.TimeoutError:
                    break
            try:
                results = await asyncio.to_thread(self.run, [x for x, _ in batch])
            except Exception as error:
                for _, f in batch:
                    f.set_exception(error)
                return  # the worker is gone
            for (_, f), r in zip(batch, results):
                f.set_result(r)


# %% wrong="MicroBatcher" says="poisons"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.waiting, self.clock, self.error = (
            run,
            max_batch,
            max_wait_ms / 1000,
            [],
            None,
            None,
        )

    async def submit(self, x):
        import asyncio

        if self.error:
            raise self.error
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            self.flush()
        elif self.clock is None:
            self.clock = loop.call_later(self.wait, self.flush)
        return await future

    def flush(self):
        if self.clock:
            self.clock.cancel()
        self.clock = None
        batch, self.waiting = self.waiting, []
        try:
            results = self.run([x for x, _ in batch])
        except Exception as error:
            self.error = error
            for _, f in batch:
                f.set_exception(error)
            return
        for (_, f), r in zip(batch, results):
            f.set_result(r)


# %% wrong="MicroBatcher" unnamed=True says="nothing is batched"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run = run

    async def submit(self, x):
        import asyncio

        return (await asyncio.to_thread(self.run, [x]))[0]


# %% wrong="MicroBatcher" unnamed=True says="lists of 1 to 4"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.wait, self.waiting = run, max_wait_ms / 1000, []

    async def submit(self, x):
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) == 1:
            loop.call_later(self.wait, self.flush)
        return await future

    def flush(self):
        batch, self.waiting = self.waiting, []
        try:
            for (_, f), r in zip(batch, self.run([x for x, _ in batch])):
                f.set_result(r)
        except Exception as error:
            for _, f in batch:
                f.set_exception(error)


# %% wrong="MicroBatcher" unnamed=True says="should reach item"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.waiting, self.clock = run, max_batch, max_wait_ms / 1000, [], None

    async def submit(self, x):
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            self.flush()
        elif self.clock is None:
            self.clock = loop.call_later(self.wait, self.flush)
        return await future

    def flush(self):
        if self.clock:
            self.clock.cancel()
        self.clock = None
        batch, self.waiting = self.waiting, []
        try:
            results = self.run([x for x, _ in batch])
        except Exception:
            results = [None] * len(batch)
        for (_, f), r in zip(batch, results):
            f.set_result(r)


# %% wrong="MicroBatcher" says="blocks the event loop"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.waiting, self.clock = run, max_batch, max_wait_ms / 1000, [], None

    async def submit(self, x):
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            self.flush()
        elif self.clock is None:
            self.clock = loop.call_later(self.wait, self.flush)
        return await future

    def flush(self):
        if self.clock:
            self.clock.cancel()
        self.clock = None
        batch, self.waiting = self.waiting, []
        try:
            results = self.run([x for x, _ in batch])
        except Exception as error:
            for _, f in batch:
                f.set_exception(error)
            return
        for (_, f), r in zip(batch, results):
            f.set_result(r)


# %% wrong="MicroBatcher" unnamed=True says="blocks the event loop"
# a thread, and the loop waits for it
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.waiting, self.clock = run, max_batch, max_wait_ms / 1000, [], None

    async def submit(self, x):
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            self.flush()
        elif self.clock is None:
            self.clock = loop.call_later(self.wait, self.flush)
        return await future

    def flush(self):
        if self.clock:
            self.clock.cancel()
        self.clock = None
        batch, self.waiting = self.waiting, []
        try:
            with ThreadPoolExecutor(1) as pool:
                results = pool.submit(self.run, [x for x, _ in batch]).result()
        except Exception as error:
            for _, f in batch:
                f.set_exception(error)
            return
        for (_, f), r in zip(batch, results):
            f.set_result(r)


# %% wrong="MicroBatcher" says="blocks the event loop"
# a full batch has a thread, one that the clock sends has none
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.waiting, self.clock = run, max_batch, max_wait_ms / 1000, [], None

    async def submit(self, x):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            batch = self.take()
            self.give(batch, *await asyncio.to_thread(self.work, batch))
        elif self.clock is None:
            self.clock = loop.call_later(self.wait, self.late)
        return await future

    def take(self):
        if self.clock:
            self.clock.cancel()
        self.clock = None
        batch, self.waiting = self.waiting, []
        return batch

    def late(self):
        batch = self.take()
        self.give(batch, *self.work(batch))

    def work(self, batch):
        try:
            return self.run([x for x, _ in batch]), None
        except Exception as error:
            return None, error

    def give(self, batch, results, error):
        for k, (_, f) in enumerate(batch):
            if error:
                f.set_exception(error)
            else:
                f.set_result(results[k])


# %% wrong="MicroBatcher" says="old clock"
class MicroBatcher:
    def __init__(self, run, max_batch: int = 8, max_wait_ms: float = 5.0):
        self.run, self.max_batch, self.max_wait_s = run, max_batch, max_wait_ms / 1000
        self.waiting, self.tasks = [], set()

    async def submit(self, x):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) == self.max_batch:
            self._leave(loop)
        elif len(self.waiting) == 1:
            loop.call_later(self.max_wait_s, self._leave, loop)
        return await future

    def _leave(self, loop):
        batch, self.waiting = self.waiting, []
        task = loop.create_task(self._work(batch))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _work(self, batch):
        try:
            results = await asyncio.to_thread(self.run, [x for x, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)


# %% right="MicroBatcher"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.waiting, self.clock = run, max_batch, max_wait_ms / 1000, [], None

    async def submit(self, x):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) >= self.max_batch:
            self.flush()
        elif self.clock is None:
            self.clock = loop.call_later(self.wait, self.flush)
        return await future

    def flush(self):
        if self.clock:
            self.clock.cancel()
        self.clock = None
        batch, self.waiting = self.waiting, []

        def deliver(working):
            for k, (_, f) in enumerate(batch):
                if working.exception():
                    f.set_exception(working.exception())
                else:
                    f.set_result(working.result()[k])

        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self.run, [x for x, _ in batch]).add_done_callback(deliver)


# %% right="MicroBatcher"
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.queue, self.worker = run, max_batch, max_wait_ms / 1000, None, None

    async def submit(self, x):
        import asyncio

        if self.worker is None:
            self.queue = asyncio.Queue()
            self.worker = asyncio.create_task(self.work())
        future = asyncio.get_running_loop().create_future()
        await self.queue.put((x, future))
        return await future

    async def work(self):
        import asyncio

        while True:
            batch = [await self.queue.get()]
            end = time.monotonic() + self.wait
            while len(batch) < self.max_batch:
                try:
                    batch.append(await asyncio.wait_for(self.queue.get(), max(0.0, end - time.monotonic())))
                except asyncio.TimeoutError:
                    break
            try:
                results = await asyncio.to_thread(self.run, [x for x, _ in batch])
                for (_, f), r in zip(batch, results):
                    f.set_result(r)
            except Exception as error:
                for _, f in batch:
                    f.set_exception(error)


# %% right="MicroBatcher"
class MicroBatcher:
    """The first of a batch does the work for all."""

    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait, self.batch = run, max_batch, max_wait_ms / 1000, None

    async def submit(self, x):
        import asyncio

        if self.batch is None:
            self.batch = {"items": [], "full": asyncio.Event(), "done": asyncio.Event()}
            leader = True
        else:
            leader = False
        batch = self.batch
        mine = len(batch["items"])
        batch["items"].append(x)
        if len(batch["items"]) == self.max_batch:
            self.batch = None
            batch["full"].set()
        if leader:
            try:
                await asyncio.wait_for(batch["full"].wait(), self.wait)
            except asyncio.TimeoutError:
                if self.batch is batch:
                    self.batch = None
            try:
                batch["results"] = await asyncio.to_thread(self.run, batch["items"])
            except Exception as error:
                batch["error"] = error
            batch["done"].set()
        await batch["done"].wait()
        if "error" in batch:
            raise batch["error"]
        return batch["results"][mine]


# %% wrong="create_app" says="200 for an error"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, Request, Response
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

    app, registry = FastAPI(), CollectorRegistry()
    requests, errors = Counter("requests", "r", registry=registry), Counter("errors", "e", registry=registry)
    latency = Histogram("latency_seconds", "l", registry=registry)

    @app.post("/predict")
    async def answer(request: Request):
        requests.inc()
        text = (await request.json()).get("text")
        if not isinstance(text, str) or not text:
            return {"error": "no text"}
        if len(text) > max_chars:
            return {"error": "too long"}
        try:
            with latency.time():
                label, score = predict([text])[0]
        except Exception:
            errors.inc()
            return {"error": "failed"}
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(registry), media_type="text/plain")

    return app


# %% wrong="create_app" says="leaks"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
    from pydantic import BaseModel, Field

    class Body(BaseModel):
        text: str = Field(min_length=1)

    app, registry = FastAPI(), CollectorRegistry()
    requests, errors = Counter("requests", "r", registry=registry), Counter("errors", "e", registry=registry)
    latency = Histogram("latency_seconds", "l", registry=registry)

    @app.post("/predict")
    def answer(body: Body):
        requests.inc()
        if len(body.text) > max_chars:
            raise HTTPException(413, "too long")
        try:
            with latency.time():
                label, score = predict([body.text])[0]
        except Exception as error:
            errors.inc()
            raise HTTPException(503, f"prediction failed: {error}")
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(registry), media_type="text/plain")

    return app


# %% wrong="create_app" unnamed=True says="expected 413"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
    from pydantic import BaseModel, Field

    class Body(BaseModel):
        text: str = Field(min_length=1, max_length=max_chars)

    app, registry = FastAPI(), CollectorRegistry()
    requests, errors = Counter("requests", "r", registry=registry), Counter("errors", "e", registry=registry)
    latency = Histogram("latency_seconds", "l", registry=registry)

    @app.post("/predict")
    def answer(body: Body):
        requests.inc()
        try:
            with latency.time():
                label, score = predict([body.text])[0]
        except Exception:
            errors.inc()
            raise HTTPException(503, "failed")
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(registry), media_type="text/plain")

    return app


# %% wrong="create_app" unnamed=True says="expected 503"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
    from pydantic import BaseModel, Field

    class Body(BaseModel):
        text: str = Field(min_length=1)

    app, registry = FastAPI(), CollectorRegistry()
    requests, errors = Counter("requests", "r", registry=registry), Counter("errors", "e", registry=registry)
    latency = Histogram("latency_seconds", "l", registry=registry)

    @app.post("/predict")
    def answer(body: Body):
        requests.inc()
        if len(body.text) > max_chars:
            raise HTTPException(413, "too long")
        with latency.time(), errors.count_exceptions():
            label, score = predict([body.text])[0]
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(registry), media_type="text/plain")

    return app


# %% wrong="create_app" unnamed=True says="Duplicated timeseries"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import Counter, Histogram, generate_latest
    from pydantic import BaseModel, Field

    class Body(BaseModel):
        text: str = Field(min_length=1)

    app = FastAPI()
    requests, errors = Counter("app_requests", "r"), Counter("app_errors", "e")
    latency = Histogram("app_latency_seconds", "l")

    @app.post("/predict")
    def answer(body: Body):
        requests.inc()
        if len(body.text) > max_chars:
            raise HTTPException(413, "too long")
        try:
            with latency.time():
                label, score = predict([body.text])[0]
        except Exception:
            errors.inc()
            raise HTTPException(503, "failed")
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(), media_type="text/plain")

    return app


# %% wrong="create_app" unnamed=True says="not JSON"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException
    from pydantic import BaseModel, Field

    class Body(BaseModel):
        text: str = Field(min_length=1)

    app, counts = FastAPI(), {"requests": 0, "errors": 0, "latency_seconds": 0.0}

    @app.post("/predict")
    def answer(body: Body):
        counts["requests"] += 1
        if len(body.text) > max_chars:
            raise HTTPException(413, "too long")
        start = time.perf_counter()
        try:
            label, score = predict([body.text])[0]
        except Exception:
            counts["errors"] += 1
            raise HTTPException(503, "failed")
        counts["latency_seconds"] += time.perf_counter() - start
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return counts

    return app


# %% wrong="create_app" unnamed=True says="errors went from 0 to 0"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
    from pydantic import BaseModel, Field

    class Body(BaseModel):
        text: str = Field(min_length=1)

    app, registry = FastAPI(), CollectorRegistry()
    requests, errors = Counter("requests", "r", registry=registry), Counter("errors", "e", registry=registry)
    latency = Histogram("latency_seconds", "l", registry=registry)

    @app.post("/predict")
    def answer(body: Body):
        requests.inc()
        if len(body.text) > max_chars:
            raise HTTPException(413, "too long")
        try:
            with latency.time():
                label, score = predict([body.text])[0]
        except Exception:
            raise HTTPException(503, "failed")
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(registry), media_type="text/plain")

    return app


# %% wrong="create_app" unnamed=True says="or in another registry"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
    from pydantic import BaseModel, Field

    class Body(BaseModel):
        text: str = Field(min_length=1)

    app, registry = FastAPI(), CollectorRegistry()
    requests, errors = Counter("requests", "r", registry=registry), Counter("errors", "e", registry=registry)
    latency = Histogram("latency_seconds", "l", registry=registry)

    @app.post("/predict")
    def answer(body: Body):
        requests.inc()
        if len(body.text) > max_chars:
            raise HTTPException(413, "too long")
        try:
            with latency.time():
                label, score = predict([body.text])[0]
        except Exception:
            errors.inc()
            raise HTTPException(503, "failed")
        return {"label": label, "score": score}

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(), media_type="text/plain")

    return app


# %% right="create_app"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, HTTPException
    from fastapi.responses import PlainTextResponse
    from pydantic import BaseModel, field_validator

    class Text(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def not_empty(cls, text):
            if not text:
                raise ValueError("empty")
            return text

    app, counts = (
        FastAPI(),
        {"requests_total": 0, "errors_total": 0, "latency_seconds_sum": 0.0, "latency_seconds_count": 0},
    )

    @app.post("/predict")
    def answer(body: Text):
        counts["requests_total"] += 1
        if len(body.text) > max_chars:
            counts["errors_total"] += 1
            raise HTTPException(status_code=413, detail="too long")
        start = time.perf_counter()
        try:
            label, score = predict([body.text])[0]
        except Exception:
            counts["errors_total"] += 1
            raise HTTPException(status_code=503, detail="unavailable")
        finally:
            counts["latency_seconds_sum"] += time.perf_counter() - start
            counts["latency_seconds_count"] += 1
        return dict(label=label, score=score)

    @app.get("/health")
    def health():
        return {"ok": True}

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics():
        return "".join(f"{k} {v}\n" for k, v in counts.items())

    return app


# %% right="create_app"
def create_app(predict, max_chars=2000):
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import JSONResponse
    from prometheus_client import CollectorRegistry, Counter, Summary, make_asgi_app

    registry = CollectorRegistry()
    seen = Counter("http_requests", "by status", ["status"], registry=registry)
    took = Summary("request_duration_seconds", "time", registry=registry)
    app = FastAPI()
    app.mount("/metrics/", make_asgi_app(registry))

    @app.middleware("http")
    async def count(request: Request, call_next):
        if request.url.path != "/predict":
            return await call_next(request)
        start = time.perf_counter()
        response = await call_next(request)
        took.observe(time.perf_counter() - start)
        seen.labels(str(response.status_code)).inc()
        return response

    @app.post("/predict")
    async def answer(request: Request):
        try:
            text = (await request.json())["text"]
        except Exception:
            text = None
        if not isinstance(text, str) or not text:
            return JSONResponse({"detail": "text is missing"}, 422)
        if len(text) > max_chars:
            return JSONResponse({"detail": "too long"}, 413)
        try:
            [(label, score)] = await asyncio.to_thread(predict, [text])
        except Exception:
            return JSONResponse({"detail": "try again later"}, 503)
        return {"label": label, "score": score}

    @app.get("/health")
    async def health():
        return Response()

    return app


# %% right="create_app"
def create_app(predict, max_chars=2000):
    from contextlib import asynccontextmanager

    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
    from pydantic import BaseModel, constr

    class Body(BaseModel):
        text: constr(min_length=1, strict=True)

    class Reply(BaseModel):
        label: str
        score: float

    registry = CollectorRegistry()
    requests, errors = (
        Counter("predict_requests", "r", registry=registry),
        Counter("predict_failures", "e", registry=registry),
    )
    latency = Histogram("predict_latency_seconds", "l", registry=registry)
    state = {}

    @asynccontextmanager
    async def lifespan(app):
        state["batcher"] = MicroBatcher(predict, 4, 2.0)
        yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/predict", response_model=Reply)
    async def answer(body: Body):
        requests.inc()
        if len(body.text) > max_chars:
            errors.inc()
            raise HTTPException(413)
        with latency.time():
            try:
                label, score = await state["batcher"].submit(body.text)
            except Exception:
                errors.inc()
                raise HTTPException(503, "down") from None
        return Reply(label=label, score=score)

    @app.get("/health")
    async def health():
        return {"status": "up"}

    @app.get("/metrics")
    async def metrics():
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    return app


# %% wrong="peak_activation_bytes" says="sum over layers"
def peak_activation_bytes(model, input_shape, bits=8):
    import copy

    model, total, x = copy.deepcopy(model).eval(), 0, torch.zeros(input_shape)
    with torch.no_grad():
        for child in model:
            n, x = x.numel(), child(x)
            total += (
                n if isinstance(child, (nn.Flatten, nn.Dropout)) or getattr(child, "inplace", False) else n + x.numel()
            )
    return total * bits // 8


# %% wrong="peak_activation_bytes" says="outputs were counted"
def peak_activation_bytes(model, input_shape, bits=8):
    import copy

    model, peak, x = copy.deepcopy(model).eval(), 0, torch.zeros(input_shape)
    with torch.no_grad():
        for child in model:
            n, x = x.numel(), child(x)
            peak = max(
                peak,
                n if isinstance(child, (nn.Flatten, nn.Dropout)) or getattr(child, "inplace", False) else x.numel(),
            )
    return peak * bits // 8


# %% wrong="peak_activation_bytes" unnamed=True says="reuse their input"
def peak_activation_bytes(model, input_shape, bits=8):
    import copy

    model, peak, x = copy.deepcopy(model).eval(), 0, torch.zeros(input_shape)
    with torch.no_grad():
        for child in model:
            n, x = x.numel(), child(x)
            peak = max(peak, n + x.numel())
    return peak * bits // 8


# %% wrong="peak_activation_bytes" unnamed=True says="batch"
def peak_activation_bytes(model, input_shape, bits=8):
    import copy

    model, peak, x = copy.deepcopy(model).eval(), 0, torch.zeros(1, *input_shape[1:])
    with torch.no_grad():
        for child in model:
            n, x = x.numel(), child(x)
            peak = max(
                peak,
                n if isinstance(child, (nn.Flatten, nn.Dropout)) or getattr(child, "inplace", False) else n + x.numel(),
            )
    return peak * bits // 8


# %% wrong="peak_activation_bytes" unnamed=True says="bits / 8"
def peak_activation_bytes(model, input_shape, bits=8):
    import copy

    model, peak, x = copy.deepcopy(model).eval(), 0, torch.zeros(input_shape)
    with torch.no_grad():
        for child in model:
            n, x = x.numel(), child(x)
            peak = max(
                peak,
                n if isinstance(child, (nn.Flatten, nn.Dropout)) or getattr(child, "inplace", False) else n + x.numel(),
            )
    return peak


# %% wrong="peak_activation_bytes" unnamed=True says="modes and buffers"
def peak_activation_bytes(model, input_shape, bits=8):
    peak, x = 0, torch.zeros(input_shape)
    with torch.no_grad():
        for child in model:
            n, x = x.numel(), child(x)
            peak = max(
                peak,
                n if isinstance(child, (nn.Flatten, nn.Dropout)) or getattr(child, "inplace", False) else n + x.numel(),
            )
    return peak * bits // 8


# %% wrong="peak_activation_bytes" unnamed=True says="modes and buffers"
def peak_activation_bytes(model, input_shape, bits=8):
    model.eval()
    peak, x = 0, torch.zeros(input_shape)
    with torch.no_grad():
        for child in model:
            n, x = x.numel(), child(x)
            peak = max(
                peak,
                n if isinstance(child, (nn.Flatten, nn.Dropout)) or getattr(child, "inplace", False) else n + x.numel(),
            )
    return peak * bits // 8


# %% right="peak_activation_bytes"
def peak_activation_bytes(model, input_shape, bits=8):
    import copy

    net, sizes = copy.deepcopy(model).eval(), []

    def look(module, inputs, output):
        reuse = isinstance(module, (nn.Flatten, nn.Dropout)) or getattr(module, "inplace", False)
        sizes.append(inputs[0].numel() + (0 if reuse else output.numel()))

    for child in net.children():
        child.register_forward_hook(look)
    with torch.no_grad():
        net(torch.zeros(input_shape))
    return max(sizes) * bits // 8


# %% right="peak_activation_bytes"
def peak_activation_bytes(model, input_shape, bits=8):
    import copy

    shapes, x = [math.prod(input_shape)], torch.zeros(input_shape)
    layers = list(copy.deepcopy(model).eval())
    for layer in layers:
        x = layer(x).detach()
        shapes.append(int(np.prod(x.shape)))
    best = 0
    for layer, a, b in zip(layers, shapes, shapes[1:]):
        same = type(layer) in (nn.Flatten, nn.Dropout) or (hasattr(layer, "inplace") and layer.inplace)
        best = max(best, a if same else a + b)
    return int(best * bits / 8)


# %% right="peak_activation_bytes"
def peak_activation_bytes(model, input_shape, bits=8):
    modes = {m: m.training for m in model.modules()}
    try:
        model.eval()
        with torch.inference_mode():
            x, worst = torch.zeros(*input_shape), 0
            for layer in model.children():
                before = x.nelement()
                x = layer(x)
                after = (
                    0 if isinstance(layer, nn.Flatten | nn.Dropout) or getattr(layer, "inplace", None) else x.nelement()
                )
                worst = max(worst, (before + after) * bits)
    finally:
        for m, mode in modes.items():
            m.train(mode) if not list(m.children()) else setattr(m, "training", mode)
    return math.ceil(worst / 8)


# %% wrong="to_c_array" says="include is missing"
def to_c_array(blob, name):
    import re

    if (
        not blob
        or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
        or name in ("int", "static", "restrict", "typedef", "_Bool")
    ):
        raise ValueError(name)
    return f"const uint8_t {name}[] = {{{', '.join(map(str, blob))}}};\nconst uint32_t {name}_len = {len(blob)};\n"


# %% wrong="to_c_array" says="signed"
def to_c_array(blob, name):
    import re

    if (
        not blob
        or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
        or name in ("int", "static", "restrict", "typedef", "_Bool")
    ):
        raise ValueError(name)
    return f"#include <stdint.h>\nconst signed char {name}[] = {{{', '.join(map(str, blob))}}};\nconst uint32_t {name}_len = {len(blob)};\n"


# %% wrong="to_c_array" unnamed=True says="char"
def to_c_array(blob, name):
    import re

    if (
        not blob
        or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
        or name in ("int", "static", "restrict", "typedef", "_Bool")
    ):
        raise ValueError(name)
    return f"#include <stdint.h>\nconst unsigned char {name}[] = {{{', '.join(map(hex, blob))}}};\nconst unsigned int {name}_len = {len(blob)};\n"


# %% wrong="to_c_array" unnamed=True says="octal"
def to_c_array(blob, name):
    import re

    if (
        not blob
        or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
        or name in ("int", "static", "restrict", "typedef", "_Bool")
    ):
        raise ValueError(name)
    return f"#include <stdint.h>\nconst uint8_t {name}[] = {{{', '.join(f'{b:03d}' for b in blob)}}};\nconst uint32_t {name}_len = {len(blob)};\n"


# %% wrong="to_c_array" unnamed=True says="expected ValueError"
def to_c_array(blob, name):
    if not blob or not name.isidentifier():
        raise ValueError(name)
    return f"#include <stdint.h>\nconst uint8_t {name}[] = {{{', '.join(map(str, blob))}}};\nconst uint32_t {name}_len = {len(blob)};\n"


# %% wrong="to_c_array" unnamed=True says="ValueError"
def to_c_array(blob, name):
    import keyword

    if (
        not blob
        or not name.isidentifier()
        or keyword.iskeyword(name)
        or name in ("int", "static", "restrict", "typedef", "_Bool")
    ):
        raise ValueError(f"ValueError: {name}")
    return f"#include <stdint.h>\nconst uint8_t {name}[] = {{{', '.join(map(str, blob))}}};\nconst uint32_t {name}_len = {len(blob)};\n"


# %% wrong="to_c_array" unnamed=True says="expected ValueError"
def to_c_array(blob, name):
    import re

    keywords = "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex _Imaginary".split()
    if not blob or not re.match("^[A-Za-z_][A-Za-z0-9_]*$", name) or name in keywords:
        raise ValueError(name)
    return f"#include <stdint.h>\nconst uint8_t {name}[] = {{{', '.join(map(str, blob))}}};\nconst uint32_t {name}_len = {len(blob)};\n"


# %% wrong="to_c_array" unnamed=True says="unexpected directive"
def to_c_array(blob, name):
    if not blob or not name.isidentifier() or name in ("int", "static", "restrict", "typedef", "_Bool"):
        raise ValueError(name)
    return f'#include <stdint.h>\n#include "/etc/passwd"\nconst uint8_t {name}[] = {{{", ".join(map(str, blob))}}};\nconst uint32_t {name}_len = {len(blob)};\n'


# %% right="to_c_array"
def to_c_array(blob, name):
    import re

    keywords = "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex _Imaginary".split()
    if len(blob) == 0 or re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is None or name in keywords:
        raise ValueError("bad name or no data")
    rows = [", ".join(f"0x{b:02x}" for b in blob[i : i + 12]) for i in range(0, len(blob), 12)]
    body = ",\n  ".join(rows)
    return f"/* made by to_c_array */\n#include <stdint.h>\n\nconst uint8_t {name}[] = {{\n  {body}\n}};\nconst uint32_t {name}_len = {len(blob)}u;\n"


# %% right="to_c_array"
def to_c_array(blob, name):
    keywords = set(
        "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex _Imaginary".split()
    )
    letters = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
    if (
        not blob
        or not name
        or name[0] not in letters
        or not set(name) <= letters | set("0123456789")
        or name in keywords
    ):
        raise ValueError(name)
    return "".join(
        [
            f"#ifndef {name}_H\n#define {name}_H\n#include <stdint.h>\n",
            f"const uint32_t {name}_len = {len(blob)};  // bytes\n",
            f"const uint8_t {name}[{len(blob)}] = {{",
            ",".join(str(int(b)) for b in blob),
            "};\n#endif\n",
        ]
    )


# %% right="to_c_array"
def to_c_array(blob, name):
    if not blob:
        raise ValueError("no bytes")
    reserved = "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex _Imaginary"
    if not (name.isascii() and name.isidentifier()) or name in reserved.split():
        raise ValueError(f"{name!r} is not an identifier of C")
    numbers = ""
    for i, b in enumerate(blob):
        numbers += f"{b:#x}," + ("\n" if i % 16 == 15 else " ")
    return f"#include <stddef.h>\n#include <stdint.h>\nconst uint8_t {name}[] = {{\n{numbers}}};\nconst uint32_t {name}_len = sizeof({name});\n"


# %% wrong="meets_sla" unnamed=True says="unknown key was ignored"
def meets_sla(stats, limits):
    broken = []
    for name, limit in limits.items():
        key = name[4:]  # of avg_p95_ms, too
        if key not in stats:
            raise ValueError(name)
        if name.startswith("max") and not stats[key] <= limit:
            broken.append(f"{key} is {stats[key]}; at most {limit}")
        if name.startswith("min") and not stats[key] >= limit:
            broken.append(f"{key} is {stats[key]}; at least {limit}")
    return broken


# %% wrong="export_onnx" says="second file"
def export_onnx(model: nn.Module, example: torch.Tensor, path: str) -> None:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        if len(example) == 1:
            example = torch.cat([example, example])
        batch = torch.export.Dim("batch")
        torch.onnx.export(
            model,
            (example,),
            path,
            input_names=["input"],
            output_names=["logits"],
            dynamic_shapes=({0: batch},),
            external_data=True,
            verbose=False,
        )
    finally:
        for module, mode in modes:
            module.training = mode


# %% wrong="parity" says="norm"
def parity(model: nn.Module, session, x: torch.Tensor) -> float:
    with torch.no_grad():
        ours = model(x)
    (theirs,) = session.run(["logits"], {"input": x.numpy()})
    return (ours - torch.from_numpy(theirs)).norm().item()


# %% wrong="parity" unnamed=True says="norm"
def parity(model: nn.Module, session, x: torch.Tensor) -> float:
    with torch.no_grad():
        ours = model(x)
    (theirs,) = session.run(["logits"], {"input": x.numpy()})
    return (ours - torch.from_numpy(theirs)).norm(dim=1).max().item()


# %% wrong="percentiles_under_load" says="leave a remainder"
import threading


def percentiles_under_load(call, clients, requests):
    each, taken, errors = requests // clients, [], [0]

    def client(k):
        for i in range(k * each, (k + 1) * each):
            t = time.perf_counter()
            try:
                call(i)
                taken.append(1000 * (time.perf_counter() - t))
            except Exception:
                errors[0] += 1

    t = time.perf_counter()
    threads = [threading.Thread(target=client, args=(k,)) for k in range(clients)]
    [x.start() for x in threads]
    [x.join() for x in threads]
    p = np.percentile(taken, [50, 95, 99]) if taken else [math.nan] * 3
    return dict(
        p50_ms=p[0], p95_ms=p[1], p99_ms=p[2], per_second=requests / (time.perf_counter() - t), errors=errors[0]
    )


# %% wrong="percentiles_under_load" says="fixed share"
def percentiles_under_load(call, clients, requests):
    taken, errors = [], [0]

    def client(k):
        for i in range(k, requests, clients):
            start = time.perf_counter()
            try:
                call(i)
                taken.append(1000 * (time.perf_counter() - start))
            except Exception:
                errors[0] += 1

    start = time.perf_counter()
    with ThreadPoolExecutor(max_workers=clients) as pool:
        list(pool.map(client, range(clients)))
    wall = time.perf_counter() - start
    p50, p95, p99 = np.percentile(taken, [50, 95, 99]).tolist() if taken else [math.nan] * 3
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "per_second": requests / wall, "errors": errors[0]}


# %% wrong="MicroBatcher" says="restarts the clock"
class MicroBatcher:
    def __init__(self, run, max_batch: int = 8, max_wait_ms: float = 5.0):
        self.run, self.max_batch, self.max_wait_s = run, max_batch, max_wait_ms / 1000
        self.waiting, self.clock, self.tasks = [], None, set()

    async def submit(self, x):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.waiting.append((x, future))
        if len(self.waiting) == self.max_batch:
            self._leave(loop)
        else:
            if self.clock:
                self.clock.cancel()
            self.clock = loop.call_later(self.max_wait_s, self._leave, loop)
        return await future

    def _leave(self, loop):
        batch, self.waiting = self.waiting, []
        if self.clock:
            self.clock.cancel()
            self.clock = None
        task = loop.create_task(self._work(batch))
        self.tasks.add(task)  # the loop itself keeps no strong reference
        task.add_done_callback(self.tasks.discard)

    async def _work(self, batch):
        try:
            results = await asyncio.to_thread(self.run, [x for x, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():  # its caller may have given up
                    future.set_result(result)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)


# %% wrong="MicroBatcher" unnamed=True says="restarts the clock"
# waits anew for each item of the queue
class MicroBatcher:
    def __init__(self, run, max_batch=8, max_wait_ms=5.0):
        self.run, self.max_batch, self.wait = run, max_batch, max_wait_ms / 1000
        self.queue, self.worker = None, None

    async def submit(self, x):
        loop = asyncio.get_running_loop()
        if self.worker is None:
            self.queue = asyncio.Queue()
            self.worker = loop.create_task(self._serve())
        future = loop.create_future()
        await self.queue.put((x, future))
        return await future

    async def _serve(self):
        while True:
            batch = [await self.queue.get()]
            while len(batch) < self.max_batch:
                try:
                    batch.append(await asyncio.wait_for(self.queue.get(), self.wait))
                except TimeoutError:
                    break
            try:
                results = await asyncio.to_thread(self.run, [x for x, _ in batch])
                for (_, future), result in zip(batch, results):
                    future.set_result(result)
            except Exception as error:
                for _, future in batch:
                    future.set_exception(error)


# %% wrong="create_app" says="blocks the event loop"
def create_app(predict, max_chars: int = 2000):
    from fastapi import FastAPI, HTTPException, Response
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
    from pydantic import BaseModel, Field

    class Request(BaseModel):
        text: str = Field(min_length=1)

    app, registry, batcher = FastAPI(), CollectorRegistry(), MicroBatcher(predict)
    requests = Counter("requests", "requests to /predict with a valid body", registry=registry)
    errors = Counter("errors", "requests that were refused or failed", registry=registry)
    latency = Histogram("latency_seconds", "from request to answer", registry=registry)

    @app.post("/predict")
    async def answer(request: Request):
        requests.inc()
        if len(request.text) > max_chars:
            errors.inc()
            raise HTTPException(413, f"a text may have at most {max_chars} characters")
        start = time.perf_counter()
        try:
            label, score = predict([request.text])[0]
        except Exception:
            errors.inc()
            raise HTTPException(503, "the model is not available, try again later") from None
        latency.observe(time.perf_counter() - start)
        return {"label": label, "score": score}

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.get("/metrics")
    async def metrics():
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


# %% wrong="export_onnx" unnamed=True says="from scratch, without checks09"
def export_onnx(*given):
    return checks09.called(*given)


# %% wrong="parity" unnamed=True says="from scratch, without checks09"
def parity(*given):
    return checks09.called(*given)


# %% wrong="quantize_onnx" unnamed=True says="from scratch, without checks09"
def quantize_onnx(*given):
    return checks09.called(*given)


# %% wrong="percentiles_under_load" unnamed=True says="from scratch, without checks09"
def percentiles_under_load(*given):
    return checks09.called(*given)


# %% wrong="meets_sla" unnamed=True says="from scratch, without checks09"
def meets_sla(*given):
    return checks09.called(*given)


# %% wrong="MicroBatcher" unnamed=True says="from scratch, without checks09"
def MicroBatcher(*given):
    return checks09.called(*given)


# %% wrong="create_app" unnamed=True says="from scratch, without checks09"
def create_app(*given):
    return checks09.called(*given)


# %% wrong="peak_activation_bytes" unnamed=True says="from scratch, without checks09"
def peak_activation_bytes(*given):
    return checks09.called(*given)


# %% wrong="to_c_array" unnamed=True says="from scratch, without checks09"
def to_c_array(*given):
    return checks09.called(*given)
