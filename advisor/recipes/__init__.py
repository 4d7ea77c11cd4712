"""Recipe files of other people's trainers read as workloads: what they say becomes flags."""

from advisor.recipes.read import is_recipe, read_recipe
from advisor.recipes.taken import DEFAULT, Recipe

__all__ = ["DEFAULT", "Recipe", "is_recipe", "read_recipe"]
