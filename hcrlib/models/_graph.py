"""Functions of tensors, compiled if the backend is TensorFlow."""


def compiled(function, shape):
    """Return a function of one array whose call is compiled once for all batches.

    Args:
        function: from one tensor to a tensor or a list of them.
        shape: of the array, None for dimensions that vary.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    graph = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)])
    return lambda x: graph(tf.constant(x, tf.float32))


def forward(model):
    """Return a function from arrays to the outputs of a keras.Model with one output, in inference, as arrays."""
    import keras

    step = compiled(lambda x: model(x, training=False), model.input_shape)
    return lambda x: keras.ops.convert_to_numpy(step(x))
