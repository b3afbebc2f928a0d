"""What the chemist wrote: the recipe language, its parameters and the blocks of the tool."""

from ald_controller.recipe.blocks import block_at, load_blocks, takes_targets
from ald_controller.recipe.reading import Recipe, Written, read_recipe, read_step

__all__ = ["Recipe", "Written", "block_at", "load_blocks", "read_recipe", "read_step", "takes_targets"]
