# The one list of the public names: type checkers read it, and lazy_loader imports a name when it is used.

from .codes import CodesDisplay as CodesDisplay
from .comparison import ComparisonDisplay as ComparisonDisplay
from .health import HealthDisplay as HealthDisplay
from .history import HistoryDisplay as HistoryDisplay
from .loadings import LoadingsDisplay as LoadingsDisplay
from .reconstruction import ReconstructionDisplay as ReconstructionDisplay
from .samples import SamplesDisplay as SamplesDisplay
from .scree import ScreeDisplay as ScreeDisplay
from .weights import WeightsDisplay as WeightsDisplay
