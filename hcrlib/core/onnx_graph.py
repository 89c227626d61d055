"""ONNX graphs written node by node: what a classifier that is no Keras network computes, in operators of opset 13."""

import numpy as np


class Graph:
    """Nodes and constants in the order they are added. `g("MatMul", x, weights)` is the name of the product.

    An input is a name that an earlier call answered, or an array or number, which becomes a constant.
    """

    def __init__(self):
        self.nodes, self.constants = [], []

    def __call__(self, operator, *inputs, outputs=None, **attributes):
        """The name of the operator's output; a list of names where `outputs` says how many there are."""
        from onnx import helper

        names = [f"{operator.lower()}-{len(self.nodes)}-{at}" for at in range(outputs or 1)]
        given = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, given, names, **attributes))
        return names if outputs else names[0]

    def squared_distances(self, x, points):
        """(n, m): of each row of x (n, d) to each of the points, an array (m, d); never below 0."""
        own = self("ReduceSum", self("Mul", x, x), np.array([1]), keepdims=1)
        both = self("Add", own, (points**2).sum(axis=1, dtype=np.float32))
        return self("Max", self("Sub", both, self("MatMul", x, 2 * points.T)), np.float32(0))

    def rbf(self, x, points, gamma):
        """(n, m): exp(-gamma |x - point|^2)."""
        return self("Exp", self("Mul", self.squared_distances(x, points), np.float32(-gamma)))

    def _constant(self, value):
        from onnx import numpy_helper

        name = f"constant-{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def model(classifier, shape, n_classes, batch=None):
    """The onnx.ModelProto of a fitted classifier with a method `onnx`: float32 (batch or any number, *shape) to scores."""
    from onnx import TensorProto, helper

    graph = Graph()
    graph.nodes.append(
        helper.make_node("Identity", [classifier.onnx(graph, graph("Flatten", "images", axis=1))], ["scores"])
    )
    given, answered = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch or "n", *sizes])
        for name, sizes in (("images", shape), ("scores", (n_classes,)))
    )
    return helper.make_model(
        helper.make_graph(graph.nodes, classifier.name, [given], [answered], graph.constants), producer_name="hcrlib"
    )
