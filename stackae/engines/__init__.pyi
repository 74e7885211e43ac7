# The one list of the names: type checkers read it, and lazy_loader imports a name when it is used.

from .encoding import Encoding as Encoding
from .folders import encode_folder as encode_folder
from .names import ENGINES as ENGINES
