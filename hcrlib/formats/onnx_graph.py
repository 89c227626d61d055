"""Build ONNX graphs node by node, in operators of opset 13, for classifiers that are not Keras networks."""

from typing import Any

import numpy as np


class Graph:
    """Nodes and constants, in the order in which they are added. `g("MatMul", x, weights)` returns the name of the product.

    An input is a name that an earlier call returned, or an array or number, which becomes a constant.
    """

    def __init__(self) -> None:
        self.nodes: list = []  # onnx.NodeProto
        self.constants: list = []  # onnx.TensorProto

    def __call__(self, operator: str, *inputs: Any, outputs: int | None = None, **attributes: Any) -> Any:
        """Add a node; return the name of its output, or a list of names where `outputs` gives their number."""
        from onnx import helper

        names = [f"{operator.lower()}-{len(self.nodes)}-{at}" for at in range(outputs or 1)]
        given = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, given, names, **attributes))
        return names if outputs else names[0]

    def squared_distances(self, x: str, points: np.ndarray) -> str:
        """Add squared distances (n, m): of each row of x (n, d) to each of the points, an array (m, d); never below 0."""
        own = self("ReduceSum", self("Mul", x, x), np.array([1]), keepdims=1)
        both = self("Add", own, (points**2).sum(axis=1, dtype=np.float32))
        return self("Max", self("Sub", both, self("MatMul", x, 2 * points.T)), np.float32(0))

    def rbf(self, x: str, points: np.ndarray, gamma: float) -> str:
        """Add a Gaussian kernel (n, m): exp(-gamma |x - point|^2)."""
        return self("Exp", self("Mul", self.squared_distances(x, points), np.float32(-gamma)))

    def _constant(self, value: Any) -> str:
        from onnx import numpy_helper

        name = f"constant-{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def model(classifier: Any, shape: tuple[int, ...], n_classes: int, batch: int | None = None) -> Any:
    """Return the onnx.ModelProto of a fitted classifier: float32 (batch or any number, *shape) to scores."""
    from onnx import TensorProto, helper

    graph = Graph()
    scores = classifier.onnx(graph, graph("Flatten", "images", axis=1))
    graph.nodes.append(helper.make_node("Identity", [scores], ["scores"]))
    ends = (("images", shape), ("scores", (n_classes,)))
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch or "n", *sizes]) for name, sizes in ends]
    made = helper.make_graph(graph.nodes, classifier.name, infos[:1], infos[1:], graph.constants)
    return helper.make_model(made, producer_name="hcrlib")
