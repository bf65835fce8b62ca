"""Sliders for a function that draws a figure."""

import io
from collections.abc import Callable, Sequence

import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure


def explore(draw: Callable[..., Figure], **controls) -> None:
    """Show `draw(**values)` under one control for each argument, and redraw when a control moves.

    Args:
        draw: returns a figure; called with keyword arguments only.
        controls: `(least, most, start)` makes a slider (of whole numbers if all three are), a list of strings a menu
            that starts with its first entry.

    A page that cannot run the sliders shows the figure drawn from the starting values.
    """
    knobs = {name: _knob(name, spec) for name, spec in controls.items()}
    figure = ipywidgets.interactive_output(lambda **values: display(draw(**values)), knobs)
    box = ipywidgets.VBox([*knobs.values(), figure])
    picture = io.BytesIO()
    draw(**{name: knob.value for name, knob in knobs.items()}).savefig(picture, format="png", dpi=100)
    display({**box._repr_mimebundle_(), "image/png": picture.getvalue()}, raw=True)


def _knob(name: str, spec: Sequence) -> ipywidgets.Widget:
    label = name.replace("_", " ")
    if isinstance(spec, list):
        return ipywidgets.Dropdown(options=spec, value=spec[0], description=label)
    least, most, start = spec
    if all(isinstance(v, int) for v in spec):
        return ipywidgets.IntSlider(start, least, most, description=label, continuous_update=False)
    step = (most - least) / 20
    return ipywidgets.FloatSlider(start, min=least, max=most, step=step, description=label, continuous_update=False)
