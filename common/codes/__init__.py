"""The affinity domain's code sets: which codes a submission may use, read from one file.

`load` gives the sets to a service, `check` tells an operator everything that is wrong with a file.
"""

from common.codes.files import SHIPPED, CodesError, check, load
from common.codes.listing import Problem
from common.codes.sets import CodeSet, CodeSets

__all__ = ["SHIPPED", "CodeSet", "CodeSets", "CodesError", "Problem", "check", "load"]
