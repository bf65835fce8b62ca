"""Builds the course's notebooks from their sources and grades what learners hand in."""

import os
import sys
import warnings
from pathlib import Path

# nbgrader starts the program `alembic` by name: it lies beside this Python, which need not be on the PATH
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

# jsonschema, which nbformat imports, builds a grammar of web addresses if it finds this package; that takes longer than
# all else that it does, and no notebook's schema asks for it
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# nbgrader's gradebook makes SQLAlchemy 2 warn at every submission; nothing is wrong
warnings.filterwarnings("ignore", "Object of type <Submitted", module="nbgrader")
