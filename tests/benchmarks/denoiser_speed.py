"""How fast the denoiser is, against a network of FFDNet's form in the same onnxruntime.

Run: ``python tests/benchmarks/denoiser_speed.py [--model FILE]`` with the extra ``train``.

FFDNet (Zhang et al. 2018, for colour): pixels unshuffled to 1/2 resolution with a noise-level map,
twelve dense 3x3 layers of 96 channels, 0.85 M parameters, 213 kMAC/px; here with random weights.
Both run on a 768 x 512 picture, by turns, so that whatever else the machine does falls on both.
Ours is all of `gencodec.denoise`: the estimate of the level where the network is told it, the
network, to floats and back to 8 bits.
"""

import argparse
import platform
import statistics
import time
from itertools import pairwise

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import gencodec
from gencodec.codec.session import Runtime, Session

WIDTH, HEIGHT = 768, 512


def ffdnet() -> bytes:
    """The network on unshuffled pixels; the shuffles around it are left out, in its favour."""
    random = np.random.default_rng(0)
    nodes, weights, name = [], [], "x"
    channels = [15, *[96] * 11, 12]
    for i, (cin, cout) in enumerate(pairwise(channels)):
        weight = random.standard_normal((cout, cin, 3, 3)).astype(np.float32) * (cin * 4.5) ** -0.5
        weights.append(numpy_helper.from_array(weight.astype(np.float32), f"w{i}"))
        weights.append(numpy_helper.from_array(np.zeros(cout, np.float32), f"b{i}"))
        nodes.append(
            helper.make_node("Conv", [name, f"w{i}", f"b{i}"], [f"c{i}"], pads=[1, 1, 1, 1])
        )
        name = f"c{i}"
        if i < 11:
            nodes.append(helper.make_node("Relu", [name], [f"r{i}"]))
            name = f"r{i}"
    shape = [1, 15, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "ffdnet",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 12, "h", "w"])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    planes = random.random((1, 15, HEIGHT // 2, WIDTH // 2), np.float32)
    session = Session(ffdnet(), Runtime("cpu", options.threads))

    def ours() -> None:
        gencodec.denoise(picture, device="cpu", threads=options.threads, model=options.model)

    times: dict[str, list[float]] = {"FFDNet's form": [], "gencodec.denoise": []}
    for turn in range(options.runs + 1):
        for name, work in (
            ("FFDNet's form", lambda: session.run(x=planes)),
            (list(times)[1], ours),
        ):
            start = time.perf_counter()
            work()
            if turn:  # the first run opens sessions and fills caches
                times[name].append(time.perf_counter() - start)
    print(f"{platform.machine()}, {options.threads} threads, {options.runs} runs, seconds")
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    for name, seconds in times.items():
        print(f"{name:17} median {medians[name]:.3f}  best {min(seconds):.3f}")
    theirs, mine = medians.values()
    print(f"{theirs / mine:.2f} times as fast")


if __name__ == "__main__":
    main()
