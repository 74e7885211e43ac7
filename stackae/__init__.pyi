# The one list of the public names: type checkers read it, and lazy_loader imports a name when it is used.

from .codes.gaussian import GaussianCode as GaussianCode
from .codes.nested import Nested as Nested
from .codes.topk import TopK as TopK
from .corruption.dropout import Dropout as Dropout
from .corruption.gaussian import GaussianNoise as GaussianNoise
from .corruption.masking import Masking as Masking
from .corruption.salt_and_pepper import SaltAndPepper as SaltAndPepper
from .corruption.swap import Swap as Swap
from .estimators import Autoencoder as Autoencoder
from .estimators import StackedAutoencoder as StackedAutoencoder
from .estimators import StackedAutoencoderClassifier as StackedAutoencoderClassifier
from .estimators import StackedAutoencoderDetector as StackedAutoencoderDetector
from .estimators import StackedAutoencoderRegressor as StackedAutoencoderRegressor
from .estimators import load as load
from .losses.cross_entropy import CrossEntropy as CrossEntropy
from .losses.huber import Huber as Huber
from .losses.per_feature import PerFeature as PerFeature
from .losses.squared_error import SquaredError as SquaredError
from .networks.batch_normalised import BatchNormalised as BatchNormalised
from .networks.closed_form import Marginalised as Marginalised
from .networks.closed_form import PCAStart as PCAStart
from .networks.convolutional import Convolutional as Convolutional
from .networks.dense import Dense as Dense
from .networks.kmeans_filters import KMeansFilters as KMeansFilters
from .networks.recurrent import Recurrent as Recurrent
from .penalties.adversarial import Adversarial as Adversarial
from .penalties.contractive import Contractive as Contractive
from .penalties.kl_sparsity import KLSparsity as KLSparsity
from .penalties.l1 import L1 as L1
from .penalties.l2 import L2 as L2
from .penalties.neighbor_embedding import NeighborEmbedding as NeighborEmbedding
from .semi.consistency import Consistency as Consistency
from .semi.ladder import Ladder as Ladder
from .semi.propagation import Propagation as Propagation
from .semi.virtual_adversarial import VirtualAdversarial as VirtualAdversarial
from .tables.encoder import TableEncoder as TableEncoder
from .training.parameters import Training as Training

__version__: str
