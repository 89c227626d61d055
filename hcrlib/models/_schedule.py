"""Learning-rate schedules."""


def one_cycle(peak, steps, warm_up=0.15):
    """Return a keras schedule: a linear warm-up to the peak, then a cosine decay to 0 (Smith 2018)."""
    import keras

    rising = max(1, int(steps * warm_up))
    return keras.optimizers.schedules.CosineDecay(
        peak / 10, max(1, steps - rising), warmup_target=peak, warmup_steps=rising
    )
