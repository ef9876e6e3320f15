"""TensorRT on an NVIDIA GPU: a Jetson, or a PC. Engines are built on the device, once, and kept (engine_cache.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import sha256_of
from edge_runtime.engines import tensorrt_build, tensorrt_cuda, tensorrt_runtime
from edge_runtime.engines.engine_cache import EngineCache, EngineCacheError, cache_folder
from edge_runtime.engines.protocol import Tensor
from edge_runtime.engines.tensorrt_build import NAME
from edge_runtime.engines.tensorrt_cuda import Buffer, CudaError, Driver, Stream
from edge_runtime.engines.tensorrt_progress import shown
from edge_runtime.engines.tensorrt_runtime import NoTensorRtError, Runtime
from edge_runtime.errors import EngineError
from edge_runtime.laps import Lap, Stage, no_lap


class TensorRtEngine:
    """Opens ONNX graphs with their precision written into them (`tensorrt-fp16`, `tensorrt-int8`)."""

    name = NAME

    def open(self, graph: Path, *, input_name: str, threads: int, streams: int = 1) -> TensorRtSession:
        """As `Engine.open`. The first time on a device it builds an engine, which takes minutes and is shown.

        `threads` is of no use: the GPU computes.
        """
        try:
            driver = tensorrt_cuda.driver()
            gpu = driver.gpu()
            runtime = tensorrt_runtime.load(gpu.capability)
            size, sha256 = _measured(graph)
            facts = tensorrt_build.facts(runtime, gpu, sha256)

            def build() -> bytes:
                with shown(f"building the TensorRT engine of {graph.name} for {gpu.name}, once") as report:
                    return tensorrt_build.build(
                        runtime,
                        graph,
                        input_name=input_name,
                        capability=gpu.capability,
                        report=report,
                        folder=cache.folder,
                    )

            cache = EngineCache(cache_folder())
            serialized = cache.engine(facts, build, needs=size)
            # Not before: the build can use the memory that this takes.
            driver.enter()
            engine = deserialized(runtime, serialized)
            if engine is None and not runtime.complaints.of_memory:
                # TensorRT knows more of what an engine depends on than we do.
                cache.discard(facts)
                engine = deserialized(runtime, cache.engine(facts, build, needs=size))
            if engine is None:
                raise EngineError(NAME, graph, f"its engine does not load: {tensorrt_build.why(runtime)}")
            return TensorRtSession(runtime, driver, engine, graph, input_name=input_name, streams=streams)
        except (CudaError, NoTensorRtError, EngineCacheError) as error:
            raise EngineError(NAME, graph, str(error)) from error


class TensorRtSession:
    """One engine on the GPU, with memory, a stream and an execution context for each inference at once."""

    def __init__(
        self, runtime: Runtime, driver: Driver, engine: Any, graph: Path, *, input_name: str, streams: int
    ) -> None:
        trt = runtime.trt
        tensors = [engine.get_tensor_name(place) for place in range(engine.num_io_tensors)]
        inputs = [name for name in tensors if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        if inputs != [input_name]:
            raise EngineError(NAME, graph, f"has the inputs {inputs}, the bundle names '{input_name}'")
        self._graph, self._runtime, self._driver = graph, runtime, driver
        self._idle: SimpleQueue[_Slot] = SimpleQueue()
        for _ in range(streams):
            self._idle.put(_Slot(runtime, driver, engine, graph, input_name, tensors))

    def run(self, image: NDArray[np.float32], outputs: Sequence[str], lap: Lap = no_lap) -> list[Tensor]:
        slot = self._idle.get()
        try:
            self._driver.enter()
            return slot.run(image, outputs, lap)
        except CudaError as error:
            raise EngineError(NAME, self._graph, f"inference failed: {error}") from error
        finally:
            self._idle.put(slot)


class _Slot:
    """What one inference needs for itself. Not safe for use by two threads at once."""

    def __init__(
        self, runtime: Runtime, driver: Driver, engine: Any, graph: Path, input_name: str, tensors: Sequence[str]
    ) -> None:
        self._runtime, self._graph, self._input = runtime, graph, input_name
        runtime.complaints.clear()
        self._context = engine.create_execution_context()
        if self._context is None:
            raise EngineError(NAME, graph, f"cannot take one more stream: {tensorrt_build.why(runtime)}")
        self._stream = Stream(driver)
        image = (tensorrt_build.BATCH, *tuple(engine.get_tensor_shape(input_name))[1:])
        if not self._context.set_input_shape(input_name, image):
            raise EngineError(NAME, graph, f"its input does not take the shape {image}: {runtime.complaints}")
        self._buffers: dict[str, Buffer] = {}
        for name in tensors:
            shape = tuple(self._context.get_tensor_shape(name))
            if any(size < 0 for size in shape):
                raise EngineError(NAME, graph, f"the shape of '{name}' depends on the picture: {shape}")
            buffer = Buffer(driver, shape, runtime.trt.nptype(engine.get_tensor_dtype(name)))
            self._buffers[name] = buffer
            self._context.set_tensor_address(name, buffer.address)

    def run(self, image: NDArray[np.float32], outputs: Sequence[str], lap: Lap = no_lap) -> list[Tensor]:
        given = self._buffers[self._input]
        results = [self._buffers[name] for name in outputs if name in self._buffers and name != self._input]
        if len(results) != len(outputs):
            there = sorted(set(self._buffers) - {self._input})
            raise EngineError(NAME, self._graph, f"has the outputs {there}, not {list(outputs)}")
        if image.shape != given.host.shape:
            raise EngineError(
                NAME, self._graph, f"inference failed: the input has the shape {image.shape}, not {given.host.shape}"
            )
        np.copyto(given.host, image, casting="same_kind")
        given.upload(self._stream)
        self._tell(lap, "h2d")
        if not self._context.execute_async_v3(self._stream.handle):
            raise EngineError(NAME, self._graph, f"inference failed: {self._runtime.complaints}")
        self._tell(lap, "infer")
        for result in results:
            result.download(self._stream)
        self._stream.wait()
        # Copied: the next inference writes into the same memory.
        copies = [result.host.copy() for result in results]
        lap("d2h")
        return copies

    def _tell(self, lap: Lap, stage: Stage) -> None:
        """The GPU works behind our back: a stage has ended once it has. Where nobody asks, nobody waits."""
        if lap is not no_lap:
            self._stream.wait()
            lap(stage)


def _measured(graph: Path) -> tuple[int, str]:
    try:
        return graph.stat().st_size, sha256_of(graph)
    except OSError as error:
        raise EngineError(NAME, graph, f"cannot be read: {error.strerror}") from error


def deserialized(runtime: Runtime, engine: bytes) -> Any:
    """The engine on the GPU, None where TensorRT does not take it."""
    runtime.complaints.clear()
    try:
        return runtime.trt.Runtime(runtime.logger).deserialize_cuda_engine(engine)
    except TypeError:  # the bindings' word for a constructor that gave nothing
        return None
