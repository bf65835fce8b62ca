"""The toolkit of the Bonsai course: data, models, training, measuring, pictures and checks.

Importing it pins torch to one thread: on a busy laptop the default makes small models many times slower.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch loads: idle threads sleep, they do not spin

import torch

torch.set_num_threads(1)
