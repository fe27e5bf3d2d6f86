# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the get-pip.py that ansible-test downloads, where its host cannot be reached.

ansible-test runs it with the arguments of `pip install`. Python's own ensurepip installs a pip, which then installs
the wished version of itself.
"""

import subprocess
import sys

# Not options of pip, but of get-pip.py.
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
subprocess.check_call([sys.executable, "-m", "pip", "install", *arguments])
